//! Faults on demand: which call they hit, and what they make of the answer.

use std::collections::VecDeque;
use std::time::Duration;

use hyper::body::Bytes;
use serde_json::json;
use uuid::Uuid;

use super::body::Step;
use super::reply::{Effects, JSON, Reply};

/// A documented call of the stand-in: a GET unless its doc names another method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `smartcards`
    Smartcards,
    /// `smartcards/{scid}`
    Smartcard,
    /// `requests`
    Requests,
    /// `requests/{id}`
    Request,
    /// `profiletemplates`
    Templates,
    /// `profiletemplates/{id}`
    Template,
    /// `profiletemplates/{id}/configuration/smartcards`
    CardPolicy,
    /// `smartcards/{scid}/serverproposedpin`
    PinByCard,
    /// `requests/{reqid}/smartcards/{scid}/serverproposedpin`
    PinByRequest,
    /// `requests/{reqid}/smartcards/{scid}/authenticationresponse`
    AuthenticationResponse,
    /// `requests/{reqid}/smartcards/{scid}/diversifiedkey`
    DiversifiedKey,
    /// POST `requests`
    CreateRequest,
    /// PUT `requests/{id}`
    EndRequest,
    /// POST `smartcards`
    BindCard,
    /// `requests/{reqid}/smartcards/{scid}`
    CardOfRequest,
    /// PUT `requests/{reqid}/smartcards/{scid}`
    RetireCard,
    /// `requests/{id}/certificaterequestgenerationoptions`
    GenerationOptions,
    /// POST `requests/{id}/certificatedata`
    CertificateData,
    /// `requests/{id}/profiles`
    RequestProfiles,
    /// `smartcards/{scid}/operations`
    CardOperations,
    /// `smartcards/{scid}/certificates`
    CardCertificates,
    /// `profiletemplates/{id}/policies/{type}`
    WorkflowPolicy,
    /// `profiletemplates/{id}/policy/workflow/{type}`
    WorkflowPolicyByWorkflow,
    /// `profiles`
    Profiles,
    /// `profiles/{id}`
    Profile,
    /// `profiles/{id}/operations`
    ProfileOperations,
    /// `profiles/{id}/certificates`
    ProfileCertificates,
    /// `certificates`
    Certificates,
}

/// Which calls a fault looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Every call, also those outside the API.
    Any,
    /// Either PIN route.
    Pin,
    /// One route.
    Only(Endpoint),
}

impl From<Endpoint> for Pattern {
    fn from(endpoint: Endpoint) -> Self {
        Self::Only(endpoint)
    }
}

impl Pattern {
    fn matches(self, endpoint: Option<Endpoint>) -> bool {
        match self {
            Self::Any => true,
            Self::Pin => matches!(endpoint, Some(Endpoint::PinByCard | Endpoint::PinByRequest)),
            Self::Only(wanted) => endpoint == Some(wanted),
        }
    }
}

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum FaultKind {
    /// Another status, with headers and perhaps a JSON body instead of the answer.
    Status {
        /// HTTP status.
        code: u16,
        /// Headers such as `Retry-After`.
        headers: Vec<(String, String)>,
        /// The body, sent as JSON.
        body: Option<String>,
    },
    /// 200 with a sign-in page.
    Html,
    /// 302 to this location.
    Redirect(String),
    /// The connection ends without an answer.
    DropBeforeHeaders,
    /// The connection ends after the response headers.
    DropAfterHeaders,
    /// The connection ends half-way through the body.
    DropMidBody,
    /// Half of the body, with a matching length: whole for HTTP, broken for JSON.
    TruncatedBody,
    /// A JSON string of 10 MiB.
    Oversize {
        /// Whether `Content-Length` announces it.
        declared: bool,
    },
    /// The call is taken and never answered.
    Stall,
    /// Headers at once, then one byte of the body after each pause.
    SlowDrip(Duration),
    /// The right answer, that much later.
    Delay(Duration),
    /// The right body under this content type.
    ContentType(String),
    /// Bytes that are neither UTF-8 nor JSON, under the right content type.
    Garbage,
    /// Valid JSON of another type: a number for a string, a string for anything else.
    WrongJsonType,
}

impl FaultKind {
    /// A bare status.
    #[must_use]
    pub fn status(code: u16) -> Self {
        Self::Status { code, headers: Vec::new(), body: None }
    }

    /// A bare status with one header.
    #[must_use]
    pub fn status_with(code: u16, name: &str, value: &str) -> Self {
        Self::Status { code, headers: vec![(name.to_owned(), value.to_owned())], body: None }
    }

    /// A status with the error body of ASP.NET: `{"Message": …}`.
    #[must_use]
    pub fn error(code: u16, message: &str) -> Self {
        Self::Status { code, headers: Vec::new(), body: Some(json!({ "Message": message }).to_string()) }
    }

    /// 500 as for an unhandled server exception: a message that carries a correlation id.
    #[must_use]
    pub fn server_error(correlation: Uuid) -> Self {
        Self::error(500, &format!("An error has occurred. Correlation ID: {correlation}"))
    }

    /// Whether the server carries out nothing of a call that would change something. With any other fault it does, and only the
    /// answer is spoiled: the worse case for the caller.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Status { code: 400..=499, .. })
    }

    /// Whether the server did not even look at the call.
    pub(super) fn refuses_credentials(&self) -> bool {
        matches!(self, Self::Status { code: 401, .. })
    }
}

/// A fault and the calls that it hits: the first one unless told otherwise.
#[derive(Clone, Debug)]
pub struct Fault {
    pattern: Pattern,
    about: Option<String>,
    kind: FaultKind,
    skip: usize,
    times: usize,
    seen: usize,
}

impl Fault {
    /// Hit the next call that matches, once.
    #[must_use]
    pub fn on(pattern: impl Into<Pattern>, kind: FaultKind) -> Self {
        Self { pattern: pattern.into(), about: None, kind, skip: 0, times: 1, seen: 0 }
    }

    /// Hit calls only whose path or query has this in it: one card's.
    #[must_use]
    pub fn about(mut self, text: &str) -> Self {
        self.about = Some(text.to_owned());
        self
    }

    /// Let that many matching calls pass first.
    #[must_use]
    pub fn after(mut self, calls: usize) -> Self {
        self.skip = calls;
        self
    }

    /// Hit that many calls in a row.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    /// Hit every call from there on.
    #[must_use]
    pub fn always(self) -> Self {
        self.times(usize::MAX)
    }

    /// Count a call; `Some` when it is to be hit.
    pub(super) fn take(&mut self, endpoint: Option<Endpoint>, target: &str) -> Option<FaultKind> {
        let is_about = self.about.as_ref().is_none_or(|text| target.contains(text.as_str()));
        if !is_about || !self.pattern.matches(endpoint) {
            return None;
        }
        self.seen += 1;
        let hit = self.seen > self.skip && self.seen - self.skip <= self.times;
        hit.then(|| self.kind.clone())
    }
}

/// What is put on the wire.
pub(super) enum Delivery {
    Never,
    Cut,
    Send(Outgoing),
}

/// A response whose body is a script.
pub(super) struct Outgoing {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    /// `Content-Length`; it need not be true.
    pub(super) length: Option<usize>,
    pub(super) steps: VecDeque<Step>,
}

/// Time for what was written to leave before the connection is cut.
const FLUSH: Duration = Duration::from_millis(50);
const OVERSIZE: usize = 10 * 1024 * 1024;

/// The answer as it is meant to be.
pub(super) fn whole(reply: Reply) -> Outgoing {
    let Reply { body, effects, .. } = reply;
    let length = (reply.status != 204).then_some(body.len());
    let mut steps = VecDeque::new();
    if !body.is_empty() {
        steps.push_back(Step::Deliver(effects));
        steps.push_back(Step::Data(Bytes::from(body)));
    }
    Outgoing { status: reply.status, headers: reply.headers, length, steps }
}

/// The answer after the fault. Effects go with the last byte, so what was lost on the way counts as lost.
pub(super) fn spoil(kind: FaultKind, reply: Reply) -> Delivery {
    Delivery::Send(match kind {
        FaultKind::Stall => return Delivery::Never,
        FaultKind::DropBeforeHeaders => return Delivery::Cut,
        FaultKind::DropAfterHeaders => cut_at(reply, 0),
        FaultKind::DropMidBody => {
            let half = reply.body.len() / 2;
            cut_at(reply, half)
        }
        FaultKind::Delay(time) => {
            let mut answer = whole(reply);
            answer.steps.push_front(Step::Wait(time));
            answer
        }
        FaultKind::SlowDrip(pause) => drip(reply, pause),
        FaultKind::Oversize { declared } => oversize(declared),
        FaultKind::Status { code, headers, body } => status(code, headers, body),
        FaultKind::Html => whole(Reply::html(200, SIGN_IN)),
        FaultKind::Redirect(to) => status(302, vec![("Location".to_owned(), to)], None),
        FaultKind::ContentType(value) => {
            let mut reply = reply;
            reply.headers.retain(|(name, _)| name != "Content-Type");
            reply.headers.push(("Content-Type".to_owned(), value));
            whole(reply)
        }
        FaultKind::TruncatedBody => {
            let half = reply.body.len() / 2;
            replaced(reply, |body| body[..half].to_vec())
        }
        FaultKind::Garbage => replaced(reply, |_| vec![0xFF, 0x00, 0xC3, 0x28, 0x80, b'"', 0xFE]),
        FaultKind::WrongJsonType => replaced(reply, |body| match body.first() {
            Some(b'"') => b"20250101".to_vec(),
            _ => b"\"unexpected\"".to_vec(),
        }),
    })
}

const SIGN_IN: &str =
    "<!DOCTYPE html><html><head><title>Sign In</title></head><body><form method=\"post\"></form></body></html>";

fn replaced(mut reply: Reply, change: impl FnOnce(&[u8]) -> Vec<u8>) -> Outgoing {
    reply.body = change(&reply.body);
    reply.effects = Effects::default();
    whole(reply)
}

fn status(code: u16, mut headers: Vec<(String, String)>, body: Option<String>) -> Outgoing {
    if body.is_some() {
        headers.push(("Content-Type".to_owned(), JSON.to_owned()));
    }
    let body = body.unwrap_or_default().into_bytes();
    whole(Reply { status: code, headers, body, effects: Effects::default() })
}

fn cut_at(reply: Reply, end: usize) -> Outgoing {
    let mut answer = whole(reply);
    let body = answer.steps.pop_back();
    answer.steps.clear();
    if let Some(Step::Data(body)) = body
        && end > 0
    {
        answer.steps.push_back(Step::Data(body.slice(..end)));
    }
    answer.steps.extend([Step::Wait(FLUSH), Step::Cut]);
    answer
}

fn drip(reply: Reply, pause: Duration) -> Outgoing {
    let mut answer = whole(reply);
    let body = match answer.steps.pop_back() {
        Some(Step::Data(body)) => body,
        Some(other) => {
            answer.steps.push_back(other);
            return answer;
        }
        None => return answer,
    };
    let effects = std::mem::take(&mut answer.steps);
    let last = body.len() - 1;
    for at in 0..last {
        answer.steps.push_back(Step::Wait(pause));
        answer.steps.push_back(Step::Data(body.slice(at..=at)));
    }
    answer.steps.push_back(Step::Wait(pause));
    answer.steps.extend(effects);
    answer.steps.push_back(Step::Data(body.slice(last..)));
    answer
}

fn oversize(declared: bool) -> Outgoing {
    let chunk = Bytes::from(vec![b'1'; 64 * 1024]);
    let quote = || Step::Data(Bytes::from_static(b"\""));
    let mut steps = VecDeque::from([quote()]);
    for _ in 0..OVERSIZE / chunk.len() {
        steps.push_back(Step::Data(chunk.clone()));
    }
    steps.push_back(quote());
    Outgoing {
        status: 200,
        headers: vec![("Content-Type".to_owned(), JSON.to_owned())],
        length: declared.then_some(OVERSIZE + 2),
        steps,
    }
}
