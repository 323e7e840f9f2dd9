//! A call as a value: method, path, query, JSON body, and whether it may be repeated.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use reqwest::{Method, StatusCode};
use serde::Serialize;

use super::error::{ServerError, ServerProblem};
use crate::secret::SecretBytes;

/// Whether a call may be sent again when its answer was lost or was no success. Any call is sent once more after a 401 with
/// renewed credentials: then nothing was carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// Reads something that is no secret. Sent again after a broken connection, 429, 503 and any other 5xx.
    Safe,
    /// Reads a secret, and nothing has been written to the card yet. Sent once more after a broken connection, 429 and 503:
    /// no answer has arrived, so a challenge in the query is not spent. Not after another 5xx, which may have spent it.
    OnceWhileUnwritten,
    /// Changes the server. Not sent again: it might be carried out twice.
    Never,
}

/// How a server may lack the route of a call without lacking what it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    /// There is no other.
    Only,
    /// The reference prints two, and a server may have either.
    OneOfTwo,
    /// The same for the PIN.
    Pin,
}

/// One call of the REST API. It has no text form: the body may hold a secret.
pub struct Call {
    name: &'static str,
    method: Method,
    path: Vec<String>,
    query: Vec<(&'static str, String)>,
    body: Option<Bytes>,
    repeat: Repeat,
    success: StatusCode,
    patience: Duration,
    route: Route,
}

impl Call {
    /// A call that reads; 200 is its success. `name` is the call as the REST reference names it.
    pub(super) fn get(name: &'static str, repeat: Repeat, path: &[&str]) -> Self {
        Self {
            name,
            method: Method::GET,
            path: path.iter().map(|&segment| segment.to_owned()).collect(),
            query: Vec::new(),
            body: None,
            repeat,
            success: StatusCode::OK,
            patience: Duration::ZERO,
            route: Route::Only,
        }
    }

    /// A POST that makes an object; 201 is its success.
    ///
    /// # Errors
    /// The body can't be written as JSON.
    pub(super) fn create(name: &'static str, path: &[&str], body: &impl Serialize) -> Result<Self, ServerError> {
        Self::change(Method::POST, StatusCode::CREATED, name, path, body)
    }

    /// A POST that hands something in; 200 is its success.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub(super) fn submit(name: &'static str, path: &[&str], body: &impl Serialize) -> Result<Self, ServerError> {
        Self::change(Method::POST, StatusCode::OK, name, path, body)
    }

    /// A PUT that changes an object; 200 is its success.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub(super) fn update(name: &'static str, path: &[&str], body: &impl Serialize) -> Result<Self, ServerError> {
        Self::change(Method::PUT, StatusCode::OK, name, path, body)
    }

    fn change(
        method: Method,
        success: StatusCode,
        name: &'static str,
        path: &[&str],
        body: &impl Serialize,
    ) -> Result<Self, ServerError> {
        let body = json(body).map_err(|error| ServerError { call: name, problem: ServerProblem::Unwritable(error) })?;
        let body = Some(Bytes::from_owner(Held(body)));
        Ok(Self { method, success, body, ..Self::get(name, Repeat::Never, path) })
    }

    /// The same call with one more parameter. `value` is text before encoding.
    pub(super) fn with(mut self, parameter: &'static str, value: impl Into<String>) -> Self {
        self.query.push((parameter, value.into()));
        self
    }

    /// The same call over one of two routes.
    pub(super) fn over(mut self, route: Route) -> Self {
        self.route = route;
        self
    }

    /// The same call with at least that much time, whatever is configured for others.
    pub(super) fn waiting(mut self, at_least: Duration) -> Self {
        self.patience = at_least;
        self
    }

    /// The call, as the REST reference names it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The HTTP method.
    #[must_use]
    pub fn method(&self) -> &str {
        self.method.as_str()
    }

    /// Whether it may be sent again.
    #[must_use]
    pub fn repeat(&self) -> Repeat {
        self.repeat
    }

    pub(super) fn route(&self) -> Route {
        self.route
    }

    /// Whether its path names an object by its id.
    pub(super) fn has_id(&self) -> bool {
        self.path.iter().any(|segment| uuid::Uuid::try_parse(segment).is_ok())
    }

    /// Whether this text is part of what it sends, in any case of letters.
    pub(super) fn says(&self, text: &str) -> bool {
        let has = |sent: &[u8]| sent.windows(text.len().max(1)).any(|part| part.eq_ignore_ascii_case(text.as_bytes()));
        let query = self.query.iter().map(|(_, value)| value.as_bytes());
        let path = self.path.iter().map(String::as_bytes);
        path.chain(query).chain(self.body.as_deref()).any(has)
    }

    pub(super) fn http_method(&self) -> Method {
        self.method.clone()
    }

    /// The path below `api/v1.0`, before encoding.
    pub(super) fn path(&self) -> &[String] {
        &self.path
    }

    /// Names and values before encoding.
    pub(super) fn query(&self) -> &[(&'static str, String)] {
        &self.query
    }

    /// The JSON text; a copy shares its memory, which is zeroed with the last one.
    pub(super) fn body(&self) -> Option<Bytes> {
        self.body.clone()
    }

    /// The status that says that the call was carried out.
    pub(super) fn success(&self) -> StatusCode {
        self.success
    }

    /// The deadline where `configured` is the one of other calls.
    pub(super) fn deadline(&self, configured: Duration) -> Duration {
        configured.max(self.patience)
    }
}

/// A secret that [`Bytes`] may read. Every body is one: then none has to be told from the others.
struct Held(SecretBytes);

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        self.0.expose()
    }
}

/// Writes JSON into memory that never grows, so that no piece of a secret is left behind: first only its length is taken.
fn json(body: &impl Serialize) -> Result<SecretBytes, serde_json::Error> {
    let mut length = Length(0);
    serde_json::to_writer(&mut length, body)?;
    let mut text = SecretBytes::with_capacity(length.0);
    serde_json::to_writer(Filled(&mut text), body)?;
    Ok(text)
}

struct Length(usize);

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Filled<'a>(&'a mut SecretBytes);

impl io::Write for Filled<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.append(bytes) {
            true => Ok(bytes.len()),
            false => Err(io::ErrorKind::StorageFull.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Sample<'a> {
        comment: &'a str,
        list: Vec<&'a str>,
    }

    #[test]
    fn what_changes_the_server_is_never_repeated() {
        let body = Sample { comment: "a\"b\u{1}ä", list: vec!["x\r\n"] };
        let path = ["requests"];
        let made = [
            (Call::create("POST requests", &path, &body), "POST", StatusCode::CREATED),
            (Call::submit("POST requests", &path, &body), "POST", StatusCode::OK),
            (Call::update("PUT requests", &path, &body), "PUT", StatusCode::OK),
        ];
        for (call, method, success) in made {
            let call = call.unwrap();
            assert_eq!((call.method(), call.success(), call.repeat()), (method, success, Repeat::Never));
            assert_eq!(call.body().unwrap(), "{\"comment\":\"a\\\"b\\u0001ä\",\"list\":[\"x\\r\\n\"]}".as_bytes());
        }
    }

    #[test]
    fn a_deadline_is_only_ever_longer() {
        let call = Call::get("GET requests", Repeat::Safe, &["requests"]).waiting(Duration::from_secs(60));
        assert_eq!(call.deadline(Duration::from_secs(10)), Duration::from_secs(60));
        assert_eq!(call.deadline(Duration::from_secs(90)), Duration::from_secs(90));
        assert!(call.body().is_none());
    }
}
