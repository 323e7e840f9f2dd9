//! What a server says of its own error. Its form is undocumented and its text untrusted.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use uuid::Uuid;

/// What the server says of its error, made safe to show; empty for routes whose answers are secret.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Detail {
    /// The id to look for in the server's event log.
    pub correlation: Option<String>,
    /// The server's message.
    pub message: Option<String>,
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(message) = &self.message {
            write!(f, ": {message:?}")?;
        }
        if let Some(correlation) = &self.correlation {
            write!(f, ", correlation id {correlation}")?;
        }
        Ok(())
    }
}

impl Detail {
    /// Reads the message and correlation id of an error body: its form is undocumented, so JSON members are looked up by
    /// the usual names. Where none is named after the id, a GUID behind that word is taken for it.
    pub(super) fn read(body: &[u8]) -> Self {
        let json: Option<serde_json::Value> = serde_json::from_slice(body).ok();
        let member =
            |name: &str| json.as_ref()?.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?.1.as_str();
        let message = ["message", "errorcode"].into_iter().find_map(member).map(printable);
        let text = String::from_utf8_lossy(body).to_ascii_lowercase();
        let named = Self::correlation_alone(body).correlation;
        let correlation = named.or_else(|| first_guid(text.split_once("correlation")?.1));
        Self { message, correlation }
    }

    /// The correlation id of an error of a route whose answers are secret: from a property named so, and nothing else.
    pub(super) fn correlation_alone(body: &[u8]) -> Self {
        let named: Option<Named> = serde_json::from_slice(body).ok();
        Self { message: None, correlation: named.and_then(|named| named.0).map(|id| id.hyphenated().to_string()) }
    }

    /// The same without an id that is none of the server's own, since we have sent it.
    pub(super) fn without_id(mut self, is_ours: impl Fn(&str) -> bool) -> Self {
        self.correlation = self.correlation.filter(|id| !is_ours(id));
        self
    }
}

/// A correlation id; everything beside it is passed over unread.
struct Named(Option<Uuid>);

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(NamedVisitor)
    }
}

struct NamedVisitor;

impl<'de> Visitor<'de> for NamedVisitor {
    type Value = Named;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an error")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Named, A::Error> {
        let mut id = None;
        while let Some(name) = object.next_key::<Cow<'de, str>>()? {
            let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
            match name.to_ascii_lowercase().as_str() {
                "correlationid" => id = Uuid::try_parse(&object.next_value::<Cow<'de, str>>()?).ok(),
                _ => drop(object.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Named(id))
    }
}

/// Untrusted text for a terminal: no control characters, at most 200 characters.
pub(super) fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

fn first_guid(text: &str) -> Option<String> {
    text.as_bytes()
        .windows(36)
        .find_map(|window| Uuid::try_parse_ascii(window).ok().map(|guid| guid.hyphenated().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_body_is_untrusted_text() {
        let detail = Detail::read(
            br#"{"Message":"An error \u001b[31mhas occurred. Correlation ID: 2F1A6D1E-0000-4000-8000-00000000ABCD"}"#,
        );
        assert_eq!(detail.correlation.as_deref(), Some("2f1a6d1e-0000-4000-8000-00000000abcd"));
        assert!(detail.message.unwrap().starts_with("An error [31mhas occurred"));
        assert_eq!(Detail::read(b"\xFF\xFE<html>"), Detail::default());
    }

    #[test]
    fn of_a_secret_route_only_a_property_named_so_is_told() {
        let id = "2f1a6d1e-0000-4000-8000-00000000abcd";
        let told = |body: &str| Detail::correlation_alone(body.replace("ID", id).as_bytes()).correlation;
        for name in ["CorrelationId", "correlation_id", "Correlation-ID", "correlation id"] {
            let body = format!(r#"{{"Message":"CANARY","{}":"ID","Pin":{{"x":["ID"]}}}}"#, name.replace("ID", "Id"));
            assert_eq!(told(&body).as_deref(), Some(id), "{name}");
        }
        for body in [r#"{"Message":"Correlation ID: ID"}"#, r#""ID""#, "ID", r#"["ID"]"#, r#"{"ActivityId":"ID"}"#] {
            assert_eq!(told(body), None, "{body}");
        }
        assert_eq!(told(r#"{"CorrelationId":"31415926"}"#), None);
        let ours = Detail { message: None, correlation: Some(id.to_owned()) };
        assert_eq!(ours.without_id(|sent| sent == id), Detail::default());
        // Elsewhere a GUID that is not called so is none either.
        assert_eq!(Detail::read(format!(r#"{{"Message":"request {id}"}}"#).as_bytes()).correlation, None);
    }
}
