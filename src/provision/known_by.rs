//! The other ATRs that a card is known by: to the server's record, and to the journal.

use super::{Asked, Job};
use crate::job::consent::Standing;
use crate::job::held::HeldCard;
use crate::job::issuer::Assignment;
use crate::job::record_atr::AtrDoubt;
use crate::job::records::ResolveError;
use crate::job::{CardIdentity, Cause, record_atr};

/// Goes on with the profile that names an ATR which this card is known by, where it shows another one now; tells whether it does.
pub(super) fn take_by_profile<'a>(
    card: &mut HeldCard,
    job: &Job,
    known: impl Iterator<Item = &'a str>,
) -> Result<bool, Cause> {
    let Some(atr) = record_atr::of_profile(card.identity(), known, &job.families) else { return Ok(false) };
    tracing::info!("the card is known by the ATR {atr}: its profile is used");
    card.take_as(&atr, &job.families).map(|()| true)
}

/// Why the card may not be the one of the server's record, where a person is to decide that.
///
/// # Errors
/// [`ResolveError::OtherAtr`] where nobody has asked for the job in person, where the configuration is strict, and where a yes was
/// said beforehand that can't be meant for this.
pub(super) fn other_atr(
    card: &CardIdentity,
    job: &Job,
    standing: Standing,
    assignment: &Assignment,
) -> Result<Option<String>, ResolveError> {
    let Err(error) = record_atr::check(card, assignment, &job.families) else { return Ok(None) };
    let ResolveError::OtherAtr { why, .. } = &error else { return Err(error) };
    let is_named = job.wanted.smartcard.is_some();
    let is_meant = standing != Standing::Given || is_named || why.is_covered_by_an_earlier_yes();
    match job.asked != Asked::ByInsertion && *why != AtrDoubt::Strict && is_meant {
        true => Ok(Some(error.to_string())),
        false => Err(error),
    }
}
