//! Does a PIN suit the card and the template's policy? Says which rule failed, never the PIN.

use thiserror::Error;

use crate::card::{PinCharacters, PinLimits};
use crate::secret::Pin;

/// A rule that the PIN breaks.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum FitError {
    /// Too short for the card.
    #[error("the PIN does not fit the card: it has fewer than {0} characters")]
    ShortForCard(usize),
    /// Too long for the card.
    #[error("the PIN does not fit the card: it has more than {0} characters")]
    LongForCard(usize),
    /// The card takes digits.
    #[error("the PIN does not fit the card: it has other characters than digits")]
    NotDigits,
    /// Too short for the policy.
    #[error("the PIN does not fit the template's policy: it has fewer than {0} characters")]
    ShortForPolicy(usize),
    /// Too long for the policy.
    #[error("the PIN does not fit the template's policy: it has more than {0} characters")]
    LongForPolicy(usize),
}

/// Lengths that the template's policy sets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PolicyLengths {
    /// Fewest characters.
    pub min: Option<usize>,
    /// Most characters.
    pub max: Option<usize>,
}

impl PolicyLengths {
    /// What card and policy both take; the card's own limits, where they leave nothing in common.
    #[must_use]
    pub fn narrow(self, card: PinLimits) -> PinLimits {
        let min = self.min.map_or(card.min, |min| min.max(card.min));
        let max = self.max.map_or(card.max, |max| max.min(card.max));
        if min <= max { PinLimits { min, max, ..card } } else { card }
    }
}

/// Checks a PIN against card and policy.
///
/// # Errors
/// The first rule that it breaks.
pub fn check(pin: &Pin, card: PinLimits, policy: PolicyLengths) -> Result<(), FitError> {
    let length = pin.length();
    if length < card.min {
        return Err(FitError::ShortForCard(card.min));
    }
    if length > card.max {
        return Err(FitError::LongForCard(card.max));
    }
    if card.characters == PinCharacters::Digits && !pin.expose().iter().all(u8::is_ascii_digit) {
        return Err(FitError::NotDigits);
    }
    if let Some(min) = policy.min.filter(|min| length < *min) {
        return Err(FitError::ShortForPolicy(min));
    }
    if let Some(max) = policy.max.filter(|max| length > *max) {
        return Err(FitError::LongForPolicy(max));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_is_named() {
        let card = PinLimits { min: 4, max: 8, characters: PinCharacters::Digits };
        let policy = PolicyLengths { min: Some(6), max: Some(7) };
        let cases: [(&[u8], Result<(), FitError>); 7] = [
            (b"123456", Ok(())),
            (b"1234567", Ok(())),
            (b"123", Err(FitError::ShortForCard(4))),
            (b"123456789", Err(FitError::LongForCard(8))),
            (b"12345a", Err(FitError::NotDigits)),
            (b"12345", Err(FitError::ShortForPolicy(6))),
            (b"12345678", Err(FitError::LongForPolicy(7))),
        ];
        for (pin, expected) in cases {
            assert_eq!(check(&Pin::new(pin).unwrap(), card, policy), expected);
        }
    }

    #[test]
    fn the_policy_narrows_what_the_card_takes_unless_nothing_would_be_left() {
        let card = PinLimits { min: 4, max: 8, characters: PinCharacters::Digits };
        let narrowed = |min, max| {
            let PinLimits { min, max, .. } = PolicyLengths { min, max }.narrow(card);
            (min, max)
        };
        assert_eq!(narrowed(Some(6), Some(7)), (6, 7));
        assert_eq!(narrowed(Some(6), Some(6)), (6, 6));
        assert_eq!(narrowed(Some(2), Some(20)), (4, 8));
        assert_eq!(narrowed(Some(9), None), (4, 8));
    }
}
