//! The commands of a PIV card, one constructor each (NIST SP 800-73-4 part 2 §3; Yubico's documented extensions are marked).

use crate::apdu::{Command, tlv};
use crate::card::key_algorithm::KeyAlgorithm;
use crate::secret::{AdminKey, AdminResponse, SecretBytes};

/// The application identifier up to its version (SP 800-73-4 part 1 §2.2).
pub const AID: [u8; 9] = [0xA0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00];

/// The identifier without its registered provider, which some cards leave out of their answer.
pub const PIX: [u8; 6] = [0x00, 0x00, 0x10, 0x00, 0x01, 0x00];

/// The PIV application's PIN.
pub const PIN: u8 = 0x80;
/// The card's Global PIN, which several applications share.
pub const GLOBAL_PIN: u8 = 0x00;
/// The PIN unblocking key.
pub const PUK: u8 = 0x81;
/// The card management key.
pub const MANAGEMENT_KEY: u8 = 0x9B;

/// Card Holder Unique Identifier.
pub const CHUID: &[u8] = &[0x5F, 0xC1, 0x02];
/// Discovery object.
pub const DISCOVERY: &[u8] = &[0x7E];
/// Card Capability Container.
pub const CCC: &[u8] = &[0x5F, 0xC1, 0x07];

/// SELECT by application identifier (part 2 §3.1.1). Nine bytes: some cards refuse the five of the registered provider alone.
#[must_use]
pub fn select() -> Command {
    Command::new(0x00, 0xA4, 0x04, 0x00).data(&AID).expecting(256)
}

/// GET DATA of one data object (part 2 §3.1.2).
#[must_use]
pub fn get_data(object: &[u8]) -> Command {
    Command::new(0x00, 0xCB, 0x3F, 0xFF).data(&tlv::encode(0x5C, object)).expecting(256)
}

/// VERIFY without data: `63Cx` tells the tries left, `9000` that the PIN is verified (part 2 §3.2.1). Only a PIN has one: a
/// PUK can't be asked for.
#[must_use]
pub fn verify_status(reference: u8) -> Command {
    Command::new(0x00, 0x20, 0x00, reference)
}

/// VERIFY (part 2 §3.2.1), the PIN filled up to eight bytes. **A wrong PIN costs a try.**
#[must_use]
pub fn verify(reference: u8, pin: SecretBytes) -> Command {
    Command::new(0x00, 0x20, 0x00, reference).secret(pin)
}

/// VERIFY with P1 = FF: the PIN counts as not verified from here on (part 2 §3.2.1).
#[must_use]
pub fn log_out(reference: u8) -> Command {
    Command::new(0x00, 0x20, 0xFF, reference)
}

/// CHANGE REFERENCE DATA of PIN or PUK, old and new value of eight bytes each (part 2 §3.2.2). **A wrong old value costs a
/// try of it.**
#[must_use]
pub fn change_reference_data(reference: u8, old_and_new: SecretBytes) -> Command {
    Command::new(0x00, 0x24, 0x00, reference).secret(old_and_new)
}

/// RESET RETRY COUNTER, PUK and new PIN of eight bytes each (part 2 §3.2.3). Only the application's PIN has a PUK. **A wrong PUK costs a try of the PUK.**
#[must_use]
pub fn reset_retry_counter(puk_and_new: SecretBytes) -> Command {
    Command::new(0x00, 0x2C, 0x00, PIN).secret(puk_and_new)
}

/// GENERAL AUTHENTICATE asking for a challenge to the holder of the management key (part 2 §3.2.4, table 7). Costs no try;
/// `6A86` where the key is of another algorithm.
#[must_use]
pub fn management_challenge(algorithm: KeyAlgorithm) -> Command {
    Command::new(0x00, 0x87, algorithm.byte(), MANAGEMENT_KEY).data(&[0x7C, 0x02, 0x81, 0x00]).expecting(256)
}

/// GENERAL AUTHENTICATE with the answer to the challenge (part 2 §3.2.4). Consumes the challenge. **Costs a try where the card
/// counts wrong answers.**
#[must_use]
pub fn management_answer(algorithm: KeyAlgorithm, answer: &AdminResponse) -> Command {
    let length = u8::try_from(answer.length()).unwrap_or(u8::MAX);
    let mut data = SecretBytes::with_capacity(4 + answer.length());
    let fits = data.append(&[0x7C, length.saturating_add(2), 0x82, length]) && data.append(answer.expose());
    debug_assert!(fits, "the buffer is made for template and answer");
    Command::new(0x00, 0x87, algorithm.byte(), MANAGEMENT_KEY).secret(data)
}

/// SET MANAGEMENT KEY (Yubico), after authentication with the old one; no touch asked for later.
#[must_use]
pub fn set_management_key(algorithm: KeyAlgorithm, key: &AdminKey) -> Command {
    let key = key.expose();
    let length = u8::try_from(key.len()).unwrap_or(u8::MAX);
    let mut data = SecretBytes::with_capacity(3 + key.len());
    let fits = data.append(&[algorithm.byte(), MANAGEMENT_KEY, length]) && data.append(key);
    debug_assert!(fits, "the buffer is made for header and key");
    Command::new(0x00, 0xFF, 0xFF, 0xFF).secret(data)
}

/// GET METADATA of a PIN, PUK or key (Yubico, firmware 5.3). A card that does not know it refuses or answers nothing.
#[must_use]
pub fn get_metadata(reference: u8) -> Command {
    Command::new(0x00, 0xF7, 0x00, reference).expecting(256)
}

/// GET VERSION (Yubico): three bytes.
#[must_use]
pub fn get_version() -> Command {
    Command::new(0x00, 0xFD, 0x00, 0x00).expecting(256)
}

/// GET SERIAL (Yubico, firmware 5): four bytes, big-endian.
#[must_use]
pub fn get_serial() -> Command {
    Command::new(0x00, 0xF8, 0x00, 0x00).expecting(256)
}
