//! What is shown to a card to prove the right to set its PIN.

use super::proof::Proof;
use crate::secret::{AdminResponse, Code, Pin};

/// The secret that a [`Proof`] is given with. No `Debug`, no `Clone`: it holds secrets.
pub enum Credential<'a> {
    /// The answer to the card's challenge.
    Answer(AdminResponse),
    /// The PUK, or the unblocking code of a card profile.
    Puk(&'a Code),
    /// The admin PIN (PW3).
    AdminPin(&'a Code),
    /// The resetting code.
    ResettingCode(&'a Code),
    /// The current PIN.
    CurrentPin(&'a Pin),
}

impl Credential<'_> {
    /// What it proves the right with.
    #[must_use]
    pub fn proof(&self) -> Proof {
        match self {
            Self::Answer(_) => Proof::AdminAnswer,
            Self::Puk(_) => Proof::Puk,
            Self::AdminPin(_) => Proof::AdminPin,
            Self::ResettingCode(_) => Proof::ResettingCode,
            Self::CurrentPin(_) => Proof::CurrentPin,
        }
    }
}
