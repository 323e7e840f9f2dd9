//! Secrets that the server does not give: from a person at a terminal, a file, a descriptor.

use thiserror::Error;

use super::error::Cause;
use super::issuer::Watch;
use crate::card::PinLimits;
use crate::secret::{AdminKey, Code, Pin};

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

/// Supplies secrets that the server does not: a person at a terminal, a file, a descriptor.
pub trait Supplier {
    /// Whether the secret can be had at once, without a person: then the card need not be let go of meanwhile.
    fn at_hand(&self, need: Need) -> bool;

    /// A new PIN for the card, entered twice where a person enters it.
    ///
    /// # Errors
    /// Nobody to ask, or no usable answer.
    fn new_pin(&mut self, limits: PinLimits) -> Result<Pin, SecretError>;

    /// Whether to go on and write, asked when everything is ready and nothing is written. `watch` is to be called while a
    /// person thinks: it keeps the card, and its error ends the wait. `card` names card and reader.
    ///
    /// # Errors
    /// No.
    fn consent(&mut self, card: &str, watch: Watch<'_>) -> Result<(), Cause>;

    /// The card's current PIN.
    ///
    /// # Errors
    /// Nobody to ask, or no usable answer.
    fn current_pin(&mut self) -> Result<Pin, SecretError>;

    /// The local admin key.
    ///
    /// # Errors
    /// Nobody to ask, or no usable answer.
    fn admin_key(&mut self) -> Result<AdminKey, SecretError>;

    /// The PUK, the admin PIN or the resetting code, whichever `need` names.
    ///
    /// # Errors
    /// Nobody to ask, or no usable answer.
    fn code(&mut self, need: Need) -> Result<Code, SecretError>;
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
    /// The person said no.
    #[error("the person at the terminal did not say yes")]
    Declined,
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
