//! A connection that did not come about or broke, in one line.

use std::error::Error;
use std::fmt;

/// A connection that did not come about or broke: where to, and why. It keeps the library's error; its text is one line, with
/// the innermost reason alone.
#[derive(Debug)]
pub struct FailedConnection {
    address: String,
    source: reqwest::Error,
}

impl FailedConnection {
    /// `source` is told apart from its URL, whose query is no part of an error.
    pub(super) fn new(source: reqwest::Error) -> Self {
        let address = source.url().map(|url| {
            let host = url.host_str().unwrap_or_default();
            url.port_or_known_default().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
        });
        Self { address: address.unwrap_or_default(), source: source.without_url() }
    }

    /// The library's error.
    pub(super) fn source(&self) -> &reqwest::Error {
        &self.source
    }

    /// The innermost reason in the library's words.
    pub(super) fn reason(&self) -> &dyn Error {
        let mut reason: &dyn Error = &self.source;
        while let Some(cause) = reason.source() {
            reason = cause;
        }
        reason
    }

    /// Host and port.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }
}

impl fmt::Display for FailedConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.address, self.reason())
    }
}
