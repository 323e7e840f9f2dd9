//! The commands of a PIV card, one constructor each (NIST SP 800-73-4 part 2 §3; Yubico's documented extensions are marked).

use crate::apdu::{Command, tlv};
use crate::card::key_algorithm::KeyAlgorithm;
use crate::card::key_pair::KeyType;
use crate::card::key_slot::PivSlot;
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
/// What ykman and the YubiKey minidriver note of PUK and management key (Yubico).
pub const ADMINISTRATION: &[u8] = &[0x5F, 0xFF, 0x00];
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

/// GENERATE ASYMMETRIC KEY PAIR: `AC { 80 mechanism }`; the answer is the public key (part 2 §3.3.2). Needs the management key.
/// **Replaces a key that is there.** Takes up to half a minute.
#[must_use]
pub fn generate_key_pair(slot: PivSlot, key_type: KeyType) -> Command {
    let template = tlv::encode(0xAC, &[0x80, 0x01, mechanism(key_type)]);
    Command::new(0x00, 0x47, 0x00, slot.reference()).data(&template).expecting(256)
}

/// GENERAL AUTHENTICATE for a signature: `7C { 82, 81 what is signed }` (part 2 §3.2.4, table 7). The card pads nothing. Needs the
/// PIN but with 9E; with 9C it is verified right before.
#[must_use]
pub fn sign(slot: PivSlot, key_type: KeyType, block: &[u8]) -> Command {
    let template = tlv::encode(0x7C, &[tlv::encode(0x82, &[]), tlv::encode(0x81, block)].concat());
    Command::new(0x00, 0x87, mechanism(key_type), slot.reference()).data(&template).expecting(256)
}

/// PUT DATA of a certificate's object (part 2 §3.3.1), in a chain where it is long. Needs the management key.
#[must_use]
pub fn put_certificate(slot: PivSlot, object: &[u8]) -> Command {
    let data = [tlv::encode(0x5C, &certificate(slot)), object.to_vec()].concat();
    Command::new(0x00, 0xDB, 0x3F, 0xFF).data(&data)
}

/// The data object of a key's certificate (part 1 §4.3, table 3).
#[must_use]
pub fn certificate(slot: PivSlot) -> [u8; 3] {
    let last = match slot {
        PivSlot::Authentication => 0x05,
        PivSlot::Signature => 0x0A,
        PivSlot::KeyManagement => 0x0B,
        PivSlot::CardAuthentication => 0x01,
    };
    [0x5F, 0xC1, last]
}

/// The algorithm identifier of a key pair (SP 800-78-4 §6.2, table 6-2).
fn mechanism(key_type: KeyType) -> u8 {
    match key_type {
        KeyType::Rsa2048 => 0x07,
        KeyType::P256 => 0x11,
        KeyType::P384 => 0x14,
    }
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
