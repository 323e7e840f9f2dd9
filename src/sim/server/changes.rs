//! The calls that change the server's data: make and end a request, bind and retire a card.

use std::time::SystemTime;

use serde_json::Value;
use uuid::Uuid;

use super::json;
use super::json_body::{JsonBody, shape};
use super::query::check_atr_form;
use super::records::{ACTIVE, ASSIGNED, Card, DISABLED, ENROLL, RETIRE, RETIRED, Request, RequestStatus, UNBLOCK};
use super::reply::Reply;
use super::routes::{Call, card, request, template};
use super::rules::{Refusal, Rule};
use super::secrets::{begin, check_binding};
use super::settings::{DataForm, SAMPLE_CARD, SAMPLE_REQUEST, UriForm, nth};
use super::state::Inner;

/// Types of requests as "Create request" names them.
const TYPES: [&str; 12] = [
    "enroll",
    "duplicate",
    "offlineunblock",
    "onlineupdate",
    "renew",
    "recover",
    "recoveronbehalf",
    "reinstate",
    "retire",
    "revoke",
    "temporarycards",
    "unblock",
];

/// "Create request".
pub(super) fn create_request(inner: &mut Inner, call: &Call<'_>) -> Result<Reply, Refusal> {
    const KNOWN: [&str; 7] =
        ["profiletemplateuuid", "type", "datacollection", "comment", "smartcard", "target", "priority"];
    let body = JsonBody::read(call, &KNOWN)?;
    let kind = body.text("type")?.to_ascii_lowercase();
    if !TYPES.contains(&kind.as_str()) {
        return Err(Refusal::bad(Rule::BodyValue, "type: not one of the documented names"));
    }
    let comment = body.text("comment")?.to_owned();
    let data = data_collection(inner.settings.data_form, &body)?;
    check_priority(&body)?;
    let caller = inner.settings.caller;
    let target = body.optional_guid("target")?.unwrap_or(caller);
    if target != caller && !inner.settings.makes_for_others {
        return Err(Refusal::plain(403, "The caller may not make requests for other users."));
    }
    let mut made = Request {
        uuid: unused(&inner.settings.requests, |request| request.uuid, SAMPLE_REQUEST),
        kind: ENROLL,
        status: inner.settings.new_request_status,
        new_card: None,
        old_card: None,
        template: Uuid::nil(),
        user: target,
        looks: 0,
        submitted: humantime::format_rfc3339_millis(SystemTime::now()).to_string(),
        comment,
        data,
    };
    match kind.as_str() {
        "enroll" if body.get("smartcard").is_some() => return Err(shape("smartcard", "not for this type")),
        "enroll" => made.template = template(inner, body.guid("profiletemplateuuid")?)?.uuid,
        "unblock" | "retire" => {
            let card = card(inner, body.guid("smartcard")?)?;
            if card.user != caller || card.status == RETIRED {
                return Err(Refusal::plain(403, "The caller may not do this to the smart card."));
            }
            made.kind = if kind == "unblock" { UNBLOCK } else { RETIRE };
            made.template = card.template;
            // The card is bound from the beginning.
            (made.new_card, made.old_card) = (Some(card.uuid), Some(card.uuid));
        }
        _ => return Err(Refusal::plain(403, "The profile template does not allow requests of this type.")),
    }
    let uri = uri(inner, "requests", made.uuid);
    inner.settings.requests.push(made);
    Ok(Reply::created(&uri))
}

/// The items that the user supplied, in the form that this server takes.
fn data_collection(form: DataForm, body: &JsonBody) -> Result<Vec<(String, String)>, Refusal> {
    let value = body.get("datacollection").ok_or_else(|| shape("datacollection", "required"))?;
    let wrong = || Refusal::bad(Rule::DataCollection, "datacollection: not in the form that this server takes");
    let parsed;
    let items = match (form, value) {
        (DataForm::Array, Value::Array(items)) => items,
        (DataForm::Text, Value::String(text)) => {
            parsed = serde_json::from_str::<Vec<Value>>(text).map_err(|_| wrong())?;
            &parsed
        }
        _ => return Err(wrong()),
    };
    let mut data = Vec::new();
    for item in items {
        for (name, value) in item.as_object().ok_or_else(wrong)? {
            data.push((name.clone(), value.as_str().ok_or_else(wrong)?.to_owned()));
        }
    }
    Ok(data)
}

fn check_priority(body: &JsonBody) -> Result<(), Refusal> {
    match body.optional_text("priority")?.map(str::parse::<u8>) {
        None | Some(Ok(_)) => Ok(()),
        Some(Err(_)) => Err(Refusal::bad(Rule::BodyValue, "priority: must be a string with a number up to 255")),
    }
}

/// Counts a look at a request; one that waits for somebody is approved in time, where that is set.
pub(super) fn looked_at(inner: &mut Inner, id: Uuid) {
    let enough = inner.settings.approved_after_looks;
    for request in inner.settings.requests.iter_mut().filter(|request| request.uuid == id) {
        request.looks += 1;
        if request.status == RequestStatus::Pending && enough.is_some_and(|enough| request.looks >= enough) {
            request.status = RequestStatus::Approved;
        }
    }
}

/// "Complete, cancel or abandon request".
pub(super) fn end_request(inner: &mut Inner, id: Uuid, call: &Call<'_>) -> Result<Reply, Refusal> {
    use RequestStatus::{Approved, Canceled, Completed, Executing, Failed, Pending};
    let body = JsonBody::read(call, &["status"])?;
    let (wanted, from) = match body.text("status")?.to_ascii_lowercase().as_str() {
        "completed" => (Completed, [Approved, Executing]),
        "canceled" => (Canceled, [Pending, Approved]),
        "abandoned" => (Failed, [Approved, Executing]),
        _ => return Err(Refusal::bad(Rule::BodyValue, "status: not one of the documented names")),
    };
    let known = request(inner, id)?.clone();
    if known.user != inner.settings.caller && !inner.settings.makes_for_others {
        return Err(Refusal::plain(403, "The request is another user's."));
    }
    if !from.contains(&known.status) {
        return Err(Refusal::forbidden(Rule::RequestStatus, "The request's status does not allow this."));
    }
    if wanted == Completed && known.kind == ENROLL {
        let bound = known.new_card.ok_or_else(|| Refusal::forbidden(Rule::CardNotBound, "No smart card is bound."))?;
        inner.settings.cards.iter_mut().filter(|card| card.uuid == bound).for_each(|card| card.status = ACTIVE);
    }
    if wanted == Failed && known.kind == ENROLL {
        // The card is free for another request; how a server marks its object is not documented.
        let is_bound = |card: &&mut Card| known.new_card == Some(card.uuid);
        inner.settings.cards.iter_mut().filter(is_bound).for_each(|card| card.status = DISABLED);
    }
    let names = inner.settings.names_for_enums;
    let ended = inner.settings.requests.iter_mut().find(|request| request.uuid == id);
    Ok(ended.map_or_else(Reply::empty, |ended| {
        ended.status = wanted;
        Reply::json(json::request(ended, names))
    }))
}

/// "Bind smart card to request".
pub(super) fn bind_card(inner: &mut Inner, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body = JsonBody::read(call, &["requestid", "cardid", "atr"])?;
    let (id, card_id, atr) = (body.guid("requestid")?, body.guid("cardid")?, body.text("atr")?.to_owned());
    check_atr_form(&atr)?;
    let known = request(inner, id)?.clone();
    if !known.status.is_open() {
        return Err(Refusal::forbidden(Rule::RequestStatus, "The request is not in Approved or Executing."));
    }
    if known.kind != ENROLL || known.new_card.is_some() {
        return Err(Refusal::forbidden(Rule::AlreadyBound, "A smart card is bound to the request already."));
    }
    if inner.settings.cards.iter().any(|card| card.card_id == card_id && ![RETIRED, DISABLED].contains(&card.status)) {
        return Err(Refusal::forbidden(Rule::CardInUse, "The smart card is in use."));
    }
    let uuid = unused(&inner.settings.cards, |card| card.uuid, SAMPLE_CARD);
    let (template, user) = (known.template, known.user);
    inner.settings.cards.push(Card { uuid, card_id, atr, status: ASSIGNED, template, user });
    inner.settings.requests.iter_mut().filter(|request| request.uuid == id).for_each(|request| {
        request.new_card = Some(uuid);
    });
    begin(inner, id);
    Ok(Reply::created(&uri(inner, "smartcards", uuid)))
}

/// "Set smart card status".
pub(super) fn retire_card(inner: &mut Inner, id: Uuid, card_id: Uuid, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body = JsonBody::read(call, &["status"])?;
    if !body.text("status")?.eq_ignore_ascii_case("Retired") {
        return Err(Refusal::bad(Rule::BodyValue, "status: only Retired is documented"));
    }
    check_binding(request(inner, id)?, card(inner, card_id)?)?;
    begin(inner, id);
    let retired = inner.settings.cards.iter_mut().find(|card| card.uuid == card_id);
    Ok(retired.map_or_else(Reply::empty, |retired| {
        retired.status = RETIRED;
        Reply::json(json::card(retired))
    }))
}

/// The first id from `sample` on that none of them has.
fn unused<T>(all: &[T], id: impl Fn(&T) -> Uuid, sample: Uuid) -> Uuid {
    (0..).map(|count| nth(sample, count)).find(|new| !all.iter().any(|known| id(known) == *new)).unwrap_or(sample)
}

fn uri(inner: &Inner, resource: &str, id: Uuid) -> String {
    let folder = &inner.settings.folder;
    match inner.settings.created_uri {
        UriForm::Relative => format!("api/v1.0/{resource}/{id}"),
        UriForm::Rooted => format!("/{folder}/api/v1.0/{resource}/{id}"),
        UriForm::Absolute => format!("https://cm.contoso.com/{folder}/api/v1.0/{resource}/{id}"),
    }
}
