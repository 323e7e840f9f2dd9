//! How a call is sent: sign-in, deadline, connection, repeats, and what became of one that changes the server.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, COOKIE, HeaderValue};
use tokio::time::{Instant, sleep, timeout_at};
use url::Url;

use super::answer::{self, Answer};
use super::auth::{Auth, Next, SignIn};
use super::body::Body;
use super::call::{Call, Repeat, Route};
use super::connect::ClientError;
use super::connections::Connections;
use super::cookies::Cookies;
use super::error::{ServerError, ServerProblem};
use super::failed;
use super::gate::{Gate, Reach};
use super::posted::Posted;
use super::proxy::Proxy;
use super::settings::Settings;
use super::tls::Tls;
use super::versions::HttpVersions;

/// How often one call is tried at most, where repeating it is harmless.
const ATTEMPTS: u32 = 3;

/// The same for an answer that is a secret: a challenge may be sent once more while no answer has arrived.
const SECRET_ATTEMPTS: u32 = 2;

/// The pause before the second attempt is up to this long, before the third up to twice this.
const PAUSE: Duration = Duration::from_millis(300);

/// The connection to one server.
pub(super) struct Http {
    tls: Tls,
    connections: Connections,
    base: Url,
    auth: Auth,
    timeout: Duration,
    versions: HttpVersions,
    cookies: Cookies,
    proxy: Option<Proxy>,
    sent: Mutex<Vec<(&'static str, Url)>>,
    api_answered: AtomicBool,
}

impl Http {
    /// `tls` says whom we trust; which versions of HTTP are offered is set anew for each client.
    pub(super) fn new(tls: Tls, settings: &Settings) -> Result<Self, ClientError> {
        Ok(Self {
            connections: Connections::new(&tls.client, settings)?,
            tls,
            base: settings.url.clone(),
            auth: settings.auth.clone(),
            timeout: settings.timeout,
            versions: settings.http_versions.clone(),
            cookies: Cookies::default(),
            proxy: settings.proxy.clone(),
            sent: Mutex::default(),
            api_answered: AtomicBool::new(false),
        })
    }

    /// Forgets the connections; the next call opens a new one.
    pub(super) fn close(&self) {
        self.connections.close();
    }

    /// Makes the connections that the first calls need, and has the sign-in get what it needs: no request is sent. What goes wrong is
    /// told by the call that comes to it.
    pub(super) fn connect_early(&self) -> impl Future<Output = ()> + Send + use<> {
        let (connections, sign_in) = (self.connections.make_early(), self.auth.prepare());
        async move {
            let ((), prepared) = tokio::join!(connections, sign_in);
            if let Err(error) = prepared {
                tracing::debug!("the sign-in is not prepared: {error}");
            }
        }
    }

    /// The virtual folder.
    pub(super) fn base(&self) -> &Url {
        &self.base
    }

    /// The answer to one request without credentials, as it came, and over HTTP/1.1 where the server wants that.
    pub(super) async fn bare(&self, name: &'static str, url: &Url) -> Result<reqwest::Response, ServerProblem> {
        let ask = async {
            loop {
                let client = self.connections.own()?;
                self.sent.lock().unwrap_or_else(PoisonError::into_inner).push((name, url.clone()));
                let request = client.get(url.clone()).header(ACCEPT, "application/json");
                let answer = request.header(ACCEPT_ENCODING, "identity").send().await;
                match answer.map_err(|error| failed::problem(error, self.proxy.as_ref().map(|proxy| &proxy.url))) {
                    Err(ServerProblem::Http11Wanted(_)) if self.versions.offers_2() => self.versions.want_1_1(),
                    Err(problem) => return Err(problem),
                    Ok(response) => {
                        self.versions.answered();
                        return Ok(response);
                    }
                }
            }
        };
        let after = self.timeout;
        timeout_at(Instant::now() + after, ask).await.unwrap_or(Err(ServerProblem::Timeout { after }))
    }

    /// HTTP requests sent, repeats included: the call's name and its URL. A URL holds no secret.
    pub(super) fn sent(&self) -> Vec<(&'static str, Url)> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The URL of a call; what `plan` prints is what is sent.
    pub(super) fn url(&self, call: &Call) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["api", "v1.0"]).extend(call.path());
        }
        if !call.query().is_empty() {
            // Form encoding: + / = of base64 become %2B %2F %3D.
            url.query_pairs_mut().extend_pairs(call.query());
        }
        url
    }

    /// The body of an answer to a call that reads; `None` for 204. Repeated within the deadline as [`Repeat`] says, with
    /// growing jittered pauses, or those that the server asks for; and once after a 401 with renewed credentials.
    pub(super) async fn get<B: Body>(&self, call: &Call) -> Result<Option<B>, ServerError> {
        let found = self.within_deadline(call, &Gate::default()).await;
        found.map_err(|problem| ServerError { call: call.name(), problem })
    }

    /// What became of a call that changes the server. `read` makes sense of the body of its success; a body that makes none
    /// leaves the call in doubt. Never repeated, but for once after a 401 with renewed credentials.
    ///
    /// # Errors
    /// The server has refused: nothing was carried out.
    pub(super) async fn change<B: Body, T>(
        &self,
        call: &Call,
        read: impl FnOnce(&B) -> Result<T, ServerProblem>,
    ) -> Result<Posted<T>, ServerError> {
        let gate = Gate::default();
        if let Err(problem) = self.prepare().await {
            return Ok(Posted::NotSent(ServerError { call: call.name(), problem }));
        }
        let done = match self.within_deadline::<B>(call, &gate).await {
            Ok(Some(body)) => read(&body),
            Ok(None) => Err(ServerProblem::Unconfirmed),
            Err(problem) => Err(problem),
        };
        let reach = gate.close();
        match done.map_err(|problem| ServerError { call: call.name(), problem }) {
            Ok(done) => Ok(Posted::Done(done)),
            Err(error) => match reach {
                Reach::NotSent => Ok(Posted::NotSent(error)),
                Reach::Refused => Err(error),
                Reach::Unknown => Ok(Posted::Lost(error)),
            },
        }
    }

    /// Has a safe call answered before the first one that changes the server. That one is not repeated, so it can't be the one
    /// that learns which version of HTTP the server answers over, or what the sign-in has to show. Whatever the answer says, it has come.
    async fn prepare(&self) -> Result<(), ServerProblem> {
        let knows_sign_in = self.auth.is_prepared();
        if self.versions.are_settled() && knows_sign_in {
            return Ok(());
        }
        match self.within_deadline::<Vec<u8>>(&safe(), &Gate::default()).await {
            // Who can't sign in for that one can't for this one.
            Err(problem @ (ServerProblem::SignIn(_) | ServerProblem::Unauthorized { .. })) if !knows_sign_in => {
                Err(problem)
            }
            _ if self.versions.are_settled() && self.auth.is_prepared() => Ok(()),
            looked => looked.map(drop),
        }
    }

    async fn within_deadline<B: Body>(&self, call: &Call, gate: &Gate) -> Result<Option<B>, ServerProblem> {
        let after = call.deadline(self.timeout);
        let deadline = Instant::now() + after;
        let mut sign_in = self.auth.sign_in();
        match timeout_at(deadline, self.attempts(call, gate, &mut *sign_in, deadline)).await {
            Ok(result) => result,
            Err(_) => Err(sign_in.overdue(after).map_or(ServerProblem::Timeout { after }, ServerProblem::SignIn)),
        }
    }

    async fn attempts<B: Body>(
        &self,
        call: &Call,
        gate: &Gate,
        sign_in: &mut dyn SignIn,
        deadline: Instant,
    ) -> Result<Option<B>, ServerProblem> {
        let mut client = self.connections.for_call(call.repeat())?;
        let mut credentials = sign_in.first().await?;
        let mut attempt = 1;
        loop {
            let problem = match self.once(&client, call, gate, sign_in, credentials).await {
                Ok(Answer::Content(body)) => return Ok(Some(body)),
                Ok(Answer::Empty) => return Ok(None),
                Ok(Answer::Unauthorized { challenge, rest }) => {
                    self.cookies.forget();
                    match sign_in.refused(&challenge).await? {
                        Next::Stop(stop) => {
                            return Err(ServerProblem::Unauthorized { offered: challenge.offered, stop });
                        }
                        Next::Show(renewed) => {
                            answer::drain(*rest).await;
                            tracing::debug!(call = call.name(), "signing in anew");
                            credentials = Some(renewed);
                            continue;
                        }
                    }
                }
                Err(ServerProblem::NotFound { api_answered, is_pin_route }) => {
                    return Err(self.not_found(&client, call, api_answered, is_pin_route).await);
                }
                Err(problem) => problem,
            };
            tracing::debug!(call = call.name(), attempt, "{problem}");
            let wants_1_1 = matches!(problem, ServerProblem::Http11Wanted(_));
            if wants_1_1 {
                self.versions.want_1_1();
                self.close();
            }
            let pause = PAUSE.mul_f32(attempt as f32 * (0.5 + fastrand::f32() / 2.0));
            let Some(pause) = pause_before_repeat(&problem, call.repeat(), pause) else { return Err(problem) };
            // A server may ask for any number of seconds: no time is computed from it.
            if attempt == most(call.repeat()) || pause >= deadline.saturating_duration_since(Instant::now()) {
                return Err(problem);
            }
            match wants_1_1 {
                true => client = self.connections.for_call(call.repeat())?,
                false => sleep(pause).await,
            }
            attempt += 1;
            credentials = sign_in.first().await?;
        }
    }

    /// What 404 means: a switched-off API, a route that this server lacks, or an unknown id. Where no route has answered yet,
    /// one that is safe is asked.
    async fn not_found(
        &self,
        client: &reqwest::Client,
        call: &Call,
        api_answered: bool,
        is_pin_route: bool,
    ) -> ServerProblem {
        // A call with two routes asks the other one.
        let asks = call.route() == Route::Only && call.repeat() != Repeat::Never && call.name() != SAFE;
        if !api_answered && asks {
            let safe = safe();
            let mut sign_in = self.auth.sign_in();
            if let Ok(credentials) = sign_in.first().await {
                // Its answer is noted on its way.
                let _ = self.once::<Vec<u8>>(client, &safe, &Gate::default(), &mut *sign_in, credentials).await;
            }
        }
        let api_answered = self.api_answered.load(Ordering::Relaxed);
        match api_answered && call.has_id() && call.route() == Route::Only {
            true => ServerProblem::UnknownId,
            false => ServerProblem::NotFound { api_answered, is_pin_route },
        }
    }

    async fn once<B: Body>(
        &self,
        client: &reqwest::Client,
        call: &Call,
        gate: &Gate,
        sign_in: &mut dyn SignIn,
        credentials: Option<HeaderValue>,
    ) -> Result<Answer<B>, ServerProblem> {
        let url = self.url(call);
        tracing::debug!(call = call.name(), url = %url, "{}", call.method());
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).push((call.name(), url.clone()));
        let mut request = client.request(call.http_method(), url.clone()).header(ACCEPT, "application/json");
        request = request.header(ACCEPT_ENCODING, "identity");
        if let Some(cookies) = self.cookies.header(&url) {
            request = request.header(COOKIE, cookies);
        }
        if B::SECRET {
            request = request.header(CACHE_CONTROL, "no-store");
        }
        if let Some(credentials) = credentials {
            request = request.header(AUTHORIZATION, credentials);
        }
        if let Some(body) = call.body() {
            request = request.header(CONTENT_TYPE, "application/json").body(gate.body(body));
        }
        let proxy = self.proxy.as_ref().map(|proxy| &proxy.url);
        let response = request.send().await.map_err(|error| match failed::problem(error, proxy) {
            ServerProblem::Tls { reason, connection } => {
                ServerProblem::Tls { reason: self.tls.explained(reason), connection }
            }
            problem => problem,
        })?;
        tracing::debug!(call = call.name(), status = response.status().as_u16(), "answer");
        self.versions.answered();
        self.cookies.keep(&url, response.headers());
        if answer::is_refusal(response.status()) {
            gate.refused();
        }
        if response.status() != StatusCode::UNAUTHORIZED {
            sign_in.answered(response.headers(), response.status().is_success()).await?;
        }
        answer::read(response, call, &self.api_answered).await.map_err(|problem| match problem {
            ServerProblem::ClientCertificate { .. } => {
                ServerProblem::ClientCertificate { was_asked: self.tls.was_asked() }
            }
            problem => problem,
        })
    }
}

const SAFE: &str = "GET profiletemplates";

/// A call that every server has, that names nothing, and whose answer is no secret.
fn safe() -> Call {
    Call::get(SAFE, Repeat::Safe, &["profiletemplates"])
}

/// How often a call is tried at most.
fn most(repeat: Repeat) -> u32 {
    match repeat {
        Repeat::Safe => ATTEMPTS,
        Repeat::OnceWhileUnwritten => SECRET_ATTEMPTS,
        Repeat::Never => 1,
    }
}

/// How long to wait before asking again; `None` where asking again is not allowed or of no use.
fn pause_before_repeat(problem: &ServerProblem, repeat: Repeat, pause: Duration) -> Option<Duration> {
    match problem {
        _ if repeat == Repeat::Never => None,
        ServerProblem::Busy { retry_after, .. } => Some(retry_after.map_or(pause, |wait| wait.saturating_add(pause))),
        // No answer has arrived, so a challenge in the query is not spent and no PIN was given out to us.
        ServerProblem::Unreachable(_) | ServerProblem::Broken(_) => Some(pause),
        // Over the other version nothing has gone wrong yet.
        ServerProblem::Http11Wanted(_) => Some(Duration::ZERO),
        ServerProblem::Failed { .. } if repeat == Repeat::Safe => Some(pause),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::tls;

    #[test]
    fn base64_survives_the_query() {
        let settings = Settings {
            url: Url::parse("https://cm.contoso.com/CertificateManagement").unwrap(),
            ca_file: None,
            identity: None,
            auth: Auth::None,
            timeout: Duration::from_secs(1),
            http_versions: HttpVersions::auto(),
            proxy: None,
        };
        let http = Http::new(tls::configuration(None, None).unwrap(), &settings).unwrap();
        let call = Call::get("GET smartcards/{id}", Repeat::Safe, &["smartcards", "x"])
            .with("challenge", "1hFD+cz/0so=")
            .with("atr", "3b80");
        assert_eq!(
            http.url(&call).as_str(),
            "https://cm.contoso.com/CertificateManagement/api/v1.0/smartcards/x?challenge=1hFD%2Bcz%2F0so%3D&atr=3b80"
        );
    }

    #[test]
    fn repeats_follow_the_rule_of_the_call() {
        let pause = Duration::from_millis(1);
        let failed = ServerProblem::Failed { status: 500, detail: Default::default() };
        let busy = ServerProblem::Busy { status: 503, retry_after: Some(Duration::from_secs(2)) };
        let forbidden = ServerProblem::Forbidden { detail: Default::default() };
        for (repeat, after_failed, after_busy, attempts) in [
            (Repeat::Safe, true, true, 3),
            (Repeat::OnceWhileUnwritten, false, true, 2),
            (Repeat::Never, false, false, 1),
        ] {
            let repeated = |problem| pause_before_repeat(problem, repeat, pause).is_some();
            assert_eq!((repeated(&failed), repeated(&busy)), (after_failed, after_busy), "{repeat:?}");
            assert!(!repeated(&forbidden), "{repeat:?}");
            assert_eq!(most(repeat), attempts, "{repeat:?}");
        }
    }
}
