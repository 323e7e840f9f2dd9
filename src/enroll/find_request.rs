//! Which request a card's enrollment is about, where nobody has named one.

use uuid::Uuid;

use super::facts::{named_card, purpose};
use super::next::Purpose;
use super::server::Server;
use crate::job::{CardIdentity, Cause, Stop};
use crate::operation::Operation;
use crate::server::wire::{CardStatus, Request};

/// The statuses of requests that can be carried out, or will be.
const OPEN: [&str; 3] = ["Approved", "Executing", "Pending"];

/// What to look for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// The type of request that the command carries out; an enrollment's command takes one to unblock the card, too.
    pub purpose: Purpose,
    /// Whether requests of others are looked at, where none of the caller's own names the card.
    pub visible: bool,
}

/// Looks for the one open request that is for this card, or, for an enrollment, for the one of the caller's own that waits for a
/// card.
///
/// # Errors
/// [`Stop::SeveralRequests`]; [`Stop::OtherType`] where the only one that names the card is of another command; the server's.
pub fn find_request(server: &mut Server<'_>, card: &CardIdentity, wanted: Wanted) -> Result<Option<Uuid>, Cause> {
    let card_id = card.card_id.to_string();
    let (own, others, ours) = server.look(async |client| {
        let mut records = client.smartcards_by_card_id(&card_id).await?;
        records.retain(|record| record.status != CardStatus::Retired);
        let ours: Vec<Uuid> = records.iter().map(|record| record.uuid).collect();
        let mut own = Vec::new();
        for status in OPEN {
            own.extend(client.requests_beside(status, &ours).await?);
        }
        let others = match wanted.visible && !own.iter().any(|request| names(request, &ours)) {
            true => client.visible_requests_beside("Approved", &ours).await?,
            false => Vec::new(),
        };
        Ok((own, others, ours))
    })?;
    choose(&own, &others, &ours, wanted.purpose)
}

/// Of the requests that the server shows the one that is meant: one that names the card comes before one that waits for a card, and
/// one of the caller's own before one of others.
fn choose(own: &[Request], others: &[Request], ours: &[Uuid], wanted: Purpose) -> Result<Option<Uuid>, Cause> {
    let named = |requests: &[Request]| -> Vec<Request> {
        requests.iter().filter(|request| names(request, ours)).cloned().collect()
    };
    let takes = |request: &Request| purpose(request).is_some_and(|purpose| is_for(wanted, purpose));
    for requests in [named(own), named(others)] {
        if let Some(found) = only(requests.iter().filter(|request| takes(request)))? {
            return Ok(Some(found));
        }
        if let Some(other) = requests.first() {
            return Err(other_type(other, wanted).into());
        }
    }
    if wanted != Purpose::Enroll {
        return Ok(None);
    }
    only(own.iter().filter(|request| named_card(request).is_none() && purpose(request) == Some(Purpose::Enroll)))
}

/// Whether the command for one purpose carries out a request for the other.
#[must_use]
pub fn is_for(command: Purpose, request: Purpose) -> bool {
    command == request || (command, request) == (Purpose::Enroll, Purpose::Unblock)
}

/// Why a request is not carried out by the command for this purpose.
#[must_use]
pub fn other_type(request: &Request, command: Purpose) -> Stop {
    Stop::OtherType {
        request: request.uuid,
        kind: request.kind.to_string(),
        command: operation(command),
        right: purpose(request).map(operation),
    }
}

/// The command that carries out such requests.
#[must_use]
pub fn operation(purpose: Purpose) -> Operation {
    match purpose {
        Purpose::Enroll => Operation::Enroll,
        Purpose::Unblock => Operation::Unblock,
        Purpose::Retire => Operation::Retire,
    }
}

fn names(request: &Request, ours: &[Uuid]) -> bool {
    named_card(request).is_some_and(|card| ours.contains(&card))
}

fn only<'a>(requests: impl Iterator<Item = &'a Request>) -> Result<Option<Uuid>, Cause> {
    let mut candidates: Vec<Uuid> = requests.map(|request| request.uuid).collect();
    candidates.dedup();
    match candidates[..] {
        [] => Ok(None),
        [only] => Ok(Some(only)),
        _ => Err(Stop::SeveralRequests { candidates }.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::wire::{RequestStatus, RequestType};

    const CARD: Uuid = Uuid::from_u128(0xCA);

    fn request(id: u128, kind: RequestType, card: Option<Uuid>) -> Request {
        Request {
            uuid: Uuid::from_u128(id),
            kind,
            status: RequestStatus::Approved,
            new_smartcard: card,
            profile_template: None,
            target_user: None,
            submitted: None,
            completed: None,
            old_smartcard: None,
            comment: None,
            data: Vec::new(),
        }
    }

    fn chosen(own: &[Request], others: &[Request], wanted: Purpose) -> Result<Option<u128>, String> {
        choose(own, others, &[CARD], wanted).map(|id| id.map(|id| id.as_u128())).map_err(|cause| cause.to_string())
    }

    #[test]
    fn one_that_names_the_card_comes_first_and_several_are_a_question() {
        use RequestType::{Enroll, Retire, Unblock};
        let waits = || request(1, Enroll, None);
        let bound = || request(2, Enroll, Some(CARD));
        let unblock = || request(3, Unblock, Some(CARD));
        let retire = || request(4, Retire, Some(CARD));
        let elsewhere = || request(5, Enroll, Some(Uuid::from_u128(0xBB)));
        assert_eq!(chosen(&[], &[], Purpose::Enroll), Ok(None));
        assert_eq!(chosen(&[waits(), elsewhere()], &[], Purpose::Enroll), Ok(Some(1)));
        assert_eq!(chosen(&[waits(), bound()], &[], Purpose::Enroll), Ok(Some(2)));
        assert_eq!(chosen(&[waits()], &[bound()], Purpose::Enroll), Ok(Some(2)));
        assert_eq!(chosen(&[unblock()], &[], Purpose::Enroll), Ok(Some(3)));
        assert_eq!(chosen(&[unblock(), retire()], &[], Purpose::Retire), Ok(Some(4)));
        assert_eq!(chosen(&[waits()], &[], Purpose::Retire), Ok(None));
        assert!(chosen(&[retire()], &[], Purpose::Enroll).unwrap_err().contains("Retire"));
        assert!(chosen(&[bound()], &[], Purpose::Unblock).unwrap_err().contains("Enroll"));
        assert!(chosen(&[waits(), request(6, Enroll, None)], &[], Purpose::Enroll).unwrap_err().contains("2 requests"));
        assert!(chosen(&[bound(), unblock()], &[], Purpose::Enroll).unwrap_err().contains("2 requests"));
    }
}
