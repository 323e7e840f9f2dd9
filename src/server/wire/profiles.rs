//! Software profiles, and the certificates of a user.

use std::time::SystemTime;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::object::{FromObject, flag, guid, items, moment, shown};
use crate::server::detail::printable;

/// A software profile: certificates of a user that are on no card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// The profile's id.
    pub uuid: Uuid,
    /// Whose it is; `None` where the server does not say.
    pub assigned_user: Option<Uuid>,
    /// The template that it was made under.
    pub profile_template: Option<Uuid>,
    /// What the caller may start with it, by names of types of requests in lower case.
    pub operations: Vec<String>,
}

/// A certificate of the caller, on a card or not. Retired ones are not listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserCertificate {
    /// The certificate's serial number in hex.
    pub serial_number: String,
    /// The SHA-1 hash of the certificate in hex.
    pub thumbprint: String,
    /// The name of the authority's template.
    pub template: String,
    /// Who issued it.
    pub issuer: String,
    /// From when it holds; the zone is not documented, and read as UTC.
    pub not_before: Option<SystemTime>,
    /// Until when, likewise.
    pub not_after: Option<SystemTime>,
    /// It is of an earlier key.
    pub is_key_history: bool,
}

impl FromObject for Profile {
    fn from_object(properties: &Map<String, Value>) -> Option<Self> {
        let operations = items(properties, "profileoperations").iter().filter_map(Value::as_str);
        Some(Self {
            uuid: guid(properties, "uuid")?,
            assigned_user: guid(properties, "assigneduseruuid"),
            profile_template: guid(properties, "profiletemplateuuid"),
            operations: operations.map(|name| printable(name).to_ascii_lowercase()).collect(),
        })
    }
}

impl FromObject for UserCertificate {
    fn from_object(properties: &Map<String, Value>) -> Option<Self> {
        let serial_number = shown(properties, "serialnumber");
        let thumbprint = shown(properties, "thumbprint");
        (!serial_number.is_empty() || !thumbprint.is_empty()).then(|| Self {
            serial_number,
            thumbprint,
            template: shown(properties, "templatecommonname"),
            issuer: shown(properties, "issuer"),
            not_before: moment(properties, "notbefore"),
            not_after: moment(properties, "notafter"),
            is_key_history: flag(properties, "iskeyhistory").unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::wire::object::{list, one};

    #[test]
    fn a_profile() {
        let body = br#"[{"Uuid":"2b7044cf-aa96-4911-b886-177947e9271b","Status":2,"Flags":1,
            "ParentProfileUuid":"00000000-0000-0000-0000-000000000000","AssignedUserUuid":"8f1590dc-d932-4b66-8e68-2e91c5880780",
            "ProfileTemplateUuid":"a039b4d0-5ce8-4eff-8651-181c6576fda3","Comment":"",
            "ProfileOperations":["Renew","disable\u001b",7]}]"#;
        let profiles: Vec<Profile> = list(body).unwrap();
        assert_eq!(profiles[0].operations, ["renew", "disable"]);
        assert!(profiles[0].assigned_user.is_some() && profiles[0].profile_template.is_some());
        assert!(one::<Profile>(br#"{"Uuid":"00000000-0000-0000-0000-000000000000"}"#).is_err());
        assert!(one::<Profile>(br#"{"Status":2}"#).is_err());
    }

    #[test]
    fn a_certificate_of_a_user() {
        let body = br#"[{"IsKeyHistory":false,"TemplateCommonName":"Logon","SerialNumber":"1B","Thumbprint":"C5",
            "NotAfter":"2016-07-06T23:26:21","NotBefore":"2015-07-07T23:26:21","Issuer":"CN=Contoso\u0007 CA","Status":0}]"#;
        let certificates: Vec<UserCertificate> = list(body).unwrap();
        let certificate = &certificates[0];
        assert_eq!((&*certificate.issuer, &*certificate.thumbprint), ("CN=Contoso CA", "C5"));
        assert!(certificate.not_before.unwrap() < certificate.not_after.unwrap());
        assert!(one::<UserCertificate>(b"{}").is_err());
    }
}
