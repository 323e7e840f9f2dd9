//! The answer to certificate requests. It may hold private keys under a password (PFX): it is read around them, and never
//! quoted.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::object::{blob, flag_of};
use crate::server::detail::printable;
use crate::server::error::ServerProblem;

/// One element of the answer: a certificate, or why there is none. There may be more of them than requests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IssuedCertificate {
    /// The name of the authority's template.
    pub template: String,
    /// Why no certificate was issued.
    pub error: Option<String>,
    /// The CMS message (PKCS #7) with the certificate in it, and others beside it.
    pub pkcs7: Option<Vec<u8>>,
    /// It is for a key that was not made by us: the server's own, an external one, an earlier one, or in a PFX.
    pub is_for_another_key: bool,
}

/// Reads the answer: a list, or its one element alone.
pub(in crate::server) fn issued(body: &[u8]) -> Result<Vec<IssuedCertificate>, ServerProblem> {
    let read = |error: serde_json::Error| match error.classify() {
        // The parser's own words would quote the value.
        serde_json::error::Category::Data => {
            ServerProblem::WrongType { expected: "the documented list of certificates", found: "something else" }
        }
        _ => ServerProblem::NotJson,
    };
    match body.trim_ascii_start().first() {
        Some(b'{') => serde_json::from_slice(body).map(|one| vec![one]).map_err(read),
        _ => serde_json::from_slice(body).map_err(read),
    }
}

impl<'de> Deserialize<'de> for IssuedCertificate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Element)
    }
}

struct Element;

impl<'de> Visitor<'de> for Element {
    type Value = IssuedCertificate;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an element of the answer to certificate requests")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        let mut element = IssuedCertificate::default();
        while let Some(name) = object.next_key::<Cow<'de, str>>()? {
            match name.to_ascii_lowercase().as_str() {
                "templatecommonname" => element.template = text(object.next_value()?).unwrap_or_default(),
                "error" => element.error = error(object.next_value()?),
                "pkcs7" => {
                    let encoded: Option<Cow<'de, str>> = object.next_value()?;
                    let wrong = || serde::de::Error::custom("no base64");
                    element.pkcs7 = encoded.map(|encoded| blob(&encoded).ok_or_else(wrong)).transpose()?;
                }
                "isexternal" | "isservergenerated" | "ispfx" | "iskeyhistory" => {
                    let value: Value = object.next_value()?;
                    let wrong = || serde::de::Error::custom("no flag");
                    element.is_for_another_key |= !value.is_null() && flag_of(&value).ok_or_else(wrong)?;
                }
                // A PFX among them: passed over unread.
                _ => drop(object.next_value::<IgnoredAny>()?),
            }
        }
        Ok(element)
    }
}

fn text(value: Option<Cow<'_, str>>) -> Option<String> {
    value.map(|text| printable(&text))
}

/// The authority's words; of an error of another form only that there is one.
fn error(value: Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(printable(&text)),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Some("an error that is not described".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_answer() {
        let body = br#"[{"TemplateCommonName":"Logon","CertificateId":0,"Flags":65536,"UseLocalMachineStore":false,"Error":null,
            "Pkcs7":"MIIU\r\nhgYJ\r\n","Pfx":null,"IsExternal":false,"isServerGenerated":false,"isPfx":false,"isPkcs7":true,
            "isKeyHistory":false},{"Error":"denied \u001b[1m","Pfx":"CANARY","isPfx":true}]"#;
        let issued = issued(body).unwrap();
        assert_eq!(issued[0].pkcs7.as_deref(), Some(&b"\x30\x82\x14\x86\x06\x09"[..]));
        assert_eq!((&*issued[0].template, issued[0].error.as_deref()), ("Logon", None));
        assert!(!issued[0].is_for_another_key && issued[1].is_for_another_key);
        assert_eq!(issued[1].error.as_deref(), Some("denied [1m"));
        assert!(!format!("{issued:?}").contains("CANARY"));
    }

    #[test]
    fn flags_in_every_form_that_has_one_meaning() {
        for (value, expected) in [("true", true), ("\"True\"", true), ("1", true), ("null", false), ("0", false)] {
            let body = format!("[{{\"isKeyHistory\":{value}}}]");
            assert_eq!(issued(body.as_bytes()).unwrap()[0].is_for_another_key, expected, "{value}");
        }
    }

    #[test]
    fn one_element_counts_as_a_list_of_one() {
        assert_eq!(issued(b" {\"Pkcs7\":\"MIIU\"}").unwrap().len(), 1);
        assert!(issued(b"[]").unwrap().is_empty());
        assert_eq!(
            issued(b"[{\"Error\":{\"code\":1}}]").unwrap()[0].error.as_deref(),
            Some("an error that is not described")
        );
    }

    #[test]
    fn what_is_no_answer_is_refused_without_being_quoted() {
        for body in ["", "[", "\"CANARY\"", "[\"CANARY\"]", "[{\"Pkcs7\":\"CANARY!\"}]", "[{\"isPfx\":\"CANARY\"}]"] {
            let error = issued(body.as_bytes()).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("CANARY"), "{body}: {error:?}");
        }
    }
}
