//! Why a card can't be used, in a few words for a list of cards.

use crate::card::CardError;
use crate::card::family::DetectError;
use crate::job::Cause;

/// The cause in a few words, where its own words say more than a list has room for.
#[must_use]
pub fn in_few_words(cause: &Cause) -> String {
    match cause {
        Cause::Detect(DetectError::Unknown { .. }) => "of no known family".to_owned(),
        Cause::Card(CardError::UnusableId(error)) => error.to_string(),
        cause => cause.to_string(),
    }
}
