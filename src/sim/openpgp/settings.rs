//! How an OpenPGP card leaves the factory.

use crate::sim::random::Randomness;

/// Settings of an [`super::OpenPgpCard`].
// No derive(Debug): passwords would land in test logs.
#[derive(Clone)]
pub struct OpenPgpSettings {
    /// Answer to reset.
    pub atr: Vec<u8>,
    /// Version of the application, major and minor.
    pub version: [u8; 2],
    /// Manufacturer.
    pub manufacturer: [u8; 2],
    /// Serial number.
    pub serial: [u8; 4],
    /// The user's password.
    pub pw1: Vec<u8>,
    /// The administrator's.
    pub pw3: Vec<u8>,
    /// The resetting code; `None`: not set.
    pub resetting_code: Option<Vec<u8>>,
    /// Wrong passwords until one is blocked, of each of the three.
    pub tries: u8,
    /// Tries of PW1 left at delivery; `None`: all of them.
    pub pw1_left: Option<u8>,
    /// The same, of the resetting code.
    pub code_left: Option<u8>,
    /// The same, of PW3.
    pub pw3_left: Option<u8>,
    /// Whether a wrong password is answered with `6982`, without the counter.
    pub uncounted: bool,
    /// Whether GET CHALLENGE is answered.
    pub gives_challenge: bool,
    /// Whether the extended capabilities announce it.
    pub announces_challenge: bool,
    /// The KDF-DO's algorithm; `None`: the card can have no KDF-DO. 00: passwords are sent as they are.
    pub kdf_algorithm: Option<u8>,
    /// Whether application related data come with their own tag around them.
    pub wraps_templates: bool,
    /// The application was terminated: SELECT says so, and nothing else works.
    pub terminated: bool,
    /// Where challenges come from.
    pub random: Randomness,
}

impl Default for OpenPgpSettings {
    fn default() -> Self {
        Self {
            atr: b"\x3B\x95\x13\x81\x01\x80\x73\xFF\x01\x00\x0B".to_vec(),
            version: [3, 4],
            manufacturer: [0x00, 0x0F],
            serial: [0x12, 0x34, 0x56, 0x78],
            pw1: b"123456".to_vec(),
            pw3: b"12345678".to_vec(),
            resetting_code: None,
            tries: 3,
            pw1_left: None,
            code_left: None,
            pw3_left: None,
            uncounted: false,
            gives_challenge: true,
            announces_challenge: false,
            kdf_algorithm: Some(0),
            wraps_templates: true,
            terminated: false,
            random: Randomness::System,
        }
    }
}
