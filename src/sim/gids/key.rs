//! Key pairs: GENERATE ASYMMETRIC KEY PAIR, MANAGE SECURITY ENVIRONMENT for them, PERFORM SECURITY OPERATION (ISO 7816-8).

use super::files::{File, Kind};
use super::{Command, GidsCard, Outcome, sw, tlv};
use crate::sim::keys;

/// First byte of the identifier of a key's file.
const KEY_FILES: u8 = 0xB0;
/// Algorithm of a key pair of RSA 2048. Of the others that the card edge has this card makes none.
const RSA_2048: u8 = 0x07;
/// The most data that the card pads: a signature of RSA 2048 has 256 bytes. Measured.
const PADDED_MAX: usize = 247;

/// What MANAGE SECURITY ENVIRONMENT has chosen.
#[derive(Clone, Copy)]
pub(super) struct Environment {
    file: u16,
    algorithm: u8,
}

impl GidsCard {
    fn key_file(&self, reference: u8) -> Option<&File> {
        self.files.get(u16::from_be_bytes([KEY_FILES, reference])).filter(|file| file.kind == Kind::Key)
    }

    /// GENERATE ASYMMETRIC KEY PAIR: `AC { 80 algorithm, 83 key reference }`. Replaces the key that the file has.
    pub(super) fn generate_key_pair(&mut self, command: &Command) -> Outcome {
        if command.p1p2() != 0 {
            return Err(sw::WRONG_P1P2);
        }
        let Some((0xAC, body, [])) = tlv::element(command.data) else {
            return Err(sw::DATA_INVALID);
        };
        let fields = tlv::elements(body).ok_or(sw::DATA_INVALID)?;
        let [(0x80, &[algorithm]), (0x83, &[reference])] = fields[..] else {
            return Err(sw::DATA_INVALID);
        };
        let file = self.key_file(reference).filter(|file| !file.uses.is_empty()).ok_or(sw::DATA_INVALID)?;
        let (id, update, active) = (file.id, file.update, file.active);
        self.allowed(update, active)?;
        if algorithm != RSA_2048 {
            return Err(sw::UNSUPPORTED);
        }
        let key = self.ready_keys.take(keys::Kind::Rsa2048).ok_or(sw::INTERNAL)?;
        let answer = key.public_template();
        self.files.get_mut(id).ok_or(sw::DATA_INVALID)?.key = Some(key);
        Ok(answer)
    }

    /// GET DATA `70 { 84 key reference, A5 { 7F49 } }`: the public key.
    pub(super) fn public_key(&self, body: &[u8]) -> Outcome {
        let fields = tlv::elements(body).ok_or(sw::DATA_INVALID)?;
        let [(0x84, &[reference]), (0xA5, [0x7F, 0x49, 0x80])] = fields[..] else {
            return Err(sw::DATA_INVALID);
        };
        let file = self.key_file(reference).ok_or(sw::NOT_FOUND)?;
        self.allowed(file.read, file.active)?;
        file.key.as_ref().map(keys::CardKey::public_template).ok_or(sw::NOT_FOUND)
    }

    /// MSE SET with P1 = 41: `80 algorithm, 84 key reference`, for a signature (B6) or a decipherment (B8). The right is looked at
    /// here and not when the key is used. Measured: an algorithm that the file was not created with makes the applet fail.
    pub(super) fn choose_key(&mut self, command: &Command) -> Outcome {
        let fields = tlv::elements(command.data).ok_or(sw::DATA_INVALID)?;
        let [(0x80, &[algorithm]), (0x84, &[reference])] = fields[..] else {
            return Err(sw::DATA_INVALID);
        };
        let file = self.key_file(reference).ok_or(sw::DATA_INVALID)?;
        if !file.uses.contains(&(command.p2, algorithm)) {
            return Err(sw::INTERNAL);
        }
        let (id, update, active) = (file.id, file.update, file.active);
        self.allowed(update, active)?;
        self.session.key_named = false;
        self.session.environment = Some(Environment { file: id, algorithm });
        Ok(Vec::new())
    }

    /// PERFORM SECURITY OPERATION: COMPUTE DIGITAL SIGNATURE (9E 9A), DECIPHER (80 86).
    pub(super) fn perform_operation(&mut self, p1p2: u16, data: &[u8], in_blocks: bool) -> Outcome {
        if !matches!(p1p2, 0x9E9A | 0x8086) {
            return Err(sw::WRONG_P1P2);
        }
        let environment = self.session.environment.ok_or(sw::CONDITIONS)?;
        // A file that has no key, or was deleted since it was chosen: the applet runs into a null pointer.
        let key = self.files.get(environment.file).and_then(|file| file.key.as_ref()).ok_or(sw::INTERNAL)?;
        match (p1p2, environment.algorithm & 0xF0) {
            (0x9E9A, 0x50) if data.len() > PADDED_MAX || in_blocks => Err(sw::WRONG_LENGTH),
            (0x9E9A, 0x50) => key.sign_padded(data).ok_or(sw::INTERNAL),
            (0x9E9A, 0x10) => key.raw(data).ok_or(sw::WRONG_LENGTH),
            (0x8086, 0x40) => key.decrypt(data).ok_or(sw::WRONG_DATA),
            (0x8086, 0x00) => key.raw(data).ok_or(sw::WRONG_LENGTH),
            (0x8086, _) => Err(sw::UNSUPPORTED),
            _ => Err(sw::CONDITIONS),
        }
    }
}
