//! Bodies of every call that are large, deep, strange, of the wrong type or cut off: an error in words of ours, and nothing else.

use pinwright::server::{Client, PfxPassword, Posted, RequestKind, ServerError};
use pinwright::sim::server::{Endpoint, Fault, FaultKind, StandIn};
use uuid::Uuid;

use crate::{CARD_ID, PKCS10, REQUEST, SCID, TEMPLATE, block_on, card, of, stand_in};

const ID: Uuid = Uuid::from_u128(4);

/// Each call that reads, by the endpoint that it asks.
const READS: [Endpoint; 19] = [
    Endpoint::Templates,
    Endpoint::Template,
    Endpoint::WorkflowPolicy,
    Endpoint::CardPolicy,
    Endpoint::Requests,
    Endpoint::Request,
    Endpoint::GenerationOptions,
    Endpoint::CertificateData,
    Endpoint::Smartcards,
    Endpoint::Smartcard,
    Endpoint::CardOfRequest,
    Endpoint::DiversifiedKey,
    Endpoint::CardOperations,
    Endpoint::CardCertificates,
    Endpoint::Profiles,
    Endpoint::Profile,
    Endpoint::ProfileOperations,
    Endpoint::ProfileCertificates,
    Endpoint::Certificates,
];

/// Makes the call; of what it has read only that it is fit to be printed.
async fn call(client: &Client, endpoint: Endpoint) -> Result<String, ServerError> {
    fn shown<T: std::fmt::Debug>(read: T) -> String {
        format!("{read:?}")
    }
    Ok(match endpoint {
        Endpoint::Templates => shown(client.profile_templates().await?),
        Endpoint::Template => shown(client.profile_template(TEMPLATE).await?),
        Endpoint::WorkflowPolicy => shown(client.workflow_policy(TEMPLATE, RequestKind::Enroll).await?),
        Endpoint::CardPolicy => shown(client.smartcard_policy(TEMPLATE).await?),
        Endpoint::Requests => shown(client.own_requests().await?),
        Endpoint::Request => shown(client.request(REQUEST).await?),
        Endpoint::GenerationOptions => shown(client.certificate_request_generation_options(REQUEST).await?),
        Endpoint::CertificateData => {
            let password = PfxPassword::random().unwrap();
            match client.certificate_data(REQUEST, &[PKCS10.to_vec()], &password, "").await? {
                Posted::Done(raw) => shown(raw.read()?),
                Posted::NotSent(error) | Posted::Lost(error) => return Err(error),
            }
        }
        Endpoint::Smartcards => shown(client.smartcards().await?),
        Endpoint::Smartcard => shown(client.smartcard(SCID).await?),
        Endpoint::CardOfRequest => shown(client.smartcard_of_request(REQUEST, SCID).await?),
        Endpoint::DiversifiedKey => {
            shown(client.diversified_key(REQUEST, SCID, &card(CARD_ID, &[])).await?.map(|_| "a key"))
        }
        Endpoint::CardOperations => shown(client.smartcard_operations(SCID).await?),
        Endpoint::CardCertificates => shown(client.smartcard_certificates(SCID).await?),
        Endpoint::Profiles => shown(client.profiles().await?),
        Endpoint::Profile => shown(client.profile(ID).await?),
        Endpoint::ProfileOperations => shown(client.profile_operations(ID).await?),
        Endpoint::ProfileCertificates => shown(client.profile_certificates(ID).await?),
        Endpoint::Certificates => shown(client.certificates().await?),
        other => panic!("{other:?} reads nothing"),
    })
}

fn answer(server: &StandIn, endpoint: Endpoint, body: &str) -> Result<String, ServerError> {
    let kind = FaultKind::Status { code: 200, headers: Vec::new(), body: Some(body.to_owned()) };
    server.state().clear_faults();
    server.inject(Fault::on(endpoint, kind));
    block_on(call(&of(server), endpoint))
}

#[test]
fn bodies_that_mean_nothing_are_refused_without_being_quoted() {
    let server = stand_in(|settings| settings.issues_again = true);
    let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
    let bodies = [
        "",
        "CANARY",
        "\"CANARY",
        "[\"CANARY\",",
        "{\"Uuid\":\"CANARY\"",
        "\"CANARY\" 1",
        "[{\"Uuid\":\"CANARY\"}}",
        "\u{FEFF}\u{FEFF}\"CANARY\"",
        "{\"CANARY\u{0}\":1}",
        "'CANARY'",
        "\u{201C}CANARY\u{201D}",
        "[1e999999999]",
        "nul",
        &deep,
    ];
    for endpoint in READS {
        for body in bodies {
            let error = answer(&server, endpoint, body).unwrap_err();
            let told = format!("{error} {error:?} {}", error.problem.remedy());
            assert!(!told.contains("CANARY") && told.len() < 1000, "{endpoint:?}, {body:.40}: {told:.2000}");
        }
    }
}

/// JSON of a kind that the reference does not print: an error, or what it may mean, and no secret of a secret route quoted.
#[test]
fn json_of_another_kind() {
    let server = stand_in(|settings| settings.issues_again = true);
    // What is passed over unread may be of any depth.
    let deep = format!("{}1{}", "{\"CANARY\":".repeat(20_000), "}".repeat(20_000));
    let bodies = [
        &deep,
        "null",
        "7",
        "-1.5e3",
        "true",
        "\"CANARY\"",
        "[null]",
        "[7]",
        "[[\"CANARY\"]]",
        "[{\"CANARY\":[{\"CANARY\":\"CANARY\"}]}]",
        "{\"Uuid\":7,\"Status\":{},\"Name\":[],\"Error\":7,\"Pkcs7\":[\"CANARY\"]}",
        "{\"Uuid\":\"00000000-0000-0000-0000-000000000000\",\"Status\":3}",
        "{\"UUID\":\"\u{202E}\u{1F600}\",\"STATUS\":\"\u{0130}\"}",
        "{\"Uuid\":\"a9b4b42c-cc50-4c9b-89d1-bbc0bcd5a099\",\"uuid\":null,\"Status\":99999999999999999999}",
        "[{\"DefaultAdminKeyHex\":\"CANARY\",\"DiversifyAdminKey\":\"CANARY\"}]",
    ];
    for endpoint in READS {
        for body in bodies {
            match answer(&server, endpoint, body) {
                Ok(shown) => assert!(!shown.chars().any(char::is_control), "{endpoint:?}, {body:.99}: {shown}"),
                Err(error) => {
                    let told = format!("{error} {error:?} {}", error.problem.remedy());
                    assert!(!told.contains("CANARY"), "{endpoint:?}, {body:.99}: {told}");
                }
            }
        }
    }
}

/// More than any of these is: refused once the limit is reached, and not kept.
#[test]
fn bodies_without_end() {
    let server = stand_in(|settings| settings.issues_again = true);
    for endpoint in READS {
        for declared in [false, true] {
            server.state().clear_faults();
            server.inject(Fault::on(endpoint, FaultKind::Oversize { declared }));
            let error = block_on(call(&of(&server), endpoint)).unwrap_err();
            assert!(error.to_string().contains("larger than"), "{endpoint:?}: {error}");
        }
    }
}

/// Strange text where text is shown: control characters go, whatever the property.
#[test]
fn strange_text_is_made_fit_to_show() {
    let server = stand_in(|_| {});
    let text = "\\u001b[2J\\u0000\\u0085\\u009b1m\\u202e\u{1F600}\\ud83d\\ude00 \u{0301}\u{0301}x";
    let object = format!(
        "{{\"Uuid\":\"{ID}\",\"Status\":\"{text}\",\"RequestType\":\"{text}\",\"Name\":\"{text}\",\"Comment\":\"{text}\",\
         \"DataCollection\":[{{\"Name\":\"{text}\",\"Value\":\"{text}\"}}],\"SerialNumber\":\"{text}\",\"Atr\":\"{text}\",\
         \"KeyAlgorithmName\":\"{text}\",\"Subject\":\"{text}\",\"KeyStorageProviderNames\":[\"{text}\"],\
         \"ProfileOperations\":[\"{text}\"],\"Thumbprint\":\"{text}\",\"Issuer\":\"{text}\",\"Error\":\"{text}\"}}"
    );
    for endpoint in READS {
        let body = match endpoint {
            Endpoint::CardOperations | Endpoint::ProfileOperations => format!("[\"{text}\"]"),
            Endpoint::DiversifiedKey | Endpoint::CardPolicy => continue,
            _ => object.clone(),
        };
        let shown = answer(&server, endpoint, &body).unwrap_or_else(|error| panic!("{endpoint:?}: {error}"));
        for strange in ["\\u{1b}", "\\u{9b}", "\\u{85}", "\\0", "\u{1b}"] {
            assert!(!shown.contains(strange), "{endpoint:?}: {shown}");
        }
    }
}
