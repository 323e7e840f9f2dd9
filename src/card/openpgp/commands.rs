//! The commands of an OpenPGP card, one constructor each (OpenPGP Smart Card Application 3.4 §7.2).

use crate::apdu::Command;
use crate::secret::SecretBytes;

/// The application identifier up to its version (§4.2.1).
pub const AID: [u8; 6] = [0xD2, 0x76, 0x00, 0x01, 0x24, 0x01];

/// PW1 for signatures. The reference of PW1 in CHANGE REFERENCE DATA and RESET RETRY COUNTER, too.
pub const PW1: u8 = 0x81;
/// PW1 for everything but signatures.
pub const PW1_OTHER: u8 = 0x82;
/// PW3, the administrator's.
pub const PW3: u8 = 0x83;

/// Application related data: application identifier, extended capabilities and PW status bytes among them (§4.4.1).
pub const APPLICATION_RELATED_DATA: u16 = 0x006E;
/// The full application identifier.
pub const FULL_AID: u16 = 0x004F;
/// PW status bytes: lengths and counters.
pub const PW_STATUS: u16 = 0x00C4;
/// KDF-DO: whether passwords are derived before they are sent (§4.3.2).
pub const KDF: u16 = 0x00F9;

/// SELECT by application identifier (§7.2.1). `6285` where the application is terminated.
#[must_use]
pub fn select() -> Command {
    Command::new(0x00, 0xA4, 0x04, 0x00).data(&AID).expecting(256)
}

/// GET DATA (§7.2.6).
#[must_use]
pub fn get_data(tag: u16) -> Command {
    let [p1, p2] = tag.to_be_bytes();
    Command::new(0x00, 0xCA, p1, p2).expecting(256)
}

/// GET CHALLENGE (§7.2.15): random numbers. They bind to no authentication of this card.
#[must_use]
pub fn get_challenge(length: usize) -> Command {
    Command::new(0x00, 0x84, 0x00, 0x00).expecting(length)
}

/// VERIFY (§7.2.2). **A wrong password costs a try.**
#[must_use]
pub fn verify(reference: u8, password: SecretBytes) -> Command {
    Command::new(0x00, 0x20, 0x00, reference).secret(password)
}

/// VERIFY with P1 = FF: the password counts as not verified from here on (§7.2.2).
#[must_use]
pub fn log_out(reference: u8) -> Command {
    Command::new(0x00, 0x20, 0xFF, reference)
}

/// CHANGE REFERENCE DATA of PW1 or PW3, old and new without a separator (§7.2.3). **A wrong old one costs a try.**
#[must_use]
pub fn change_reference_data(reference: u8, old_and_new: SecretBytes) -> Command {
    Command::new(0x00, 0x24, 0x00, reference).secret(old_and_new)
}

/// RESET RETRY COUNTER with a new PW1 only, after PW3 is verified (§7.2.4, P1 = 02).
#[must_use]
pub fn reset_retry_counter(new: SecretBytes) -> Command {
    Command::new(0x00, 0x2C, 0x02, PW1).secret(new)
}

/// RESET RETRY COUNTER with resetting code and new PW1 without a separator (§7.2.4, P1 = 00). **A wrong code costs a try of
/// it.**
#[must_use]
pub fn reset_with_code(code_and_new: SecretBytes) -> Command {
    Command::new(0x00, 0x2C, 0x00, PW1).secret(code_and_new)
}
