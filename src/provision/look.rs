//! What a card is, found out without doing anything to it.

use super::error::{CardState, Cause, Failure, Step};
use crate::apdu::Channel;
use crate::card::CardId;
use crate::card::family::{self, Families};
use crate::reader::{EndAction, Readers};
use crate::server::CardParameters;

/// A card of a known family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The card ID.
    pub card_id: CardId,
    /// The family's name.
    pub family: &'static str,
    /// The answer-to-reset, lower-case hex.
    pub atr: String,
}

impl Identity {
    /// The parameters that name this card to the server, without a challenge.
    #[must_use]
    pub fn parameters(&self) -> CardParameters {
        CardParameters { card_id: self.card_id.to_string(), atr: self.atr.clone(), challenge: Vec::new() }
    }
}

/// Opens the card, finds its family, reads its ID and lets go of it. Costs no try.
///
/// # Errors
/// A [`Failure`] of the step `open` or `identify`; the card is untouched in each.
pub fn look(readers: &dyn Readers, reader: &str, families: &Families) -> Result<Identity, Failure> {
    let failed = |step, cause| Failure {
        step,
        reader: Some(reader.to_owned()),
        card_id: None,
        card: CardState::Untouched,
        journal: None,
        cause: Box::new(cause),
    };
    let mut connection = readers.open(reader).map_err(|error| failed(Step::Open, error.into()))?;
    let atr = connection.atr().clone();
    let mut channel = Channel::new(connection.as_mut());
    let found = family::detect(&atr, &mut channel, families).map_err(Cause::from).and_then(|mut card| {
        let card_id = card.identify(&mut channel)?;
        Ok(Identity { card_id, family: card.family().name(), atr: atr.to_string() })
    });
    // Nothing but selections and reads was sent: nothing is left on the card that a reset would have to drop.
    if let Err(error) = connection.end(EndAction::Leave) {
        tracing::debug!("the card could not be let go of: {error}");
    }
    found.map_err(|cause| failed(Step::Identify, cause))
}
