//! What a card with Yubico's extensions tells of a PIN, a PUK or a key without a try (GET METADATA, firmware 5.3).

use crate::apdu::tlv::{self, TlvError};
use crate::card::key_algorithm::KeyAlgorithm;
use crate::card::pin::Tries;

/// The part of an answer to GET METADATA that a job needs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Metadata {
    /// Tag 01, for the management key.
    pub algorithm: Option<KeyAlgorithm>,
    /// Tag 05: the value is the factory's.
    pub factory: Option<bool>,
    /// Tag 06: tries, all and left.
    pub tries: Option<(u8, u8)>,
}

impl Metadata {
    /// Reads an answer. One without data tells nothing: `None`.
    ///
    /// # Errors
    /// Not BER-TLV.
    pub fn parse(answer: &[u8]) -> Result<Option<Self>, TlvError> {
        let objects = tlv::parse(answer)?;
        if objects.is_empty() {
            return Ok(None);
        }
        let value = |tag| objects.iter().find(|object| object.tag == tag).map(|object| object.value);
        Ok(Some(Self {
            algorithm: match value(0x01) {
                Some([byte]) => KeyAlgorithm::of_byte(*byte),
                _ => None,
            },
            factory: match value(0x05) {
                Some([byte]) => Some(*byte != 0),
                _ => None,
            },
            tries: match value(0x06) {
                Some([max, left]) => Some((*max, *left)),
                _ => None,
            },
        }))
    }

    /// The counter.
    #[must_use]
    pub fn tries_left(&self) -> Tries {
        match self.tries {
            Some((max, left)) => Tries::Left { left, max: Some(max) },
            None => Tries::Untold,
        }
    }
}
