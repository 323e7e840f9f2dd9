//! Secrets that people and files give, and why one is not given.

use thiserror::Error;

use crate::os::files::Exposure;

/// A secret that the server does not give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// A new PIN for the card.
    NewPin,
    /// The card's current PIN.
    CurrentPin,
    /// The local admin key.
    AdminKey,
    /// The card's PUK.
    Puk,
    /// The card's admin PIN (PW3).
    AdminPin,
    /// The card's resetting code.
    ResettingCode,
}

impl Need {
    /// What is needed, in words.
    #[must_use]
    pub fn what(self) -> &'static str {
        match self {
            Self::NewPin => "the new PIN",
            Self::CurrentPin => "the current PIN",
            Self::AdminKey => "the admin key",
            Self::Puk => "the PUK",
            Self::AdminPin => "the admin PIN",
            Self::ResettingCode => "the resetting code",
        }
    }
}

/// Why there is no secret where one is needed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SecretError {
    /// Nobody to ask.
    #[error("{what} must be supplied, and there is no terminal to ask on")]
    NoTerminal {
        /// Which secret.
        what: &'static str,
    },
    /// The two entries differ.
    #[error("the two entries of {what} differ")]
    Mismatch {
        /// Which secret.
        what: &'static str,
    },
    /// What was given is not of that kind.
    #[error("{what} is not usable: {reason}")]
    Unusable {
        /// Which secret.
        what: &'static str,
        /// Why, without the secret.
        reason: String,
    },
    /// A file, descriptor or the terminal failed.
    #[error("{what} can't be read from {origin}")]
    Unreadable {
        /// Which secret.
        what: &'static str,
        /// Where from.
        origin: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Others can read the file or change it.
    #[error("{what} is not taken from this file")]
    Exposed {
        /// Which secret.
        what: &'static str,
        /// How.
        #[source]
        source: Exposure,
    },
    /// The person said no.
    #[error("the person at the terminal did not say yes")]
    Declined,
    /// Nobody has said yes, and nobody can be asked.
    #[error(
        "nobody has said yes to writing to the card, and standard input and standard error are not both a terminal"
    )]
    NobodyToAsk,
    /// Nobody answered in time.
    #[error("nobody has entered {what} in time")]
    TimedOut {
        /// Which secret.
        what: &'static str,
    },
    /// The person gave up.
    #[error("the entry of {what} was cancelled")]
    Cancelled {
        /// Which secret.
        what: &'static str,
    },
}
