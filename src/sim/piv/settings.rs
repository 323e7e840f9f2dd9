//! How a PIV card leaves the factory.

use crate::sim::keys::ReadyKeys;
use crate::sim::random::Randomness;

/// Settings of a [`super::PivCard`].
// No derive(Debug): PIN, PUK and key would land in test logs.
#[derive(Clone)]
pub struct PivSettings {
    /// Answer to reset.
    pub atr: Vec<u8>,
    /// The CHUID's GUID; `None`: the card has no CHUID.
    pub guid: Option<[u8; 16]>,
    /// The CCC's card identifier; `None`: the card has no CCC.
    pub ccc_identifier: Option<[u8; 21]>,
    /// The PIN usage policy of the Discovery object; `None`: the card has none.
    pub pin_policy: Option<[u8; 2]>,
    /// The Global PIN (reference 00), without filling; `None`: the card has none.
    pub global_pin: Option<Vec<u8>>,
    /// What VERIFY without data is answered, where the card refuses it.
    pub status_refused: Option<u16>,
    /// Whether PINs may have letters, as on a YubiKey.
    pub letters: bool,
    /// Whether the card knows Yubico's extensions: version, serial number, metadata, setting the management key.
    pub yubico: bool,
    /// The secret (80, 81 or 9B) whose metadata don't say whether it is the factory's.
    pub silent_metadata: Option<u8>,
    /// Serial number, with the extensions.
    pub serial: u32,
    /// The PIN, without filling.
    pub pin: Vec<u8>,
    /// Wrong PINs until it is blocked.
    pub pin_tries: u8,
    /// Tries left at delivery; `None`: all of them.
    pub pin_left: Option<u8>,
    /// The PUK, without filling.
    pub puk: Vec<u8>,
    /// Wrong PUKs until it is blocked.
    pub puk_tries: u8,
    /// Tries left at delivery; `None`: all of them.
    pub puk_left: Option<u8>,
    /// The management key (9B), three-key triple DES.
    pub management_key: [u8; 24],
    /// Its algorithm's identifier: 03, or 08, 0A, 0C for AES, of which the card gives challenges only.
    pub management_algorithm: u8,
    /// Whether CHANGE REFERENCE DATA answers a wrong PIN or PUK with `6300`, without the counter.
    pub uncounted_change: bool,
    /// Where challenges come from.
    pub random: Randomness,
    /// Keys that the card is given instead of making them.
    pub ready_keys: ReadyKeys,
    /// Most bytes of a data object: a longer one does not fit (`6A84`).
    pub object_max: usize,
}

impl Default for PivSettings {
    fn default() -> Self {
        Self {
            atr: b"\x3B\x95\x13\x81\x01\x80\x73\xFF\x01\x00\x0B".to_vec(),
            guid: Some(*b"\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xAA\xBB\xCC\xDD\xEE\xFF"),
            ccc_identifier: None,
            pin_policy: None,
            global_pin: None,
            status_refused: None,
            letters: false,
            yubico: false,
            silent_metadata: None,
            serial: 0x00BC_614E,
            pin: b"123456".to_vec(),
            pin_tries: 3,
            pin_left: None,
            puk: b"12345678".to_vec(),
            puk_tries: 3,
            puk_left: None,
            management_key:
                *b"\x01\x02\x03\x04\x05\x06\x07\x08\x01\x02\x03\x04\x05\x06\x07\x08\x01\x02\x03\x04\x05\x06\x07\x08",
            management_algorithm: 0x03,
            uncounted_change: false,
            random: Randomness::System,
            ready_keys: ReadyKeys::default(),
            object_max: 3052,
        }
    }
}
