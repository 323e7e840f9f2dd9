//! The commands of a generic ISO 7816-4 card, one constructor each.

use crate::apdu::{Command, tlv};
use crate::secret::{AdminResponse, SecretBytes};

/// SELECT by application identifier (ISO 7816-4 §7.1.1).
#[must_use]
pub fn select_application(aid: &[u8]) -> Command {
    Command::new(0x00, 0xA4, 0x04, 0x00).data(aid).expecting(256)
}

/// SELECT of an elementary file under the current one by its identifier (ISO 7816-4 §7.1.1); `answer` asks for its control
/// information, which nothing is taken from.
#[must_use]
pub fn select_file(identifier: &[u8], answer: bool) -> Command {
    select(0x00, identifier, answer)
}

/// SELECT of an elementary file by its path: from the master file where the path begins with `3F00`, which the command leaves
/// out (P1 = 08), else from the current DF (P1 = 09; ISO 7816-4 §7.1.1).
#[must_use]
pub fn select_path(path: &[u8], answer: bool) -> Command {
    match path.strip_prefix(&[0x3F, 0x00]) {
        Some(rest) => select(0x08, rest, answer),
        None => select(0x09, path, answer),
    }
}

fn select(p1: u8, data: &[u8], answer: bool) -> Command {
    match answer {
        true => Command::new(0x00, 0xA4, p1, 0x00).data(data).expecting(256),
        false => Command::new(0x00, 0xA4, p1, 0x0C).data(data),
    }
}

/// READ BINARY of the current file (ISO 7816-4 §7.2.3). The offset is at most 7FFF.
#[must_use]
pub fn read_binary(offset: usize, length: usize) -> Command {
    let [p1, p2] = u16::try_from(offset).unwrap_or(u16::MAX).to_be_bytes();
    Command::new(0x00, 0xB0, p1 & 0x7F, p2).expecting(length)
}

/// GET DATA (ISO 7816-4 §7.4.2): a tag of one or two bytes in P1-P2 (even INS), a longer one in a tag list for the current DF
/// (odd INS, P1-P2 = 3FFF).
#[must_use]
pub fn get_data(tag: &[u8]) -> Command {
    match *tag {
        [tag] => Command::new(0x00, 0xCA, 0x00, tag).expecting(256),
        [p1, p2] => Command::new(0x00, 0xCA, p1, p2).expecting(256),
        _ => Command::new(0x00, 0xCB, 0x3F, 0xFF).data(&tlv::encode(0x5C, tag)).expecting(256),
    }
}

/// GET CHALLENGE (ISO 7816-4 §7.5.3): valid at least for the next command.
#[must_use]
pub fn get_challenge(p1: u8, p2: u8, length: usize) -> Command {
    Command::new(0x00, 0x84, p1, p2).expecting(length)
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

/// RESET RETRY COUNTER with the unblocking code and the new PIN (ISO 7816-4 §7.5.10, P1 = 00). **A wrong code costs a try of
/// it.**
#[must_use]
pub fn reset_with_code(reference: u8, code_and_pin: SecretBytes) -> Command {
    Command::new(0x00, 0x2C, 0x00, reference).secret(code_and_pin)
}
