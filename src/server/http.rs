//! One HTTP GET: authentication, deadline, size limit, repeats, and what a status means.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use reqwest::header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, DATE, RETRY_AFTER, WWW_AUTHENTICATE};
use reqwest::{Response, StatusCode};
use tokio::time::{Instant, sleep, timeout_at};
use url::Url;

use super::auth::Auth;
use super::body::{self, Body};
use super::error::{Detail, ServerError, ServerProblem};
use super::tls;

/// How often one call is tried at most, where repeating it is harmless.
const ATTEMPTS: u32 = 3;

/// The same for an answer that is a secret: a challenge may be sent once more while no answer has arrived.
const SECRET_ATTEMPTS: u32 = 2;

/// The pause before the second attempt is up to this long, before the third up to twice this.
const PAUSE: Duration = Duration::from_millis(300);

/// What a call asks for.
pub(super) struct Get<'a> {
    /// The call, as the REST reference names it.
    pub call: &'static str,
    /// The path below `api/v1.0`.
    pub path: &'a [&'a str],
    /// Names and values before encoding.
    pub query: &'a [(&'a str, &'a str)],
}

/// The connection to one server.
pub(super) struct Http {
    tls: rustls::ClientConfig,
    /// `None` between [`Http::close`] and the next call.
    client: Mutex<Option<reqwest::Client>>,
    base: Url,
    auth: Auth,
    timeout: Duration,
    sent: Mutex<Vec<(&'static str, Url)>>,
    api_answered: AtomicBool,
}

impl Http {
    pub(super) fn new(
        tls: rustls::ClientConfig,
        base: Url,
        auth: Auth,
        timeout: Duration,
    ) -> Result<Self, reqwest::Error> {
        let client = Mutex::new(Some(client(&tls)?));
        Ok(Self { tls, client, base, auth, timeout, sent: Mutex::default(), api_answered: AtomicBool::new(false) })
    }

    /// Forgets the connections; the next call opens a new one. What a connection has read stays in its buffers until the
    /// runtime that drives it lets go of it.
    pub(super) fn close(&self) {
        drop(self.client.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    fn client(&self) -> Result<reqwest::Client, ServerProblem> {
        let mut kept = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        match &*kept {
            Some(client) => Ok(client.clone()),
            None => Ok(kept.insert(client(&self.tls).map_err(ServerProblem::Request)?).clone()),
        }
    }

    /// HTTP requests sent, repeats included: the call's name and its URL. A URL holds no secret.
    pub(super) fn sent(&self) -> Vec<(&'static str, Url)> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The URL of a call; what `plan` prints is what is sent.
    pub(super) fn url(&self, path: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["api", "v1.0"]).extend(path);
        }
        if !query.is_empty() {
            // Form encoding: + / = of base64 become %2B %2F %3D.
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    /// The body of a 200; `None` for 204.
    ///
    /// Repeated within the deadline, with growing jittered pauses: after 429 and 503 (as `Retry-After` asks), after a broken
    /// connection, and after 500 where the answer is no secret. After 401 once, where the credentials have changed since.
    pub(super) async fn get<B: Body>(&self, get: &Get<'_>) -> Result<Option<B>, ServerError> {
        let deadline = Instant::now() + self.timeout;
        let call = get.call;
        match timeout_at(deadline, self.attempts(get, deadline)).await {
            Ok(result) => result.map_err(|problem| ServerError { call, problem }),
            Err(_) => Err(ServerError { call, problem: ServerProblem::Timeout { after: self.timeout } }),
        }
    }

    async fn attempts<B: Body>(&self, get: &Get<'_>, deadline: Instant) -> Result<Option<B>, ServerProblem> {
        let mut renewed = false;
        let mut attempt = 1;
        let most = if B::SECRET { SECRET_ATTEMPTS } else { ATTEMPTS };
        loop {
            let credentials = self.auth.credentials().map_err(ServerProblem::Token)?;
            let problem = match self.once(get, credentials.header()).await {
                Ok(body) => return Ok(body),
                Err(problem) => problem,
            };
            tracing::debug!(call = get.call, attempt, "{problem}");
            if matches!(problem, ServerProblem::Unauthorized { .. }) && !renewed {
                renewed = true;
                if !self.auth.credentials().map_err(ServerProblem::Token)?.is_same_as(&credentials) {
                    continue;
                }
            }
            let pause = PAUSE.mul_f32(attempt as f32 * (0.5 + fastrand::f32() / 2.0));
            let Some(pause) = pause_before_repeat(&problem, B::SECRET, pause) else { return Err(problem) };
            // A server may ask for any number of seconds: no time is computed from it.
            if attempt == most || pause >= deadline.saturating_duration_since(Instant::now()) {
                return Err(problem);
            }
            sleep(pause).await;
            attempt += 1;
        }
    }

    async fn once<B: Body>(
        &self,
        get: &Get<'_>,
        credentials: Option<reqwest::header::HeaderValue>,
    ) -> Result<Option<B>, ServerProblem> {
        let url = self.url(get.path, get.query);
        tracing::debug!(call = get.call, url = %url, "GET");
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).push((get.call, url.clone()));
        let mut request = self.client()?.get(url).header(ACCEPT, "application/json");
        if B::SECRET {
            request = request.header(CACHE_CONTROL, "no-store");
        }
        if let Some(credentials) = credentials {
            request = request.header(AUTHORIZATION, credentials);
        }
        let response = request.send().await.map_err(sending)?;
        tracing::debug!(call = get.call, status = response.status().as_u16(), "answer");
        self.judge(response).await
    }

    async fn judge<B: Body>(&self, response: Response) -> Result<Option<B>, ServerProblem> {
        let status = response.status();
        if status != StatusCode::NOT_FOUND && !status.is_redirection() {
            self.api_answered.store(true, Ordering::Relaxed);
        }
        match status {
            StatusCode::OK if is_html(&response) => Err(ServerProblem::Html),
            StatusCode::OK => body::read(response).await.map(Some),
            StatusCode::NO_CONTENT => Ok(None),
            StatusCode::UNAUTHORIZED => Err(ServerProblem::Unauthorized { offered: offered(&response) }),
            StatusCode::FORBIDDEN => Err(ServerProblem::Forbidden { detail: detail::<B>(response).await }),
            StatusCode::NOT_FOUND => {
                Err(ServerProblem::NotFound { api_answered: self.api_answered.load(Ordering::Relaxed) })
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                Err(ServerProblem::Busy { status: status.as_u16(), retry_after: retry_after(&response) })
            }
            _ if status.is_redirection() => Err(ServerProblem::Redirect { status: status.as_u16() }),
            _ if status.is_client_error() => {
                Err(ServerProblem::Rejected { status: status.as_u16(), detail: detail::<B>(response).await })
            }
            _ if status.is_server_error() => {
                Err(ServerProblem::Failed { status: status.as_u16(), detail: detail::<B>(response).await })
            }
            _ => Err(ServerProblem::Status { status: status.as_u16() }),
        }
    }
}

/// A client without redirects, proxies and repeats of its own. Both versions of HTTP leave nothing behind once closed, and the
/// second one takes both secret calls over one connection.
fn client(tls: &rustls::ClientConfig) -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls.clone())
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .user_agent(concat!("pinwright/", env!("CARGO_PKG_VERSION")))
        .build()
}

/// How long to wait before asking again; `None` where asking again is not allowed or of no use.
fn pause_before_repeat(problem: &ServerProblem, secret: bool, pause: Duration) -> Option<Duration> {
    match problem {
        ServerProblem::Busy { retry_after, .. } => Some(retry_after.map_or(pause, |wait| wait.saturating_add(pause))),
        // No answer has arrived, so a challenge in the query is not spent and no PIN was given out to us.
        ServerProblem::Unreachable(_) | ServerProblem::Broken(_) => Some(pause),
        ServerProblem::Failed { .. } if !secret => Some(pause),
        _ => None,
    }
}

fn sending(error: reqwest::Error) -> ServerProblem {
    // The call is named already.
    let error = error.without_url();
    match tls::reason(&error) {
        Some(reason) => ServerProblem::Tls { reason, source: error },
        None if error.is_connect() => ServerProblem::Unreachable(error),
        None if error.is_builder() => ServerProblem::Request(error),
        None => ServerProblem::Broken(error),
    }
}

fn is_html(response: &Response) -> bool {
    response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|kind| kind.to_ascii_lowercase().contains("html"))
}

/// The server's words on its error; nothing from a route whose answers are secret.
async fn detail<B: Body>(response: Response) -> Detail {
    if B::SECRET || is_html(&response) {
        return Detail::default();
    }
    body::read::<Vec<u8>>(response).await.map(|body| Detail::read(&body)).unwrap_or_default()
}

fn offered(response: &Response) -> String {
    let schemes: Vec<&str> = response
        .headers()
        .get_all(WWW_AUTHENTICATE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .filter_map(|value| value.split([' ', ',']).next())
        .filter(|scheme| scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'))
        .collect();
    if schemes.is_empty() { "none".to_owned() } else { schemes.join(", ") }
}

/// What `Retry-After` asks for (RFC 9110 §10.2.3).
fn retry_after(response: &Response) -> Option<Duration> {
    let text = |name| response.headers().get(name)?.to_str().ok().map(str::trim);
    pause_of(text(RETRY_AFTER)?, text(DATE))
}

/// Seconds, or a moment: counted by the server's clock where the answer says what that shows, since ours may differ.
fn pause_of(retry_after: &str, date: Option<&str>) -> Option<Duration> {
    if let Ok(seconds) = retry_after.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let moment = httpdate::parse_http_date(retry_after).ok()?;
    let now = date.and_then(|date| httpdate::parse_http_date(date).ok()).unwrap_or_else(SystemTime::now);
    // A moment that is past asks for nothing.
    Some(moment.duration_since(now).unwrap_or_default())
}

impl Detail {
    /// Reads the message and correlation id of an error body: its form is undocumented, so JSON members are looked up by
    /// the usual names and the first GUID is taken for the id.
    pub(super) fn read(body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let json: Option<serde_json::Value> = serde_json::from_slice(body).ok();
        let member =
            |name: &str| json.as_ref()?.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?.1.as_str();
        let message = ["message", "errorcode"].into_iter().find_map(member).map(printable);
        Self { message, correlation: first_guid(&text) }
    }
}

/// Untrusted text for a terminal: no control characters, at most 200 characters.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

fn first_guid(text: &str) -> Option<String> {
    text.as_bytes()
        .windows(36)
        .find_map(|window| uuid::Uuid::try_parse_ascii(window).ok().map(|guid| guid.hyphenated().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_survives_the_query() {
        let base = Url::parse("https://cm.contoso.com/CertificateManagement").unwrap();
        let http = Http::new(tls::configuration(None).unwrap(), base, Auth::None, Duration::from_secs(1)).unwrap();
        let url = http.url(&["smartcards", "x"], &[("challenge", "1hFD+cz/0so="), ("atr", "3b80")]);
        assert_eq!(
            url.as_str(),
            "https://cm.contoso.com/CertificateManagement/api/v1.0/smartcards/x?challenge=1hFD%2Bcz%2F0so%3D&atr=3b80"
        );
    }

    #[test]
    fn a_pause_is_asked_for_in_seconds_or_as_a_moment_of_the_server() {
        let date = Some("Tue, 24 Nov 2026 08:00:00 GMT");
        let pause = |text| pause_of(text, date).map(|pause| pause.as_secs());
        assert_eq!(pause("120"), Some(120));
        assert_eq!(pause("Tue, 24 Nov 2026 08:02:00 GMT"), Some(120));
        assert_eq!(pause("Tuesday, 24-Nov-26 08:02:00 GMT"), Some(120));
        assert_eq!(pause("Tue, 24 Nov 2026 07:00:00 GMT"), Some(0));
        assert_eq!(pause("-1"), None);
        assert_eq!(pause("soon"), None);
        // Without the server's clock by ours, which is past that.
        assert_eq!(pause_of("Tue, 24 Nov 2015 08:00:00 GMT", None), Some(Duration::ZERO));
    }

    #[test]
    fn an_error_body_is_untrusted_text() {
        let detail = Detail::read(
            br#"{"Message":"An error \u001b[31mhas occurred. Correlation ID: 2F1A6D1E-0000-4000-8000-00000000ABCD"}"#,
        );
        assert_eq!(detail.correlation.as_deref(), Some("2f1a6d1e-0000-4000-8000-00000000abcd"));
        assert!(detail.message.unwrap().starts_with("An error [31mhas occurred"));
        assert_eq!(Detail::read(b"\xFF\xFE<html>"), Detail::default());
    }
}
