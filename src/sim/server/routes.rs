//! From path and method to an answer, without any HTTP machinery.

use uuid::Uuid;

use super::fault::Endpoint;
use super::query::{Query, guid, percent_decode};
use super::records::{Card, Request, Template};
use super::reply::Reply;
use super::rules::{Refusal, Rule};
use super::settings::{Settings, UnknownId};
use super::state::Inner;
use super::{changes, issuing, lists, secrets};

/// What a route looks at.
pub(super) struct Call<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) authorization: Option<&'a [u8]>,
    pub(super) content_type: Option<&'a [u8]>,
    pub(super) content_length: Option<&'a [u8]>,
    pub(super) body: &'a [u8],
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

/// A path's methods with what they call, and where its ids stand.
struct Route {
    methods: &'static [(&'static str, Endpoint)],
    ids: &'static [usize],
}

impl Route {
    const fn new(methods: &'static [(&'static str, Endpoint)], ids: &'static [usize]) -> Self {
        Self { methods, ids }
    }

    /// What the method calls, where the route has it.
    fn endpoint(&self, method: &str) -> Option<Endpoint> {
        self.methods.iter().find(|(known, _)| *known == method).map(|(_, endpoint)| *endpoint)
    }

    fn is_on(&self, settings: &Settings) -> bool {
        self.methods.iter().all(|(_, endpoint)| match endpoint {
            Endpoint::PinByCard => settings.pin_by_card,
            Endpoint::PinByRequest => settings.pin_by_request,
            Endpoint::WorkflowPolicy => settings.policy_by_policies,
            Endpoint::WorkflowPolicyByWorkflow => settings.policy_by_workflow,
            _ => true,
        })
    }
}

/// The route of a path.
fn find(segments: &[String]) -> Option<Route> {
    use Endpoint as E;
    let lower: Vec<String> = segments.iter().map(|s| s.to_ascii_lowercase()).collect();
    let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
    Some(match lower[..] {
        ["smartcards"] => Route::new(&[("GET", E::Smartcards), ("POST", E::BindCard)], &[]),
        ["smartcards", _] => Route::new(&[("GET", E::Smartcard)], &[1]),
        ["smartcards", _, "serverproposedpin"] => Route::new(&[("GET", E::PinByCard)], &[1]),
        ["smartcards", _, "operations"] => Route::new(&[("GET", E::CardOperations)], &[1]),
        ["smartcards", _, "certificates"] => Route::new(&[("GET", E::CardCertificates)], &[1]),
        ["requests"] => Route::new(&[("GET", E::Requests), ("POST", E::CreateRequest)], &[]),
        ["requests", _] => Route::new(&[("GET", E::Request), ("PUT", E::EndRequest)], &[1]),
        ["requests", _, "profiles"] => Route::new(&[("GET", E::RequestProfiles)], &[1]),
        ["requests", _, "certificaterequestgenerationoptions"] => Route::new(&[("GET", E::GenerationOptions)], &[1]),
        ["requests", _, "certificatedata"] => Route::new(&[("POST", E::CertificateData)], &[1]),
        ["requests", _, "smartcards", _] => Route::new(&[("GET", E::CardOfRequest), ("PUT", E::RetireCard)], &[1, 3]),
        ["requests", _, "smartcards", _, action] => Route::new(by_request(action)?, &[1, 3]),
        ["profiletemplates"] => Route::new(&[("GET", E::Templates)], &[]),
        ["profiletemplates", _] => Route::new(&[("GET", E::Template)], &[1]),
        ["profiletemplates", _, "configuration", "smartcards"] => Route::new(&[("GET", E::CardPolicy)], &[1]),
        ["profiletemplates", _, "policies", _] => Route::new(&[("GET", E::WorkflowPolicy)], &[1]),
        ["profiletemplates", _, "policy", "workflow", _] => Route::new(&[("GET", E::WorkflowPolicyByWorkflow)], &[1]),
        ["profiles"] => Route::new(&[("GET", E::Profiles)], &[]),
        ["profiles", _] => Route::new(&[("GET", E::Profile)], &[1]),
        ["profiles", _, "operations"] => Route::new(&[("GET", E::ProfileOperations)], &[1]),
        ["profiles", _, "certificates"] => Route::new(&[("GET", E::ProfileCertificates)], &[1]),
        ["certificates"] => Route::new(&[("GET", E::Certificates)], &[]),
        _ => return None,
    })
}

fn by_request(action: &str) -> Option<&'static [(&'static str, Endpoint)]> {
    match action {
        "serverproposedpin" => Some(&[("GET", Endpoint::PinByRequest)]),
        "authenticationresponse" => Some(&[("GET", Endpoint::AuthenticationResponse)]),
        "diversifiedkey" => Some(&[("GET", Endpoint::DiversifiedKey)]),
        _ => None,
    }
}

/// What a call names, where it is one of the API: with a method that the route lacks, the route's first.
pub(super) fn endpoint(settings: &Settings, call: &Call<'_>) -> Option<Endpoint> {
    let segments = api_segments(&settings.folder, call.path).filter(|_| settings.api_enabled)?;
    let route = find(&segments)?;
    route.endpoint(call.method).or_else(|| route.methods.first().map(|(_, endpoint)| *endpoint))
}

/// The answer to a call.
pub(super) fn answer(inner: &mut Inner, call: &Call<'_>) -> Result<Reply, Refusal> {
    let segments = api_segments(&inner.settings.folder, call.path);
    let Some(segments) = segments.filter(|_| inner.settings.api_enabled) else {
        return Ok(Reply::html(404, NOT_FOUND));
    };
    authenticate(inner, call.authorization)?;
    let Some(route) = find(&segments).filter(|route| route.is_on(&inner.settings)) else {
        return Err(Refusal::plain(404, "No HTTP resource was found that matches the request URI."));
    };
    let Some(endpoint) = route.endpoint(call.method) else {
        let methods: Vec<&str> = route.methods.iter().map(|(method, _)| *method).collect();
        return Ok(Reply::wrong_method(&methods.join(", ")));
    };
    let ids = route.ids.iter().map(|&at| path_id(&segments[at])).collect::<Result<Vec<Uuid>, Refusal>>()?;
    match call.method {
        "GET" => get(inner, endpoint, &ids, call.query, segments.last().map_or("", String::as_str)),
        _ => change(inner, endpoint, &ids, call),
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

fn get(inner: &mut Inner, endpoint: Endpoint, ids: &[Uuid], query: &str, last: &str) -> Result<Reply, Refusal> {
    let query = Query::parse(query)?;
    match (endpoint, ids) {
        (Endpoint::PinByCard, [card]) => secrets::pin(inner, None, *card, &query),
        (Endpoint::PinByRequest, [id, card]) => secrets::pin(inner, Some(*id), *card, &query),
        (Endpoint::AuthenticationResponse, [id, card]) => secrets::authentication_response(inner, *id, *card, &query),
        (Endpoint::Request, [id]) => {
            changes::looked_at(inner, *id);
            lists::read(inner, endpoint, ids, &query, last)
        }
        (Endpoint::DiversifiedKey, [id, card]) => secrets::diversified_key(inner, *id, *card, &query),
        _ => lists::read(inner, endpoint, ids, &query, last),
    }
}

fn change(inner: &mut Inner, endpoint: Endpoint, ids: &[Uuid], call: &Call<'_>) -> Result<Reply, Refusal> {
    match (endpoint, ids) {
        (Endpoint::CreateRequest, []) => changes::create_request(inner, call),
        (Endpoint::BindCard, []) => changes::bind_card(inner, call),
        (Endpoint::EndRequest, [id]) => changes::end_request(inner, *id, call),
        (Endpoint::CertificateData, [id]) => issuing::certificate_data(inner, *id, call),
        (Endpoint::RetireCard, [id, card]) => changes::retire_card(inner, *id, *card, call),
        _ => Err(Refusal::plain(404, "No such route.")),
    }
}

fn path_id(text: &str) -> Result<Uuid, Refusal> {
    guid(text).ok_or_else(|| Refusal::bad(Rule::IdForm, "path: ids must be GUID text of 36 characters without braces"))
}

/// The answer for an id that is not in the data.
pub(super) fn unknown(inner: &Inner) -> Refusal {
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
    let settings = &inner.settings;
    let may_see = |request: &Request| settings.sees_others || request.user == settings.caller;
    let found = settings.requests.iter().find(|request| request.uuid == id && may_see(request));
    found.ok_or_else(|| unknown(inner))
}

/// The profile template of that id.
pub(super) fn template(inner: &Inner, id: Uuid) -> Result<&Template, Refusal> {
    let found = inner.settings.templates.iter().find(|t| t.uuid == id);
    found.ok_or_else(|| unknown(inner))
}
