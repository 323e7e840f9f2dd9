//! What the records of earlier jobs on a card say of the tries of an authority.

use super::Authority;
use super::error::{Cause, Step};
use super::journal::{Point, Record};

/// So many jobs in a row that were cut off while they showed the card the same proof are enough: each may have cost a try.
const CUT_OFF_MAX: usize = 3;

/// What a job did with the proof of its authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// It was not shown.
    No,
    /// A try may be spent.
    MaybeSpent,
    /// The card took it, and counts its tries anew.
    Accepted,
}

/// Read off a record: at which step the proof was shown, and how far the job came.
fn shown(record: &Record, authority: Authority) -> Shown {
    let with_pin = authority.proof().goes_with_the_pin();
    let shown_at = if with_pin { Step::SetPin } else { Step::Authorize };
    match (record.point, record.stopped_at.as_deref()) {
        (Point::Done | Point::Set, _) => Shown::Accepted,
        (_, Some(step)) if step == Step::Verify.name() => Shown::Accepted,
        (_, Some(step)) if step == Step::SetPin.name() && !with_pin => Shown::Accepted,
        (_, Some(step)) if step == shown_at.name() => Shown::MaybeSpent,
        // Stopped before: nothing was shown.
        (_, Some(_)) => Shown::No,
        // Killed.
        (Point::Authorizing, None) if with_pin => Shown::No,
        (Point::Setting, None) if !with_pin => Shown::Accepted,
        (_, None) => Shown::MaybeSpent,
    }
}

/// The job that may have spent a try of this authority's code, where none since has been accepted with it. `past` is oldest
/// first.
pub(super) fn try_in_doubt(past: &[Record], authority: Authority) -> Option<&Record> {
    past.iter().filter(|record| record.authority == authority.name()).fold(None, |doubt, record| {
        match shown(record, authority) {
            Shown::No => doubt,
            Shown::MaybeSpent => Some(record),
            Shown::Accepted => None,
        }
    })
}

/// Whether a job that nobody asked for may show the card this proof for this request: not where the card has refused it to an
/// earlier one, since the same key or code would be refused again and cost another try; and not for ever where jobs are cut off
/// before the card's word is heard. `past` is oldest first.
pub(super) fn may_be_shown_unasked(
    past: &[Record],
    authority: Authority,
    request: Option<uuid::Uuid>,
) -> Result<(), Cause> {
    let of_this = past.iter().rev().filter(|record| record.authority == authority.name() && record.request == request);
    let mut cut_off = Vec::new();
    for record in of_this {
        if was_refused(record, authority) {
            return Err(not_again(record, authority, 1));
        }
        match shown(record, authority) {
            Shown::No => {}
            Shown::MaybeSpent => cut_off.push(record),
            Shown::Accepted => break,
        }
    }
    match cut_off.first() {
        Some(last) if cut_off.len() >= CUT_OFF_MAX => Err(not_again(last, authority, cut_off.len())),
        _ => Ok(()),
    }
}

/// A card that tells a current PIN by its length is shown it by itself first, so that step counts for every proof.
fn was_refused(record: &Record, authority: Authority) -> bool {
    let proving = |step: &str| {
        step == Step::Authorize.name() || authority.proof().goes_with_the_pin() && step == Step::SetPin.name()
    };
    record.status_word.is_some() && record.stopped_at.as_deref().is_some_and(proving)
}

fn not_again(record: &Record, authority: Authority, times: usize) -> Cause {
    let (what, journal) = (authority.proof().what(), record.id.clone());
    match &record.status_word {
        Some(word) => Cause::RefusedBefore { what, journal, word: word.clone() },
        None => Cause::CutOffBefore { what, journal, times },
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::provision::journal::{Point, SCHEMA};

    const REQUEST: Option<Uuid> = Some(Uuid::from_u128(1));
    const OTHER: Option<Uuid> = Some(Uuid::from_u128(2));

    fn record(authority: Authority, point: Point, stopped_at: Option<Step>, word: Option<&str>) -> Record {
        Record {
            schema: SCHEMA.to_owned(),
            id: "1-2".to_owned(),
            started: String::new(),
            changed: String::new(),
            point,
            reader: String::new(),
            atr: String::new(),
            card_id: Uuid::nil(),
            smartcard: Uuid::nil(),
            request: REQUEST,
            authority: authority.name().to_owned(),
            pin_source: "server".to_owned(),
            stopped_at: stopped_at.map(|step| step.name().to_owned()),
            status_word: word.map(str::to_owned),
        }
    }

    fn may(past: &[Record], authority: Authority, request: Option<Uuid>) -> bool {
        may_be_shown_unasked(past, authority, request).is_ok()
    }

    #[test]
    fn a_proof_that_was_refused_is_not_shown_again_for_the_same_request() {
        for (authority, step) in [
            (Authority::Server, Step::Authorize),
            (Authority::AdminKey, Step::Authorize),
            (Authority::AdminPin, Step::Authorize),
            (Authority::Puk, Step::SetPin),
            (Authority::ResettingCode, Step::SetPin),
            (Authority::CurrentPin, Step::SetPin),
            (Authority::CurrentPin, Step::Authorize),
        ] {
            let past = [record(authority, Point::Untouched, Some(step), Some("6982"))];
            assert!(!may(&past, authority, REQUEST), "{authority:?} {step:?}");
            assert!(may(&past, authority, OTHER), "{authority:?} {step:?}");
        }
    }

    #[test]
    fn another_authority_a_refused_pin_and_an_acceptance_since_forbid_nothing() {
        let refused = record(Authority::AdminKey, Point::Untouched, Some(Step::Authorize), Some("6982"));
        assert!(may(std::slice::from_ref(&refused), Authority::Server, REQUEST));
        let pin = record(Authority::AdminKey, Point::Untouched, Some(Step::SetPin), Some("6A80"));
        assert!(may(&[pin], Authority::AdminKey, REQUEST));
        let set = record(Authority::AdminKey, Point::Unclear, Some(Step::Verify), None);
        assert!(may(&[refused, set], Authority::AdminKey, REQUEST));
    }

    #[test]
    fn jobs_that_are_cut_off_end_some_time() {
        let pulled = record(Authority::Server, Point::Untouched, Some(Step::Authorize), None);
        let killed = record(Authority::Server, Point::Authorizing, None, None);
        let early = record(Authority::Server, Point::Untouched, Some(Step::Bind), None);
        assert!(may(&[pulled.clone(), killed.clone(), early.clone()], Authority::Server, REQUEST));
        let thrice = [pulled.clone(), killed.clone(), early, pulled];
        assert!(!may(&thrice, Authority::Server, REQUEST));
        assert!(may(&thrice, Authority::Server, OTHER));
    }
}
