//! What some cards can do beside the PIN job: one trait each, handed out by [`super::Card`] where the family can do it.

use super::error::CardError;
use super::key_algorithm::KeyAlgorithm;
use super::proof::Proof;
use crate::apdu::Channel;
use crate::secret::{AdminKey, Code};

/// The key of the card's administrator can be replaced: the admin key of a GIDS card, the management key of a PIV card.
///
/// The card takes the new key at once and gives no key back to be compared, so a written key is proved before anybody is told
/// of it.
pub trait AdminKeyChange {
    /// The algorithms that the card's key can be of.
    fn key_algorithms(&self) -> &'static [KeyAlgorithm];

    /// Writes the key, after the administrator has proved himself with the old one ([`super::PinJob::authorize`]); he stays
    /// authenticated. 1 command, and 1 before it where the card has to say that it knows it. Costs no try.
    ///
    /// # Errors
    /// The card's refusal: the old key stays. No answer: either key may be the card's. An algorithm that the card has no key
    /// of, or a key of another length: nothing was sent.
    fn write_admin_key(
        &mut self,
        channel: &mut Channel<'_>,
        algorithm: KeyAlgorithm,
        key: &AdminKey,
    ) -> Result<(), CardError>;

    /// Has the card take an answer made with this key to a new challenge. Drops an earlier challenge and an earlier
    /// authentication. **Costs a try of the admin key when it is another one, where the card counts them.**
    ///
    /// # Errors
    /// The card's refusal: it has another key. A card that does not prove itself in a mutual authentication, a key that does
    /// not fit the challenge, no answer.
    fn prove_admin_key(&mut self, channel: &mut Channel<'_>, key: &AdminKey) -> Result<(), CardError>;
}

/// The code that sets a forgotten PIN can be replaced: the PUK of a PIV card, the admin PIN (PW3) of an OpenPGP card.
pub trait CodeChange {
    /// Which code it is: [`Proof::Puk`] or [`Proof::AdminPin`].
    fn code(&self) -> Proof;

    /// Replaces the code. **Costs a try of it when `current` is wrong.**
    ///
    /// # Errors
    /// The card's refusal: the old code stays. No answer: either code may be the card's. A code of a length that this card's
    /// can't have: nothing was sent.
    fn change_code(&mut self, channel: &mut Channel<'_>, current: &Code, new: &Code) -> Result<(), CardError>;
}

/// The card keeps a table of its certificates.
pub trait Certificates {
    /// The names of the certificate files. 1 command. Costs no try.
    ///
    /// # Errors
    /// No answer, a table that can't be read, or a card that has nothing selected any more. A card that has no table yet, or
    /// shows it to nobody, has no names.
    fn list(&mut self, channel: &mut Channel<'_>) -> Result<Vec<String>, CardError>;
}
