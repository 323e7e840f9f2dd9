//! Requests: status, type, and what a request wants for its keys.

use std::fmt;
use std::time::SystemTime;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::object::{FromObject, enumeration, guid, items, moment, number, shown, text};
use crate::server::detail::printable;

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

impl fmt::Display for RequestType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(-1) => f.write_str("another one or none"),
            Self::Unknown(number) => write!(f, "{number}"),
            known => write!(f, "{known:?}"),
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

/// A request's type: the two whose numbers are documented, and the third that we make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestType {
    /// 1.
    Enroll,
    /// 5.
    Unblock,
    /// By its name; no document gives its number.
    Retire,
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
            "retire" => Self::Retire,
            _ => Self::Unknown(-1),
        }
    }
}

/// One life-cycle job.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// For whom it is; `None` where the server does not say.
    pub target_user: Option<Uuid>,
    /// When it was made, by the server's clock; `None` where the server does not say.
    pub submitted: Option<SystemTime>,
    /// When it was completed; `None` where it is not, or the server does not say.
    pub completed: Option<SystemTime>,
    /// The card object that it started from; `None` for a first card.
    pub old_smartcard: Option<Uuid>,
    /// The comment of who made it, fit to show; `None` where the server does not say.
    pub comment: Option<String>,
    /// The items that were collected, fit to show: names and, where the server gives them, values.
    pub data: Vec<(String, Option<String>)>,
}

/// What one certificate of a request wants: one key pair and one certificate request each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyOptions {
    /// The subject's name; usually empty, the authority fills it.
    pub subject: String,
    /// `RSA`, `ECDSA_P256` and the like.
    pub algorithm: String,
    /// The size of the key in bits; `None` where the algorithm's name says it.
    pub bits: Option<u64>,
    /// `SHA1`, `SHA256` and the like.
    pub hash: String,
    /// Bits of Windows' key usages: 1 decrypt, 2 sign, 4 agree.
    pub usages: u64,
    /// Names of Windows' key storage providers, to be shown and not obeyed.
    pub providers: Vec<String>,
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
            target_user: guid(properties, "targetuseruuid"),
            submitted: moment(properties, "submitted"),
            completed: moment(properties, "completed"),
            old_smartcard: guid(properties, "oldsmartcarduuid"),
            comment: text(properties, "comment").map(printable),
            data: items(properties, "datacollection").iter().filter_map(data_item).collect(),
        })
    }
}

/// An item: name and value by properties of these names.
fn data_item(item: &Value) -> Option<(String, Option<String>)> {
    let property = |wanted: &str| {
        let properties = item.as_object()?.iter();
        let found = properties.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.and_then(|(_, value)| value.as_str()).map(printable)
    };
    Some((property("name")?, property("value")))
}

impl FromObject for KeyOptions {
    fn from_object(properties: &Map<String, Value>) -> Option<Self> {
        // An algorithm is the least that must be known before a key is made.
        text(properties, "keyalgorithmname")?;
        Some(Self {
            subject: shown(properties, "subject"),
            algorithm: shown(properties, "keyalgorithmname"),
            bits: number(properties, "keysize").filter(|bits| *bits > 0),
            hash: shown(properties, "hashalgorithmname"),
            usages: number(properties, "keyusages").unwrap_or_default(),
            providers: items(properties, "keystorageprovidernames")
                .iter()
                .filter_map(Value::as_str)
                .map(printable)
                .collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::server::wire::object::{list, one};

    #[test]
    fn requests_in_any_case_of_letters() {
        let body = br#"{"uuid":"A9B4B42C-CC50-4C9B-89D1-BBC0BCD5A099","REQUESTTYPE":5,"State":"executing",
            "newSmartcardUuid":"00000000-0000-0000-0000-000000000000","SecurityDescriptor":"O:S\u0000\u0000"}"#;
        let request: Request = one(body).unwrap();
        assert_eq!(request.kind, RequestType::Unblock);
        assert_eq!(request.status, RequestStatus::Executing);
        assert_eq!(request.new_smartcard, None);
        assert_eq!((request.comment, request.data, request.completed), (None, vec![], None));
    }

    #[test]
    fn what_a_person_is_shown_of_a_request() {
        let body = br#"{"Uuid":"a9b4b42c-cc50-4c9b-89d1-bbc0bcd5a099","RequestType":"Retire","Status":8,
            "Completed":"2015-07-07T23:37:37.767Z","OldSmartcardUuid":"17cf063d-e337-4aa9-a822-346554ddd3c9",
            "Comment":"lost \u001b[2J","DataCollection":[{"Name":"Reason","Value":"new\u0007"},{"name":"City","Value":null},
            {"Value":"x"},7,"Badge"]}"#;
        let request: Request = one(body).unwrap();
        assert_eq!((request.kind, request.comment.as_deref()), (RequestType::Retire, Some("lost [2J")));
        assert_eq!(request.completed.unwrap().duration_since(UNIX_EPOCH).unwrap().as_secs(), 1_436_312_257);
        assert_eq!(request.old_smartcard.unwrap().to_string(), "17cf063d-e337-4aa9-a822-346554ddd3c9");
        let data = [("Reason".to_owned(), Some("new".to_owned())), ("City".to_owned(), None)];
        assert_eq!(request.data, data);
        let odd = br#"{"Uuid":"a9b4b42c-cc50-4c9b-89d1-bbc0bcd5a099","Status":3,"Comment":7,"DataCollection":"[]"}"#;
        let request: Request = one(odd).unwrap();
        assert_eq!((request.comment, request.data), (None, vec![]));
    }

    #[test]
    fn the_moment_of_a_request() {
        let submitted = |text: &str| {
            let body = format!(r#"{{"Uuid":"a9b4b42c-cc50-4c9b-89d1-bbc0bcd5a099","Status":3,"Submitted":"{text}"}}"#);
            one::<Request>(body.as_bytes()).unwrap().submitted
        };
        let expected = UNIX_EPOCH + Duration::from_secs(1_436_312_181);
        assert_eq!(submitted("2015-07-07T23:36:21.93Z"), Some(expected + Duration::from_millis(930)));
        assert_eq!(submitted("2015-07-07T23:36:21"), Some(expected));
        assert_eq!(submitted("0001-01-01T00:00:00"), None);
        assert_eq!(submitted("soon"), None);
    }

    #[test]
    fn the_documented_key_options() {
        let body =
            br#"[{"Subject":"","KeyAlgorithmName":"RSA","KeySize":2048,"FriendlyName":"","HashAlgorithmName":"SHA1",
            "KeyStorageProviderNames":["Contoso Smart Card Key Storage Provider"],"Exportable":0,"KeyProtectionLevel":0,
            "KeyUsages":3}]"#;
        let options: Vec<KeyOptions> = list(body).unwrap();
        assert_eq!(
            options,
            [KeyOptions {
                subject: String::new(),
                algorithm: "RSA".to_owned(),
                bits: Some(2048),
                hash: "SHA1".to_owned(),
                usages: 3,
                providers: vec!["Contoso Smart Card Key Storage Provider".to_owned()],
            }]
        );
        assert!(one::<KeyOptions>(br#"{"KeySize":2048}"#).is_err());
    }
}
