//! A connection that did not come about or broke, in one line.

use std::error::Error;
use std::fmt;

use url::Url;

/// How the library begins the text of an error on the way through a proxy; the type is its own.
const TUNNEL: &str = "tunnel error";

/// A connection that did not come about or broke: where to, and why. It keeps the library's error; its text is one line, with
/// the innermost reason alone.
#[derive(Debug)]
pub struct FailedConnection {
    address: String,
    /// The proxy that it failed at.
    proxy: Option<String>,
    source: reqwest::Error,
}

impl FailedConnection {
    /// `source` is told apart from its URL, whose query is no part of an error. `proxy` is the one that was asked.
    pub(super) fn new(source: reqwest::Error, proxy: Option<&Url>) -> Self {
        let address = source.url().map(host_and_port).unwrap_or_default();
        let proxy = proxy.filter(|_| is_of_tunnel(&source)).map(host_and_port);
        Self { address, proxy, source: source.without_url() }
    }

    /// The library's error.
    pub(super) fn source(&self) -> &reqwest::Error {
        &self.source
    }

    /// The innermost reason in the library's words.
    pub(super) fn reason(&self) -> &(dyn Error + 'static) {
        let mut reason: &(dyn Error + 'static) = &self.source;
        while let Some(cause) = reason.source() {
            reason = cause;
        }
        reason
    }

    /// Whether it failed at the proxy (`server.proxy`), before the server had a part in it.
    #[must_use]
    pub fn is_of_proxy(&self) -> bool {
        self.proxy.is_some()
    }

    /// Whom there was no connection with: the server's host and port, or the proxy's.
    #[must_use]
    pub fn peer(&self) -> String {
        match &self.proxy {
            Some(proxy) => format!("the proxy {proxy}"),
            None => self.address.clone(),
        }
    }
}

impl fmt::Display for FailedConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.proxy {
            Some(proxy) => write!(f, "{} through the proxy {proxy}: {}", self.address, self.reason()),
            None => write!(f, "{}: {}", self.address, self.reason()),
        }
    }
}

fn host_and_port(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port_or_known_default().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn is_of_tunnel(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(current) = cause {
        if current.to_string().starts_with(TUNNEL) {
            return true;
        }
        cause = current.source();
    }
    false
}
