//! The steps of a job.

/// The steps of the PIN job, in order, and the stages of an enrollment.
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
    /// Give the card an admin key of its own.
    ReplaceAdminKey,
    /// Have the card prove that key.
    ProveAdminKey,
    /// Prove the management key of a PIV card.
    UnlockManagement,
    /// Look at the places for key pairs and certificates.
    LookAtSlots,
    /// Generate a key pair.
    GenerateKeyPair,
    /// Sign the certificate request.
    SignRequest,
    /// Write the certificate, and read it back.
    WriteCertificate,
    /// Create the request at the server.
    CreateRequest,
    /// Bind the card to the request at the server.
    BindCard,
    /// Hand in the certificate requests.
    Submit,
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
            Self::ReplaceAdminKey => "give the card an admin key of its own",
            Self::ProveAdminKey => "have the card take the answer of its new admin key",
            Self::UnlockManagement => "prove the management key",
            Self::LookAtSlots => "look at the places for key pairs and certificates",
            Self::GenerateKeyPair => "generate the key pair",
            Self::SignRequest => "sign the certificate request",
            Self::WriteCertificate => "write the certificate",
            Self::CreateRequest => "create the request",
            Self::BindCard => "bind the card to the request",
            Self::Submit => "get the certificates from the server",
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
            Self::ReplaceAdminKey => "replace-admin-key",
            Self::ProveAdminKey => "prove-admin-key",
            Self::UnlockManagement => "unlock-management",
            Self::LookAtSlots => "look-at-slots",
            Self::GenerateKeyPair => "generate-key-pair",
            Self::SignRequest => "sign-request",
            Self::WriteCertificate => "write-certificate",
            Self::CreateRequest => "create-request",
            Self::BindCard => "bind-card",
            Self::Submit => "submit",
            Self::Wipe => "wipe",
            Self::Retire => "retire",
            Self::Complete => "complete",
        }
    }

    /// Whether the server has been asked for the secrets, and has given them, before this step.
    #[must_use]
    pub fn follows_the_servers_secrets(self) -> bool {
        match self {
            Self::Fit | Self::Bind | Self::Authorize | Self::SetPin | Self::Verify => true,
            Self::Open
            | Self::Identify
            | Self::Resolve
            | Self::Consent
            | Self::Supply
            | Self::Challenge
            | Self::Ask => false,
            // A stage of an enrollment asks for a secret of the server right before the command that carries it.
            Self::ReplaceAdminKey | Self::ProveAdminKey | Self::UnlockManagement => true,
            Self::LookAtSlots
            | Self::GenerateKeyPair
            | Self::SignRequest
            | Self::WriteCertificate
            | Self::CreateRequest
            | Self::BindCard
            | Self::Submit
            | Self::Wipe
            | Self::Retire
            | Self::Complete => false,
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
