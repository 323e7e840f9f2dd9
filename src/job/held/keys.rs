//! A held card's key pairs: where there is room, their generation with what is known of the slot afterwards, and signatures.

use super::{HeldCard, is_of_a_recording};
use crate::apdu::Channel;
use crate::card::{CardError, Digest, Held, KeySlot, KeyType, Keys, PublicKey, Room, SlotChoice, Vacant};
use crate::job::cause::Cause;
use crate::job::effect::Change;
use crate::job::stage_error::StageError;

/// What a GIDS card is sent before its key is made: it has no key in the place until then, whatever becomes of these.
const BEFORE_THE_KEY: [&str; 6] =
    ["GET DATA cmapfile", "GET DATA key map", "CREATE FILE", "SELECT key file", "DELETE FILE", "ACTIVATE FILE"];

impl HeldCard {
    /// Every slot that is not empty, as far as the card tells. 3 commands on GIDS, up to 9 on PIV. Costs no try.
    ///
    /// # Errors
    /// No answer; a table that can't be read; a family without key pairs.
    pub fn held_keys(&mut self) -> Result<Vec<Held>, Cause> {
        self.with_keys(|keys, channel| keys.held(channel))
    }

    /// Whether there is room for a key pair. 3 commands on GIDS, 1 to 3 on PIV. Costs no try.
    ///
    /// # Errors
    /// As [`HeldCard::held_keys`]; a slot of another family.
    pub fn room(&mut self, choice: SlotChoice) -> Result<Room, Cause> {
        self.with_keys(|keys, channel| keys.room(channel, choice))
    }

    /// The public key in a slot; `None` where there is none, or the card tells none. 1 to 3 commands. Costs no try.
    ///
    /// # Errors
    /// As [`HeldCard::held_keys`]; an answer that holds no key.
    pub fn public_key(&mut self, slot: KeySlot) -> Result<Option<PublicKey>, Cause> {
        self.with_keys(|keys, channel| keys.public_key(channel, slot))
    }

    /// Makes a key pair, up to half a minute long, with the right to write proved before. Commands as [`Keys::generate`] says;
    /// costs no try. [`Effect::key_slot`] then says what is known of the place.
    ///
    /// # Errors
    /// The card's refusal; no room left. No answer: the slot may have a key, or half of its registration.
    ///
    /// [`Effect::key_slot`]: crate::job::effect::Effect::key_slot
    pub fn generate(&mut self, place: &Vacant, key_type: KeyType, name: &str) -> Result<PublicKey, Cause> {
        let before = self.effect.key_slot;
        let result = self.with_keys(|keys, channel| keys.generate(channel, place, key_type, name));
        self.effect.key_slot = match &result {
            Ok(_) => Change::New { verified: true },
            Err(cause) if leaves_the_slot(cause, place.is_given_up()) => before,
            Err(_) => Change::Unknown,
        };
        result
    }

    /// Signs a digest, after the PIN was verified. Commands as [`Keys::sign`] says; costs no try.
    ///
    /// # Errors
    /// The card's refusal; an answer that holds no signature.
    pub fn sign(&mut self, slot: KeySlot, key_type: KeyType, digest: &Digest) -> Result<Vec<u8>, Cause> {
        self.with_keys(|keys, channel| keys.sign(channel, slot, key_type, digest))
    }

    /// Erases what a slot holds, with the right to write proved before: certificate, registration and key on GIDS, the certificate on a card
    /// that has no command which deletes a key. Gives whether the key is gone. Commands as [`Keys::erase`] says; costs no try.
    /// [`Effect::contents`] is unknown from then on, until [`HeldCard::is_wiped`].
    ///
    /// # Errors
    /// The card's refusal, or no answer: some of it may be erased, and the same call made again erases the rest.
    ///
    /// [`Effect::contents`]: crate::job::effect::Effect::contents
    pub fn erase(&mut self, slot: KeySlot) -> Result<bool, Cause> {
        self.effect.contents = Change::Unknown;
        let is_erased = self.with_keys(|keys, channel| keys.erase(channel, slot))?;
        if !is_erased {
            self.remove_certificate(slot)?;
        }
        Ok(is_erased)
    }

    /// Notes that all that was to be erased is erased.
    pub fn is_wiped(&mut self) {
        self.effect.contents = Change::New { verified: true };
    }

    fn with_keys<T>(
        &mut self,
        command: impl FnOnce(&mut dyn Keys, &mut Channel<'_>) -> Result<T, CardError>,
    ) -> Result<T, Cause> {
        let mut channel = super::channel(self.connection.as_mut(), self.card.as_ref());
        let family = self.card.family();
        let keys = self.card.keys().ok_or_else(|| StageError::no_keys(family))?;
        Ok(command(keys, &mut channel)?)
    }
}

/// The slot is as it was: nothing was sent, or a refusal came before the key. What was given up is erased first, and then nothing
/// is known of a job that was cut off.
fn leaves_the_slot(cause: &Cause, is_given_up: bool) -> bool {
    match cause {
        Cause::Stage(_)
        | Cause::Card(CardError::KeyType { .. } | CardError::TooLong { .. } | CardError::OtherSlot { .. }) => true,
        _ if is_given_up => false,
        Cause::Card(CardError::NoLongerFree { .. } | CardError::ContainerName { .. }) => true,
        Cause::Card(
            CardError::NoAnswer { command, .. } | CardError::Refused { command, .. } | CardError::Full { command, .. },
        ) if BEFORE_THE_KEY.contains(command) => true,
        Cause::Card(
            CardError::Refused { command: "GENERATE ASYMMETRIC KEY PAIR", status }
            | CardError::Full { command: "GENERATE ASYMMETRIC KEY PAIR", status },
        ) => status.leaves_card_unchanged(),
        cause => is_of_a_recording(cause),
    }
}
