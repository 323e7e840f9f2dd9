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
    /// The application that is used: a family's or a profile's name, as in `card.prefer`.
    pub application: String,
    /// What the card answered to its reset.
    pub atr: Atr,
    /// The ID on the card.
    pub card_id: CardId,
    /// Whether all 16 bytes of the ID are the card's own: not derived, not a shorter number repeated.
    pub has_own_id: bool,
}

impl CardIdentity {
    /// The parameters that name this card to the server, without a challenge.
    #[must_use]
    pub fn parameters(&self) -> CardParameters {
        CardParameters { card_id: self.card_id.to_string(), atr: self.atr.to_string(), challenge: Vec::new() }
    }
}
