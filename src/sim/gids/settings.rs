//! How a GIDS card leaves the factory.

use crate::sim::keys::ReadyKeys;
use crate::sim::random::Randomness;

/// ATR of the TPM virtual smart card: T=1, historical bytes naming the GIDS AID.
pub const ATR: [u8; 17] =
    [0x3B, 0x8D, 0x01, 0x80, 0xFB, 0xA0, 0x00, 0x00, 0x03, 0x97, 0x42, 0x54, 0x46, 0x59, 0x03, 0x01, 0xC8];

/// Settings of a [`super::GidsCard`]; [`Default`] is a personalised-looking test card.
// No derive(Debug): PIN and key would land in test logs and from there in bug reports.
#[derive(Clone)]
pub struct GidsSettings {
    /// Answer to reset.
    pub atr: Vec<u8>,
    /// Answer to a reset without loss of power; `None`: the same.
    pub warm_atr: Option<Vec<u8>>,
    /// Content of the `cardid` file.
    pub card_id: [u8; 16],
    /// Three-key triple DES key of the administrator (key reference 80).
    pub admin_key: [u8; 24],
    /// Wrong admin answers until the key locks for good. `None`: never, as measured on GidsApplet.
    pub admin_tries: Option<u8>,
    /// Whether the card refuses the 8-byte challenge: a card that knows mutual authentication only.
    pub mutual_only: bool,
    /// Whether PUT KEY refuses a wrong key check value (tag 88). GidsApplet ignores it; a stricter
    /// card does not.
    pub check_kcv: bool,
    /// User PIN, ASCII, never padded.
    pub pin: Vec<u8>,
    /// Shortest PIN taken.
    pub pin_min: u8,
    /// Longest PIN taken.
    pub pin_max: u8,
    /// Wrong PINs until it is blocked.
    pub pin_tries: u8,
    /// Tries left at delivery; `None`: all of them. `Some(0)` is a blocked card.
    pub pin_left: Option<u8>,
    /// Where challenges come from.
    pub random: Randomness,
    /// Keys that the card is given instead of making them.
    pub ready_keys: ReadyKeys,
    /// Most files with a key pair: then the card is full (`6A84`).
    pub key_files_max: usize,
}

impl Default for GidsSettings {
    fn default() -> Self {
        Self {
            atr: ATR.to_vec(),
            warm_atr: None,
            card_id: [0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF],
            admin_key:
                *b"\x01\x02\x03\x04\x05\x06\x07\x08\x01\x02\x03\x04\x05\x06\x07\x08\x01\x02\x03\x04\x05\x06\x07\x08",
            admin_tries: None,
            mutual_only: false,
            check_kcv: false,
            pin: b"12345678".to_vec(),
            pin_min: 4,
            pin_max: 16,
            pin_tries: 3,
            pin_left: None,
            random: Randomness::System,
            ready_keys: ReadyKeys::default(),
            key_files_max: 30,
        }
    }
}
