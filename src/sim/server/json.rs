//! Answers as the samples of the REST reference print them: all properties, in their order, numbers for enumerations.
//!
//! Objects are put together by hand because the order and the odd property are the point; every value goes through `serde_json`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use uuid::Uuid;

use super::records::{Card, Certificate, KeyOptions, Request, RequestStatus, Template, UserPinOption};

/// One JSON object with its properties in this order.
fn object(properties: &[(&str, Value)]) -> String {
    let mut text = String::from("{");
    for (i, (name, value)) in properties.iter().enumerate() {
        if i > 0 {
            text.push(',');
        }
        text.push_str(&format!("\"{name}\":{value}"));
    }
    text.push('}');
    text
}

/// A JSON array of finished elements.
pub(super) fn list(elements: &[String]) -> String {
    format!("[{}]", elements.join(","))
}

/// A JSON string.
pub(super) fn string(text: &str) -> String {
    Value::from(text).to_string()
}

fn id(id: Uuid) -> Value {
    Value::from(id.to_string())
}

fn optional(id: Option<Uuid>) -> Value {
    Value::from(id.unwrap_or_default().to_string())
}

/// As in "Get smartcards".
pub(super) fn card(card: &Card) -> String {
    object(&[
        ("Uuid", id(card.uuid)),
        ("Status", json!(card.status)),
        ("Flags", json!(1)),
        ("ParentSmartcardUuid", optional(None)),
        ("PrimarySmartcardUuid", optional(None)),
        ("PermanentSmartcardUuid", optional(None)),
        ("AssignedUserUuid", id(card.user)),
        ("ProfileTemplateUuid", id(card.template)),
        ("ProfileTemplateVersion", json!(46)),
        ("Comment", json!("")),
        ("SerialNumber", json!(format!("{{{}}}", card.card_id))),
        ("Middleware", json!("MSBaseCSP")),
        ("Atr", json!(card.atr)),
    ])
}

/// As in "Get requests"; the security descriptor ends in NULs there, too.
pub(super) fn request(request: &Request, names: bool) -> String {
    let status = match request.status.name() {
        Some(name) if names => json!(name),
        _ => json!(request.status.number()),
    };
    let completed =
        if request.status == RequestStatus::Completed { "2015-07-07T23:37:37.767Z" } else { "0001-01-01T00:00:00" };
    object(&[
        ("Uuid", id(request.uuid)),
        ("RequestType", json!(request.kind)),
        ("Status", status),
        ("Flags", json!(2)),
        ("DataCollection", request.data.iter().map(|(name, value)| json!({ "Name": name, "Value": value })).collect()),
        ("DataCollectionFlags", json!(32)),
        ("OriginatorUserUuid", id(request.user)),
        ("TargetUserUuid", id(request.user)),
        ("Submitted", json!(request.submitted)),
        ("Completed", json!(completed)),
        ("NewProfileUuid", optional(None)),
        ("OldProfileUuid", optional(None)),
        ("NewSmartcardUuid", optional(request.new_card)),
        ("OldSmartcardUuid", optional(request.old_card)),
        ("Priority", json!(0)),
        ("Comment", json!(request.comment)),
        ("ProfileTemplateUuid", id(request.template)),
        ("SecurityDescriptor", json!(DESCRIPTOR)),
        ("IsSmartcard", json!(true)),
        ("IsEnrollmentAgent", json!(false)),
        ("IsDataCollectionComplete", json!(false)),
    ])
}

const DESCRIPTOR: &str =
    "O:S-1-5-21-1004336348-1177238915-682003330-1134G:S-1-5-21-1004336348-1177238915-682003330-513D:(A;;RC;;;WD)\0\0\0";

/// As in "Get profile templates".
pub(super) fn template(template: &Template) -> String {
    object(&[
        ("Name", json!(template.name)),
        ("Description", json!("Description of the template goes here")),
        ("Uuid", id(template.uuid)),
        ("IsSmartcardProfileTemplate", json!(true)),
        ("IsVirtualSmartcardProfileTemplate", json!(false)),
    ])
}

/// The `SmartcardConfig` of the SDK, which "Get profile template smart card configuration" wraps.
pub(super) fn card_policy(template: &Template) -> String {
    let (shortest, longest) = template.pin_length;
    let option = match &template.user_pin_option {
        UserPinOption::Number(number) => json!(number),
        UserPinOption::Name(name) => json!(name),
    };
    let mut properties = vec![
        ("AdminPinPolicy", pin_policy(8, 16)),
        ("AllowSmartcardReuse", json!(true)),
        ("CardInitializationData", json!("")),
        ("CardInitializationType", json!("")),
        ("CertificateLabel", json!("{User}")),
        ("DefaultAdminKeyHex", json!(hex::encode_upper(template.default_admin_key))),
        ("DiversifyAdminKey", json!(template.diversify_admin_key)),
        ("DoNotInstallCaCertificates", json!(false)),
        ("EraseOnOverflow", json!(true)),
        ("InitializeNewSmartcard", json!(true)),
        ("MaxNumberOfCertificates", json!(8)),
        ("ProviderId", json!("MSBaseCSP")),
        ("ProviderName", json!("Microsoft Base Smart Card Crypto Provider")),
        ("UserPinOption", option),
        ("UserPinPolicy", pin_policy(shortest, longest)),
        ("UseSecureKeyInjection", json!(false)),
        ("UseVirtualSmartcards", json!(false)),
    ];
    properties.retain(|(name, _)| !template.omitted.iter().any(|o| o.eq_ignore_ascii_case(name)));
    object(&properties)
}

/// "Get profile template policy" prints no sample: the properties that its text and the SDK name.
pub(super) fn workflow_policy(template: &Template, enabled: bool, new: RequestStatus) -> String {
    object(&[
        ("Enabled", json!(enabled)),
        ("SelfServiceEnabled", json!(enabled)),
        ("EnrollAgentRequired", json!(false)),
        ("ApprovalsNeeded", json!(u32::from(new == RequestStatus::Pending))),
        ("CollectComments", json!(false)),
        ("CollectRequestPriority", json!(false)),
        ("DefaultRequestPriority", json!(0)),
        ("OneTimePasswordPolicy", json!(null)),
        ("PolicyDataCollection", template.data_items.iter().map(|name| json!({ "Name": name })).collect()),
        ("Documents", json!([])),
    ])
}

/// As in "Get certificate request generation options".
pub(super) fn generation_option(key: &KeyOptions) -> String {
    object(&[
        ("Subject", json!("")),
        ("KeyAlgorithmName", json!(key.algorithm)),
        ("KeySize", json!(key.bits)),
        ("FriendlyName", json!("")),
        ("HashAlgorithmName", json!(key.hash)),
        ("KeyStorageProviderNames", json!(["Contoso Smart Card Key Storage Provider"])),
        ("Exportable", json!(0)),
        ("KeyProtectionLevel", json!(0)),
        ("KeyUsages", json!(3)),
    ])
}

/// As in "Submit certificate requests", with the message in lines.
pub(super) fn issued_certificate(message: &[u8]) -> String {
    let text = STANDARD.encode(message);
    let lines = text.as_bytes().chunks(64).map(|line| format!("{}\r\n", String::from_utf8_lossy(line)));
    answer(Value::Null, Value::from(lines.collect::<String>()))
}

/// The same where there is none.
pub(super) fn refused_certificate(reason: &str) -> String {
    answer(Value::from(reason), Value::Null)
}

fn answer(error: Value, message: Value) -> String {
    object(&[
        ("TemplateCommonName", json!("SmartcardLogon")),
        ("CertificateId", json!(0)),
        ("Flags", json!(65536)),
        ("UseLocalMachineStore", json!(false)),
        ("Error", error),
        ("Pkcs7", message.clone()),
        ("Pfx", Value::Null),
        ("IsExternal", json!(false)),
        ("isServerGenerated", json!(false)),
        ("isPfx", json!(false)),
        ("isPkcs7", json!(message.is_string())),
        ("isKeyHistory", json!(false)),
    ])
}

/// As in "Get smart card certificates".
pub(super) fn certificate(certificate: &Certificate) -> String {
    object(&properties(certificate))
}

/// As in "Get certificates".
pub(super) fn certificate_of_user(certificate: &Certificate) -> String {
    let mut properties = properties(certificate).to_vec();
    properties.extend([
        ("NotAfter", json!("2016-07-06T23:26:21")),
        ("NotBefore", json!("2015-07-07T23:26:21")),
        ("Issuer", json!("CN=Contoso CA")),
        ("RequesterName", json!("CONTOSO\\user")),
        ("Status", json!(0)),
    ]);
    object(&properties)
}

fn properties(certificate: &Certificate) -> [(&'static str, Value); 6] {
    [
        ("IsKeyHistory", json!(false)),
        ("ArchivedOnCa", json!(false)),
        ("CertificateType", json!(1)),
        ("TemplateCommonName", json!("SmartcardLogon")),
        ("SerialNumber", json!(certificate.serial_number)),
        ("Thumbprint", json!(certificate.thumbprint)),
    ]
}

fn pin_policy(shortest: u32, longest: u32) -> Value {
    json!({
        "MinLength": shortest,
        "MaxLength": longest,
        "CharacterSet": 1,
        "Rollover": 0,
        "DefaultValue": null,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::server::Settings;

    #[test]
    fn the_samples_of_the_reference() {
        let card_id = Uuid::from_u128(0xbc88f13f_83ba_4037_8262_46eba1291c6e);
        let mut settings = Settings::for_card(card_id, "3b8d0180fba000000397425446590301c8", [0; 24]);
        settings.cards[0].status = 2;
        assert_eq!(
            card(&settings.cards[0]),
            concat!(
                r#"{"Uuid":"17cf063d-e337-4aa9-a822-346554ddd3c9","Status":2,"Flags":1,"#,
                r#""ParentSmartcardUuid":"00000000-0000-0000-0000-000000000000","#,
                r#""PrimarySmartcardUuid":"00000000-0000-0000-0000-000000000000","#,
                r#""PermanentSmartcardUuid":"00000000-0000-0000-0000-000000000000","#,
                r#""AssignedUserUuid":"8f1590dc-d932-4b66-8e68-2e91c5880780","#,
                r#""ProfileTemplateUuid":"a039b4d0-5ce8-4eff-8651-181c6576fda3","#,
                r#""ProfileTemplateVersion":46,"Comment":"","#,
                r#""SerialNumber":"{bc88f13f-83ba-4037-8262-46eba1291c6e}","Middleware":"MSBaseCSP","#,
                r#""Atr":"3b8d0180fba000000397425446590301c8"}"#
            )
        );
        let text = request(&settings.requests[0], false);
        assert!(text.starts_with(r#"{"Uuid":"a9b4b42c-cc50-4c9b-89d1-bbc0bcd5a099","RequestType":1,"Status":3,"#));
        assert!(text.contains(r#"(A;;RC;;;WD)\u0000\u0000\u0000","IsSmartcard":true"#));
        assert!(request(&settings.requests[0], true).contains(r#""Status":"Approved""#));
    }

    #[test]
    fn policy_properties_can_be_left_out() {
        let mut sample = Template::sample([0; 24]);
        assert!(card_policy(&sample).contains("\"DefaultAdminKeyHex\":\"000000"));
        sample.omitted = vec!["defaultadminkeyhex".to_owned()];
        let text = card_policy(&sample);
        assert!(!text.contains("DefaultAdminKeyHex"));
        assert!(serde_json::from_str::<Value>(&text).unwrap().is_object());
    }
}
