//! An answer before faults are applied, and what it gives away.

use uuid::Uuid;
use zeroize::Zeroize;

use super::json;
use super::rules::Refusal;

/// "Always JSON", says the reference.
pub(super) const JSON: &str = "application/json; charset=utf-8";

/// An answer before faults are applied.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) effects: Effects,
}

/// What is booked once the answer has left in full.
#[derive(Default)]
pub(super) struct Effects {
    pub(super) pin: Option<Vec<u8>>,
    pub(super) answer: Option<Answered>,
}

impl Drop for Effects {
    fn drop(&mut self) {
        self.pin.zeroize();
    }
}

/// An answered challenge.
pub(super) struct Answered {
    pub(super) card: Uuid,
    pub(super) challenge: Vec<u8>,
    pub(super) response: Vec<u8>,
}

impl Reply {
    fn new(status: u16, content_type: &str, body: Vec<u8>) -> Self {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        Self {
            status,
            headers: vec![header("Cache-Control", "no-cache"), header("Content-Type", content_type)],
            body,
            effects: Effects::default(),
        }
    }

    /// 200 with JSON text.
    pub(super) fn json(text: String) -> Self {
        Self::new(200, JSON, text.into_bytes())
    }

    /// Any status with any body.
    pub(super) fn raw(status: u16, content_type: &str, body: Vec<u8>) -> Self {
        Self::new(status, content_type, body)
    }

    /// What IIS, AD FS or a proxy says when the API does not.
    pub(super) fn html(status: u16, text: &str) -> Self {
        Self::new(status, "text/html", text.as_bytes().to_vec())
    }

    /// 201 with the URI of what was made.
    pub(super) fn created(uri: &str) -> Self {
        Self::new(201, JSON, json::string(uri).into_bytes())
    }

    /// 405 with the methods that the route has.
    pub(super) fn wrong_method(allowed: &str) -> Self {
        let mut reply = Self::from(&Refusal::plain(405, "The requested resource does not support this HTTP method."));
        reply.headers.push(("Allow".to_owned(), allowed.to_owned()));
        reply
    }

    /// 204.
    pub(super) fn empty() -> Self {
        Self {
            status: 204,
            headers: vec![("Cache-Control".to_owned(), "no-cache".to_owned())],
            body: Vec::new(),
            effects: Effects::default(),
        }
    }

    pub(super) fn list(elements: &[String]) -> Self {
        if elements.is_empty() {
            return Self::empty();
        }
        Self::json(json::list(elements))
    }
}

impl From<&Refusal> for Reply {
    fn from(refusal: &Refusal) -> Self {
        if refusal.status == 204 {
            return Self::empty();
        }
        let body = format!("{{\"Message\":{}}}", json::string(&refusal.message));
        let mut reply = Self::new(refusal.status, JSON, body.into_bytes());
        if refusal.status == 401 {
            reply.headers.push(("WWW-Authenticate".into(), "Bearer".into()));
        }
        reply
    }
}
