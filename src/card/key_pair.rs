//! Key pairs of a card: their types, what the card tells of a public key, and how much of a hash a key signs.

use super::error::CardError;
use crate::apdu::tlv;

/// What a key pair is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyType {
    /// RSA with a modulus of 2048 bits.
    Rsa2048,
    /// The curve P-256 (secp256r1).
    P256,
    /// The curve P-384 (secp384r1).
    P384,
}

impl KeyType {
    /// Every type.
    pub const ALL: [Self; 3] = [Self::Rsa2048, Self::P256, Self::P384];

    /// Bits of the modulus or of the curve.
    #[must_use]
    pub fn bits(self) -> u16 {
        match self {
            Self::Rsa2048 => 2048,
            Self::P256 => 256,
            Self::P384 => 384,
        }
    }

    /// Bytes of the modulus, or of one coordinate of a point.
    #[must_use]
    pub fn length(self) -> usize {
        usize::from(self.bits() / 8)
    }

    /// The type with this many bits.
    #[must_use]
    pub fn of_bits(bits: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|key_type| key_type.bits() == bits)
    }

    /// In words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rsa2048 => "RSA 2048",
            Self::P256 => "P-256",
            Self::P384 => "P-384",
        }
    }
}

/// A public key as a card tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicKey {
    /// Modulus and exponent, big-endian, without leading zeros.
    Rsa {
        /// 256 bytes, the first of which is at least `80`.
        modulus: Vec<u8>,
        /// At most 8 bytes; odd.
        exponent: Vec<u8>,
    },
    /// A point of P-256, uncompressed: `04`, X, Y.
    P256(Vec<u8>),
    /// A point of P-384, uncompressed: `04`, X, Y.
    P384(Vec<u8>),
}

const OBJECT: &str = "public key";

impl PublicKey {
    /// Bytes of the longest exponent that is taken; cards make keys with 65537.
    const EXPONENT_MAX: usize = 8;

    /// Reads a template `7F49`, as GENERATE ASYMMETRIC KEY PAIR and GET DATA give it (ISO 7816-8 §7.2).
    ///
    /// # Errors
    /// As [`PublicKey::from_objects`]; no template.
    pub fn from_template(answer: &[u8], key_type: Option<KeyType>) -> Result<Self, CardError> {
        let template = tlv::find(answer, 0x7F49)
            .map_err(|source| CardError::Malformed { object: OBJECT, source })?
            .ok_or(CardError::Incomplete { object: OBJECT, missing: "template 7F49" })?;
        Self::from_objects(template, key_type)
    }

    /// Reads what stands in the template: `81` modulus and `82` exponent, or `86` the point. `key_type` is what the key must be
    /// of; without it the lengths say so.
    ///
    /// # Errors
    /// Not BER-TLV, an object that is missing, or a key of another type than the one that was asked for. Whether a point is on
    /// its curve is not looked at.
    pub fn from_objects(objects: &[u8], key_type: Option<KeyType>) -> Result<Self, CardError> {
        let objects = tlv::parse(objects).map_err(|source| CardError::Malformed { object: OBJECT, source })?;
        let value = |tag| objects.iter().find(|object| object.tag == tag).map(|object| object.value);
        let key = match (value(0x81), value(0x82), value(0x86)) {
            (Some(modulus), Some(exponent), None) => Self::rsa(modulus, exponent),
            (None, None, Some(point)) => Self::point(point),
            _ => return Err(CardError::Incomplete { object: OBJECT, missing: "modulus and exponent, or point" }),
        };
        key.filter(|key| key_type.is_none_or(|expected| key.key_type() == expected))
            .ok_or(CardError::Incomplete { object: OBJECT, missing: "key of the type that was asked for" })
    }

    fn rsa(modulus: &[u8], exponent: &[u8]) -> Option<Self> {
        let [modulus, exponent] = [modulus, exponent].map(without_leading_zeros);
        let is_odd = |number: &[u8]| number.last().is_some_and(|last| last % 2 == 1);
        let is_key = modulus.len() == KeyType::Rsa2048.length()
            && modulus.first().is_some_and(|first| *first >= 0x80)
            && exponent.len() <= Self::EXPONENT_MAX
            && exponent != [1]
            && is_odd(modulus)
            && is_odd(exponent);
        is_key.then(|| Self::Rsa { modulus: modulus.to_vec(), exponent: exponent.to_vec() })
    }

    fn point(point: &[u8]) -> Option<Self> {
        let length = |key_type: KeyType| 1 + 2 * key_type.length();
        match point {
            [0x04, ..] if point.len() == length(KeyType::P256) => Some(Self::P256(point.to_vec())),
            [0x04, ..] if point.len() == length(KeyType::P384) => Some(Self::P384(point.to_vec())),
            _ => None,
        }
    }

    /// What the key is of.
    #[must_use]
    pub fn key_type(&self) -> KeyType {
        match self {
            Self::Rsa { .. } => KeyType::Rsa2048,
            Self::P256(_) => KeyType::P256,
            Self::P384(_) => KeyType::P384,
        }
    }
}

fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rsa_template(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
        tlv::encode(0x7F49, &[tlv::encode(0x81, modulus), tlv::encode(0x82, exponent)].concat())
    }

    fn modulus() -> Vec<u8> {
        [vec![0xB3; 255], vec![0x0E | 1]].concat()
    }

    #[test]
    fn keys_are_read_as_cards_give_them() {
        let (modulus, exponent) = (modulus(), vec![1, 0, 1]);
        let expected = PublicKey::Rsa { modulus: modulus.clone(), exponent: exponent.clone() };
        for template in [
            rsa_template(&modulus, &exponent),
            // As a card gives them that writes numbers with a sign.
            rsa_template(&[&[0], &modulus[..]].concat(), &exponent),
            rsa_template(&modulus, &[0, 1, 0, 1]),
        ] {
            assert_eq!(PublicKey::from_template(&template, None).unwrap(), expected);
            assert_eq!(PublicKey::from_template(&template, Some(KeyType::Rsa2048)).unwrap(), expected);
        }
        for key_type in [KeyType::P256, KeyType::P384] {
            let point = [vec![4], vec![7; 2 * key_type.length()]].concat();
            let template = tlv::encode(0x7F49, &tlv::encode(0x86, &point));
            let key = PublicKey::from_template(&template, None).unwrap();
            assert_eq!(key.key_type(), key_type);
            assert!(PublicKey::from_template(&template, Some(KeyType::Rsa2048)).is_err());
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let (good, exponent) = (modulus(), [1, 0, 1]);
        let even = [vec![0xB3; 255], vec![0x0E]].concat();
        let small = [vec![0x13; 255], vec![0x0F]].concat();
        for template in [
            rsa_template(&good[1..], &exponent),
            rsa_template(&even, &exponent),
            rsa_template(&small, &exponent),
            rsa_template(&good, &[]),
            rsa_template(&good, &[1]),
            rsa_template(&good, &[2]),
            rsa_template(&good, &[3; 9]),
            tlv::encode(0x7F49, &tlv::encode(0x81, &good)),
            tlv::encode(0x7F49, &tlv::encode(0x86, &[4; 64])),
            tlv::encode(0x7F49, &tlv::encode(0x86, &[2; 65])),
            tlv::encode(0x7F49, &[]),
            tlv::encode(0x7F48, &[]),
            vec![0x7F, 0x49, 0x05, 0x81],
            Vec::new(),
        ] {
            assert!(PublicKey::from_template(&template, None).is_err(), "{template:02X?}");
        }
    }
}
