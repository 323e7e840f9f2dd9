//! A held card's administrator key: whether it can be replaced, and its replacement with what is known of it afterwards.

use super::{HeldCard, is_of_a_recording};
use crate::card::{AdminKeyChange, AdminKeyHindrance, CardError, KeyAlgorithm};
use crate::job::cause::Cause;
use crate::job::effect::Change;
use crate::job::stage_error::{KeptKey, StageError};
use crate::secret::AdminKey;

/// A server's keys: 24 bytes of Triple DES.
const ALGORITHM: KeyAlgorithm = KeyAlgorithm::TripleDes;

impl HeldCard {
    /// Whether the card's key can be replaced by a server's. Nothing is sent on GIDS; up to 9 commands on PIV, a challenge among
    /// them. Costs no try.
    ///
    /// # Errors
    /// No answer; a family that has no such key.
    pub fn admin_key_hindrance(&mut self) -> Result<Option<AdminKeyHindrance>, Cause> {
        self.reset_at_end = true;
        self.with_admin_key(|change, channel| change.hindrance(channel))
    }

    /// Writes a server's key, after [`HeldCard::authorize`] with the old one. Costs no try. [`Effect::admin_key`] then says what
    /// is known: the new key is unproved until the card has taken an answer made with it.
    ///
    /// # Errors
    /// The card's refusal: the old key stays. No answer: either key may be the card's. A key of another length: nothing was sent.
    ///
    /// [`Effect::admin_key`]: crate::job::effect::Effect::admin_key
    pub fn write_admin_key(&mut self, key: &AdminKey) -> Result<(), Cause> {
        let before = self.effect.admin_key;
        let result = self.with_admin_key(|change, channel| change.write_admin_key(channel, ALGORITHM, key));
        self.effect.admin_key = match &result {
            Ok(()) => Change::New { verified: false },
            Err(cause) if leaves_the_key(cause) => before,
            Err(_) => Change::Unknown,
        };
        result
    }

    /// Notes that the card has taken an answer made with the key that was written.
    pub fn admin_key_is_proved(&mut self) {
        self.effect.admin_key = Change::New { verified: true };
    }

    /// Notes that the card has refused such an answer: nobody knows which key it has.
    pub fn admin_key_is_unknown(&mut self) {
        self.effect.admin_key = Change::Unknown;
    }

    fn with_admin_key<T>(
        &mut self,
        command: impl FnOnce(&mut dyn AdminKeyChange, &mut crate::apdu::Channel<'_>) -> Result<T, CardError>,
    ) -> Result<T, Cause> {
        let mut channel = super::channel(self.connection.as_mut(), self.card.as_ref());
        let change = self.card.admin_key_change().ok_or(StageError::AdminKeyKept(KeptKey::Family))?;
        Ok(command(change, &mut channel)?)
    }
}

/// The card has the key that it had: it says so, or was not sent another one.
fn leaves_the_key(cause: &Cause) -> bool {
    match cause {
        Cause::Card(CardError::KeyLength { .. } | CardError::KeyAlgorithm { .. } | CardError::Incomplete { .. })
        | Cause::Stage(_) => true,
        // A PIV card is asked first whether it has the command.
        Cause::Card(CardError::NoAnswer { command, .. }) if command.starts_with("GET ") => true,
        cause => cause.status().is_some_and(|status| status.leaves_card_unchanged()) || is_of_a_recording(cause),
    }
}
