//! A held card's certificates: reading, and writing with what is known of the slot afterwards.

use super::{HeldCard, is_of_a_recording};
use crate::apdu::Channel;
use crate::card::{CardError, Certificates, KeySlot};
use crate::job::cause::Cause;
use crate::job::effect::Change;
use crate::job::stage_error::StageError;

impl HeldCard {
    /// The certificate of a slot (DER); `None` where there is none. 2 commands on GIDS, 1 on PIV, and those for a long answer.
    /// Costs no try.
    ///
    /// # Errors
    /// No answer; content of a form that is not known; a family without certificates.
    pub fn certificate(&mut self, slot: KeySlot) -> Result<Option<Vec<u8>>, Cause> {
        self.with_certificates(|certificates, channel| certificates.read(channel, slot))
    }

    /// Writes the certificate of a slot in place of one that it has, with the right to write proved before, and reads it back.
    /// Commands as [`Certificates::write`] and [`Certificates::read`] say; costs no try. [`Effect::certificate`] then says what
    /// is known.
    ///
    /// # Errors
    /// The card's refusal; no room left. No answer: the slot has the old one or the new one. The card gives back something else
    /// than was written.
    ///
    /// [`Effect::certificate`]: crate::job::effect::Effect::certificate
    pub fn write_certificate(&mut self, slot: KeySlot, certificate: &[u8]) -> Result<(), Cause> {
        let before = self.effect.certificate;
        let written = self.with_certificates(|certificates, channel| certificates.write(channel, slot, certificate));
        if let Err(cause) = written {
            self.effect.certificate = match &cause {
                cause if was_not_begun(cause) => before,
                // The card is there, and one of the two is on it: it says which.
                cause if cause.status().is_some() => match self.certificate(slot) {
                    Ok(Some(now)) if now == certificate => Change::New { verified: true },
                    Ok(_) => before,
                    Err(_) => Change::Unknown,
                },
                _ => Change::Unknown,
            };
            return Err(cause);
        }
        self.effect.certificate = Change::New { verified: false };
        if self.certificate(slot)?.as_deref() != Some(certificate) {
            self.effect.certificate = Change::Unknown;
            return Err(StageError::NotAsWritten { slot }.into());
        }
        self.effect.certificate = Change::New { verified: true };
        Ok(())
    }

    /// Removes the certificate of a slot, where it has one. Costs no try.
    ///
    /// # Errors
    /// The card's refusal; no answer: the slot may have it still.
    pub fn remove_certificate(&mut self, slot: KeySlot) -> Result<(), Cause> {
        self.with_certificates(|certificates, channel| certificates.remove(channel, slot))
    }

    fn with_certificates<T>(
        &mut self,
        command: impl FnOnce(&mut dyn Certificates, &mut Channel<'_>) -> Result<T, CardError>,
    ) -> Result<T, Cause> {
        let mut channel = super::channel(self.connection.as_mut(), self.card.as_ref());
        let family = self.card.family();
        let certificates = self.card.certificates().ok_or_else(|| StageError::no_keys(family))?;
        Ok(command(certificates, &mut channel)?)
    }
}

/// Nothing of it was written: it could not be, or the card's tables could not be read before.
fn was_not_begun(cause: &Cause) -> bool {
    match cause {
        Cause::Stage(_)
        | Cause::Card(
            CardError::TooLong { .. }
            | CardError::OtherSlot { .. }
            | CardError::Incomplete { .. }
            | CardError::Malformed { .. }
            | CardError::UnknownForm { .. },
        ) => true,
        Cause::Card(CardError::NoAnswer { command, .. }) if command.starts_with("GET ") => true,
        cause => is_of_a_recording(cause),
    }
}
