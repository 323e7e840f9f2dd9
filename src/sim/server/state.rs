//! What the server knows, what it saw and what it handed out.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use uuid::Uuid;

use super::StandInError;
use super::authority::Authority;
use super::fault::{Endpoint, Fault, FaultKind};
use super::keys::{AdminKey, diversify};
use super::records::RequestStatus;
use super::reply::{Effects, Reply};
use super::routes::{self, Call};
use super::rules::{Rule, Violation};
use super::settings::Settings;

/// One call as the server saw it. The value of `Authorization` is never kept.
#[derive(Clone, Debug)]
pub struct SeenRequest {
    /// HTTP method.
    pub method: String,
    /// Path as sent.
    pub path: String,
    /// Query as sent, without the question mark; empty when there was none.
    pub query: String,
    /// The route, when the path named one.
    pub endpoint: Option<Endpoint>,
    /// Headers from a fixed list, lower-case names; `host` also stands for the authority of HTTP/2.
    pub headers: Vec<(String, String)>,
    /// Scheme of `Authorization`: `Bearer`, `Negotiate`, `NTLM`, `Basic` or `other`.
    pub authorization: Option<&'static str>,
    /// Whether it came with cookies; none is kept.
    pub has_cookie: bool,
    /// Status of the answer; `None` when there was none (yet).
    pub status: Option<u16>,
    /// `HTTP/1.1` or `HTTP/2.0`.
    pub version: String,
    /// Number of the connection, from 0.
    pub connection: usize,
}

impl SeenRequest {
    /// A recorded header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// The past of one challenge of one card.
#[derive(Default)]
pub(super) struct ChallengeHistory {
    pub(super) sent: usize,
    pub(super) answered: bool,
}

/// The data behind the lock.
pub(super) struct Inner {
    pub(super) settings: Settings,
    pub(super) stored_pins: HashMap<Uuid, Vec<u8>>,
    pub(super) challenges: HashMap<(Uuid, Vec<u8>), ChallengeHistory>,
    /// The flag that an answer for a card object was last asked for with.
    pub(super) flags: HashMap<Uuid, bool>,
    authority: Option<Authority>,
    /// Path and body of each POST whose answer was spoiled.
    lost: Vec<(String, Vec<u8>)>,
    pins: Vec<Vec<u8>>,
    /// Passwords for private keys that came with certificate requests.
    pub(super) passwords: Vec<String>,
    answers: Vec<Vec<u8>>,
    /// Each certificate request that was well formed, in DER.
    pub(super) certificate_requests: Vec<Vec<u8>>,
    violations: Vec<Violation>,
    seen: Vec<SeenRequest>,
    faults: Vec<Fault>,
    connections: usize,
    ended: usize,
}

/// A running stand-in's data; shared by the server thread and the test.
pub struct State {
    inner: Mutex<Inner>,
    /// Whether answers are held back.
    holds: watch::Sender<bool>,
}

impl State {
    pub(super) fn new(settings: Settings) -> Self {
        let inner = Inner {
            settings,
            stored_pins: HashMap::new(),
            challenges: HashMap::new(),
            flags: HashMap::new(),
            authority: None,
            lost: Vec::new(),
            pins: Vec::new(),
            passwords: Vec::new(),
            answers: Vec::new(),
            certificate_requests: Vec::new(),
            violations: Vec::new(),
            seen: Vec::new(),
            faults: Vec::new(),
            connections: 0,
            ended: 0,
        };
        Self { inner: Mutex::new(inner), holds: watch::Sender::new(false) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic in a closure given to `change` must not hide the test's own failure.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Change settings while the server runs.
    pub fn change<T>(&self, change: impl FnOnce(&mut Settings) -> T) -> T {
        change(&mut self.lock().settings)
    }

    /// Move a request to another status.
    pub fn set_request_status(&self, request: Uuid, status: RequestStatus) {
        self.change(|settings| {
            for known in settings.requests.iter_mut().filter(|r| r.uuid == request) {
                known.status = status;
            }
        });
    }

    /// The PIN that was last delivered in full.
    #[must_use]
    pub fn last_pin(&self) -> Option<Vec<u8>> {
        self.lock().pins.last().cloned()
    }

    /// Every PIN that was delivered in full, oldest first.
    #[must_use]
    pub fn pins(&self) -> Vec<Vec<u8>> {
        self.lock().pins.clone()
    }

    /// Every password that came with certificate requests, for private keys that are sent along; oldest first.
    #[must_use]
    pub fn passwords(&self) -> Vec<String> {
        self.lock().passwords.clone()
    }

    /// Every answer to a challenge that was delivered in full, oldest first.
    #[must_use]
    pub fn answers(&self) -> Vec<Vec<u8>> {
        self.lock().answers.clone()
    }

    /// Every certificate request (PKCS #10, DER) that came and was signed with its own key, oldest first.
    #[must_use]
    pub fn certificate_requests(&self) -> Vec<Vec<u8>> {
        self.lock().certificate_requests.clone()
    }

    /// The diversified key of a card, for a simulated card that was issued with it.
    #[must_use]
    pub fn diversified_key(&self, card_id: Uuid) -> AdminKey {
        diversify(&self.lock().settings.diversification_secret, card_id)
    }

    /// The authorities that certificates are issued by, the root first, as PEM.
    ///
    /// # Errors
    /// They can't be made.
    pub fn authorities_pem(&self) -> Result<String, StandInError> {
        Ok(self.lock().authority()?.pem())
    }

    /// Every rule that was broken, oldest first.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        self.lock().violations.clone()
    }

    /// Every call, oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<SeenRequest> {
        self.lock().seen.clone()
    }

    /// Forget calls and violations; challenges, PINs and faults stay.
    pub fn clear_log(&self) {
        let mut inner = self.lock();
        inner.seen.clear();
        inner.violations.clear();
    }

    /// Arm a fault.
    pub fn inject(&self, fault: Fault) {
        self.lock().faults.push(fault);
    }

    /// Disarm all faults.
    pub fn clear_faults(&self) {
        self.lock().faults.clear();
    }

    /// Record the call and work out its answer; the number identifies the call for [`Self::answered`].
    pub(super) fn handle(&self, mut seen: SeenRequest, call: &Call<'_>) -> (usize, Reply, Option<FaultKind>) {
        let mut inner = self.lock();
        let number = inner.seen.len();
        let endpoint = routes::endpoint(&inner.settings, call);
        seen.endpoint = endpoint;
        let fault = inner.fault(endpoint, &format!("{}?{}", seen.path, seen.query));
        inner.note_repeat(&seen, call, number);
        if call.method == "POST" && fault.as_ref().is_some_and(|fault| !fault.is_refusal()) {
            inner.lost.push((seen.path.clone(), call.body.to_vec()));
        }
        inner.seen.push(seen);
        let is_left_undone = call.method != "GET" && fault.as_ref().is_some_and(FaultKind::is_refusal);
        let result = if is_left_undone { Ok(Reply::empty()) } else { routes::answer(&mut inner, call) };
        let mut reply = match result {
            Ok(reply) => reply,
            Err(refusal) => {
                if let Some(rule) = refusal.rule {
                    inner.violations.push(Violation { rule, endpoint, call: number, message: refusal.message.clone() });
                }
                Reply::from(&refusal)
            }
        };
        if let Some(cookie) = &inner.settings.cookie {
            let cookie = format!("ASP.NET_SessionId={cookie}; path=/; HttpOnly; Secure");
            reply.headers.push(("Set-Cookie".to_owned(), cookie));
        }
        if let Some(answered) = &reply.effects.answer
            && !fault.as_ref().is_some_and(FaultKind::refuses_credentials)
        {
            let key = (answered.card, answered.challenge.clone());
            inner.challenges.entry(key).or_default().sent += 1;
        }
        (number, reply, fault)
    }

    /// How many connections have been made, TLS included.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.lock().connections
    }

    /// How many of them are open.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        let inner = self.lock();
        inner.connections - inner.ended
    }

    /// Note a connection.
    pub(super) fn connected(&self) {
        self.lock().connections += 1;
    }

    /// Note its end.
    pub(super) fn disconnected(&self) {
        self.lock().ended += 1;
    }

    /// Hold back all answers, or let them go. Calls are noted when they come.
    pub fn hold(&self, holds: bool) {
        self.holds.send_replace(holds);
    }

    /// Wait until answers are let go.
    pub(super) async fn released(&self) {
        // The sender is here: it is not gone.
        let _ = self.holds.subscribe().wait_for(|holds| !holds).await;
    }

    /// Note the status that leaves.
    pub(super) fn answered(&self, number: usize, status: u16) {
        if let Some(seen) = self.lock().seen.get_mut(number) {
            seen.status = Some(status);
        }
    }

    /// Book what an answer gives away.
    pub(super) fn delivered(&self, mut effects: Effects) {
        let mut inner = self.lock();
        inner.pins.extend(effects.pin.take());
        if let Some(answered) = effects.answer.take() {
            let key = (answered.card, answered.challenge);
            inner.challenges.entry(key).or_default().answered = true;
            inner.answers.push(answered.response);
        }
    }

    /// The latency to add now.
    pub(super) fn latency(&self) -> std::time::Duration {
        self.lock().settings.latency
    }
}

impl Inner {
    /// The certification authority, made when it is first asked.
    pub(super) fn authority(&mut self) -> Result<&mut Authority, rcgen::Error> {
        match &mut self.authority {
            Some(authority) => Ok(authority),
            none => Ok(none.insert(Authority::new()?)),
        }
    }

    /// Notes a POST that was sent before and whose answer was lost. It is carried out all the same, as a server would.
    fn note_repeat(&mut self, seen: &SeenRequest, call: &Call<'_>, number: usize) {
        let is_repeat = |(path, body): &(String, Vec<u8>)| path.eq_ignore_ascii_case(&seen.path) && body == call.body;
        if call.method == "POST" && self.lost.iter().any(is_repeat) {
            let message = "a call whose answer was lost was sent again".to_owned();
            let endpoint = seen.endpoint;
            self.violations.push(Violation { rule: Rule::SentAgain, endpoint, call: number, message });
        }
    }

    /// Every armed fault counts the call; the first that hits wins.
    fn fault(&mut self, endpoint: Option<Endpoint>, target: &str) -> Option<FaultKind> {
        let hits = self.faults.iter_mut().filter_map(|fault| fault.take(endpoint, target));
        hits.fold(None, |first, hit| first.or(Some(hit)))
    }
}
