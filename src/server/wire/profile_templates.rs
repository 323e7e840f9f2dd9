//! Profile templates, and what they ask of a request.

use serde_json::{Map, Value};
use uuid::Uuid;

use super::object::{FromObject, flag, guid, items, number, shown};
use crate::server::detail::printable;

/// A profile template that the caller may enroll for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileTemplate {
    /// The template's id. Two templates may have the same name.
    pub uuid: Uuid,
    /// Its name.
    pub name: String,
    /// Whether it is for smart cards; `None` where the server does not say.
    pub is_smartcard: Option<bool>,
}

/// What a request of one type needs. The reference prints no sample: what is missing counts as not stated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorkflowPolicy {
    /// Whether such requests may be made at all.
    pub enabled: Option<bool>,
    /// Whether a user may make one without somebody else.
    pub self_service: Option<bool>,
    /// Whether an enrollment agent has to carry it out.
    pub enrollment_agent: Option<bool>,
    /// How many people have to approve it.
    pub approvals: Option<u64>,
    /// Whether a comment is wanted.
    pub collects_comment: Option<bool>,
    /// The items that the user must supply, by name.
    pub data_items: Vec<String>,
    /// One-time passwords are handed out; the REST API has no place to give one back.
    pub one_time_password: bool,
}

impl FromObject for ProfileTemplate {
    fn from_object(properties: &Map<String, Value>) -> Option<Self> {
        Some(Self {
            uuid: guid(properties, "uuid")?,
            name: shown(properties, "name"),
            is_smartcard: flag(properties, "issmartcardprofiletemplate"),
        })
    }
}

impl FromObject for WorkflowPolicy {
    fn from_object(properties: &Map<String, Value>) -> Option<Self> {
        // The walkthrough calls the list "DataCollection".
        let data = ["policydatacollection", "datacollection"].into_iter().find(|name| properties.contains_key(*name));
        let items = data.map_or(&[][..], |name| items(properties, name));
        Some(Self {
            enabled: flag(properties, "enabled"),
            self_service: flag(properties, "selfserviceenabled"),
            enrollment_agent: flag(properties, "enrollagentrequired"),
            approvals: number(properties, "approvalsneeded"),
            collects_comment: flag(properties, "collectcomments"),
            data_items: items.iter().filter_map(item_name).collect(),
            one_time_password: asks_for(properties.get("onetimepasswordpolicy")),
        })
    }
}

/// The name of an item: an object's `Name` in any case of letters, or the item itself.
fn item_name(item: &Value) -> Option<String> {
    let named = |object: &Map<String, Value>| {
        object
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case("name"))
            .and_then(|(_, name)| name.as_str().map(printable))
    };
    item.as_str().map(printable).or_else(|| item.as_object().and_then(named))
}

/// Whether a policy of undocumented form asks for anything: null, 0, false, "", [] and {} do not.
fn asks_for(policy: Option<&Value>) -> bool {
    match policy {
        None | Some(Value::Null) => false,
        Some(Value::Bool(wanted)) => *wanted,
        Some(Value::Number(number)) => number.as_f64() != Some(0.0),
        Some(Value::String(text)) => !text.is_empty() && !text.eq_ignore_ascii_case("none"),
        Some(Value::Array(items)) => !items.is_empty(),
        Some(Value::Object(members)) => !members.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::wire::object::{list, one};

    #[test]
    fn the_documented_templates() {
        let body = br#"[{"Name":"Logon \u001b[31m","Description":"d","Uuid":"2b7044cf-aa96-4911-b886-177947e9271b",
            "IsSmartcardProfileTemplate":true,"IsVirtualSmartcardProfileTemplate":false}]"#;
        let templates: Vec<ProfileTemplate> = list(body).unwrap();
        assert_eq!(templates[0].name, "Logon [31m");
        assert_eq!(templates[0].is_smartcard, Some(true));
        assert!(one::<ProfileTemplate>(br#"{"Name":"x"}"#).is_err());
    }

    #[test]
    fn a_policy_in_either_spelling() {
        let body = br#"{"PolicyDataCollection":[{"Name":"Reason"},{"name":"City","Type":1},"Badge",7],
            "collectComments":false,"ApprovalsNeeded":1,"EnrollAgentRequired":false,"OneTimePasswordPolicy":{},
            "Enabled":true,"SelfServiceEnabled":true}"#;
        let policy: WorkflowPolicy = one(body).unwrap();
        assert_eq!(policy.data_items, ["Reason", "City", "Badge"]);
        assert_eq!((policy.approvals, policy.collects_comment), (Some(1), Some(false)));
        assert_eq!((policy.enabled, policy.self_service), (Some(true), Some(true)));
        assert!(!policy.one_time_password);
        let walkthrough: WorkflowPolicy = one(br#"{"DataCollection":[{"Name":"a"}]}"#).unwrap();
        assert_eq!(walkthrough.data_items, ["a"]);
        assert_eq!(walkthrough.enabled, None);
        for (value, asks) in
            [("null", false), ("0", false), ("2", true), ("true", true), (r#""None""#, false), ("[1]", true)]
        {
            let body = format!(r#"{{"OneTimePasswordPolicy":{value}}}"#);
            assert_eq!(one::<WorkflowPolicy>(body.as_bytes()).unwrap().one_time_password, asks, "{value}");
        }
    }
}
