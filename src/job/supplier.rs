//! Who gives the secrets that the server does not: a person at a terminal, a file, a descriptor.

use super::cause::Cause;
use super::consent::{Proposal, Standing};
use super::issuer::Watch;
use super::secrets::{Need, SecretError};
use super::undertaking::Undertaking;
use crate::card::{CardId, PinLimits};
use crate::secret::{AdminKey, Code, Pin};

/// Supplies secrets that the server does not: a person at a terminal, a file, a descriptor.
pub trait Supplier {
    /// Whether the secret can be had at once, without a person: then the card need not be let go of meanwhile.
    fn at_hand(&self, need: Need) -> bool;

    /// Tells for which card a person is asked from now on.
    fn meet(&mut self, _card: CardId, _reader: &str) {}

    /// A new PIN for the card, entered twice where a person enters it.
    ///
    /// # Errors
    /// Nobody to ask, or no usable answer.
    fn new_pin(&mut self, limits: PinLimits) -> Result<Pin, SecretError>;

    /// Where the yes comes from without which the card is not written to.
    fn standing(&self) -> Standing;

    /// Whether to go on and write: asked once, when the server's records are known, nothing secret is fetched, and the card is
    /// let go of. `watch` is to be called while a person thinks; its error ends the wait.
    ///
    /// # Errors
    /// No, or nobody can be asked.
    fn consent(&mut self, proposal: &Proposal<'_>, watch: Watch<'_>) -> Result<(), Cause>;

    /// Whether an enrollment is to do what it is about to do: asked once, before anything is changed at the server or on the card, with
    /// the card let go of. `watch` as above.
    ///
    /// # Errors
    /// No, or nobody can be asked.
    fn agree(&mut self, undertaking: &Undertaking<'_>, watch: Watch<'_>) -> Result<(), Cause> {
        let _ = (undertaking, watch);
        match self.standing() {
            Standing::Given => Ok(()),
            Standing::Ask | Standing::Nobody => Err(SecretError::NobodyToAsk.into()),
        }
    }

    /// The value of an item that a profile template collects, no secret; `None`: nobody can be asked, and this is what is so
    /// where a supplier says nothing else.
    ///
    /// # Errors
    /// No answer.
    fn item(&mut self, name: &str) -> Result<Option<String>, SecretError> {
        let _ = name;
        Ok(None)
    }

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
