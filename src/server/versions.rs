//! Which versions of HTTP are spoken with a server: what is configured, and what the server's answers have shown.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// No answer has come yet: HTTP/2 is offered.
const OPEN: u8 = 0;
/// The server has answered with HTTP/2 on offer.
const SETTLED: u8 = 1;
/// HTTP/1.1 only.
const ONLY_1_1: u8 = 2;

/// The versions of HTTP for one server. Copies share what is learned, so that the next job does not have to learn it again.
#[derive(Debug, Clone)]
pub struct HttpVersions(Arc<AtomicU8>);

impl HttpVersions {
    /// HTTP/2 is offered until the server says that it wants HTTP/1.1 (`server.http_version = "auto"`).
    #[must_use]
    pub fn auto() -> Self {
        Self(Arc::new(AtomicU8::new(OPEN)))
    }

    /// As [`Self::auto`] once the server has answered: what changes it is sent without a look first.
    #[must_use]
    pub fn settled() -> Self {
        Self(Arc::new(AtomicU8::new(SETTLED)))
    }

    /// HTTP/1.1 only (`server.http_version = "1.1"`).
    #[must_use]
    pub fn only_1_1() -> Self {
        Self(Arc::new(AtomicU8::new(ONLY_1_1)))
    }

    /// Whether it is known which version the server answers over.
    pub(super) fn are_settled(&self) -> bool {
        self.0.load(Ordering::Relaxed) != OPEN
    }

    /// Whether HTTP/2 is offered.
    pub(super) fn offers_2(&self) -> bool {
        self.0.load(Ordering::Relaxed) != ONLY_1_1
    }

    /// What the TLS handshake offers (ALPN), the preferred one first.
    pub(super) fn offered(&self) -> Vec<Vec<u8>> {
        match self.0.load(Ordering::Relaxed) {
            ONLY_1_1 => vec![b"http/1.1".to_vec()],
            _ => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        }
    }

    /// The server has answered.
    pub(super) fn answered(&self) {
        // What is known already stays.
        let _ = self.0.compare_exchange(OPEN, SETTLED, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// The server wants HTTP/1.1.
    pub(super) fn want_1_1(&self) {
        self.0.store(ONLY_1_1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_learned_is_shared_and_kept() {
        let (one, h2) = (HttpVersions::auto(), b"h2".to_vec());
        let other = one.clone();
        assert!(!other.are_settled() && other.offered().contains(&h2));
        one.answered();
        assert!(other.are_settled() && other.offered().contains(&h2));
        one.want_1_1();
        one.answered();
        assert_eq!(other.offered(), [b"http/1.1"]);
        assert!(HttpVersions::only_1_1().are_settled() && HttpVersions::settled().offered().contains(&h2));
    }
}
