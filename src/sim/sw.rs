//! Status words (ISO 7816-4:2005 §5.1.3) the virtual cards give.

pub(super) const OK: u16 = 0x9000;
pub(super) const MORE_DATA: u16 = 0x6100;
pub(super) const TERMINATED: u16 = 0x6285;
pub(super) const END_OF_FILE: u16 = 0x6282;
pub(super) const WRONG: u16 = 0x6300;
pub(super) const TRIES_LEFT: u16 = 0x63C0;
pub(super) const WRONG_LENGTH: u16 = 0x6700;
pub(super) const SECURE_MESSAGING: u16 = 0x6882;
pub(super) const CHAINING: u16 = 0x6884;
pub(super) const SECURITY: u16 = 0x6982;
pub(super) const BLOCKED: u16 = 0x6983;
pub(super) const DATA_INVALID: u16 = 0x6984;
pub(super) const CONDITIONS: u16 = 0x6985;
pub(super) const NOT_ALLOWED: u16 = 0x6986;
pub(super) const WRONG_DATA: u16 = 0x6A80;
pub(super) const UNSUPPORTED: u16 = 0x6A81;
pub(super) const FILE_NOT_FOUND: u16 = 0x6A82;
pub(super) const NO_SPACE: u16 = 0x6A84;
pub(super) const WRONG_P1P2: u16 = 0x6A86;
pub(super) const NOT_FOUND: u16 = 0x6A88;
pub(super) const OFFSET: u16 = 0x6B00;
pub(super) const WRONG_LE: u16 = 0x6C00;
pub(super) const WRONG_INS: u16 = 0x6D00;
pub(super) const WRONG_CLA: u16 = 0x6E00;
pub(super) const INTERNAL: u16 = 0x6F00;

/// What a command handler gives: data for 9000, or the word that refuses.
pub(super) type Outcome = Result<Vec<u8>, u16>;

/// A response APDU.
pub(super) fn answer(mut data: Vec<u8>, sw: u16) -> Vec<u8> {
    data.extend_from_slice(&sw.to_be_bytes());
    data
}

/// 63Cx; the counter has four bits, which a card with more tries than 15 cannot express.
pub(super) fn tries(left: u8) -> u16 {
    TRIES_LEFT | u16::from(left.min(0x0F))
}

/// 61xx; 00 stands for 256 bytes or more.
pub(super) fn more(waiting: usize) -> u16 {
    MORE_DATA | u16::from(u8::try_from(waiting).unwrap_or(0))
}
