//! What is shown to a card to prove a right.

use crate::card::Proof;
use crate::secret::{AdminResponse, Code, Pin};

/// What is shown to the card to prove the right to set its PIN.
pub enum Credential<'a> {
    /// The answer to its challenge.
    Answer(AdminResponse),
    /// A PUK, an admin PIN or a resetting code.
    Code(Proof, &'a Code),
    /// Its current PIN.
    CurrentPin(&'a Pin),
}
