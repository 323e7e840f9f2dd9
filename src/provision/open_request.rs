//! Which open request a card's job is for: the one that was named, an own one, or one of others.

use uuid::Uuid;

use crate::job::Cause;
use crate::job::records::ResolveError;
use crate::server::wire::{Request, RequestType, SmartCard};
use crate::server::{Client, ServerError, ServerProblem};

/// An open request, and whether it was found among those of others.
pub(super) struct Found {
    pub request: Request,
    pub is_of_others: bool,
}

/// The open request for one of the records: the one named, or the only one of the caller's own, or of those that the caller may
/// see.
pub(super) async fn open_request(
    client: &Client,
    records: &[SmartCard],
    named: Option<Request>,
    visible: bool,
) -> Result<Option<Found>, Cause> {
    if let Some(request) = named {
        if !request.status.is_open() {
            let status = request.status.to_string();
            return Err(ResolveError::RequestNotOpen { request: request.uuid, status }.into());
        }
        check_request(&request, records)?;
        return Ok(Some(Found { request, is_of_others: false }));
    }
    let smartcards: Vec<Uuid> = records.iter().map(|record| record.uuid).collect();
    // An interrupted job has left its request in Executing: looked for only where nothing is Approved. Those of others are asked
    // for where no own one names the card, be it one that can't be taken.
    let mut unfit = None;
    for (is_own, status) in [(true, "Approved"), (true, "Executing"), (false, "Approved")] {
        if !is_own && (!visible || unfit.is_some()) {
            break;
        }
        let listed = match is_own {
            true => client.requests_beside(status, &smartcards).await,
            false => client.visible_requests_beside(status, &smartcards).await,
        };
        let (mut taken, refused) = sorted(listed.map_err(too_many)?, records);
        unfit = unfit.or(refused);
        match taken.len() {
            0 => {}
            1 => return Ok(taken.pop().map(|request| Found { request, is_of_others: !is_own })),
            _ => {
                let candidates = taken.iter().map(|request| request.uuid).collect();
                return Err(ResolveError::AmbiguousRequest { candidates }.into());
            }
        }
    }
    unfit.map_or(Ok(None), |error| Err(error.into()))
}

/// Of the open requests those that can be taken; and why the first of the others that name the card can't.
fn sorted(listed: Vec<Request>, records: &[SmartCard]) -> (Vec<Request>, Option<ResolveError>) {
    let (mut taken, mut refused) = (Vec::new(), None);
    for request in listed.into_iter().filter(|request| request.status.is_open()) {
        match check_request(&request, records) {
            Ok(()) => taken.push(request),
            Err(ResolveError::RequestForOther { .. }) => {}
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    (taken, refused)
}

/// A list that is longer than can be read is no failure of the server.
fn too_many(error: ServerError) -> Cause {
    match error.problem {
        ServerProblem::TooLarge { limit } => ResolveError::TooManyRequests { limit }.into(),
        _ => error.into(),
    }
}

/// The request must be for one of the records, of a type that sets a PIN, and for the user whose card it is. Where one of them
/// does not say whose it is, a person decides later.
fn check_request(request: &Request, records: &[SmartCard]) -> Result<(), ResolveError> {
    let first = records.first().map_or(Uuid::nil(), |record| record.uuid);
    let uuid = request.uuid;
    let Some(record) = records.iter().find(|record| request.new_smartcard == Some(record.uuid)) else {
        return Err(ResolveError::RequestForOther { request: uuid, smartcard: first });
    };
    if !matches!(request.kind, RequestType::Enroll | RequestType::Unblock) {
        return Err(ResolveError::OtherType { request: uuid, kind: request.kind.to_string() });
    }
    match (request.target_user, record.assigned_user) {
        (Some(target), Some(assigned)) if target != assigned => {
            Err(ResolveError::OtherUser { request: uuid, target, smartcard: record.uuid, assigned })
        }
        _ => Ok(()),
    }
}
