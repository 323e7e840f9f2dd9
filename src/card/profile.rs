//! Card families described as data: `[[card.profile]]` of the configuration, for cards that follow ISO 7816-4.

use serde::Deserialize;
use thiserror::Error;

use super::{IdOrder, PinCharacters, PinLimits};
use crate::reader::Atr;
use crate::secret::Pin;

/// Hexadecimal digits of the configuration as bytes.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct HexBytes(pub Vec<u8>);

impl std::fmt::Debug for HexBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode_upper(&self.0))
    }
}

impl TryFrom<String> for HexBytes {
    type Error = hex::FromHexError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let digits: String = text.chars().filter(|c| !c.is_ascii_whitespace() && *c != ':').collect();
        hex::decode(digits).map(Self)
    }
}

/// A card described by its commands and references (ISO 7816-4).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Shown to people.
    pub name: String,
    /// The answer-to-reset that tells this card.
    pub atr: Option<HexBytes>,
    /// Bits of `atr` that count; all, where missing.
    pub atr_mask: Option<HexBytes>,
    /// The application to select; none where the card has its only application selected after a reset.
    pub aid: Option<HexBytes>,
    /// Whether card and reader take extended length.
    #[serde(default)]
    pub extended_length: bool,
    /// Where the card ID is.
    pub card_id: CardIdPlace,
    /// The administrator's authentication; missing where the card has none.
    pub admin: Option<Admin>,
    /// The user PIN.
    pub pin: PinReference,
}

/// Where a card keeps its ID: a file or a data object.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardIdPlace {
    /// A transparent file, by its two-byte identifier (SELECT by file identifier, READ BINARY).
    pub file: Option<HexBytes>,
    /// A data object, by its one- or two-byte tag (GET DATA with the tag in P1-P2).
    pub data_object: Option<HexBytes>,
    /// How the 16 bytes become GUID text.
    #[serde(default = "windows")]
    pub order: IdOrder,
}

/// GET CHALLENGE and EXTERNAL AUTHENTICATE.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Admin {
    /// P1 of GET CHALLENGE.
    #[serde(default)]
    pub challenge_p1: u8,
    /// Bytes of the challenge.
    #[serde(default = "eight")]
    pub challenge_length: u8,
    /// P1 of EXTERNAL AUTHENTICATE: the algorithm.
    #[serde(default)]
    pub algorithm: u8,
    /// P2 of EXTERNAL AUTHENTICATE: the key's reference.
    #[serde(default)]
    pub reference: u8,
}

/// The user PIN's reference and shape.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinReference {
    /// P2 of VERIFY, CHANGE REFERENCE DATA and RESET RETRY COUNTER.
    pub reference: u8,
    /// Fewest characters.
    #[serde(default = "four")]
    pub min: usize,
    /// Most characters.
    #[serde(default = "eight_characters")]
    pub max: usize,
    /// Which characters.
    #[serde(default = "ascii")]
    pub characters: PinCharacters,
    /// The byte that fills up to `padded_length`; without it the PIN is sent as it is.
    pub padding: Option<u8>,
    /// Bytes sent where there is padding.
    #[serde(default = "eight_characters")]
    pub padded_length: usize,
    /// Whether VERIFY without data tells the tries left. ISO 7816-4 says so; set it to false for a card that counts it as
    /// a wrong PIN.
    #[serde(default = "yes")]
    pub status_query: bool,
}

/// Why a profile can't work.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum ProfileError {
    /// Nothing tells the card.
    #[error("card profile {0:?}: give `atr`, `aid` or both")]
    NoMatch(String),
    /// Mask and ATR are of different lengths.
    #[error("card profile {0:?}: `atr_mask` must be as long as `atr`")]
    MaskLength(String),
    /// An identifier that no card can have.
    #[error("card profile {0:?}: `aid` must have 5 to 16 bytes")]
    AidLength(String),
    /// Not exactly one place.
    #[error("card profile {0:?}: `card_id` needs one of `file` (two bytes) and `data_object` (one or two bytes)")]
    IdPlace(String),
    /// Limits that no PIN can keep.
    #[error("card profile {name:?}: PIN lengths must be 1 <= min <= max <= {most}")]
    PinLengths {
        /// The profile's name.
        name: String,
        /// The most that the padding or a command takes.
        most: usize,
    },
    /// A challenge that no answer fits.
    #[error("card profile {0:?}: `challenge_length` must be 8 (one Triple DES block)")]
    ChallengeLength(String),
    /// More than two PINs of which fit into a short command.
    #[error("card profile {name:?}: `padded_length` must be at most {most}")]
    PaddedLength {
        /// The profile's name.
        name: String,
        /// The most.
        most: usize,
    },
    /// Padding that could be part of a PIN.
    #[error("card profile {0:?}: `padding` must not be a printable ASCII character")]
    Padding(String),
}

impl Profile {
    /// Checks that the profile can work at all.
    ///
    /// # Errors
    /// What is missing or contradicts itself.
    pub fn check(&self) -> Result<(), ProfileError> {
        let name = || self.name.clone();
        if self.atr.is_none() && self.aid.is_none() {
            return Err(ProfileError::NoMatch(name()));
        }
        if let Some(mask) = &self.atr_mask
            && self.atr.as_ref().is_none_or(|atr| atr.0.len() != mask.0.len())
        {
            return Err(ProfileError::MaskLength(name()));
        }
        if self.aid.as_ref().is_some_and(|aid| !(5..=16).contains(&aid.0.len())) {
            return Err(ProfileError::AidLength(name()));
        }
        let place = match (&self.card_id.file, &self.card_id.data_object) {
            (Some(file), None) => file.0.len() == 2,
            (None, Some(tag)) => (1..=2).contains(&tag.0.len()),
            _ => false,
        };
        if !place {
            return Err(ProfileError::IdPlace(name()));
        }
        if self.admin.is_some_and(|admin| admin.challenge_length != 8) {
            return Err(ProfileError::ChallengeLength(name()));
        }
        self.check_pin()
    }

    fn check_pin(&self) -> Result<(), ProfileError> {
        let pin = self.pin;
        if pin.padding.is_some_and(|byte| (0x20..=0x7E).contains(&byte)) {
            return Err(ProfileError::Padding(self.name.clone()));
        }
        // Old and new PIN stand in one command, and a buffer is made of this length.
        if pin.padding.is_some() && pin.padded_length > Pin::MAX {
            return Err(ProfileError::PaddedLength { name: self.name.clone(), most: Pin::MAX });
        }
        let most = if pin.padding.is_some() { pin.padded_length } else { Pin::MAX };
        if pin.min == 0 || pin.min > pin.max || pin.max > most {
            return Err(ProfileError::PinLengths { name: self.name.clone(), most });
        }
        Ok(())
    }

    /// Whether the profile names this answer-to-reset.
    #[must_use]
    pub fn matches(&self, atr: &Atr) -> bool {
        let Some(wanted) = &self.atr else { return false };
        let all = vec![0xFF; wanted.0.len()];
        let mask = self.atr_mask.as_ref().map_or(&all, |mask| &mask.0);
        atr.bytes().len() == wanted.0.len()
            && atr.bytes().iter().zip(&wanted.0).zip(mask).all(|((is, want), mask)| is & mask == want & mask)
    }

    /// What the card takes as a PIN.
    #[must_use]
    pub fn limits(&self) -> PinLimits {
        PinLimits { min: self.pin.min, max: self.pin.max, characters: self.pin.characters }
    }
}

const fn windows() -> IdOrder {
    IdOrder::Windows
}

const fn four() -> usize {
    4
}

const fn eight() -> u8 {
    8
}

const fn eight_characters() -> usize {
    8
}

const fn ascii() -> PinCharacters {
    PinCharacters::Ascii
}

const fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        name = "Contoso"
        atr = "3B 9F 95 81"
        atr_mask = "FF FF 00 FF"
        card_id = { file = "0201" }
        admin = { reference = 1 }
        pin = { reference = 0x80, min = 4, max = 8, padding = 0xFF }
    "#;

    fn profile(text: &str) -> Profile {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn a_mask_leaves_bits_out() {
        let profile = profile(GOOD);
        assert_eq!(profile.check(), Ok(()));
        assert!(profile.matches(&Atr::new(&[0x3B, 0x9F, 0x11, 0x81])));
        assert!(!profile.matches(&Atr::new(&[0x3B, 0x9F, 0x95, 0x80])));
        assert!(!profile.matches(&Atr::new(&[0x3B, 0x9F, 0x95])));
    }

    #[test]
    fn a_profile_that_cannot_work_is_refused() {
        let cases = [
            (r#"atr = "3B 9F 95 81""#, "", "`atr`, `aid` or both"),
            (r#"atr_mask = "FF FF 00 FF""#, r#"atr_mask = "FF""#, "as long as"),
            (r#"file = "0201""#, r#"file = "02""#, "needs one of"),
            ("min = 4", "min = 0", "PIN lengths"),
            ("max = 8", "max = 9", "PIN lengths"),
            ("padding = 0xFF", "padding = 0x30", "printable"),
            ("padding = 0xFF", "padding = 0xFF, padded_length = 9223372036854775807", "padded_length"),
            ("admin = { reference = 1 }", "admin = { challenge_length = 16 }", "challenge_length"),
        ];
        for (from, to, message) in cases {
            let mut text = GOOD.replace(from, to);
            if to.is_empty() {
                text = text.replace(r#"atr_mask = "FF FF 00 FF""#, "");
            }
            let error = profile(&text).check().unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
