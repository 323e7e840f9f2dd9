//! A profile template's smart card policy. Its body holds an admin key and may hold a default PIN: it is read around them, and
//! never quoted.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::error::ServerProblem;

/// Who makes the user PIN (FIM CM SDK `UserPinOption`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserPinOption {
    /// By name.
    Name(String),
    /// By number; which name it stands for is not documented.
    Number(i64),
}

/// The part of a template's smart card policy that the PIN step needs. The admin key in the same body is passed over.
#[derive(Debug, Clone, Default)]
pub struct SmartcardPolicy {
    /// Who makes the PIN.
    pub user_pin_option: Option<UserPinOption>,
    /// Whether the default admin key is replaced by a diversified one.
    pub diversify_admin_key: Option<bool>,
    /// Shortest PIN.
    pub pin_min: Option<u32>,
    /// Longest PIN.
    pub pin_max: Option<u32>,
}

/// Reads a smart card policy without building a tree of values: the body holds an admin key, which is skipped unread.
pub(super) fn read(body: &[u8]) -> Result<SmartcardPolicy, ServerProblem> {
    serde_json::from_slice::<SmartcardPolicy>(body).map_err(|error| match error.classify() {
        // The parser's own words would quote the value.
        serde_json::error::Category::Data => {
            ServerProblem::WrongType { expected: "the documented smart card policy", found: "something else" }
        }
        _ => ServerProblem::NotJson,
    })
}

impl<'de> Deserialize<'de> for SmartcardPolicy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PolicyVisitor)
    }
}

struct PolicyVisitor;

impl<'de> Visitor<'de> for PolicyVisitor {
    type Value = SmartcardPolicy;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a smart card policy")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        let mut policy = SmartcardPolicy::default();
        while let Some(name) = object.next_key::<std::borrow::Cow<'de, str>>()? {
            match name.to_ascii_lowercase().as_str() {
                "userpinoption" => policy.user_pin_option = object.next_value()?,
                "diversifyadminkey" => policy.diversify_admin_key = object.next_value()?,
                "userpinpolicy" => {
                    let limits: Option<PinPolicy> = object.next_value()?;
                    let limits = limits.unwrap_or_default();
                    policy.pin_min = limits.min;
                    policy.pin_max = limits.max;
                }
                _ => drop(object.next_value::<IgnoredAny>()?),
            }
        }
        Ok(policy)
    }
}

impl<'de> Deserialize<'de> for UserPinOption {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Number(number) => number.as_i64().map(Self::Number),
            Value::String(name) => Some(name.parse().map_or_else(|_| Self::Name(name), Self::Number)),
            _ => None,
        }
        .ok_or_else(|| de::Error::custom("neither number nor name"))
    }
}

#[derive(Default)]
struct PinPolicy {
    min: Option<u32>,
    max: Option<u32>,
}

impl<'de> Deserialize<'de> for PinPolicy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Limits;
        impl<'de> Visitor<'de> for Limits {
            type Value = PinPolicy;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a PIN policy")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<PinPolicy, A::Error> {
                let mut policy = PinPolicy::default();
                while let Some(name) = object.next_key::<std::borrow::Cow<'de, str>>()? {
                    match name.to_ascii_lowercase().as_str() {
                        // A policy may hold a default PIN beside these: passed over unread.
                        "minlength" => policy.min = object.next_value()?,
                        "maxlength" => policy.max = object.next_value()?,
                        _ => drop(object.next_value::<IgnoredAny>()?),
                    }
                }
                // 0 is "no limit set" in every sample.
                policy.max = policy.max.filter(|max| *max > 0);
                Ok(policy)
            }
        }
        deserializer.deserialize_map(Limits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_read_around_its_key() {
        let body = br#"{"UserPinOption":"ServerDistributed","diversifyAdminKey":true,
            "DefaultAdminKeyHex":"010203040506070801020304050607080102030405060708",
            "UserPinPolicy":{"MinLength":6,"MaxLength":8,"CharacterSet":1,"DefaultValue":"73918264"}}"#;
        let policy = read(body).unwrap();
        assert_eq!(policy.user_pin_option, Some(UserPinOption::Name("ServerDistributed".to_owned())));
        assert_eq!(policy.diversify_admin_key, Some(true));
        assert_eq!((policy.pin_min, policy.pin_max), (Some(6), Some(8)));
        let shown = format!("{policy:?}");
        assert!(!shown.contains("0102") && !shown.contains("73918264"), "{shown}");
    }

    #[test]
    fn a_policy_of_another_kind_is_refused_without_being_quoted() {
        let error = read(br#"{"DiversifyAdminKey":"010203040506070801020304"}"#).unwrap_err();
        assert!(!format!("{error:?}").contains("0102"), "{error:?}");
        assert!(read(b"[]").is_err());
        assert_eq!(read(b"{}").unwrap().diversify_admin_key, None);
    }
}
