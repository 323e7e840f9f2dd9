//! Response bodies that are secrets: one JSON string, read without becoming a `String`, and never part of an error (a JSON
//! parser's own error quotes what it found, so it is dropped).

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

use super::error::ServerProblem;
use crate::secret::{AdminKey, AdminResponse, Pin};

/// The longest answer to a challenge that is put on a card: five Triple DES blocks.
const ANSWER_MAX: usize = 40;

/// The longest admin key: AES-256.
const KEY_MAX: usize = 32;

/// A PIN: a JSON string that isn't empty.
pub(super) fn pin(body: &[u8]) -> Result<Pin, ServerProblem> {
    string(body, |text| match text {
        b"" => Err(ServerProblem::WrongType { expected: "a PIN", found: "an empty string" }),
        text => Pin::new(text).map_err(ServerProblem::Pin),
    })
}

/// An answer to the card's challenge: a JSON string of base64 whose content is as long as the challenge.
pub(super) fn admin_response(body: &[u8], length: usize) -> Result<AdminResponse, ServerProblem> {
    string(body, |text| {
        let mut bytes = Zeroizing::new([0_u8; ANSWER_MAX + 3]);
        let wrong = ServerProblem::WrongType {
            expected: "an answer in base64, as long as the challenge",
            found: "a string of another kind",
        };
        match STANDARD.decode_slice(text, bytes.as_mut_slice()) {
            Ok(decoded) if decoded == length => Ok(AdminResponse::new(bytes.get(..decoded).unwrap_or_default())),
            _ => Err(wrong),
        }
    })
}

/// An admin key: a JSON string of base64 whose content has a key's length.
pub(super) fn admin_key(body: &[u8]) -> Result<AdminKey, ServerProblem> {
    string(body, |text| {
        let mut bytes = Zeroizing::new([0_u8; KEY_MAX + 3]);
        let decoded = STANDARD.decode_slice(text, bytes.as_mut_slice()).ok();
        decoded
            .and_then(|decoded| AdminKey::new(bytes.get(..decoded)?))
            .ok_or(ServerProblem::WrongType { expected: "an admin key in base64", found: "a string of another kind" })
    })
}

/// Hands the content of the one JSON string in `body` to `take`.
fn string<T>(body: &[u8], take: impl FnOnce(&[u8]) -> Result<T, ServerProblem>) -> Result<T, ServerProblem> {
    let mut parser = serde_json::Deserializer::from_slice(body);
    let found = OneString(take).deserialize(&mut parser).map_err(|_| ServerProblem::NotJson)?;
    parser.end().map_err(|_| ServerProblem::NotJson)?;
    match found {
        Found::Text(result) => result,
        Found::Other(found) => Err(ServerProblem::WrongType { expected: "one JSON string", found }),
    }
}

enum Found<T> {
    Text(T),
    Other(&'static str),
}

struct OneString<F>(F);

impl<'de, T, F: FnOnce(&[u8]) -> T> DeserializeSeed<'de> for OneString<F> {
    type Value = Found<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T, F: FnOnce(&[u8]) -> T> Visitor<'de> for OneString<F> {
    type Value = Found<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one JSON string")
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Found::Text(self.0(text.as_bytes())))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Found::Other("true or false"))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Found::Other("a number"))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Found::Other("a number"))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Found::Other("a number"))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Found::Other("null"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Found::Other("a list"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Found::Other("an object"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_a_json_string() {
        assert_eq!(pin(br#""87654321""#).unwrap().expose(), b"87654321");
        assert_eq!(pin(br#" "8765\u0034321" "#).unwrap().expose(), b"87654321");
    }

    #[test]
    fn what_is_no_pin_is_an_error_that_shows_nothing() {
        let canary = "73918264";
        let cases = [
            (r#""""#.to_owned(), "an empty string"),
            ("null".to_owned(), "null"),
            (canary.to_owned(), "a number"),
            (format!("-{canary}.5"), "a number"),
            (format!("[\"{canary}\"]"), "a list"),
            (format!("{{\"pin\":\"{canary}\"}}"), "an object"),
            ("true".to_owned(), "true or false"),
            (format!("\"{canary}"), "not JSON"),
            (format!("\"{canary}\" \"{canary}\""), "not JSON"),
            (format!("pin{canary}"), "not JSON"),
            (String::new(), "not JSON"),
            ("\u{FEFF}\"1\"".to_owned(), "not JSON"),
        ];
        for (body, expected) in cases {
            let error = pin(body.as_bytes()).unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(shown.contains(expected) || error.to_string().contains(expected), "{body}: {shown}");
            assert!(!shown.contains(canary), "{shown}");
        }
        for body in [r#""12\u00003""#, r#""12ä""#, &format!("\"{}\"", "1".repeat(200))] {
            assert!(matches!(pin(body.as_bytes()), Err(ServerProblem::Pin(_))), "{body}");
        }
    }

    #[test]
    fn an_answer_is_as_long_as_the_challenge() {
        let answer = admin_response(br#""F0Zudm4wPLY=""#, 8).unwrap();
        assert_eq!(hex::encode_upper(answer.expose()), "17466E766E303CB6");
        for body in [r#""F0Zudm4wPLY""#, r#""F0Zudm4w""#, r#""!!""#, r#""""#] {
            assert!(admin_response(body.as_bytes(), 8).is_err(), "{body}");
        }
        let long = format!("\"{}\"", "A".repeat(400));
        assert!(admin_response(long.as_bytes(), 8).is_err());
    }

    #[test]
    fn an_admin_key_has_the_length_of_one() {
        let key = admin_key(br#""mBVA+HopB/gc+6FuKsQqx+OX01hK1WQI""#).unwrap();
        assert_eq!(hex::encode(key.expose()), "981540f87a2907f81cfba16e2ac42ac7e397d3584ad56408");
        for body in [r#""F0Zudm4wPLY=""#, r#""mBVA+HopB/gc+6FuKsQqx+OX01hK1WQ""#, r#""""#, "null", "[]", "{"] {
            let error = admin_key(body.as_bytes()).unwrap_err();
            assert!(!format!("{error:?}").contains("mBVA"), "{error:?}");
        }
        assert!(admin_key(format!("\"{}\"", "A".repeat(400)).as_bytes()).is_err());
    }
}
