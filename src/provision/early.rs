//! The card's challenge: taken when the server's records are known, or while the server looks them up.

use super::{Job, proceed};
use crate::apdu::Status;
use crate::card::{CardError, Challenge, Proof};
use crate::job::authority::Authority;
use crate::job::consent::Standing;
use crate::job::desk::Desk;
use crate::job::given::Given;
use crate::job::held::HeldCard;
use crate::job::log::Log;
use crate::job::{Cause, Step, challenge};

/// What is known when the server begins to look up its records.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    /// How the right to set the PIN will be proved.
    pub authority: Authority,
    /// Where the yes comes from.
    pub standing: Standing,
    /// The records are here: there is nothing to look up.
    pub has_records: bool,
    /// The journal has the card claimed for this job.
    pub is_claimed: bool,
    /// Earlier jobs have left nothing in doubt on the card.
    pub is_clear: bool,
    /// The card gives a challenge that may be early.
    pub card_allows: bool,
}

/// Whether the challenge may be taken while the server looks up its records. It costs no try, but ends with a reset of the card, whatever
/// the records say: so only where the job will most likely go on, and where nobody has to be asked first. The server's answer needs
/// nothing that a person types; a new PIN that a person is to make up is told by the records, and the card is let go of then.
pub(super) fn may_be_early(known: Known) -> bool {
    known.authority == Authority::Server
        && known.standing == Standing::Given
        && !known.has_records
        && known.is_claimed
        && known.is_clear
        && known.card_allows
}

/// A challenge that was taken early, or the card's refusal of one.
pub(super) struct Early(Result<Option<Challenge>, Cause>);

impl Early {
    /// What came of it, now that the job has come to the challenge.
    pub(super) fn take(self, card: &mut HeldCard) -> Result<Option<Challenge>, Cause> {
        card.at(Step::Challenge);
        self.0
    }
}

/// Has the server look up its records, and takes the challenge meanwhile where it may be early.
///
/// # Errors
/// The card does not answer, or is not as it was. A refusal is kept: records that lead to no job need no challenge.
pub(super) fn look_up(
    card: &mut HeldCard,
    job: &Job,
    desk: &mut Desk<'_>,
    given: &Given,
    log: &Log<'_>,
    authority: Authority,
) -> Result<Option<Early>, Cause> {
    let known = Known {
        authority,
        standing: desk.supplier.standing(),
        has_records: given.assignment.is_some(),
        is_claimed: log.has_claim(),
        is_clear: log.is_clear(),
        card_allows: card.challenge_may_be_early(),
    };
    if !may_be_early(known) {
        return Ok(None);
    }
    desk.issuer.look_up(&card.parameters(None, challenge::parameter(None)), job.wanted);
    proceed(desk, card, Step::Challenge);
    let early = match take_challenge(card, authority, true) {
        Err(cause) if !is_refusal(&cause) => return Err(cause),
        taken => Early(taken),
    };
    card.at(Step::Resolve);
    Ok(Some(early))
}

/// A challenge, where the card gives one and somebody wants it. Where no answer to it is the authority it is only a parameter of
/// the call for the PIN, and a card that refuses it (a locked admin key) or gives none that can be used is asked no more.
pub(super) fn take_challenge(
    card: &mut HeldCard,
    authority: Authority,
    asks_for_pin: bool,
) -> Result<Option<Challenge>, Cause> {
    let is_authority = authority.proof() == Proof::AdminAnswer;
    if !card.gives_challenge() || !(is_authority || asks_for_pin) {
        return Ok(None);
    }
    let challenge = match card.challenge() {
        Err(Cause::Card(error)) if !is_authority && is_only_about_the_challenge(&error) => {
            tracing::debug!("the server is asked without a challenge: {error}");
            return Ok(None);
        }
        result => result?,
    };
    if authority == Authority::Server {
        // Before the server is asked for an answer that nobody has documented.
        challenge::answerable(&challenge)?;
    }
    Ok(Some(challenge))
}

/// Whether the card has answered, and gives no challenge that serves.
fn is_refusal(cause: &Cause) -> bool {
    match cause {
        Cause::Card(error) => is_only_about_the_challenge(error),
        Cause::Unanswerable(_) => true,
        _ => false,
    }
}

/// Whether the card is there and as it was, whatever it has to say to a challenge.
fn is_only_about_the_challenge(error: &CardError) -> bool {
    match error {
        CardError::NoAnswer { .. } | CardError::Garbled { .. } => false,
        error => error.status() != Some(Status::NOTHING_SELECTED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that speaks for an early challenge.
    const ALL: Known = Known {
        authority: Authority::Server,
        standing: Standing::Given,
        has_records: false,
        is_claimed: true,
        is_clear: true,
        card_allows: true,
    };

    #[test]
    fn each_condition_alone_forbids_an_early_challenge() {
        assert!(may_be_early(ALL));
        let others = Authority::ALL.into_iter().filter(|authority| *authority != Authority::Server);
        let without = others.map(|authority| Known { authority, ..ALL }).chain([
            Known { standing: Standing::Ask, ..ALL },
            Known { standing: Standing::Nobody, ..ALL },
            Known { has_records: true, ..ALL },
            Known { is_claimed: false, ..ALL },
            Known { is_clear: false, ..ALL },
            Known { card_allows: false, ..ALL },
        ]);
        for known in without {
            assert!(!may_be_early(known), "{known:?}");
        }
    }
}
