//! The body of a POST or PUT, read as strictly as the server may read it.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use uuid::Uuid;

use super::query::guid;
use super::routes::Call;
use super::rules::{Refusal, Rule};

/// Properties of the one JSON object; names are compared without case.
pub(super) struct JsonBody(Vec<(String, Value)>);

impl JsonBody {
    /// Checks the headers that belong to a body, and reads it. None but `known` properties may be there, and each once.
    pub(super) fn read(call: &Call<'_>, known: &[&str]) -> Result<Self, Refusal> {
        check_headers(call)?;
        let wrong = |message: &str| Refusal::bad(Rule::JsonBody, message);
        let text = std::str::from_utf8(call.body).map_err(|_| wrong("body: must be UTF-8"))?;
        if text.starts_with('\u{FEFF}') {
            return Err(wrong("body: must not begin with a byte order mark"));
        }
        let value: Value = serde_json::from_str(text).map_err(|_| wrong("body: must be JSON"))?;
        if !value.is_object() {
            return Err(Refusal::bad(Rule::BodyShape, "body: must be one JSON object"));
        }
        let Properties(properties) = serde_json::from_str(text).map_err(|_| wrong("body: must be JSON"))?;
        for (at, (name, _)) in properties.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                return Err(Refusal::bad(Rule::BodyShape, format!("body: none but {known:?} may be given")));
            }
            if properties.iter().skip(at + 1).any(|(other, _)| other == name) {
                return Err(Refusal::bad(Rule::BodyShape, "body: a property is given twice"));
            }
        }
        Ok(Self(properties))
    }

    /// A property that may be missing; null is as good as that.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value).filter(|value| !value.is_null())
    }

    /// A string that must be there.
    pub(super) fn text(&self, name: &str) -> Result<&str, Refusal> {
        self.optional_text(name)?.ok_or_else(|| shape(name, "required"))
    }

    /// A string that may be missing.
    pub(super) fn optional_text(&self, name: &str) -> Result<Option<&str>, Refusal> {
        self.get(name).map(|value| value.as_str().ok_or_else(|| shape(name, "must be a string"))).transpose()
    }

    /// A GUID that must be there.
    pub(super) fn guid(&self, name: &str) -> Result<Uuid, Refusal> {
        self.optional_guid(name)?.ok_or_else(|| shape(name, "required"))
    }

    /// A GUID that may be missing.
    pub(super) fn optional_guid(&self, name: &str) -> Result<Option<Uuid>, Refusal> {
        let wrong = || Refusal::bad(Rule::IdForm, format!("{name}: must be GUID text of 36 characters without braces"));
        self.optional_text(name)?.map(|text| guid(text).ok_or_else(wrong)).transpose()
    }
}

/// 400 for a property. `message` must not repeat what the caller sent.
pub(super) fn shape(name: &str, message: &str) -> Refusal {
    Refusal::bad(Rule::BodyShape, format!("{name}: {message}"))
}

fn check_headers(call: &Call<'_>) -> Result<(), Refusal> {
    let kind = call.content_type.map(String::from_utf8_lossy).unwrap_or_default().to_ascii_lowercase();
    let (kind, parameter) = kind.split_once(';').unwrap_or((&kind, "charset=utf-8"));
    if kind.trim() != "application/json" || parameter.trim() != "charset=utf-8" {
        return Err(Refusal::broken(415, Rule::ContentType, "Content-Type: must be application/json"));
    }
    if call.content_length.is_none() {
        return Err(Refusal::broken(411, Rule::ContentLength, "Content-Length: required"));
    }
    Ok(())
}

/// The properties of an object with those that come twice, names in lower case.
struct Properties(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Properties {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Properties;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Properties, A::Error> {
                let mut properties = Vec::new();
                while let Some((name, value)) = object.next_entry::<String, Value>()? {
                    properties.push((name.to_ascii_lowercase(), value));
                }
                Ok(Properties(properties))
            }
        }
        deserializer.deserialize_map(All)
    }
}
