//! Calls to the server as the client makes them: what each endpoint sends and reads, what becomes of one that changes the
//! server, and the sign-in. Over real connections, against the stand-in and against servers that misbehave.
#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod answers;
mod ca_file;
mod certificates;
mod client_certificate;
mod hostile;
mod http_1_1;
mod listener;
mod lost;
mod plain_http;
mod posted;
mod proxy;
mod refused_stream;
mod resources;
mod sign_in;
mod strict;
mod tls_words;

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use pinwright::server::auth::{Auth, TokenSource};
use pinwright::server::{
    CardParameters, Client, HttpVersions, NewRequest, PfxPassword, Posted, Purpose, RequestEnd, ServerError,
};
use pinwright::sim::server::{Settings as StandInSettings, StandIn};
use uuid::{Uuid, uuid};

const CARD_ID: Uuid = uuid!("bc88f13f-83ba-4037-8262-46eba1291c6e");
const NEW_CARD_ID: Uuid = uuid!("4a0288bc-ba83-4037-8262-46eba1291c6f");
const ATR: &str = "3b8d0180fba000000397425446590301c8";
const SCID: Uuid = uuid!("17cf063d-e337-4aa9-a822-346554ddd3c9");
const REQUEST: Uuid = uuid!("a9b4b42c-cc50-4c9b-89d1-bbc0bcd5a099");
const TEMPLATE: Uuid = uuid!("a039b4d0-5ce8-4eff-8651-181c6576fda3");
/// A certificate request for an RSA key of 2048 bits, made by OpenSSL.
const PKCS10: &[u8] = include_bytes!("../../fixtures/certificates/rsa.csr");

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// A client of `url`, and the file of the authority that it trusts.
struct Caller {
    client: Client,
    _ca: tempfile::NamedTempFile,
}

impl std::ops::Deref for Caller {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

/// Makes a client; every test's deadline is `timeout`.
fn caller(url: &str, ca_pem: &str, auth: Auth, timeout: Duration) -> Caller {
    // What settles the version is tested by itself, and left out of the calls that are counted elsewhere.
    caller_over(HttpVersions::settled(), url, ca_pem, auth, timeout)
}

fn caller_over(http_versions: HttpVersions, url: &str, ca_pem: &str, auth: Auth, timeout: Duration) -> Caller {
    // Some authority where none is needed: to read the system's takes a while.
    static OTHER: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| listener::tls_config(&[]).1);
    let mut ca = tempfile::NamedTempFile::new().unwrap();
    ca.write_all(if ca_pem.is_empty() { &OTHER } else { ca_pem }.as_bytes()).unwrap();
    let settings = pinwright::server::Settings {
        url: url.parse().unwrap(),
        ca_file: Some(PathBuf::from(ca.path())),
        identity: None,
        auth,
        timeout,
        http_versions,
        proxy: None,
    };
    Caller { client: Client::new(&settings).unwrap(), _ca: ca }
}

fn stand_in(change: impl FnOnce(&mut StandInSettings)) -> StandIn {
    let mut settings = StandInSettings::for_card(CARD_ID, ATR, [7; 24]);
    change(&mut settings);
    StandIn::start(settings).unwrap()
}

fn of(server: &StandIn) -> Caller {
    caller(&server.base_url(), server.ca_pem(), Auth::None, Duration::from_secs(8))
}

fn bearer(token: &std::path::Path) -> Auth {
    Auth::Bearer(TokenSource::File(token.to_owned()))
}

fn card(card_id: Uuid, challenge: &[u8]) -> CardParameters {
    CardParameters { card_id: card_id.to_string(), atr: ATR.to_owned(), challenge: challenge.to_vec() }
}

fn enroll(comment: &str) -> NewRequest<'_> {
    NewRequest {
        purpose: Purpose::Enroll { profile_template: TEMPLATE },
        data: &[],
        data_form: pinwright::server::DataForm::Text,
        comment,
        target: None,
    }
}

/// The calls that change a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    CreateRequest,
    BindCard,
    EndRequest,
    RetireCard,
    CertificateData,
}

const CHANGES: [Change; 5] =
    [Change::CreateRequest, Change::BindCard, Change::EndRequest, Change::RetireCard, Change::CertificateData];

impl Change {
    /// Makes the call; of its success only that it is one.
    async fn call(self, client: &Client) -> Result<Posted<()>, ServerError> {
        fn any<T>(posted: Posted<T>) -> Posted<()> {
            match posted {
                Posted::Done(_) => Posted::Done(()),
                Posted::NotSent(error) => Posted::NotSent(error),
                Posted::Lost(error) => Posted::Lost(error),
            }
        }
        match self {
            Self::CreateRequest => client.create_request(&enroll("why")).await.map(any),
            Self::BindCard => client.bind_smartcard(REQUEST, &card(NEW_CARD_ID, &[])).await.map(any),
            Self::EndRequest => client.end_request(REQUEST, RequestEnd::Completed).await.map(any),
            Self::RetireCard => client.retire_smartcard(REQUEST, SCID).await.map(any),
            Self::CertificateData => {
                let password = PfxPassword::random().unwrap();
                let posted = client.certificate_data(REQUEST, &[PKCS10.to_vec()], &password, "").await?;
                // What is kept and can't be read is as much in doubt as what did not arrive.
                Ok(match posted {
                    Posted::Done(answer) => answer.read().map_or_else(Posted::Lost, |_| Posted::Done(())),
                    other => any(other),
                })
            }
        }
    }

    /// Status and body of its success.
    fn success(self) -> (u16, &'static str) {
        match self {
            Self::CreateRequest => (201, "\"api/v1.0/requests/a9b4b42c-cc50-4c9b-89d1-bbc0bcd5a099\""),
            Self::BindCard => (201, "\"api/v1.0/smartcards/17cf063d-e337-4aa9-a822-346554ddd3c9\""),
            Self::EndRequest => (200, "{\"Uuid\":\"a9b4b42c-cc50-4c9b-89d1-bbc0bcd5a099\",\"Status\":8}"),
            Self::RetireCard => (200, "{\"Uuid\":\"17cf063d-e337-4aa9-a822-346554ddd3c9\",\"Status\":6}"),
            Self::CertificateData => (200, "[{\"Error\":null,\"Pkcs7\":\"MIIU\"}]"),
        }
    }
}

/// What a call has done.
fn done<T: std::fmt::Debug>(posted: Result<Posted<T>, ServerError>) -> T {
    match posted.unwrap() {
        Posted::Done(done) => done,
        other => panic!("{other:?}"),
    }
}

/// What became of a call, in one word, and the error.
fn told<T>(result: Result<Posted<T>, ServerError>) -> (&'static str, String) {
    match result {
        Ok(Posted::Done(_)) => ("done", String::new()),
        Ok(Posted::NotSent(error)) => ("not sent", format!("{error} {error:?} {}", error.problem.remedy())),
        Ok(Posted::Lost(error)) => ("lost", format!("{error} {error:?} {}", error.problem.remedy())),
        Err(error) => ("refused", format!("{error} {error:?} {}", error.problem.remedy())),
    }
}
