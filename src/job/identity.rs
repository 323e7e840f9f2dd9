//! Which card a job is about.

use crate::card::{CardId, Family};
use crate::reader::Atr;
use crate::server::CardParameters;

/// A card that was identified in a reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardIdentity {
    /// The reader's name.
    pub reader: String,
    /// The card's family.
    pub family: Family,
    /// What the card answered to its reset.
    pub atr: Atr,
    /// The ID on the card.
    pub card_id: CardId,
}

impl CardIdentity {
    /// The parameters that name this card to the server, without a challenge.
    #[must_use]
    pub fn parameters(&self) -> CardParameters {
        CardParameters { card_id: self.card_id.to_string(), atr: self.atr.to_string(), challenge: Vec::new() }
    }
}
