//! What a request is told as that failed before its answer was complete.

use std::error::Error;

use url::Url;

use super::connection::FailedConnection;
use super::error::ServerProblem;
use super::tls;

/// The problem of a request that could not be sent, or of an answer whose body broke off. `proxy` is the one that was asked.
pub(super) fn problem(error: reqwest::Error, proxy: Option<&Url>) -> ServerProblem {
    if error.is_builder() {
        return ServerProblem::Request(error.without_url());
    }
    let failed = FailedConnection::new(error, proxy);
    match tls::reason(failed.source()) {
        Some(reason) => ServerProblem::Tls { reason, connection: failed },
        None if wants_1_1(failed.source()) => ServerProblem::Http11Wanted(failed),
        None if failed.source().is_connect() => ServerProblem::Unreachable(failed),
        None => ServerProblem::Broken(failed),
    }
}

/// Whether the server has ended stream or connection with HTTP_1_1_REQUIRED (RFC 9113 §7): IIS does so where Windows
/// authentication is switched on.
fn wants_1_1(error: &reqwest::Error) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(current) = cause {
        let reason = current.downcast_ref::<h2::Error>().and_then(h2::Error::reason);
        if reason == Some(h2::Reason::HTTP_1_1_REQUIRED) {
            return true;
        }
        cause = current.source();
    }
    false
}
