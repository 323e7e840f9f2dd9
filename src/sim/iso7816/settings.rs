//! How an ISO 7816-4 card leaves the factory.

use crate::sim::random::Randomness;

/// A PIN is filled up to a fixed length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Padding {
    /// The filling byte: FF or 00.
    pub byte: u8,
    /// Length after filling.
    pub length: usize,
}

/// Settings of an [`super::Iso7816Card`].
// No derive(Debug): PIN, PUK and key would land in test logs.
#[derive(Clone)]
pub struct Iso7816Settings {
    /// Answer to reset.
    pub atr: Vec<u8>,
    /// Application identifier; SELECT takes it whole or by at least five leading bytes.
    pub aid: Vec<u8>,
    /// Whether the application is there after a reset, without SELECT.
    pub implicit: bool,
    /// The card's ID, of any length up to 256 bytes.
    pub card_id: Vec<u8>,
    /// Transparent file that holds the ID (SELECT by file identifier, READ BINARY).
    pub id_file: Option<u16>,
    /// Data object that holds the ID (GET DATA gives its value without tag and length).
    pub id_object: Option<u16>,
    /// Three-key triple DES key of the administrator.
    pub admin_key: [u8; 24],
    /// P1 of EXTERNAL AUTHENTICATE; GET CHALLENGE always has 00.
    pub admin_algorithm: u8,
    /// P2 of EXTERNAL AUTHENTICATE.
    pub admin_reference: u8,
    /// Wrong answers until the admin key locks.
    pub admin_tries: u8,
    /// User PIN, without filling.
    pub pin: Vec<u8>,
    /// P2 of the PIN commands.
    pub pin_reference: u8,
    /// Shortest PIN taken.
    pub pin_min: usize,
    /// Longest PIN taken.
    pub pin_max: usize,
    /// Wrong PINs until it is blocked.
    pub pin_tries: u8,
    /// Fixed length on the wire; `None`: PINs go as they are.
    pub padding: Option<Padding>,
    /// Unblocking code, in the same form as the PIN; `None`: only the administrator unblocks.
    pub puk: Option<Vec<u8>>,
    /// Wrong unblocking codes until it is blocked.
    pub puk_tries: u8,
    /// T=0 manners: see the module.
    pub t0: bool,
    /// Where challenges come from.
    pub random: Randomness,
}

impl Default for Iso7816Settings {
    fn default() -> Self {
        Self {
            atr: b"\x3B\x80\x80\x01\x01".to_vec(),
            aid: b"\xF0\x00\x00\x00\x01\x02".to_vec(),
            implicit: false,
            card_id: (0..16).collect(),
            id_file: Some(0x0201),
            id_object: Some(0x0101),
            admin_key:
                *b"\x01\x02\x03\x04\x05\x06\x07\x08\x01\x02\x03\x04\x05\x06\x07\x08\x01\x02\x03\x04\x05\x06\x07\x08",
            admin_algorithm: 0x00,
            admin_reference: 0x00,
            admin_tries: 5,
            pin: b"12345678".to_vec(),
            pin_reference: 0x01,
            pin_min: 4,
            pin_max: 8,
            pin_tries: 3,
            padding: None,
            puk: None,
            puk_tries: 3,
            t0: false,
            random: Randomness::System,
        }
    }
}
