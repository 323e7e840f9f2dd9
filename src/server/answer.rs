//! What the status of an answer means, and its body where there is one to read.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use reqwest::header::{CONTENT_TYPE, DATE, RETRY_AFTER};
use reqwest::{Response, StatusCode};

use super::auth::Challenge;
use super::body::{self, Body, OfErrors};
use super::call::{Call, Route};
use super::detail::Detail;
use super::error::ServerProblem;
use crate::secret::SecretBytes;

/// An answer that is no error of the call.
pub(super) enum Answer<B> {
    /// The status of success, with its body.
    Content(B),
    /// 204.
    Empty,
    /// 401: nothing was carried out.
    Unauthorized {
        /// What it asks for.
        challenge: Challenge,
        /// The answer, whose body is unread.
        rest: Box<Response>,
    },
}

/// The most that is read of a page that comes with a 401.
const PAGE_MAX: usize = 64 * 1024;

/// Reads a body to its end, so that the next request goes over the same connection. A long one costs a connection instead.
pub(super) async fn drain(mut response: Response) {
    let mut left = PAGE_MAX;
    while let Ok(Some(piece)) = response.chunk().await {
        match left.checked_sub(piece.len()) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

/// What pages say where a client certificate is missing: those of IIS (403.7), and Apache's.
const CERTIFICATE_WANTED: [&str; 5] =
    ["403.7", "client certificate", "ssl certificate", "post-handshake authentication", "renegotiation"];

/// Whether a web server's page says that it wants a client certificate. It comes from before the API, and holds no secret.
async fn wants_certificate(mut response: Response) -> bool {
    let mut page = Vec::new();
    while let Ok(Some(piece)) = response.chunk().await {
        page.extend_from_slice(&piece);
        if page.len() > PAGE_MAX {
            break;
        }
    }
    let page = String::from_utf8_lossy(&page).to_ascii_lowercase();
    CERTIFICATE_WANTED.iter().any(|words| page.contains(words))
}

/// Whether a status says that nothing was carried out.
pub(super) fn is_refusal(status: StatusCode) -> bool {
    status.is_client_error()
}

/// Reads the answer to a call. `api_answered` is whether any route of the API has answered yet: it
/// tells an API that is switched off from a route that this server lacks.
pub(super) async fn read<B: Body>(
    response: Response,
    call: &Call,
    api_answered: &AtomicBool,
) -> Result<Answer<B>, ServerProblem> {
    let (status, success) = (response.status(), call.success());
    if status != StatusCode::NOT_FOUND && !status.is_redirection() {
        api_answered.store(true, Ordering::Relaxed);
    }
    match status {
        _ if status == success && is_html(&response) => Err(ServerProblem::Html),
        _ if status == success => body::read(response).await.map(Answer::Content),
        StatusCode::NO_CONTENT => Ok(Answer::Empty),
        StatusCode::UNAUTHORIZED => {
            Ok(Answer::Unauthorized { challenge: Challenge::of(&response), rest: Box::new(response) })
        }
        StatusCode::FORBIDDEN if is_html(&response) => Err(match wants_certificate(response).await {
            true => ServerProblem::ClientCertificate { was_asked: false },
            false => ServerProblem::Forbidden { detail: Detail::default() },
        }),
        StatusCode::FORBIDDEN => Err(ServerProblem::Forbidden { detail: detail::<B>(response, call).await }),
        StatusCode::NOT_FOUND => Err(ServerProblem::NotFound {
            api_answered: api_answered.load(Ordering::Relaxed),
            is_pin_route: call.route() == Route::Pin,
        }),
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            Err(ServerProblem::Busy { status: status.as_u16(), retry_after: retry_after(&response) })
        }
        _ if status.is_redirection() => Err(ServerProblem::Redirect { status: status.as_u16() }),
        _ if status.is_client_error() => {
            Err(ServerProblem::Rejected { status: status.as_u16(), detail: detail::<B>(response, call).await })
        }
        _ if status.is_server_error() => {
            Err(ServerProblem::Failed { status: status.as_u16(), detail: detail::<B>(response, call).await })
        }
        _ => Err(ServerProblem::Status { status: status.as_u16() }),
    }
}

fn is_html(response: &Response) -> bool {
    response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|kind| kind.to_ascii_lowercase().contains("html"))
}

/// The server's words on its error; from a route whose answers are secret its correlation id at most.
async fn detail<B: Body>(response: Response, call: &Call) -> Detail {
    if is_html(&response) {
        return Detail::default();
    }
    let detail = match B::OF_ERRORS {
        OfErrors::Shown => body::read::<Vec<u8>>(response).await.map(|body| Detail::read(&body)),
        OfErrors::CorrelationId => {
            body::read::<SecretBytes>(response).await.map(|body| Detail::correlation_alone(body.expose()))
        }
        OfErrors::Nothing => return Detail::default(),
    };
    detail.unwrap_or_default().without_id(|id| call.says(id))
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
