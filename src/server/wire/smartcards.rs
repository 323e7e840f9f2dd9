//! Card objects, and the certificates that the server knows of one.

use serde_json::{Map, Value};
use uuid::Uuid;

use super::object::{FromObject, enumeration, flag, guid, shown, text};

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmartCard {
    /// The object's id (scid).
    pub uuid: Uuid,
    /// Its status.
    pub status: CardStatus,
    /// The card ID, braces taken off; `None` where it is no GUID.
    pub card_id: Option<Uuid>,
    /// The ATR in lower-case hex, empty where the server has none.
    pub atr: String,
    /// Whose card it is; `None` where the server does not say.
    pub assigned_user: Option<Uuid>,
    /// The template that it was made under.
    pub profile_template: Option<Uuid>,
}

/// A certificate that was issued for a card, as the server lists it; its bytes are not given out again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardCertificate {
    /// The certificate's serial number in hex.
    pub serial_number: String,
    /// The SHA-1 hash of the certificate in hex.
    pub thumbprint: String,
    /// The name of the authority's template.
    pub template: String,
    /// It is of an earlier key.
    pub is_key_history: bool,
}

impl FromObject for SmartCard {
    fn from_object(properties: &Map<String, Value>) -> Option<Self> {
        Some(Self {
            uuid: guid(properties, "uuid")?,
            status: enumeration(properties, "status", CardStatus::from_number, CardStatus::from_name)?,
            card_id: guid(properties, "serialnumber"),
            // Shown where it is another card's: a control character is kept from the terminal, and equals no ATR.
            atr: text(properties, "atr").unwrap_or_default().to_ascii_lowercase().replace(char::is_control, "?"),
            assigned_user: guid(properties, "assigneduseruuid"),
            profile_template: guid(properties, "profiletemplateuuid"),
        })
    }
}

impl FromObject for CardCertificate {
    fn from_object(properties: &Map<String, Value>) -> Option<Self> {
        let serial_number = shown(properties, "serialnumber");
        let thumbprint = shown(properties, "thumbprint");
        (!serial_number.is_empty() || !thumbprint.is_empty()).then(|| Self {
            serial_number,
            thumbprint,
            template: shown(properties, "templatecommonname"),
            is_key_history: flag(properties, "iskeyhistory").unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::wire::object::{list, one};

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
    fn a_certificate_in_a_list() {
        let body = br#"{"IsKeyHistory":false,"ArchivedOnCa":false,"CertificateType":1,"TemplateCommonName":"Logon",
            "SerialNumber":"1B0000B0","Thumbprint":"C52B0C5F"}"#;
        let certificate: CardCertificate = one(body).unwrap();
        assert_eq!((&*certificate.serial_number, &*certificate.thumbprint), ("1B0000B0", "C52B0C5F"));
        assert_eq!((&*certificate.template, certificate.is_key_history), ("Logon", false));
        assert!(one::<CardCertificate>(b"{}").is_err());
    }
}
