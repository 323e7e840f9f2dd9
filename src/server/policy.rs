//! A profile template's smart card policy. Its body holds an admin key and may hold a default PIN: it is read around them, and
//! never quoted.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::detail::printable;
use super::error::ServerProblem;
use super::wire::{flag_of, number_of};

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
    /// What may be done to a card that holds something already.
    pub card: CardRules,
}

/// What a policy permits, and wishes, for the certificates on a card. A permission is no order: a person decides. What is not understood here is not
/// permitted, and no error: it must not stand in the way of a PIN.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CardRules {
    /// `AllowSmartcardReuse`: a card that was given up may be issued again.
    pub allows_reuse: bool,
    /// `EraseOnOverflow`: what is on a full card may be erased.
    pub erases_on_overflow: bool,
    /// `DoNotInstallCaCertificates`: the chain stays off the client.
    pub leaves_chain_off: bool,
    /// `MaxNumberOfCertificates`; `None` where there is no limit.
    pub most_certificates: Option<u64>,
    /// `CertificateLabel`: a friendly name for issued certificates, fit to show.
    pub label: Option<String>,
}

/// Reads a smart card policy without building a tree of values: the body holds an admin key, which is skipped unread.
pub(super) fn read(body: &[u8]) -> Result<SmartcardPolicy, ServerProblem> {
    let Read { policy, odd } = serde_json::from_slice(body).map_err(|error| match error.classify() {
        // The parser's own words would quote the value.
        serde_json::error::Category::Data => {
            ServerProblem::WrongType { expected: "the documented smart card policy", found: "something else" }
        }
        _ => ServerProblem::NotJson,
    })?;
    match odd {
        Some(property) => Err(ServerProblem::Policy { property }),
        None => Ok(policy),
    }
}

/// What was read, and the first property whose value has no meaning.
#[derive(Default)]
struct Read {
    policy: SmartcardPolicy,
    odd: Option<&'static str>,
}

impl Read {
    /// The meaning of a value; null has none and is none.
    fn meaning<T>(&mut self, property: &'static str, value: &Value, read: impl Fn(&Value) -> Option<T>) -> Option<T> {
        let meaning = read(value);
        if meaning.is_none() && !value.is_null() {
            self.odd.get_or_insert(property);
        }
        meaning
    }
}

impl<'de> Deserialize<'de> for Read {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PolicyVisitor)
    }
}

struct PolicyVisitor;

impl<'de> Visitor<'de> for PolicyVisitor {
    type Value = Read;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a smart card policy")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        let mut read = Read::default();
        while let Some(name) = object.next_key::<Cow<'de, str>>()? {
            match name.to_ascii_lowercase().as_str() {
                "userpinoption" => {
                    read.policy.user_pin_option = read.meaning("UserPinOption", &object.next_value()?, option_of);
                }
                "diversifyadminkey" => {
                    read.policy.diversify_admin_key = read.meaning("DiversifyAdminKey", &object.next_value()?, flag_of);
                }
                "userpinpolicy" => {
                    let limits: Option<PinPolicy> = object.next_value()?;
                    let PinPolicy { min, max } = limits.unwrap_or_default();
                    read.policy.pin_min = read.meaning("UserPinPolicy.MinLength", &min, length_of);
                    // 0 is "no limit set" in every sample.
                    read.policy.pin_max =
                        read.meaning("UserPinPolicy.MaxLength", &max, length_of).filter(|max| *max > 0);
                }
                name => match CardRules::property(name) {
                    Some(set) => set(&mut read.policy.card, &object.next_value()?),
                    None => drop(object.next_value::<IgnoredAny>()?),
                },
            }
        }
        Ok(read)
    }
}

impl CardRules {
    /// What a property of this name, in lower case, is read into; `None` where it is none of these, and is passed over unread.
    fn property(name: &str) -> Option<fn(&mut Self, &Value)> {
        let set: fn(&mut Self, &Value) = match name {
            "allowsmartcardreuse" => |rules, value| rules.allows_reuse = flag_of(value) == Some(true),
            "eraseonoverflow" => |rules, value| rules.erases_on_overflow = flag_of(value) == Some(true),
            "donotinstallcacertificates" => |rules, value| rules.leaves_chain_off = flag_of(value) == Some(true),
            "maxnumberofcertificates" => {
                |rules, value| rules.most_certificates = number_of(value).filter(|number| *number > 0)
            }
            "certificatelabel" => {
                |rules, value| rules.label = value.as_str().map(printable).filter(|label| !label.is_empty())
            }
            _ => return None,
        };
        Some(set)
    }
}

fn option_of(value: &Value) -> Option<UserPinOption> {
    match value {
        Value::Number(number) => number.as_i64().map(UserPinOption::Number),
        Value::String(name) => {
            Some(name.parse().map_or_else(|_| UserPinOption::Name(name.clone()), UserPinOption::Number))
        }
        _ => None,
    }
}

fn length_of(value: &Value) -> Option<u32> {
    number_of(value).and_then(|length| length.try_into().ok())
}

/// The limits as they are written; null where they are not.
#[derive(Default)]
struct PinPolicy {
    min: Value,
    max: Value,
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
                while let Some(name) = object.next_key::<Cow<'de, str>>()? {
                    match name.to_ascii_lowercase().as_str() {
                        // A policy may hold a default PIN beside these: passed over unread.
                        "minlength" => policy.min = object.next_value()?,
                        "maxlength" => policy.max = object.next_value()?,
                        _ => drop(object.next_value::<IgnoredAny>()?),
                    }
                }
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
    fn what_has_one_meaning_is_read_and_the_rest_is_named() {
        for (value, expected) in
            [("true", true), ("\"true\"", true), ("\"False\"", false), ("1", true), ("0", false), ("\"TRUE\"", true)]
        {
            let policy = read(format!(r#"{{"DiversifyAdminKey":{value}}}"#).as_bytes()).unwrap();
            assert_eq!(policy.diversify_admin_key, Some(expected), "{value}");
        }
        let policy = read(br#"{"UserPinPolicy":{"MinLength":"6","MaxLength":"0"}}"#).unwrap();
        assert_eq!((policy.pin_min, policy.pin_max), (Some(6), None));
        for (body, property) in [
            (r#"{"UserPinPolicy":{"MinLength":-1}}"#, "UserPinPolicy.MinLength"),
            (r#"{"UserPinPolicy":{"MinLength":"six"}}"#, "UserPinPolicy.MinLength"),
            (r#"{"UserPinPolicy":{"MaxLength":[8]}}"#, "UserPinPolicy.MaxLength"),
            (r#"{"DiversifyAdminKey":2}"#, "DiversifyAdminKey"),
            (r#"{"UserPinOption":{}}"#, "UserPinOption"),
        ] {
            let problem = read(body.as_bytes()).unwrap_err();
            assert!(problem.to_string().contains(property), "{body}: {problem}");
            assert!(!problem.remedy().contains("server.url"), "{body}: {}", problem.remedy());
        }
    }

    #[test]
    fn what_is_permitted_is_said_in_one_of_the_forms_that_mean_yes() {
        let rules = |body: &str| read(body.as_bytes()).unwrap().card;
        let all = r#"{"AllowSmartcardReuse":true,"eraseOnOverflow":"True","DoNotInstallCaCertificates":1,
            "MaxNumberOfCertificates":"8","CertificateLabel":"{User}\u001b[1m"}"#;
        let expected = CardRules {
            allows_reuse: true,
            erases_on_overflow: true,
            leaves_chain_off: true,
            most_certificates: Some(8),
            label: Some("{User}[1m".to_owned()),
        };
        assert_eq!(rules(all), expected);
        for value in ["null", "false", "0", "\"\"", "\"yes\"", "2", "[true]", "{}", "-1"] {
            let body =
                ["AllowSmartcardReuse", "EraseOnOverflow", "DoNotInstallCaCertificates", "MaxNumberOfCertificates"]
                    .map(|name| format!("\"{name}\":{value}"))
                    .join(",");
            let found = rules(&format!("{{{body}}}"));
            assert!(!found.allows_reuse && !found.erases_on_overflow && !found.leaves_chain_off, "{value}");
            assert!(found.most_certificates.is_none() || value == "2", "{value}");
        }
        assert_eq!(rules(r#"{"CertificateLabel":""}"#), CardRules::default());
    }

    #[test]
    fn a_policy_of_another_kind_is_refused_without_being_quoted() {
        let error = read(br#"{"DiversifyAdminKey":"010203040506070801020304"}"#).unwrap_err();
        assert!(!format!("{error:?}").contains("0102"), "{error:?}");
        assert!(read(b"[]").is_err());
        assert_eq!(read(b"{}").unwrap().diversify_admin_key, None);
    }
}
