//! A look at one card: its family and ID, found out without doing anything to it.

use super::failure::Failure;
use super::held::OpenCard;
use super::identity::CardIdentity;
use crate::card::family::Families;
use crate::reader::Readers;

/// Opens the card, finds its family, reads its ID and lets go of it. Costs no try.
///
/// # Errors
/// A [`Failure`] of the step `open` or `identify`; the card is untouched in each.
pub fn look(readers: &dyn Readers, reader: &str, families: &Families) -> Result<CardIdentity, Failure> {
    let card = OpenCard::open(readers, reader)?.identify(families)?;
    let identity = card.identity().clone();
    // Nothing but selections and reads was sent: nothing is left on the card that a reset would have to drop.
    if let Err(error) = card.end() {
        tracing::debug!("the card could not be let go of: {error}");
    }
    Ok(identity)
}
