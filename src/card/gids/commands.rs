//! The commands of a GIDS card, one constructor each (GIDS 1.0/2.0 card edge, ISO 7816-4).

use crate::apdu::{Command, tlv};
use crate::card::admin_key::CHECK_VALUE;
use crate::card::challenge::NONCE;
use crate::card::key_slot::KeyUsage;
use crate::secret::{AdminKey, AdminResponse, Pin, SecretBytes};

/// The application identifier without version bytes.
pub const AID: [u8; 9] = [0xA0, 0x00, 0x00, 0x03, 0x97, 0x42, 0x54, 0x46, 0x59];

/// The administrator key's reference.
const ADMIN_KEY_REFERENCE: u8 = 0x80;

/// The user PIN's reference.
const PIN_REFERENCE: u8 = 0x80;

/// First byte of the identifier of a key's file; the second is the key's reference.
const KEY_FILES: u8 = 0xB0;

/// SELECT by application identifier, first occurrence, FCI (ISO 7816-4 §7.1.1). Clears PIN, admin state and challenge.
#[must_use]
pub fn select() -> Command {
    Command::new(0x00, 0xA4, 0x04, 0x00).data(&AID).expecting(256)
}

/// GET DATA of one data object in a file (ISO 7816-4 §7.4.2, odd INS with tag list).
#[must_use]
pub fn get_data(file: u16, object: u32) -> Command {
    let [p1, p2] = file.to_be_bytes();
    let tag: Vec<u8> = object.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
    Command::new(0x00, 0xCB, p1, p2).data(&tlv::encode(0x5C, &tag)).expecting(256)
}

/// MANAGE SECURITY ENVIRONMENT: SET for mutual or external authentication with the admin key (ISO 7816-4 §7.5.11).
#[must_use]
pub fn set_admin_environment() -> Command {
    Command::new(0x00, 0x22, 0xC1, 0xA4).data(&[0x83, 0x01, ADMIN_KEY_REFERENCE])
}

/// GENERAL AUTHENTICATE asking for the short (8-byte) challenge (ISO 7816-4 §7.5.5). Drops an earlier admin state.
#[must_use]
pub fn admin_challenge() -> Command {
    Command::new(0x00, 0x87, 0x00, 0x00).data(&[0x7C, 0x02, 0x81, 0x00]).expecting(256)
}

/// GENERAL AUTHENTICATE asking for the long challenge, with our random number (R1; GIDS). Drops an earlier admin state.
#[must_use]
pub fn mutual_challenge(host: &[u8; NONCE]) -> Command {
    let template = tlv::encode(0x7C, &tlv::encode(0x81, host));
    Command::new(0x00, 0x87, 0x00, 0x00).data(&template).expecting(256)
}

/// GENERAL AUTHENTICATE with the token of the mutual authentication; the card answers with its own. Consumes the challenge; a
/// wrong token drops the admin state. **Costs an admin try where the card counts them and the token is wrong.**
#[must_use]
pub fn mutual_answer(token: &AdminResponse) -> Command {
    admin_answer(token).expecting(256)
}

/// GENERAL AUTHENTICATE with the answer (ISO 7816-4 §7.5.5). Consumes the challenge; a wrong answer drops the admin state.
/// **Costs an admin try where the card counts them and the answer is wrong.**
#[must_use]
pub fn admin_answer(answer: &AdminResponse) -> Command {
    let length = u8::try_from(answer.length()).unwrap_or(u8::MAX);
    let mut data = SecretBytes::with_capacity(4 + answer.length());
    let fits = data.append(&[0x7C, length.saturating_add(2), 0x82, length]) && data.append(answer.expose());
    debug_assert!(fits, "the buffer is made for template and answer");
    Command::new(0x00, 0x87, 0x00, 0x00).secret(data)
}

/// PUT DATA of the administrator key: `70 { 84 key reference, A5 { 87 key, 88 check value } }` (ISO 7816-4 §7.4.3, odd INS; GIDS).
/// Needs the administrator's authentication, which outlives it.
#[must_use]
pub fn put_admin_key(key: &AdminKey, check_value: &[u8; CHECK_VALUE]) -> Command {
    let key = key.expose();
    let [key_length, check_length] =
        [key.len(), check_value.len()].map(|length| u8::try_from(length).unwrap_or(u8::MAX));
    let content = key_length.saturating_add(check_length).saturating_add(4);
    let mut data = SecretBytes::with_capacity(11 + key.len() + check_value.len());
    let fits = data.append(&[0x70, content.saturating_add(5), 0x84, 0x01, ADMIN_KEY_REFERENCE, 0xA5, content])
        && data.append(&[0x87, key_length])
        && data.append(key)
        && data.append(&[0x88, check_length])
        && data.append(check_value);
    debug_assert!(fits, "the buffer is made for templates, key and check value");
    Command::new(0x00, 0xDB, 0x3F, 0xFF).secret(data)
}

/// CREATE FILE for a key pair: `62 { 82 key file, 83 file, 8C access rules, A5 { for each use and padding B6 or B8 { 80 algorithm,
/// 83 key reference, 95 usage } } }` (ISO 7816-9 §8.1; GIDS). The file's key is made and used by the user alone. Needs user or
/// administrator; `6984` where there is such a file.
#[must_use]
pub fn create_key_file(reference: u8, usage: KeyUsage, algorithm: u8) -> Command {
    let sign = [0x10, 0x50].map(|padding| (0xB6, padding | algorithm));
    let decrypt = [0x00, 0x80, 0x40].map(|padding| (0xB8, padding | algorithm));
    let uses = match usage {
        KeyUsage::Exchange => [&decrypt[..], &sign].concat(),
        KeyUsage::Signature => sign.to_vec(),
    };
    let uses: Vec<u8> = uses
        .into_iter()
        .flat_map(|(tag, algorithm)| {
            tlv::encode(tag, &[0x80, 0x01, algorithm, 0x83, 0x01, reference, 0x95, 0x01, 0x40])
        })
        .collect();
    let [high, low] = key_file(reference).to_be_bytes();
    let content = [
        &[0x82, 0x01, 0x18, 0x83, 0x02, high, low][..],
        // Deletion, activation and generation by the user, reading of the public key by anybody.
        &[0x8C, 0x05, 0x8F, 0x10, 0x10, 0x10, 0x00],
        &tlv::encode(0xA5, &uses),
    ];
    Command::new(0x00, 0xE0, 0x00, 0x00).data(&tlv::encode(0x62, &content.concat()))
}

/// ACTIVATE FILE: the access rules of the file that was created last count from here on (ISO 7816-9 §8.5).
#[must_use]
pub fn activate_file() -> Command {
    Command::new(0x00, 0x44, 0x00, 0x00)
}

/// SELECT by file identifier, no answer (ISO 7816-4 §7.1.1). Keeps what was authenticated.
#[must_use]
pub fn select_file(file: u16) -> Command {
    Command::new(0x00, 0xA4, 0x00, 0x0C).data(&file.to_be_bytes())
}

/// DELETE FILE: the selected one, and the key in it (ISO 7816-9 §8.2).
#[must_use]
pub fn delete_file() -> Command {
    Command::new(0x00, 0xE4, 0x00, 0x00)
}

/// GENERATE ASYMMETRIC KEY PAIR: `AC { 80 algorithm, 83 key reference }`; the answer is the public key (ISO 7816-8 §7.2). Needs
/// the user's PIN. **Replaces a key that the file has.** Takes up to half a minute.
#[must_use]
pub fn generate_key_pair(reference: u8, algorithm: u8) -> Command {
    let template = tlv::encode(0xAC, &[0x80, 0x01, algorithm, 0x83, 0x01, reference]);
    Command::new(0x00, 0x47, 0x00, 0x00).data(&template).expecting(256)
}

/// GET DATA of a public key: `70 { 84 key reference, A5 { 7F49 } }` (ISO 7816-4 §7.4.2, odd INS; GIDS).
#[must_use]
pub fn get_public_key(reference: u8) -> Command {
    let content = [&[0x84, 0x01, reference][..], &[0xA5, 0x03, 0x7F, 0x49, 0x80]].concat();
    Command::new(0x00, 0xCB, 0x3F, 0xFF).data(&tlv::encode(0x70, &content)).expecting(256)
}

/// MANAGE SECURITY ENVIRONMENT: SET for signatures that the card pads by PKCS#1 v1.5 (ISO 7816-4 §7.5.11). Needs the user's PIN.
#[must_use]
pub fn set_signature_environment(reference: u8, algorithm: u8) -> Command {
    Command::new(0x00, 0x22, 0x41, 0xB6).data(&[0x80, 0x01, 0x50 | algorithm, 0x84, 0x01, reference])
}

/// PERFORM SECURITY OPERATION: COMPUTE DIGITAL SIGNATURE of a `DigestInfo` (ISO 7816-8 §7.4).
#[must_use]
pub fn compute_signature(digest_info: &[u8]) -> Command {
    Command::new(0x00, 0x2A, 0x9E, 0x9A).data(digest_info).expecting(256)
}

/// PUT DATA of one data object in a file; more than a short command holds is chained (ISO 7816-4 §7.4.3, odd INS). An empty value
/// empties the object, and removes an empty one. A chain is not carried out as a whole: its first block brings the new length.
#[must_use]
pub fn put_data(file: u16, object: u32, value: &[u8]) -> Command {
    let [p1, p2] = file.to_be_bytes();
    Command::new(0x00, 0xDB, p1, p2).data(&tlv::encode(object, value))
}

/// The file of the key with this reference.
#[must_use]
pub fn key_file(reference: u8) -> u16 {
    u16::from_be_bytes([KEY_FILES, reference])
}

/// RESET RETRY COUNTER with a new PIN only, after admin authentication (ISO 7816-4 §7.5.10). Sets the counter to its
/// maximum; success drops every authentication.
#[must_use]
pub fn reset_retry_counter(pin: &Pin) -> Command {
    Command::new(0x00, 0x2C, 0x02, PIN_REFERENCE).secret(SecretBytes::copy_of(pin.expose()))
}

/// CHANGE REFERENCE DATA, old and new PIN without separator (ISO 7816-4 §7.5.7). **A wrong old PIN costs a try.**
#[must_use]
pub fn change_reference_data(current: &Pin, new: &Pin) -> Command {
    let mut data = SecretBytes::with_capacity(current.length() + new.length());
    let fits = data.append(current.expose()) && data.append(new.expose());
    debug_assert!(fits, "the buffer is made for both PINs");
    Command::new(0x00, 0x24, 0x00, PIN_REFERENCE).secret(data)
}

/// VERIFY, the PIN as ASCII without padding (ISO 7816-4 §7.5.6). A wrong PIN drops an earlier success. **It costs a
/// try.**
#[must_use]
pub fn verify(pin: &Pin) -> Command {
    Command::new(0x00, 0x20, 0x00, PIN_REFERENCE).secret(SecretBytes::copy_of(pin.expose()))
}

/// VERIFY without data, P2 = 82: drops PIN and admin state (GIDS).
#[must_use]
pub fn deauthenticate() -> Command {
    Command::new(0x00, 0x20, 0x00, 0x82)
}
