//! What an OpenPGP card says of itself (OpenPGP Smart Card Application 3.4 §4.2 to §4.4).

use super::commands;
use crate::apdu::tlv;
use crate::card::error::CardError;
use crate::card::id::{CardId, IdError, IdOrder};
use crate::card::pin::Tries;

/// Bytes of a full application identifier.
const AID_LENGTH: usize = 16;

/// The full application identifier (§4.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aid {
    /// Version of the application, major and minor.
    pub version: [u8; 2],
    /// Manufacturer (2) and serial number (4), big-endian.
    pub maker_and_serial: [u8; 6],
}

impl Aid {
    /// Reads 16 bytes that begin as every OpenPGP card's do.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes: [u8; AID_LENGTH] = bytes.try_into().ok()?;
        let [_, _, _, _, _, _, major, minor, a, b, c, d, e, f, _, _] = bytes;
        bytes
            .starts_with(&commands::AID)
            .then_some(Self { version: [major, minor], maker_and_serial: [a, b, c, d, e, f] })
    }

    /// The card ID: manufacturer and serial number over and over to 16 bytes, as OpenSC's minidriver fills the `cardid` file
    /// that Windows sees.
    ///
    /// # Errors
    /// A serial number of all zeros or all ones tells no card from another, whoever made it.
    pub fn card_id(&self, order: IdOrder) -> Result<CardId, IdError> {
        let [_, _, serial @ ..] = self.maker_and_serial;
        match serial {
            [0x00, 0x00, 0x00, 0x00] => return Err(IdError::Zero),
            [0xFF, 0xFF, 0xFF, 0xFF] => return Err(IdError::Erased),
            _ => {}
        }
        let raw: Vec<u8> = self.maker_and_serial.into_iter().cycle().take(16).collect();
        CardId::new(&raw, order)
    }
}

/// PW status bytes (§4.4.1, `C4`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PwStatus {
    /// Longest PW1, resetting code and PW3 in bytes.
    pub max: [u8; 3],
    /// Tries left of the same. A resetting code that is not set has none.
    pub left: [u8; 3],
    /// Which of the same are sent as PIN blocks of format 2 (ISO 9564-1), and not as they are.
    pub pin_block: [bool; 3],
}

impl PwStatus {
    /// Reads the seven bytes.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let [_, pw1, code, pw3, left @ ..]: [u8; 7] = bytes.try_into().ok()?;
        // The top bit of a length tells the format (§4.4.1).
        let lengths = [pw1, code, pw3];
        Some(Self { max: lengths.map(|byte| byte & 0x7F), left, pin_block: lengths.map(|byte| byte & 0x80 != 0) })
    }

    fn tries(left: u8) -> Tries {
        Tries::Left { left, max: None }
    }

    /// PW1's counter.
    #[must_use]
    pub fn pw1(&self) -> Tries {
        let [left, _, _] = self.left;
        Self::tries(left)
    }

    /// The resetting code's counter.
    #[must_use]
    pub fn resetting_code(&self) -> Tries {
        let [_, left, _] = self.left;
        Self::tries(left)
    }

    /// PW3's counter.
    #[must_use]
    pub fn pw3(&self) -> Tries {
        let [_, _, left] = self.left;
        Self::tries(left)
    }

    /// Whether a resetting code is set and not blocked.
    #[must_use]
    pub fn has_resetting_code(&self) -> bool {
        let ([_, max, _], [_, left, _]) = (self.max, self.left);
        max > 0 && left > 0
    }
}

/// Extended capabilities (§4.4.3.7, `C0`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// GET CHALLENGE is announced. Cards are found that answer it all the same.
    pub get_challenge: bool,
    /// The card can have a KDF-DO: passwords may have to be derived.
    pub kdf: bool,
}

impl Capabilities {
    /// Reads the first byte; the rest are lengths that a PIN job does not need. Nothing announced where there is none.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Self {
        let first = bytes.first().copied().unwrap_or(0);
        Self { get_challenge: first & 0x40 != 0, kdf: first & 0x01 != 0 }
    }
}

/// The parts of the application related data that a PIN job needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApplicationData {
    /// Who the card is.
    pub aid: Aid,
    /// Lengths and counters.
    pub status: PwStatus,
    /// What it can do.
    pub capabilities: Capabilities,
}

impl ApplicationData {
    /// Reads an answer to GET DATA `6E`: with the template's own tag around it or without, as both are found in the field.
    ///
    /// # Errors
    /// Not BER-TLV, or one of the three is missing or of another length.
    pub fn parse(answer: &[u8]) -> Result<Self, CardError> {
        let object = "application related data";
        let malformed = |source| CardError::Malformed { object, source };
        let missing = |missing| CardError::Incomplete { object, missing };
        let data = tlv::find(answer, 0x6E).map_err(malformed)?.unwrap_or(answer);
        let discretionary = tlv::find(data, 0x73).map_err(malformed)?.unwrap_or_default();
        let find = |tag| match tlv::find(data, tag) {
            Ok(None) => tlv::find(discretionary, tag).map_err(malformed),
            found => found.map_err(malformed),
        };
        Ok(Self {
            aid: find(0x4F)?.and_then(Aid::parse).ok_or(missing("application identifier"))?,
            status: find(0xC4)?.and_then(PwStatus::parse).ok_or(missing("PW status bytes"))?,
            capabilities: Capabilities::parse(find(0xC0)?.unwrap_or_default()),
        })
    }
}

/// Whether a KDF-DO says that passwords are derived before they are sent: algorithm (`81`) other than 00.
///
/// # Errors
/// Not BER-TLV.
pub fn derives_passwords(answer: &[u8]) -> Result<bool, CardError> {
    let malformed = |source| CardError::Malformed { object: "KDF-DO", source };
    let data = tlv::find(answer, 0xF9).map_err(malformed)?.unwrap_or(answer);
    Ok(tlv::find(data, 0x81).map_err(malformed)?.is_some_and(|algorithm| algorithm != [0x00]))
}
