//! The steps of a job.

/// The steps of the PIN job in order, and what an enrollment does before and after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Open the card.
    Open,
    /// Family and card ID.
    Identify,
    /// The server's records of card and request.
    Resolve,
    /// A person's yes, where one is asked.
    Consent,
    /// Secrets that the server does not give.
    Supply,
    /// A challenge from the card.
    Challenge,
    /// PIN and answer from the server.
    Ask,
    /// Does the PIN suit the card?
    Fit,
    /// Is it still the same card?
    Bind,
    /// Prove ourselves to the card.
    Authorize,
    /// Set the PIN.
    SetPin,
    /// Have the card verify it.
    Verify,
    /// Create the request at the server.
    CreateRequest,
    /// Bind the card to the request at the server.
    BindCard,
    /// Replace the admin key.
    AdminKey,
    /// Have the card prove that it has the new admin key.
    ProveAdminKey,
    /// Generate a key pair on the card.
    KeyPair,
    /// Have the card sign a certificate request.
    SignRequest,
    /// Hand in the certificate requests.
    Submit,
    /// Write a certificate.
    Certificate,
    /// Erase what the card holds.
    Wipe,
    /// Retire the card at the server.
    Retire,
    /// Complete the request at the server.
    Complete,
}

impl Step {
    /// What the step does, as a phrase.
    #[must_use]
    pub fn phrase(self) -> &'static str {
        match self {
            Self::Open => "open the card",
            Self::Identify => "identify the card",
            Self::Resolve => "find the card and its request at the server",
            Self::Consent => "get the go-ahead",
            Self::Supply => "get a secret that the server does not give",
            Self::Challenge => "take a challenge from the card",
            Self::Ask => "ask the server",
            Self::Fit => "fit the PIN to the card",
            Self::Bind => "make sure that it is the same card",
            Self::Authorize => "prove ourselves to the card",
            Self::SetPin => "set the PIN",
            Self::Verify => "verify the PIN",
            Self::CreateRequest => "create the request",
            Self::BindCard => "bind the card to the request",
            Self::AdminKey => "replace the admin key",
            Self::ProveAdminKey => "prove the new admin key",
            Self::KeyPair => "generate a key pair on the card",
            Self::SignRequest => "sign a certificate request with the card",
            Self::Submit => "get the certificates from the server",
            Self::Certificate => "write a certificate to the card",
            Self::Wipe => "erase what the card holds",
            Self::Retire => "retire the card at the server",
            Self::Complete => "complete the request",
        }
    }

    /// The name used in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Identify => "identify",
            Self::Resolve => "resolve",
            Self::Consent => "consent",
            Self::Supply => "supply",
            Self::Challenge => "challenge",
            Self::Ask => "ask",
            Self::Fit => "fit",
            Self::Bind => "bind",
            Self::Authorize => "authorize",
            Self::SetPin => "set-pin",
            Self::Verify => "verify",
            Self::CreateRequest => "create-request",
            Self::BindCard => "bind-card",
            Self::AdminKey => "admin-key",
            Self::ProveAdminKey => "prove-admin-key",
            Self::KeyPair => "key-pair",
            Self::SignRequest => "sign-request",
            Self::Submit => "submit",
            Self::Certificate => "certificate",
            Self::Wipe => "wipe",
            Self::Retire => "retire",
            Self::Complete => "complete",
        }
    }

    /// Whether the server has been asked, and has answered with what this step needs, before it.
    #[must_use]
    pub fn follows_the_servers_secrets(self) -> bool {
        match self {
            Self::Fit | Self::Bind | Self::Authorize | Self::SetPin | Self::Verify => true,
            // The server has answered before each of these: the request was looked at.
            Self::BindCard
            | Self::AdminKey
            | Self::ProveAdminKey
            | Self::KeyPair
            | Self::SignRequest
            | Self::Submit
            | Self::Certificate
            | Self::Wipe
            | Self::Retire
            | Self::Complete => true,
            Self::Open
            | Self::Identify
            | Self::Resolve
            | Self::Consent
            | Self::Supply
            | Self::Challenge
            | Self::Ask
            | Self::CreateRequest => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_secrets_are_here_from_the_fit_on() {
        let steps = [
            Step::Open,
            Step::Identify,
            Step::Resolve,
            Step::Consent,
            Step::Supply,
            Step::Challenge,
            Step::Ask,
            Step::Fit,
            Step::Bind,
            Step::Authorize,
            Step::SetPin,
            Step::Verify,
        ];
        assert_eq!(steps.iter().position(|step| step.follows_the_servers_secrets()), Some(7));
        assert!(steps[7..].iter().all(|step| step.follows_the_servers_secrets()));
    }
}
