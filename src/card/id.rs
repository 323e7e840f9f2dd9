//! The card ID: 16 bytes on the card, a GUID to the server.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

/// How 16 raw bytes become GUID text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum IdOrder {
    /// The first three fields are little-endian, as in a Windows GUID structure: how Microsoft's clients read a card's
    /// `cardid` file.
    Windows,
    /// All bytes in the order of the text (RFC 9562; PIV's CHUID, and what OpenSC prints as a serial number).
    Raw,
}

/// Why 16 bytes can't stand for one card.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum IdError {
    /// All bits clear: a card that was never given an ID.
    #[error("the card ID is all zero")]
    Zero,
    /// All bits set: an erased memory.
    #[error("the card ID is all FF")]
    Erased,
    /// Not 16 bytes.
    #[error("the card ID has {0} bytes, not 16")]
    Length(usize),
}

/// A card's identifier, never all zero and never all FF.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CardId {
    raw: [u8; 16],
    order: IdOrder,
}

impl CardId {
    /// Takes the bytes as they stand on the card.
    ///
    /// # Errors
    /// Bytes that can't tell one card from another.
    pub fn new(raw: &[u8], order: IdOrder) -> Result<Self, IdError> {
        let raw: [u8; 16] = raw.try_into().map_err(|_| IdError::Length(raw.len()))?;
        match raw {
            all if all == [0x00; 16] => Err(IdError::Zero),
            all if all == [0xFF; 16] => Err(IdError::Erased),
            _ => Ok(Self { raw, order }),
        }
    }

    /// The GUID that the server knows the card by.
    #[must_use]
    pub fn guid(&self) -> Uuid {
        match self.order {
            IdOrder::Windows => Uuid::from_bytes_le(self.raw),
            IdOrder::Raw => Uuid::from_bytes(self.raw),
        }
    }

    /// The GUID in the order that is *not* in use: the ID that a server has of this card whose cards were registered in that order.
    #[must_use]
    pub fn other_guid(&self) -> Uuid {
        match self.order {
            IdOrder::Windows => Uuid::from_bytes(self.raw),
            IdOrder::Raw => Uuid::from_bytes_le(self.raw),
        }
    }

    /// The bytes as they stand on the card, in lower-case hex.
    #[must_use]
    pub fn raw_hex(&self) -> String {
        hex::encode(self.raw)
    }

    /// Whether a person who typed `text` meant this card: GUID text in the order in use, with or without braces, or 32 hex
    /// digits in the card's own order, letters of either case.
    #[must_use]
    pub fn is_meant_by(&self, text: &str) -> bool {
        let text = text.trim();
        if text.len() == 32 {
            return text.eq_ignore_ascii_case(&self.raw_hex());
        }
        Uuid::from_str(text).is_ok_and(|guid| guid == self.guid())
    }
}

impl fmt::Display for CardId {
    /// Lower-case GUID text without braces.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.guid().hyphenated().fmt(f)
    }
}

impl fmt::Debug for CardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CardId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RAW: [u8; 16] =
        [0x3F, 0xF1, 0x88, 0xBC, 0xBA, 0x83, 0x37, 0x40, 0x82, 0x62, 0x46, 0xEB, 0xA1, 0x29, 0x1C, 0x6E];

    #[test]
    fn both_textual_forms() {
        let windows = CardId::new(&RAW, IdOrder::Windows).unwrap();
        assert_eq!(windows.to_string(), "bc88f13f-83ba-4037-8262-46eba1291c6e");
        assert_eq!(windows.other_guid().to_string(), "3ff188bc-ba83-3740-8262-46eba1291c6e");
        let raw = CardId::new(&RAW, IdOrder::Raw).unwrap();
        assert_eq!(raw.to_string(), "3ff188bc-ba83-3740-8262-46eba1291c6e");
    }

    #[test]
    fn a_person_may_write_it_in_several_ways() {
        let id = CardId::new(&RAW, IdOrder::Windows).unwrap();
        for text in [
            "bc88f13f-83ba-4037-8262-46eba1291c6e",
            "{BC88F13F-83BA-4037-8262-46EBA1291C6E}",
            "3FF188BCBA833740826246EBA1291C6E",
        ] {
            assert!(id.is_meant_by(text), "{text}");
        }
        assert!(!id.is_meant_by("3ff188bc-ba83-3740-8262-46eba1291c6e"));
        assert!(!id.is_meant_by("bc88"));
    }

    #[test]
    fn an_id_that_tells_nothing_is_refused() {
        assert_eq!(CardId::new(&[0; 16], IdOrder::Raw), Err(IdError::Zero));
        assert_eq!(CardId::new(&[0xFF; 16], IdOrder::Raw), Err(IdError::Erased));
        assert_eq!(CardId::new(&[1; 6], IdOrder::Raw), Err(IdError::Length(6)));
    }
}
