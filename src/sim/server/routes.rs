//! From path and method to an answer, without any HTTP machinery.

use hyper::Method;
use uuid::Uuid;
use zeroize::Zeroize;

use super::fault::Endpoint;
use super::query::{Query, guid, percent_decode};
use super::rules::{Refusal, Rule};
use super::settings::{Card, Request, Template, UnknownId};
use super::state::Inner;
use super::{json, secrets};

/// "Always JSON", says the reference.
pub(super) const JSON: &str = "application/json; charset=utf-8";

/// What a route looks at.
pub(super) struct Call<'a> {
    pub(super) method: &'a Method,
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) authorization: Option<&'a [u8]>,
}

/// An answer before faults are applied.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) effects: Effects,
}

/// What is booked once the answer has left in full.
#[derive(Default)]
pub(super) struct Effects {
    pub(super) pin: Option<Vec<u8>>,
    pub(super) answer: Option<Answered>,
}

impl Drop for Effects {
    fn drop(&mut self) {
        self.pin.zeroize();
    }
}

/// An answered challenge.
pub(super) struct Answered {
    pub(super) card: Uuid,
    pub(super) challenge: Vec<u8>,
    pub(super) response: Vec<u8>,
}

impl Reply {
    fn new(status: u16, content_type: &str, body: Vec<u8>) -> Self {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        Self {
            status,
            headers: vec![header("Cache-Control", "no-cache"), header("Content-Type", content_type)],
            body,
            effects: Effects::default(),
        }
    }

    /// 200 with JSON text.
    pub(super) fn json(text: String) -> Self {
        Self::new(200, JSON, text.into_bytes())
    }

    /// Any status with any body.
    pub(super) fn raw(status: u16, content_type: &str, body: Vec<u8>) -> Self {
        Self::new(status, content_type, body)
    }

    /// What IIS, AD FS or a proxy says when the API does not.
    pub(super) fn html(status: u16, text: &str) -> Self {
        Self::new(status, "text/html", text.as_bytes().to_vec())
    }

    /// 204.
    pub(super) fn empty() -> Self {
        Self {
            status: 204,
            headers: vec![("Cache-Control".to_owned(), "no-cache".to_owned())],
            body: Vec::new(),
            effects: Effects::default(),
        }
    }

    fn list(elements: &[String]) -> Self {
        if elements.is_empty() {
            return Self::empty();
        }
        Self::json(json::list(elements))
    }
}

impl From<&Refusal> for Reply {
    fn from(refusal: &Refusal) -> Self {
        if refusal.status == 204 {
            return Self::empty();
        }
        let body = format!("{{\"Message\":{}}}", json::string(&refusal.message));
        let mut reply = Self::new(refusal.status, JSON, body.into_bytes());
        let mut header = |name: &str, value: &str| reply.headers.push((name.into(), value.into()));
        match refusal.status {
            401 => header("WWW-Authenticate", "Bearer"),
            405 => header("Allow", "GET"),
            _ => {}
        }
        reply
    }
}

const NOT_FOUND: &str =
    "<!DOCTYPE html><html><head><title>404 - File or directory not found.</title></head><body></body></html>";

/// The segments after `/{folder}/api/v1.0/`, or `None` when the path is not part of the API.
fn api_segments(folder: &str, path: &str) -> Option<Vec<String>> {
    let mut segments = path.strip_prefix('/')?.split('/').map(percent_decode);
    for expected in [folder, "api", "v1.0"] {
        if !segments.next()??.eq_ignore_ascii_case(expected) {
            return None;
        }
    }
    segments.collect()
}

/// The route of a path and the ids in it, in order.
fn find(segments: &[String]) -> Option<(Endpoint, Vec<&str>)> {
    let lower: Vec<String> = segments.iter().map(|s| s.to_ascii_lowercase()).collect();
    let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
    let (endpoint, ids): (_, &[usize]) = match lower[..] {
        ["smartcards"] => (Endpoint::Smartcards, &[]),
        ["smartcards", _] => (Endpoint::Smartcard, &[1]),
        ["smartcards", _, "serverproposedpin"] => (Endpoint::PinByCard, &[1]),
        ["requests"] => (Endpoint::Requests, &[]),
        ["requests", _] => (Endpoint::Request, &[1]),
        ["requests", _, "smartcards", _, action] => (by_request(action)?, &[1, 3]),
        ["profiletemplates"] => (Endpoint::Templates, &[]),
        ["profiletemplates", _] => (Endpoint::Template, &[1]),
        ["profiletemplates", _, "configuration", "smartcards"] => (Endpoint::CardPolicy, &[1]),
        _ => return None,
    };
    Some((endpoint, ids.iter().map(|&i| segments[i].as_str()).collect()))
}

fn by_request(action: &str) -> Option<Endpoint> {
    match action {
        "serverproposedpin" => Some(Endpoint::PinByRequest),
        "authenticationresponse" => Some(Endpoint::AuthenticationResponse),
        "diversifiedkey" => Some(Endpoint::DiversifiedKey),
        _ => None,
    }
}

/// The route that a path names, and the answer to the call.
pub(super) fn answer(inner: &mut Inner, call: &Call<'_>) -> (Option<Endpoint>, Result<Reply, Refusal>) {
    let settings = &inner.settings;
    let segments = api_segments(&settings.folder, call.path);
    let Some(segments) = segments.filter(|_| settings.api_enabled) else {
        return (None, Ok(Reply::html(404, NOT_FOUND)));
    };
    let found = find(&segments);
    let endpoint = found.as_ref().map(|(endpoint, _)| *endpoint);
    if let Err(refusal) = authenticate(inner, call.authorization) {
        return (endpoint, Err(refusal));
    }
    let Some((endpoint, ids)) = found.filter(|(endpoint, _)| is_on(inner, *endpoint)) else {
        let message = "No HTTP resource was found that matches the request URI.";
        return (endpoint, Err(Refusal::plain(404, message)));
    };
    if call.method != Method::GET {
        let message = "The requested resource does not support this HTTP method.";
        return (Some(endpoint), Err(Refusal::plain(405, message)));
    }
    (Some(endpoint), get(inner, endpoint, &ids, call.query))
}

fn is_on(inner: &Inner, endpoint: Endpoint) -> bool {
    match endpoint {
        Endpoint::PinByCard => inner.settings.pin_by_card,
        Endpoint::PinByRequest => inner.settings.pin_by_request,
        _ => true,
    }
}

fn authenticate(inner: &Inner, authorization: Option<&[u8]>) -> Result<(), Refusal> {
    let message = "Authorization has been denied for this request.";
    match (&inner.settings.token, authorization) {
        (None, None) if inner.settings.allow_anonymous => Ok(()),
        (_, None) => Err(Refusal::broken(401, Rule::MissingAuthorization, message)),
        (None, Some(_)) => Ok(()),
        (Some(token), Some(value)) => {
            let (scheme, rest) = value.split_at_checked(7).unwrap_or((value, b""));
            if scheme.eq_ignore_ascii_case(b"Bearer ") && rest == token.as_bytes() {
                Ok(())
            } else {
                Err(Refusal::plain(401, message))
            }
        }
    }
}

fn get(inner: &mut Inner, endpoint: Endpoint, ids: &[&str], query: &str) -> Result<Reply, Refusal> {
    let ids = ids.iter().map(|id| path_id(id));
    let ids = ids.collect::<Result<Vec<Uuid>, Refusal>>()?;
    let query = Query::parse(query)?;
    let settings = &inner.settings;
    match (endpoint, &ids[..]) {
        (Endpoint::Smartcards, _) => cards(inner, &query),
        (Endpoint::Requests, _) => requests(inner, &query),
        (Endpoint::Templates, _) => {
            let all: Vec<String> = settings.templates.iter().map(json::template).collect();
            Ok(Reply::list(&all))
        }
        (Endpoint::Smartcard, [id]) => Ok(Reply::json(json::card(card(inner, *id)?))),
        (Endpoint::Request, [id]) => {
            let names = settings.names_for_enums;
            Ok(Reply::json(json::request(request(inner, *id)?, names)))
        }
        (Endpoint::Template, [id]) => Ok(Reply::json(json::template(template(inner, *id)?))),
        (Endpoint::CardPolicy, [id]) => Ok(Reply::json(json::card_policy(template(inner, *id)?))),
        (Endpoint::PinByCard, [card]) => secrets::pin(inner, None, *card, &query),
        (Endpoint::PinByRequest, [id, card]) => secrets::pin(inner, Some(*id), *card, &query),
        (Endpoint::AuthenticationResponse, [id, card]) => secrets::authentication_response(inner, *id, *card, &query),
        (Endpoint::DiversifiedKey, [id, card]) => secrets::diversified_key(inner, *id, *card, &query),
        _ => Err(Refusal::plain(404, "No such route.")),
    }
}

fn path_id(text: &str) -> Result<Uuid, Refusal> {
    guid(text).ok_or_else(|| Refusal::bad(Rule::IdForm, "path: ids must be GUID text of 36 characters without braces"))
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
    let wanted = |r: &&Request| status.is_none_or(|s| s == r.status) && (!mine_only || r.user == settings.caller);
    let found = settings.requests.iter().filter(wanted);
    let found: Vec<String> = found.map(|r| json::request(r, settings.names_for_enums)).collect();
    Ok(Reply::list(&found))
}

fn unknown(inner: &Inner) -> Refusal {
    let status = match inner.settings.unknown_id {
        UnknownId::NoContent => 204,
        UnknownId::Forbidden => 403,
        UnknownId::NotFound => 404,
    };
    Refusal::plain(status, "There is no such object.")
}

/// The card object of that id.
pub(super) fn card(inner: &Inner, id: Uuid) -> Result<&Card, Refusal> {
    let found = inner.settings.cards.iter().find(|card| card.uuid == id);
    found.ok_or_else(|| unknown(inner))
}

/// The request of that id.
pub(super) fn request(inner: &Inner, id: Uuid) -> Result<&Request, Refusal> {
    let found = inner.settings.requests.iter().find(|r| r.uuid == id);
    found.ok_or_else(|| unknown(inner))
}

/// The profile template of that id.
pub(super) fn template(inner: &Inner, id: Uuid) -> Result<&Template, Refusal> {
    let found = inner.settings.templates.iter().find(|t| t.uuid == id);
    found.ok_or_else(|| unknown(inner))
}
