//! Is the card that is written to the card that was asked about? A PIN is made for one card; it never goes on another.

use thiserror::Error;

use crate::card::CardId;
use crate::reader::{Atr, Presence};

/// What tells one insertion of one card from all others.
#[derive(Debug, Clone)]
pub struct Binding {
    generation: u32,
    atr: Atr,
    card_id: CardId,
}

/// Another card, or another insertion.
#[derive(Debug, Error)]
pub enum BindingError {
    /// Pulled and inserted in between, or another one.
    #[error("the card was removed and inserted again since it was identified")]
    Reinserted,
    /// No card any more.
    #[error("the card is gone")]
    Gone,
    /// Another ATR.
    #[error("another card is in the reader: its ATR is {now}, it was {before}")]
    OtherAtr {
        /// Then.
        before: Atr,
        /// Now.
        now: Atr,
    },
    /// Another card ID.
    #[error("another card is in the reader: its ID is {now}, it was {before}")]
    OtherCardId {
        /// Then.
        before: CardId,
        /// Now.
        now: CardId,
    },
}

impl Binding {
    /// Notes what is in the reader.
    #[must_use]
    pub fn new(generation: u32, atr: Atr, card_id: CardId) -> Self {
        Self { generation, atr, card_id }
    }

    /// The card ID bound to.
    #[must_use]
    pub fn card_id(&self) -> CardId {
        self.card_id
    }

    /// The ATR bound to.
    #[must_use]
    pub fn atr(&self) -> &Atr {
        &self.atr
    }

    /// Compares what the reader says now.
    ///
    /// # Errors
    /// Another insertion, another ATR, or no card.
    pub fn check_presence(&self, now: &Presence) -> Result<(), BindingError> {
        match &now.atr {
            None => Err(BindingError::Gone),
            Some(atr) if *atr != self.atr => Err(BindingError::OtherAtr { before: self.atr.clone(), now: atr.clone() }),
            Some(_) if now.generation != self.generation => Err(BindingError::Reinserted),
            Some(_) => Ok(()),
        }
    }

    /// Compares what the card says now.
    ///
    /// # Errors
    /// Another card ID.
    pub fn check_card_id(&self, now: CardId) -> Result<(), BindingError> {
        if now == self.card_id { Ok(()) } else { Err(BindingError::OtherCardId { before: self.card_id, now }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::card::IdOrder;

    #[test]
    fn each_kind_of_swap_is_seen() {
        let id = |byte| CardId::new(&[byte; 16], IdOrder::Windows).unwrap();
        let atr = Atr::new(&[0x3B, 0x80]);
        let binding = Binding::new(4, atr.clone(), id(1));
        let presence = |generation, atr| Presence { generation, atr, mute: false };
        assert!(binding.check_presence(&presence(4, Some(atr.clone()))).is_ok());
        assert!(matches!(binding.check_presence(&presence(6, Some(atr))), Err(BindingError::Reinserted)));
        assert!(matches!(binding.check_presence(&presence(5, None)), Err(BindingError::Gone)));
        let other = Atr::new(&[0x3B, 0x81]);
        assert!(matches!(binding.check_presence(&presence(6, Some(other))), Err(BindingError::OtherAtr { .. })));
        assert!(binding.check_card_id(id(1)).is_ok());
        assert!(matches!(binding.check_card_id(id(2)), Err(BindingError::OtherCardId { .. })));
    }
}
