//! The calls that read the server's data and give no secret away, save that the card policy holds an admin key.

use uuid::Uuid;

use super::fault::Endpoint;
use super::json;
use super::query::Query;
use super::records::{RETIRED, Request, Template};
use super::reply::Reply;
use super::routes::{card, request, template, unknown};
use super::rules::{Refusal, Rule};
use super::state::Inner;

/// Types of policies as "Get profile template policy" names them.
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
    "temporaryenroll",
    "unblock",
];

/// The answer to a GET; `last` is the last segment of its path.
pub(super) fn read(
    inner: &Inner,
    endpoint: Endpoint,
    ids: &[Uuid],
    query: &Query,
    last: &str,
) -> Result<Reply, Refusal> {
    let settings = &inner.settings;
    match (endpoint, ids) {
        (Endpoint::Smartcards, _) => cards(inner, query),
        (Endpoint::Requests, _) => requests(inner, query),
        (Endpoint::Templates, _) => {
            let all: Vec<String> = settings.templates.iter().map(json::template).collect();
            Ok(Reply::list(&all))
        }
        (Endpoint::Smartcard, [id]) => Ok(Reply::json(json::card(card(inner, *id)?))),
        (Endpoint::CardOfRequest, [id, of]) => {
            request(inner, *id)?;
            Ok(Reply::json(json::card(card(inner, *of)?)))
        }
        (Endpoint::Request, [id]) => {
            let names = settings.names_for_enums;
            Ok(Reply::json(json::request(request(inner, *id)?, names)))
        }
        (Endpoint::Template, [id]) => Ok(Reply::json(json::template(template(inner, *id)?))),
        (Endpoint::CardPolicy, [id]) => Ok(Reply::json(json::card_policy(template(inner, *id)?))),
        (Endpoint::WorkflowPolicy | Endpoint::WorkflowPolicyByWorkflow, [id]) => {
            workflow_policy(inner, template(inner, *id)?, last)
        }
        (Endpoint::GenerationOptions, [id]) => generation_options(inner, *id),
        (Endpoint::CardOperations, [id]) => operations(inner, *id),
        (Endpoint::CardCertificates, [id]) => {
            card(inner, *id)?;
            let of_card = settings.certificates.iter().filter(|certificate| certificate.card == *id);
            Ok(Reply::list(&of_card.map(json::certificate).collect::<Vec<_>>()))
        }
        (Endpoint::Certificates, _) => {
            Ok(Reply::list(&settings.certificates.iter().map(json::certificate_of_user).collect::<Vec<_>>()))
        }
        // This server has no software profiles.
        (Endpoint::Profiles, _) => query.profile_status().map(|()| Reply::empty()),
        (Endpoint::RequestProfiles, [id]) => request(inner, *id).map(|_| Reply::empty()),
        (Endpoint::Profile | Endpoint::ProfileOperations | Endpoint::ProfileCertificates, _) => Err(unknown(inner)),
        _ => Err(Refusal::plain(404, "No such route.")),
    }
}

fn cards(inner: &Inner, query: &Query) -> Result<Reply, Refusal> {
    let Some(card_id) = query.card_id()? else {
        let all: Vec<String> = inner.settings.cards.iter().map(json::card).collect();
        return Ok(Reply::list(&all));
    };
    let cards = inner.settings.cards.iter();
    let found: Vec<String> = cards.filter(|card| card.card_id == card_id).map(json::card).collect();
    // The sample with this filter shows one object, not a list of one.
    match &found[..] {
        [only] => Ok(Reply::json(only.clone())),
        several => Ok(Reply::list(several)),
    }
}

fn requests(inner: &Inner, query: &Query) -> Result<Reply, Refusal> {
    let settings = &inner.settings;
    let status = query.status()?;
    let mine_only = query.current_user_only()?;
    let own_only = mine_only || !settings.sees_others;
    let wanted = |r: &&Request| status.is_none_or(|s| s == r.status) && (!own_only || r.user == settings.caller);
    let found = settings.requests.iter().filter(wanted);
    let found: Vec<String> = found.map(|r| json::request(r, settings.names_for_enums)).collect();
    Ok(Reply::list(&found))
}

fn workflow_policy(inner: &Inner, template: &Template, kind: &str) -> Result<Reply, Refusal> {
    let kind = kind.to_ascii_lowercase();
    if !TYPES.contains(&kind.as_str()) {
        return Err(Refusal::bad(Rule::FilterValue, "path: not one of the documented types of policies"));
    }
    let enabled = matches!(kind.as_str(), "enroll" | "unblock" | "retire");
    Ok(Reply::json(json::workflow_policy(template, enabled, inner.settings.new_request_status)))
}

fn generation_options(inner: &Inner, id: Uuid) -> Result<Reply, Refusal> {
    let known = request(inner, id)?;
    if !known.status.is_open() {
        return Err(Refusal::forbidden(Rule::RequestStatus, "The request is not in Approved or Executing."));
    }
    let options: Vec<String> = template(inner, known.template)?.keys.iter().map(json::generation_option).collect();
    Ok(Reply::list(&options))
}

/// What this server can do to a card.
fn operations(inner: &Inner, id: Uuid) -> Result<Reply, Refusal> {
    match card(inner, id)?.status {
        RETIRED => Ok(Reply::empty()),
        _ => Ok(Reply::json(r#"["unblock","retire"]"#.to_owned())),
    }
}
