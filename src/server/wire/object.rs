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

/// A list of objects without those that can't be read and are about something else by what can be read of them. Of two equal
/// ones one counts.
pub(in crate::server) fn list_beside<T: FromObject + PartialEq>(
    body: &[u8],
    is_another: impl Fn(&Map<String, Value>) -> bool,
) -> Result<Vec<T>, ServerProblem> {
    let Value::Array(items) = parse(body)? else { return list(body) };
    let mut found = Vec::new();
    for (at, item) in items.into_iter().enumerate() {
        let properties = match item {
            Value::Object(properties) => folded(properties),
            _ => return Err(ServerProblem::OddElement { number: at + 1 }),
        };
        match T::from_object(&properties) {
            Some(object) if found.contains(&object) => {}
            Some(object) => found.push(object),
            None if is_another(&properties) => {
                tracing::warn!(
                    element = at + 1,
                    "an element of the server's list can't be read, and is about another card"
                );
            }
            None => return Err(ServerProblem::OddElement { number: at + 1 }),
        }
    }
    Ok(found)
}

/// One object; a list of one counts as the object.
pub(in crate::server) fn one<T: FromObject>(body: &[u8]) -> Result<T, ServerProblem> {
    let mut items = list(body)?;
    match (items.pop(), items.is_empty()) {
        (Some(item), true) => Ok(item),
        _ => Err(ServerProblem::WrongType { expected: "one object", found: "a list" }),
    }
}

/// A list of names, in lower case and fit to show; one name alone counts as a list of one.
pub(in crate::server) fn words(body: &[u8]) -> Result<Vec<String>, ServerProblem> {
    let wrong = ServerProblem::WrongType { expected: "a list of names", found: "something else" };
    let word = |item: &Value| item.as_str().map(|word| printable(word).to_ascii_lowercase());
    match parse(body)? {
        Value::Array(items) => items.iter().map(word).collect::<Option<_>>().ok_or(wrong),
        value => word(&value).map(|word| vec![word]).ok_or(wrong),
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
            return T::from_object(&folded(properties)).ok_or(ServerProblem::WrongType {
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

/// The properties with their names in lower case.
fn folded(properties: Map<String, Value>) -> Map<String, Value> {
    properties.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect()
}

/// A GUID with or without braces; all zeros is none.
pub(in crate::server) fn guid(properties: &Map<String, Value>, name: &str) -> Option<Uuid> {
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
    properties.get(name).and_then(flag_of)
}

/// A flag in one of the forms that have one meaning: `true`, `"True"`, 1.
pub(in crate::server) fn flag_of(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        Value::Number(number) => match number.as_u64() {
            Some(0) => Some(false),
            Some(1) => Some(true),
            _ => None,
        },
        _ => None,
    }
}

/// A number that is not negative; `None` where it is missing or none.
pub(super) fn number(properties: &Map<String, Value>, name: &str) -> Option<u64> {
    properties.get(name).and_then(number_of)
}

/// A number that is not negative, as one or as its digits.
pub(in crate::server) fn number_of(value: &Value) -> Option<u64> {
    match value {
        Value::String(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        value => value.as_u64(),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_operations() {
        assert_eq!(words(br#"["renew","Unblock","re\u001btire"]"#).unwrap(), ["renew", "unblock", "retire"]);
        assert_eq!(words(br#""retire""#).unwrap(), ["retire"]);
        assert!(words(b"[]").unwrap().is_empty());
        for body in ["", "null", "7", "{}", "[1]", "[null]", "[\"a\",[\"b\"]]", "[\"CANARY\",{}]"] {
            let error = words(body.as_bytes()).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("CANARY"), "{body}: {error:?}");
        }
    }
}
