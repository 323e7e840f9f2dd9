//! A new key for the administrator of a GIDS card.

use super::{Gids, commands};
use crate::apdu::Channel;
use crate::card::admin_key::{authenticate, check_value};
use crate::card::error::CardError;
use crate::card::key_algorithm::KeyAlgorithm;
use crate::card::proof::Family;
use crate::card::send::send;
use crate::card::{AdminKeyChange, AdminKeyHindrance};
use crate::secret::AdminKey;

impl AdminKeyChange for Gids {
    fn key_algorithms(&self) -> &'static [KeyAlgorithm] {
        &[KeyAlgorithm::TripleDes]
    }

    /// A GIDS card has a Triple DES key and a command that replaces it.
    fn hindrance(&mut self, _channel: &mut Channel<'_>) -> Result<Option<AdminKeyHindrance>, CardError> {
        Ok(None)
    }

    fn write_admin_key(
        &mut self,
        channel: &mut Channel<'_>,
        algorithm: KeyAlgorithm,
        key: &AdminKey,
    ) -> Result<(), CardError> {
        if !self.key_algorithms().contains(&algorithm) {
            return Err(CardError::KeyAlgorithm { family: Family::Gids, algorithm });
        }
        let check_value = check_value(key)?;
        send(channel, "PUT DATA admin key", &commands::put_admin_key(key, &check_value)).map(drop)
    }

    fn prove_admin_key(&mut self, channel: &mut Channel<'_>, key: &AdminKey) -> Result<(), CardError> {
        authenticate(self, channel, key)
    }
}
