//! How the objects of the REST API are read: property names in any case of letters, unknown ones ignored, enumerations as
//! numbers or names.

use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::server::detail::printable;
use crate::server::error::ServerProblem;

/// A list of objects; one object alone counts as a list of one.
pub(in crate::server) fn list<T: FromObject>(body: &[u8]) -> Result<Vec<T>, ServerProblem> {
    match parse(body)? {
        Value::Array(items) => items.into_iter().map(one_value).collect(),
        value => Ok(vec![one_value(value)?]),
    }
}

/// One object; a list of one counts as the object.
pub(in crate::server) fn one<T: FromObject>(body: &[u8]) -> Result<T, ServerProblem> {
    let mut items = list(body)?;
    match (items.pop(), items.is_empty()) {
        (Some(item), true) => Ok(item),
        _ => Err(ServerProblem::WrongType { expected: "one object", found: "a list" }),
    }
}

/// An object of the API.
pub(in crate::server) trait FromObject: Sized {
    /// Reads it from properties whose names are in lower case.
    fn from_object(properties: &Map<String, Value>) -> Option<Self>;
}

pub(super) fn parse(body: &[u8]) -> Result<Value, ServerProblem> {
    serde_json::from_slice(body).map_err(|_| ServerProblem::NotJson)
}

fn one_value<T: FromObject>(value: Value) -> Result<T, ServerProblem> {
    let found = match value {
        Value::Object(properties) => {
            let folded = properties.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
            return T::from_object(&folded).ok_or(ServerProblem::WrongType {
                expected: "the documented object",
                found: "an object without its required properties",
            });
        }
        Value::Array(_) => "a list",
        Value::String(_) => "a string",
        Value::Number(_) => "a number",
        Value::Bool(_) => "true or false",
        Value::Null => "null",
    };
    Err(ServerProblem::WrongType { expected: "an object", found })
}

/// A GUID with or without braces; all zeros is none.
pub(super) fn guid(properties: &Map<String, Value>, name: &str) -> Option<Uuid> {
    text(properties, name).and_then(|text| Uuid::parse_str(text.trim()).ok()).filter(|guid| !guid.is_nil())
}

pub(super) fn text<'a>(properties: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    properties.get(name).and_then(Value::as_str)
}

/// Text of the server that may be shown: no control characters, at most 200 characters; empty where there is none.
pub(super) fn shown(properties: &Map<String, Value>, name: &str) -> String {
    text(properties, name).map(printable).unwrap_or_default()
}

/// A flag; `None` where it is missing or no flag.
pub(super) fn flag(properties: &Map<String, Value>, name: &str) -> Option<bool> {
    properties.get(name).and_then(Value::as_bool)
}

/// A number that is not negative; `None` where it is missing or none.
pub(super) fn number(properties: &Map<String, Value>, name: &str) -> Option<u64> {
    properties.get(name).and_then(Value::as_u64)
}

/// A moment, with a fraction of any length and with or without its zone (UTC); `None` for the year 1, which means "never".
pub(super) fn moment(properties: &Map<String, Value>, name: &str) -> Option<SystemTime> {
    humantime::parse_rfc3339_weak(text(properties, name)?).ok()
}

/// The items of a list; none where it is missing or no list.
pub(super) fn items<'a>(properties: &'a Map<String, Value>, name: &str) -> &'a [Value] {
    properties.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Decodes base64 that may be broken into lines.
pub(super) fn blob(text: &str) -> Option<Vec<u8>> {
    let joined: String = text.split(['\r', '\n']).collect();
    STANDARD.decode(joined).ok()
}

pub(super) fn enumeration<T>(
    properties: &Map<String, Value>,
    name: &str,
    by_number: fn(i64) -> T,
    by_name: fn(&str) -> T,
) -> Option<T> {
    match properties.get(name)? {
        Value::Number(number) => number.as_i64().map(by_number),
        Value::String(text) => Some(text.parse().map_or_else(|_| by_name(text), by_number)),
        _ => None,
    }
}
