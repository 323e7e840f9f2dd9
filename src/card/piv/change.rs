//! A new management key and a new PUK for a PIV card.

use super::{CHANGE, Piv, commands, counter, identity, pair};
use crate::apdu::Channel;
use crate::card::admin_key::authenticate;
use crate::card::error::CardError;
use crate::card::key_algorithm::KeyAlgorithm;
use crate::card::proof::Proof;
use crate::card::send::send;
use crate::card::step::StepCommand;
use crate::card::{AdminKeyChange, CodeChange};
use crate::secret::{AdminKey, Code};

/// For cards with Yubico's extensions: SP 800-73-4 has no command that sets the management key.
impl AdminKeyChange for Piv {
    fn key_algorithms(&self) -> &'static [KeyAlgorithm] {
        &KeyAlgorithm::ALL
    }

    fn write_admin_key(
        &mut self,
        channel: &mut Channel<'_>,
        algorithm: KeyAlgorithm,
        key: &AdminKey,
    ) -> Result<(), CardError> {
        let length = key.expose().len();
        if length != algorithm.key_length() {
            return Err(CardError::KeyLength { length, expected: algorithm.key_length() });
        }
        if identity::version(channel)?.is_none() {
            return Err(CardError::Incomplete { object: "application", missing: "command to set the management key" });
        }
        send(channel, "SET MANAGEMENT KEY", &commands::set_management_key(algorithm, key))?;
        self.algorithm = Some(algorithm);
        Ok(())
    }

    fn prove_admin_key(&mut self, channel: &mut Channel<'_>, key: &AdminKey) -> Result<(), CardError> {
        authenticate(self, channel, key)
    }
}

impl CodeChange for Piv {
    fn code(&self) -> Proof {
        Proof::Puk
    }

    fn change_code(&mut self, channel: &mut Channel<'_>, current: &Code, new: &Code) -> Result<(), CardError> {
        let both = pair(current.expose(), new.expose())?;
        let command = commands::change_reference_data(commands::PUK, both);
        counter::change(channel, commands::PUK, &StepCommand { name: CHANGE, purpose: "change the PUK", command })
    }
}
