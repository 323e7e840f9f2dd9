//! The objects of the REST API exactly as on the wire: property names in any case of letters, unknown ones ignored,
//! enumerations as numbers or names.

use std::fmt;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::error::ServerProblem;

/// A request's status (FIM CM SDK `RequestStatus`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestStatus {
    /// 3: may be worked on.
    Approved,
    /// 4.
    Denied,
    /// 8.
    Completed,
    /// 9.
    Failed,
    /// 16: waits for approval.
    Pending,
    /// 17.
    Canceled,
    /// 18: work on it has begun.
    Executing,
    /// A number that no document explains, or 0 (none).
    Unknown(i64),
}

impl RequestStatus {
    /// Whether the card may be worked on.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Approved | Self::Executing)
    }

    fn from_number(number: i64) -> Self {
        match number {
            3 => Self::Approved,
            4 => Self::Denied,
            8 => Self::Completed,
            9 => Self::Failed,
            16 => Self::Pending,
            17 => Self::Canceled,
            18 => Self::Executing,
            other => Self::Unknown(other),
        }
    }

    fn from_name(name: &str) -> Self {
        match name.to_ascii_lowercase().as_str() {
            "approved" => Self::Approved,
            "denied" => Self::Denied,
            "completed" => Self::Completed,
            "failed" => Self::Failed,
            "pending" => Self::Pending,
            "canceled" => Self::Canceled,
            "executing" => Self::Executing,
            _ => Self::Unknown(-1),
        }
    }
}

impl fmt::Display for RequestStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(number) => write!(f, "unknown ({number})"),
            known => write!(f, "{known:?}"),
        }
    }
}

/// A request's type: the two whose numbers are documented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestType {
    /// 1.
    Enroll,
    /// 5.
    Unblock,
    /// Another one; its number is not documented.
    Unknown(i64),
}

impl RequestType {
    fn from_number(number: i64) -> Self {
        match number {
            1 => Self::Enroll,
            5 => Self::Unblock,
            other => Self::Unknown(other),
        }
    }

    fn from_name(name: &str) -> Self {
        match name.to_ascii_lowercase().as_str() {
            "enroll" => Self::Enroll,
            "unblock" => Self::Unblock,
            _ => Self::Unknown(-1),
        }
    }
}

/// A card object's status (FIM CM SDK `SmartcardStatus`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CardStatus {
    /// 0.
    New,
    /// 1.
    Assigned,
    /// 2.
    Active,
    /// 3.
    Disabled,
    /// 6.
    Retired,
    /// A number that no document explains.
    Unknown(i64),
}

impl CardStatus {
    fn from_number(number: i64) -> Self {
        match number {
            0 => Self::New,
            1 => Self::Assigned,
            2 => Self::Active,
            3 => Self::Disabled,
            6 => Self::Retired,
            other => Self::Unknown(other),
        }
    }

    fn from_name(name: &str) -> Self {
        match name.to_ascii_lowercase().as_str() {
            "new" => Self::New,
            "assigned" => Self::Assigned,
            "active" => Self::Active,
            "disabled" => Self::Disabled,
            "retired" => Self::Retired,
            _ => Self::Unknown(-1),
        }
    }
}

/// The server's record of one card for one assignment.
#[derive(Debug, Clone)]
pub struct SmartCard {
    /// The object's id (scid).
    pub uuid: Uuid,
    /// Its status.
    pub status: CardStatus,
    /// The card ID, braces taken off; `None` where it is no GUID.
    pub card_id: Option<Uuid>,
    /// The ATR in lower-case hex, empty where the server has none.
    pub atr: String,
    /// The template that it was made under.
    pub profile_template: Option<Uuid>,
}

/// One life-cycle job.
#[derive(Debug, Clone)]
pub struct Request {
    /// The request's id.
    pub uuid: Uuid,
    /// What it is for.
    pub kind: RequestType,
    /// How far it is.
    pub status: RequestStatus,
    /// The card object that it makes or works on; `None` until a card is bound.
    pub new_smartcard: Option<Uuid>,
    /// The template that it was made under.
    pub profile_template: Option<Uuid>,
}

/// A list of objects; one object alone counts as a list of one.
pub(super) fn list<T: FromObject>(body: &[u8]) -> Result<Vec<T>, ServerProblem> {
    match parse(body)? {
        Value::Array(items) => items.into_iter().map(one_value).collect(),
        value => Ok(vec![one_value(value)?]),
    }
}

/// One object; a list of one counts as the object.
pub(super) fn one<T: FromObject>(body: &[u8]) -> Result<T, ServerProblem> {
    let mut items = list(body)?;
    match (items.pop(), items.is_empty()) {
        (Some(item), true) => Ok(item),
        _ => Err(ServerProblem::WrongType { expected: "one object", found: "a list" }),
    }
}

/// An object of the API.
pub(super) trait FromObject: Sized {
    /// Reads it from properties whose names are in lower case.
    fn from_object(properties: &Map<String, Value>) -> Option<Self>;
}

impl FromObject for SmartCard {
    fn from_object(properties: &Map<String, Value>) -> Option<Self> {
        Some(Self {
            uuid: guid(properties, "uuid")?,
            status: enumeration(properties, "status", CardStatus::from_number, CardStatus::from_name)?,
            card_id: guid(properties, "serialnumber"),
            // Shown where it is another card's: a control character is kept from the terminal, and equals no ATR.
            atr: text(properties, "atr").unwrap_or_default().to_ascii_lowercase().replace(char::is_control, "?"),
            profile_template: guid(properties, "profiletemplateuuid"),
        })
    }
}

impl FromObject for Request {
    fn from_object(properties: &Map<String, Value>) -> Option<Self> {
        // The walkthrough calls the status "state".
        let status = ["status", "state"]
            .into_iter()
            .find_map(|name| enumeration(properties, name, RequestStatus::from_number, RequestStatus::from_name))?;
        Some(Self {
            uuid: guid(properties, "uuid")?,
            kind: enumeration(properties, "requesttype", RequestType::from_number, RequestType::from_name)
                .unwrap_or(RequestType::Unknown(-1)),
            status,
            new_smartcard: guid(properties, "newsmartcarduuid"),
            profile_template: guid(properties, "profiletemplateuuid"),
        })
    }
}

fn parse(body: &[u8]) -> Result<Value, ServerProblem> {
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
fn guid(properties: &Map<String, Value>, name: &str) -> Option<Uuid> {
    text(properties, name).and_then(|text| Uuid::parse_str(text.trim()).ok()).filter(|guid| !guid.is_nil())
}

fn text<'a>(properties: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    properties.get(name).and_then(Value::as_str)
}

fn enumeration<T>(
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
    fn the_documented_card_object() {
        let body = br#"{"Uuid":"17cf063d-e337-4aa9-a822-346554ddd3c9","Status":2,"Flags":1,
            "ProfileTemplateUuid":"a039b4d0-5ce8-4eff-8651-181c6576fda3","ProfileTemplateVersion":46,"Comment":"",
            "SerialNumber":"{bc88f13f-83ba-4037-8262-46eba1291c6e}","Middleware":"MSBaseCSP",
            "Atr":"3b8d0180fba000000397425446590301c8"}"#;
        let cards: Vec<SmartCard> = list(body).unwrap();
        assert_eq!(cards.len(), 1);
        assert_eq!(cards[0].status, CardStatus::Active);
        assert_eq!(cards[0].card_id.unwrap().to_string(), "bc88f13f-83ba-4037-8262-46eba1291c6e");
        let escape = String::from_utf8_lossy(body).replace("3b8d", r"\u001b[2J\u009b");
        assert!(one::<SmartCard>(escape.as_bytes()).unwrap().atr.starts_with("?[2j?0180"));
        let many: Vec<SmartCard> = list(format!("[{0},{0}]", String::from_utf8_lossy(body)).as_bytes()).unwrap();
        assert_eq!(many.len(), 2);
    }

    #[test]
    fn requests_in_any_case_of_letters() {
        let body = br#"{"uuid":"A9B4B42C-CC50-4C9B-89D1-BBC0BCD5A099","REQUESTTYPE":5,"State":"executing",
            "newSmartcardUuid":"00000000-0000-0000-0000-000000000000","SecurityDescriptor":"O:S\u0000\u0000"}"#;
        let request: Request = one(body).unwrap();
        assert_eq!(request.kind, RequestType::Unblock);
        assert_eq!(request.status, RequestStatus::Executing);
        assert_eq!(request.new_smartcard, None);
    }
}
