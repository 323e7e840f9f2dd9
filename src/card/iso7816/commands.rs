//! The commands of a generic ISO 7816-4 card, one constructor each.

use crate::apdu::Command;
use crate::secret::{AdminResponse, SecretBytes};

/// SELECT by application identifier (ISO 7816-4 §7.1.1).
#[must_use]
pub fn select_application(aid: &[u8]) -> Command {
    Command::new(0x00, 0xA4, 0x04, 0x00).data(aid).expecting(256)
}

/// SELECT of an elementary file under the current one by its identifier, no answer data (ISO 7816-4 §7.1.1).
#[must_use]
pub fn select_file(identifier: [u8; 2]) -> Command {
    Command::new(0x00, 0xA4, 0x00, 0x0C).data(&identifier)
}

/// READ BINARY from the start of the current file (ISO 7816-4 §7.2.3).
#[must_use]
pub fn read_binary(length: usize) -> Command {
    Command::new(0x00, 0xB0, 0x00, 0x00).expecting(length)
}

/// GET DATA, the tag in P1-P2 (ISO 7816-4 §7.4.2, even INS).
#[must_use]
pub fn get_data(tag: u16) -> Command {
    let [p1, p2] = tag.to_be_bytes();
    Command::new(0x00, 0xCA, p1, p2).expecting(256)
}

/// GET CHALLENGE (ISO 7816-4 §7.5.3): valid at least for the next command.
#[must_use]
pub fn get_challenge(p1: u8, length: u8) -> Command {
    Command::new(0x00, 0x84, p1, 0x00).expecting(usize::from(length))
}

/// EXTERNAL AUTHENTICATE (ISO 7816-4 §7.5.4). **A wrong answer costs an admin try.**
#[must_use]
pub fn external_authenticate(algorithm: u8, reference: u8, answer: &AdminResponse) -> Command {
    Command::new(0x00, 0x82, algorithm, reference).secret(SecretBytes::copy_of(answer.expose()))
}

/// VERIFY (ISO 7816-4 §7.5.6). **A wrong PIN costs a try.**
#[must_use]
pub fn verify(reference: u8, pin: SecretBytes) -> Command {
    Command::new(0x00, 0x20, 0x00, reference).secret(pin)
}

/// VERIFY without data: asks for the tries left (ISO 7816-4 §7.5.6).
#[must_use]
pub fn verify_status(reference: u8) -> Command {
    Command::new(0x00, 0x20, 0x00, reference)
}

/// CHANGE REFERENCE DATA, old and new PIN (ISO 7816-4 §7.5.7). **A wrong old PIN costs a try.**
#[must_use]
pub fn change_reference_data(reference: u8, pins: SecretBytes) -> Command {
    Command::new(0x00, 0x24, 0x00, reference).secret(pins)
}

/// RESET RETRY COUNTER with a new PIN only (ISO 7816-4 §7.5.10, P1 = 02): needs the administrator's authentication.
#[must_use]
pub fn reset_retry_counter(reference: u8, pin: SecretBytes) -> Command {
    Command::new(0x00, 0x2C, 0x02, reference).secret(pin)
}
