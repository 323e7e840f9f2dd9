//! Where key pairs are kept on a card, what stands there, and whether there is room for another.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::key_pair::KeyType;

/// What the key of a container is for (Windows: `AT_KEYEXCHANGE`, `AT_SIGNATURE`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyUsage {
    /// Signs and decrypts.
    Exchange,
    /// Signs and nothing else.
    Signature,
}

/// A key of a PIV card (SP 800-73-4 part 1 §3.1, table 4b).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize)]
pub enum PivSlot {
    /// 9A: logs its holder on.
    #[serde(rename = "9a")]
    Authentication,
    /// 9C: signs documents; the PIN is verified before each signature.
    #[serde(rename = "9c")]
    Signature,
    /// 9D: decrypts.
    #[serde(rename = "9d")]
    KeyManagement,
    /// 9E: authenticates the card, without a PIN.
    #[serde(rename = "9e")]
    CardAuthentication,
}

impl PivSlot {
    /// Every slot, in the order in which a card is looked through.
    pub const ALL: [Self; 4] = [Self::Authentication, Self::Signature, Self::KeyManagement, Self::CardAuthentication];

    /// The key reference.
    #[must_use]
    pub fn reference(self) -> u8 {
        match self {
            Self::Authentication => 0x9A,
            Self::Signature => 0x9C,
            Self::KeyManagement => 0x9D,
            Self::CardAuthentication => 0x9E,
        }
    }
}

/// A place for one key pair and its certificate. Its name is what the journal keeps: `9a` on PIV, `kxc00` on GIDS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeySlot {
    /// A container of a GIDS card.
    Container {
        /// Its number, which is the place of its record in `cmapfile`.
        index: u8,
        /// What its key is for.
        usage: KeyUsage,
    },
    /// A key reference of a PIV card.
    Piv(PivSlot),
}

impl KeySlot {
    /// The highest number of a container: its key reference is one byte, and the first one's is 81.
    pub const CONTAINER_MAX: u8 = 0x7D;

    /// Whether a key in this place decrypts: what was encrypted for it is lost with it.
    #[must_use]
    pub fn decrypts(self) -> bool {
        matches!(self, Self::Container { usage: KeyUsage::Exchange, .. } | Self::Piv(PivSlot::KeyManagement))
    }
}

impl fmt::Display for KeySlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Container { index, usage: KeyUsage::Exchange } => write!(f, "kxc{index:02X}"),
            Self::Container { index, usage: KeyUsage::Signature } => write!(f, "ksc{index:02X}"),
            Self::Piv(slot) => write!(f, "{:02x}", slot.reference()),
        }
    }
}

/// A text that names no key slot.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[error("no key slot: 9a, 9c, 9d or 9e on a PIV card; kxc or ksc and two hexadecimal digits on a GIDS card")]
pub struct NoKeySlot;

impl FromStr for KeySlot {
    type Err = NoKeySlot;

    /// Upper and lower case are the same.
    fn from_str(text: &str) -> Result<Self, NoKeySlot> {
        let text = text.to_ascii_lowercase();
        let piv = PivSlot::ALL.into_iter().map(KeySlot::Piv).find(|slot| slot.to_string() == text);
        let container = || {
            let (usage, digits) = [("kxc", KeyUsage::Exchange), ("ksc", KeyUsage::Signature)]
                .into_iter()
                .find_map(|(prefix, usage)| Some((usage, text.strip_prefix(prefix)?)))?;
            let is_number = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            let index = u8::from_str_radix(digits, 16).ok().filter(|_| is_number)?;
            (index <= Self::CONTAINER_MAX).then_some(Self::Container { index, usage })
        };
        piv.or_else(container).ok_or(NoKeySlot)
    }
}

/// Which place is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotChoice {
    /// This one.
    Named(KeySlot),
    /// The first free container of a GIDS card; on a PIV card the authentication key, 9A.
    First(KeyUsage),
}

/// What a card tells of the key in a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeldKey {
    /// There is none.
    None,
    /// There is one; its type where the card tells it and it is one of ours.
    Made(Option<KeyType>),
    /// The card does not tell.
    Untold,
}

/// A slot that is not empty, as far as the card tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Which one.
    pub slot: KeySlot,
    /// The name of a container.
    pub name: Option<String>,
    /// The key.
    pub key: HeldKey,
    /// Whether there is a certificate. [`super::Certificates::read`] gives it.
    pub certificate: bool,
    /// Whether other programs find the key. What a power cut leaves of a registration is not found by them, and nothing is lost
    /// with it.
    pub registered: bool,
}

/// Whether there is room for a key pair.
#[derive(Debug, PartialEq, Eq)]
pub enum Room {
    /// There is.
    Free(Vacant),
    /// The place is in use.
    Taken(Taken),
    /// No place is free; these are in use.
    Full(Vec<Held>),
}

/// A place that a key pair may be made in: the card has said that it is free, or a person gives up what is there.
#[derive(Debug, PartialEq, Eq)]
pub struct Vacant {
    slot: KeySlot,
    given_up: bool,
    is_told: bool,
}

impl Vacant {
    pub(super) fn told(slot: KeySlot) -> Self {
        Self { slot, given_up: false, is_told: true }
    }

    pub(super) fn untold(slot: KeySlot) -> Self {
        Self { slot, given_up: false, is_told: false }
    }

    /// Which one.
    #[must_use]
    pub fn slot(&self) -> KeySlot {
        self.slot
    }

    /// Whether the card has said that there is no key. A PIV card without metadata tells of certificates alone: a key that has
    /// none would be replaced.
    #[must_use]
    pub fn is_told(&self) -> bool {
        self.is_told
    }

    /// Whether what is there is to be erased first.
    #[must_use]
    pub fn is_given_up(&self) -> bool {
        self.given_up
    }
}

/// A place that is in use.
#[derive(Debug, PartialEq, Eq)]
pub struct Taken {
    held: Held,
    wanted: KeySlot,
}

impl Taken {
    /// `wanted` is the same place, for a key of the use that is wanted.
    pub(super) fn new(held: Held, wanted: KeySlot) -> Self {
        Self { held, wanted }
    }

    /// What would be lost.
    #[must_use]
    pub fn held(&self) -> &Held {
        &self.held
    }

    /// The place as it was asked for: a container for a key of another use than the one that is there has another name.
    #[must_use]
    pub fn place(&self) -> KeySlot {
        self.wanted
    }

    /// The place without what is there. Only for a caller to whom a person has said yes, or whose own unfinished work it is.
    #[must_use]
    pub fn give_up(self) -> Vacant {
        Vacant { slot: self.wanted, given_up: true, is_told: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_known_by_its_name() {
        for index in 0..=KeySlot::CONTAINER_MAX {
            for usage in [KeyUsage::Exchange, KeyUsage::Signature] {
                let slot = KeySlot::Container { index, usage };
                assert_eq!(slot.to_string().parse(), Ok(slot));
            }
        }
        for (text, slot) in [("9a", PivSlot::Authentication), ("9C", PivSlot::Signature)] {
            assert_eq!(text.parse(), Ok(KeySlot::Piv(slot)));
        }
        let slot = KeySlot::Container { index: 0x0B, usage: KeyUsage::Exchange };
        assert_eq!(slot.to_string(), "kxc0B");
        for text in ["", "9b", "kxc", "kxc0", "kxc7E", "kxcFF", "kxc+1", "kxc0B0", "ksd00", "9a "] {
            assert_eq!(text.parse::<KeySlot>(), Err(NoKeySlot), "{text:?}");
        }
    }

    #[test]
    fn what_a_key_may_have_been_used_for() {
        let decrypting = ["kxc00", "9d"];
        for name in ["kxc00", "ksc00", "9a", "9c", "9d", "9e"] {
            assert_eq!(name.parse::<KeySlot>().unwrap().decrypts(), decrypting.contains(&name), "{name}");
        }
    }
}
