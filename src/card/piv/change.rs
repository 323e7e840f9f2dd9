//! A new management key and a new PUK for a PIV card.

use super::{CHANGE, Piv, commands, counter, identity, pair};
use crate::apdu::{Channel, tlv};
use crate::card::admin_key::authenticate;
use crate::card::error::CardError;
use crate::card::key_algorithm::KeyAlgorithm;
use crate::card::proof::Proof;
use crate::card::send::send;
use crate::card::step::StepCommand;
use crate::card::{AdminKeyChange, AdminKeyHindrance, Card as _, CodeChange};
use crate::secret::{AdminKey, Code};

/// Flag of the administration data: the management key is stored behind the PIN.
const STORED: u8 = 0x02;

/// For cards with Yubico's extensions: SP 800-73-4 has no command that sets the management key.
impl AdminKeyChange for Piv {
    fn key_algorithms(&self) -> &'static [KeyAlgorithm] {
        &KeyAlgorithm::ALL
    }

    fn hindrance(&mut self, channel: &mut Channel<'_>) -> Result<Option<AdminKeyHindrance>, CardError> {
        let algorithm = match self.algorithm {
            Some(algorithm) => Some(algorithm),
            // Asked by a challenge where the card has no metadata: one of another algorithm says so.
            None => {
                self.challenge(channel)?;
                self.algorithm
            }
        };
        if let Some(other) = algorithm.filter(|algorithm| *algorithm != KeyAlgorithm::TripleDes) {
            return Ok(Some(AdminKeyHindrance::Algorithm(other)));
        }
        if !self.sets_management_key(channel)? {
            return Ok(Some(AdminKeyHindrance::NoCommand));
        }
        Ok(is_pin_protected(channel)?.then_some(AdminKeyHindrance::PinProtected))
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
        if !self.sets_management_key(channel)? {
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

impl Piv {
    /// Whether the card has the command, as its version says; asked once.
    fn sets_management_key(&mut self, channel: &mut Channel<'_>) -> Result<bool, CardError> {
        match self.has_version {
            Some(has_version) => Ok(has_version),
            None => {
                let has_version = identity::version(channel)?.is_some();
                self.has_version = Some(has_version);
                Ok(has_version)
            }
        }
    }
}

/// Whether ykman or the YubiKey minidriver has noted that the management key is kept behind the PIN, or derived from it with a salt:
/// `53 { 80 { 81 flags, 82 salt } }`.
fn is_pin_protected(channel: &mut Channel<'_>) -> Result<bool, CardError> {
    const OBJECT: &str = "administration data";
    let response = match send(channel, "GET DATA administration data", &commands::get_data(commands::ADMINISTRATION)) {
        Err(error) if error.is_mere_refusal() => return Ok(false),
        result => result?,
    };
    let malformed = |source| CardError::Malformed { object: OBJECT, source };
    let content = tlv::find_first(response.data(), 0x53).map_err(malformed)?.unwrap_or_default();
    let notes = tlv::find(content, 0x80).map_err(malformed)?.unwrap_or_default();
    let flags = tlv::find(notes, 0x81).map_err(malformed)?.unwrap_or_default();
    let salt = tlv::find(notes, 0x82).map_err(malformed)?;
    Ok(salt.is_some() || flags.iter().any(|flags| flags & STORED != 0))
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
