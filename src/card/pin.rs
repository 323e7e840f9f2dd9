//! What a card says of its PIN and of its other codes: lengths, characters, retry counters.

use crate::secret::Pin;

/// Which characters a card's PIN may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PinCharacters {
    /// Printable ASCII.
    Ascii,
    /// 0 to 9.
    Digits,
}

/// What a card takes as its user PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PinLimits {
    /// Fewest characters.
    pub min: usize,
    /// Most characters.
    pub max: usize,
    /// Which characters.
    pub characters: PinCharacters,
}

impl PinLimits {
    /// A PIN of eight zeros, or as near to eight as the limits allow, for commands that are planned and never sent.
    pub(super) fn stand_in(self) -> Pin {
        // A card's own data may name a maximum below the minimum. Then no PIN fits, and the plan shows the maximum.
        Pin::zeros(8.max(self.min).min(self.max).clamp(1, Pin::MAX))
    }
}

/// What a card tells of a retry counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tries {
    /// So many are left, of so many where the card says that too.
    Left {
        /// Tries left; 0 is blocked.
        left: u8,
        /// The counter's highest value.
        max: Option<u8>,
    },
    /// The card tells its counter only in its answer to a try.
    Untold,
}

/// What a card says of one of its secrets without a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretReport {
    /// Which secret, as in JSON: `pin`, `puk`, `management-key`, `admin-pin`, `resetting-code`.
    pub name: &'static str,
    /// Its retry counter.
    pub tries: Tries,
    /// Whether it is still the factory's, where the card says so without a try.
    pub factory: Option<bool>,
}
