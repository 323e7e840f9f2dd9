//! Card families described as data: `[[card.profile]]` of the configuration, for cards that follow ISO 7816-4.

mod check;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::id::IdOrder;
use super::pin::{PinCharacters, PinLimits};
use crate::apdu::Status;
use crate::reader::Atr;

pub(super) use check::ID_LENGTH;
pub use check::{Clash, ProfileError, clash};

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
    /// Shown to people, and what `card.prefer` calls it.
    pub name: String,
    /// The answers-to-reset that tell this card: one, or a list of those that it gives cold, warm and in other readers.
    #[serde(default, deserialize_with = "one_or_more")]
    pub atr: Vec<HexBytes>,
    /// Bits of each `atr` that count; all, where missing.
    pub atr_mask: Option<HexBytes>,
    /// The application to select; none where the card has its only application selected after a reset.
    pub aid: Option<HexBytes>,
    /// Whether card and reader take extended length.
    #[serde(default)]
    pub extended_length: bool,
    /// Where the card ID is.
    pub card_id: CardIdPlace,
    /// The administrator's authentication; missing where the card has none, or none that is known.
    pub admin: Option<Admin>,
    /// The user PIN.
    pub pin: PinReference,
    /// RESET RETRY COUNTER.
    #[serde(default)]
    pub set_pin: SetPin,
    /// Status words that this card gives a meaning of its own.
    #[serde(default)]
    pub status_words: StatusWords,
}

/// Where a card keeps its ID: in a file or a data object, as a whole or somewhere inside.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardIdPlace {
    /// A transparent file under the application, by its two-byte identifier (SELECT by file identifier, READ BINARY).
    pub file: Option<HexBytes>,
    /// A transparent file by the two-byte identifiers on the way to it: from the master file where the first is `3F00`, else
    /// from the application (SELECT by path, READ BINARY).
    pub path: Option<HexBytes>,
    /// Whether SELECT asks for the file's control information (P2 = 00, for cards that refuse 0C).
    #[serde(default)]
    pub select_with_answer: bool,
    /// A data object: a tag of one or two bytes in P1-P2 of GET DATA, one of three bytes in a tag list (P1-P2 = 3FFF).
    pub data_object: Option<HexBytes>,
    /// The way to a BER-TLV data object inside: tags from the outside in.
    #[serde(default)]
    pub tags: Vec<HexBytes>,
    /// Bytes before the ID; the length must be given, too.
    pub offset: Option<usize>,
    /// Bytes of the ID: 16, or fewer where `repeat` says how 16 are made of them. Without it, what is found must have 16.
    pub length: Option<usize>,
    /// An ID of fewer than 16 bytes is repeated until there are 16, as OpenSC's minidriver does with serial numbers.
    #[serde(default)]
    pub repeat: bool,
    /// How the 16 bytes become GUID text.
    #[serde(default = "windows")]
    pub order: IdOrder,
}

/// The cipher of the administrator's answer. Its block is the challenge's length.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum Cipher {
    /// Three-key Triple DES: a challenge of 8 bytes.
    #[default]
    #[serde(rename = "3des")]
    TripleDes,
    /// AES: a challenge of 16 bytes, for a local admin key of 16, 24 or 32 bytes.
    #[serde(rename = "aes")]
    Aes,
}

impl Cipher {
    /// Bytes of a block.
    #[must_use]
    pub fn block(self) -> usize {
        match self {
            Self::TripleDes => 8,
            Self::Aes => 16,
        }
    }
}

/// GET CHALLENGE and EXTERNAL AUTHENTICATE.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Admin {
    /// P1 of GET CHALLENGE.
    #[serde(default)]
    pub challenge_p1: u8,
    /// P2 of GET CHALLENGE.
    #[serde(default)]
    pub challenge_p2: u8,
    /// Bytes of the challenge: the cipher's block, where missing.
    pub challenge_length: Option<u8>,
    /// Le of GET CHALLENGE where it is not that length; 0 leaves it to the card.
    pub challenge_le: Option<u8>,
    /// Whether GET CHALLENGE may be sent while the server still looks up its records. The card has to keep the challenge for that long,
    /// and a challenge that is never answered must cost nothing.
    #[serde(default)]
    pub early_challenge: bool,
    /// The cipher.
    #[serde(default)]
    pub cipher: Cipher,
    /// P1 of EXTERNAL AUTHENTICATE: the algorithm.
    #[serde(default)]
    pub algorithm: u8,
    /// P2 of EXTERNAL AUTHENTICATE: the key's reference.
    #[serde(default)]
    pub reference: u8,
}

impl Admin {
    /// Bytes of the challenge and of its answer.
    #[must_use]
    pub fn challenge_length(&self) -> usize {
        self.challenge_length.map_or(self.cipher.block(), usize::from)
    }

    /// What GET CHALLENGE asks for.
    #[must_use]
    pub fn challenge_le(&self) -> usize {
        match self.challenge_le {
            Some(0) => 256,
            Some(length) => usize::from(length),
            None => self.challenge_length(),
        }
    }
}

/// The user PIN's reference and shape.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinReference {
    /// P2 of VERIFY, CHANGE REFERENCE DATA and RESET RETRY COUNTER.
    pub reference: u8,
    /// P2 of VERIFY where it differs.
    pub verify_reference: Option<u8>,
    /// Whether the current PIN can be replaced by CHANGE REFERENCE DATA with the old and the new one. Set it to false where
    /// that is not known of the card.
    #[serde(default = "yes")]
    pub change: bool,
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

impl PinReference {
    /// P2 of VERIFY.
    #[must_use]
    pub fn of_verify(&self) -> u8 {
        self.verify_reference.unwrap_or(self.reference)
    }
}

/// What RESET RETRY COUNTER carries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResetWith {
    /// The new PIN (P1 = 02), after the administrator's authentication.
    #[default]
    NewPin,
    /// The unblocking code and the new PIN (P1 = 00).
    UnblockingCode,
}

/// RESET RETRY COUNTER of this card.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetPin {
    /// What it carries.
    #[serde(default)]
    pub with: ResetWith,
    /// Its P2 where that is not `pin.reference`.
    pub reference: Option<u8>,
}

/// What a status word of this card means beside what ISO 7816-4 says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// The PIN was wrong, and the tries left are not told.
    WrongPin,
    /// The PIN is blocked.
    Blocked,
}

/// Status words of the PIN commands that this card gives a meaning of its own. `63Cx` and `6983` need no entry.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusWords {
    /// Words that say that a PIN was wrong, without its counter.
    #[serde(default)]
    pub wrong_pin: Vec<HexBytes>,
    /// Words that say that the PIN is blocked.
    #[serde(default)]
    pub blocked: Vec<HexBytes>,
}

impl StatusWords {
    /// What the profile says of this word.
    #[must_use]
    pub fn meaning(&self, status: Status) -> Option<Meaning> {
        let has = |words: &[HexBytes]| words.iter().any(|word| word.0 == status.word().to_be_bytes());
        match (has(&self.blocked), has(&self.wrong_pin)) {
            (true, _) => Some(Meaning::Blocked),
            (false, true) => Some(Meaning::WrongPin),
            (false, false) => None,
        }
    }
}

impl Profile {
    /// Whether the profile names this answer-to-reset.
    #[must_use]
    pub fn matches(&self, atr: &Atr) -> bool {
        self.atr.iter().any(|wanted| self.is_masked_equal(&wanted.0, atr.bytes()))
    }

    fn is_masked_equal(&self, wanted: &[u8], is: &[u8]) -> bool {
        // A profile may have been written from an ATR that PC/SC had filled up with zeros, which `Atr` leaves out.
        let Some((wanted, filling)) = wanted.split_at_checked(is.len()) else { return false };
        let masks = self.atr_mask.iter().flat_map(|mask| mask.0.iter().copied()).chain(std::iter::repeat(0xFF));
        filling.iter().all(|byte| *byte == 0x00)
            && is.iter().zip(wanted).zip(masks).all(|((is, want), mask)| is & mask == want & mask)
    }

    /// What the card takes as a PIN.
    #[must_use]
    pub fn limits(&self) -> PinLimits {
        PinLimits { min: self.pin.min, max: self.pin.max, characters: self.pin.characters }
    }

    /// Whether an administrator can set the PIN: he proves himself by a challenge, and RESET RETRY COUNTER then takes a new PIN.
    #[must_use]
    pub fn has_administrator(&self) -> bool {
        self.admin.is_some() && self.set_pin.with == ResetWith::NewPin
    }

    /// P2 of RESET RETRY COUNTER.
    #[must_use]
    pub fn set_pin_reference(&self) -> u8 {
        self.set_pin.reference.unwrap_or(self.pin.reference)
    }
}

/// One text of hexadecimal digits, or a list of them.
fn one_or_more<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<HexBytes>, D::Error> {
    struct OneOrMore;

    impl<'de> Visitor<'de> for OneOrMore {
        type Value = Vec<HexBytes>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("hexadecimal digits, or a list of them")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
            HexBytes::try_from(text.to_owned()).map(|one| vec![one]).map_err(E::custom)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut all = Vec::new();
            while let Some(one) = list.next_element()? {
                all.push(one);
            }
            Ok(all)
        }
    }

    deserializer.deserialize_any(OneOrMore)
}

const fn windows() -> IdOrder {
    IdOrder::Windows
}

const fn four() -> usize {
    4
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
mod tests;
