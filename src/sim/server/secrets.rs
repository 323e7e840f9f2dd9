//! The three routes whose answers are secrets: proposed PIN, answer to a challenge, diversified key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use uuid::Uuid;

use super::json;
use super::keys::{diversify, respond};
use super::query::Query;
use super::records::{Card, ENROLL, RETIRE, Request, RequestStatus, UNBLOCK};
use super::reply::{Answered, Reply};
use super::routes::{card, request, template};
use super::rules::{Refusal, Rule};
use super::settings::PinMaker;
use super::state::Inner;

/// "Get server proposed PIN", by either route. No parameter is documented as required; those that are there must be right.
pub(super) fn pin(inner: &mut Inner, request_id: Option<Uuid>, card_id: Uuid, query: &Query) -> Result<Reply, Refusal> {
    query.challenge(&inner.settings.challenge_lengths)?;
    let card = card(inner, card_id)?.clone();
    query.check_card(&card)?;
    let request_id = match request_id {
        Some(id) => {
            check_pin_job(request(inner, id)?, &card)?;
            id
        }
        None => open_request(inner, &card)?,
    };
    begin(inner, request_id);
    let (digits, stored) = match &inner.settings.pin_maker {
        PinMaker::UserProvided => return Ok(Reply::empty()),
        PinMaker::Raw { status, content_type, body } => return Ok(Reply::raw(*status, content_type, body.clone())),
        PinMaker::Fixed(pin) => return Ok(pin_reply(pin.clone())),
        PinMaker::Random(digits) => (*digits, false),
        PinMaker::Stored(digits) => (*digits, true),
    };
    if stored && let Some(pin) = inner.stored_pins.get(&request_id) {
        return Ok(pin_reply(pin.clone()));
    }
    let pin = random_digits(digits)?;
    if stored {
        inner.stored_pins.insert(request_id, pin.clone());
    }
    Ok(pin_reply(pin))
}

fn pin_reply(pin: Vec<u8>) -> Reply {
    let mut reply = Reply::json(json::string(&String::from_utf8_lossy(&pin)));
    reply.effects.pin = Some(pin);
    reply
}

fn random_digits(count: usize) -> Result<Vec<u8>, Refusal> {
    let mut digits = Vec::with_capacity(count);
    while digits.len() < count {
        let mut bytes = [0u8; 16];
        getrandom::fill(&mut bytes).map_err(|_| Refusal::plain(500, "no random numbers"))?;
        // 250 is the largest multiple of ten in a byte; the rest would favour small digits.
        let fair = bytes.iter().filter(|byte| **byte < 250);
        digits.extend(fair.map(|byte| b'0' + byte % 10).take(count - digits.len()));
    }
    Ok(digits)
}

/// "Get smartcard authentication response".
pub(super) fn authentication_response(
    inner: &mut Inner,
    request_id: Uuid,
    card_id: Uuid,
    query: &Query,
) -> Result<Reply, Refusal> {
    query.require(&["cardid", "challenge", "diversified"])?;
    let diversified = query.diversified()?;
    let challenge = query.challenge(&inner.settings.challenge_lengths)?;
    let challenge = challenge.unwrap_or_default();
    let card = card(inner, card_id)?.clone();
    query.check_card(&card)?;
    let kinds: &[u32] =
        if inner.settings.answers_for_retirement { &[ENROLL, UNBLOCK, RETIRE] } else { &[ENROLL, UNBLOCK] };
    check_job(request(inner, request_id)?, &card, kinds)?;
    check_fresh(inner, card_id, &challenge)?;
    check_flag(inner, card_id, diversified)?;
    let key = if diversified {
        diversify(&inner.settings.diversification_secret, card.card_id)
    } else {
        template(inner, card.template)?.default_admin_key
    };
    let response = respond(&key, &challenge)
        .ok_or_else(|| Refusal::bad(Rule::ChallengeLength, "challenge: must be blocks of 8 bytes"))?;
    begin(inner, request_id);
    let mut reply = Reply::json(json::string(&STANDARD.encode(&response)));
    reply.effects.answer = Some(Answered { card: card_id, challenge, response });
    Ok(reply)
}

/// "Get smartcard diversified key".
pub(super) fn diversified_key(
    inner: &mut Inner,
    request_id: Uuid,
    card_id: Uuid,
    query: &Query,
) -> Result<Reply, Refusal> {
    query.require(&["cardid"])?;
    let card = card(inner, card_id)?.clone();
    query.check_card(&card)?;
    check_pin_job(request(inner, request_id)?, &card)?;
    begin(inner, request_id);
    if !template(inner, card.template)?.diversify_admin_key {
        return Ok(Reply::empty());
    }
    let key = diversify(&inner.settings.diversification_secret, card.card_id);
    inner.flags.remove(&card_id);
    Ok(Reply::json(json::string(&STANDARD.encode(key))))
}

/// The request may be worked on, and with this card.
pub(super) fn check_binding(request: &Request, card: &Card) -> Result<(), Refusal> {
    if !request.status.is_open() {
        return Err(Refusal::forbidden(Rule::RequestStatus, "The request is not in Approved or Executing."));
    }
    if request.new_card != Some(card.uuid) {
        return Err(Refusal::forbidden(Rule::CardNotBound, "The smart card is not bound to the request."));
    }
    Ok(())
}

/// The request is one that sets the PIN of this card, for its user.
fn check_pin_job(request: &Request, card: &Card) -> Result<(), Refusal> {
    check_job(request, card, &[ENROLL, UNBLOCK])
}

/// The request is one of these types for this card and its user.
fn check_job(request: &Request, card: &Card, kinds: &[u32]) -> Result<(), Refusal> {
    check_binding(request, card)?;
    if !kinds.contains(&request.kind) {
        return Err(Refusal::forbidden(Rule::RequestType, "The request is of another type."));
    }
    if ![request.user, card.user].iter().any(Uuid::is_nil) && request.user != card.user {
        return Err(Refusal::forbidden(Rule::TargetUser, "The request is for another user than the smart card's."));
    }
    Ok(())
}

/// The PIN belongs to a job: without an open request for the card there is none to hand out.
fn open_request(inner: &Inner, card: &Card) -> Result<Uuid, Refusal> {
    let mut bound = inner.settings.requests.iter();
    let bound = bound.by_ref().filter(|r| r.new_card == Some(card.uuid));
    let mut refusal = Refusal::forbidden(Rule::CardNotBound, "No request is bound to the smart card.");
    for request in bound {
        match check_pin_job(request, card) {
            Ok(()) => return Ok(request.uuid),
            Err(closed) => refusal = closed,
        }
    }
    Err(refusal)
}

/// A challenge is spent once its answer has arrived; until then it may be sent again within limits.
fn check_fresh(inner: &Inner, card: Uuid, challenge: &[u8]) -> Result<(), Refusal> {
    let Some(history) = inner.challenges.get(&(card, challenge.to_vec())) else {
        return Ok(());
    };
    if history.answered {
        return Err(Refusal::bad(Rule::ChallengeReused, "challenge: was answered before"));
    }
    if inner.settings.challenge_sends.is_some_and(|limit| history.sent >= limit) {
        return Err(Refusal::bad(Rule::ChallengeRepeated, "challenge: sent too often"));
    }
    Ok(())
}

/// A second try with the other flag costs a card one of its tries. After a diversified key was given out it is the proof of that key.
fn check_flag(inner: &mut Inner, card: Uuid, diversified: bool) -> Result<(), Refusal> {
    match inner.flags.insert(card, diversified) {
        Some(before) if inner.settings.one_flag && before != diversified => {
            Err(Refusal::bad(Rule::BothFlags, "diversified: an answer was asked for with the other flag"))
        }
        _ => Ok(()),
    }
}

/// Nothing documents what moves a request to Executing; the first execution call is the likely trigger.
pub(super) fn begin(inner: &mut Inner, id: Uuid) {
    if !inner.settings.moves_to_executing {
        return;
    }
    for request in &mut inner.settings.requests {
        if request.uuid == id && request.status == RequestStatus::Approved {
            request.status = RequestStatus::Executing;
        }
    }
}
