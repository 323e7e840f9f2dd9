//! Layer 4: the REST API of MIM CM, one method per endpoint.
//!
//! Names of calls, parameters and objects are those of Microsoft's REST reference. Nothing here has seen a card: a card ID
//! and an ATR come in as values. Answers of secret routes leave as secret types and are never part of an error or a log.

pub mod auth;
mod body;
pub mod error;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod http;
pub mod policy;
mod secret_body;
mod tls;
pub mod wire;

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;
use url::Url;
use uuid::Uuid;

use self::auth::Auth;
use self::http::{Get, Http};
use self::policy::SmartcardPolicy;
pub use self::tls::TrustError;
use self::wire::{Request, SmartCard};
pub use error::{ServerError, ServerProblem};

use crate::secret::{AdminResponse, Pin, SecretBytes};

/// Where the server is and how to talk to it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The virtual folder, `https://HOST/CertificateManagement`; `api/v1.0` is appended.
    pub url: Url,
    /// Certificates of the authorities to trust, in PEM; the system's store where missing.
    pub ca_file: Option<PathBuf>,
    /// Who we are.
    pub auth: Auth,
    /// The deadline of one call, repeats included.
    pub timeout: Duration,
}

/// No client can be made of the settings.
#[derive(Debug, Error)]
pub enum SetupError {
    /// Trust.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The HTTP library refused.
    #[error("the HTTP client can't be set up")]
    Http(#[source] reqwest::Error),
}

/// The card, as the parameters of a call name it.
#[derive(Debug, Clone)]
pub struct CardParameters {
    /// `cardid`: GUID text without braces.
    pub card_id: String,
    /// `atr`: lower-case hex.
    pub atr: String,
    /// `challenge`: base64 with padding; empty where none was taken.
    pub challenge: Vec<u8>,
}

impl CardParameters {
    fn challenge_text(&self) -> String {
        STANDARD.encode(&self.challenge)
    }
}

/// Which admin key is on the card now (the `diversified` parameter).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdminKeyVersion {
    /// The template's default key.
    Default,
    /// The card's own key.
    Diversified,
}

impl AdminKeyVersion {
    /// The parameter's value, as in the reference's sample.
    #[must_use]
    pub fn parameter(self) -> &'static str {
        match self {
            Self::Default => "False",
            Self::Diversified => "True",
        }
    }

    /// The name used in configuration and journal.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Diversified => "diversified",
        }
    }
}

/// Which of the two documented routes gives the PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinRoute {
    /// `smartcards/{id}/serverproposedpin`.
    Smartcard(Uuid),
    /// `requests/{reqid}/smartcards/{scid}/serverproposedpin`.
    Request(Uuid, Uuid),
}

/// Who makes the PIN, by the server's answer.
#[derive(Debug)]
pub enum ProposedPin {
    /// This one.
    Pin(Pin),
    /// Nobody at the server (204): the user supplies it.
    UserSupplies,
}

/// A MIM CM server.
pub struct Client {
    http: Http,
}

impl Client {
    /// Makes a client; nothing is sent yet.
    ///
    /// # Errors
    /// The authorities' file can't be read, or the libraries refuse.
    pub fn new(settings: &Settings) -> Result<Self, SetupError> {
        let tls = tls::configuration(settings.ca_file.as_deref())?;
        let http = Http::new(tls, settings.url.clone(), settings.auth.clone(), settings.timeout);
        Ok(Self { http: http.map_err(SetupError::Http)? })
    }

    /// Forgets the connections: what they have read goes with the runtime that drives them. The next call opens a new one.
    pub fn close(&self) {
        self.http.close();
    }

    /// HTTP requests sent so far, repeats included.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.http.sent().len()
    }

    /// The calls sent so far and their URLs, in order. A URL holds no secret.
    #[must_use]
    pub fn sent(&self) -> Vec<(&'static str, Url)> {
        self.http.sent()
    }

    /// The URL of a call as it would be sent.
    #[must_use]
    pub fn url(&self, path: &[&str], query: &[(&str, &str)]) -> Url {
        self.http.url(path, query)
    }

    /// GET `smartcards?cardid=`: the server's records of this card; none where it does not know it.
    ///
    /// # Errors
    /// See [`ServerProblem`].
    pub async fn smartcards_by_card_id(&self, card_id: &str) -> Result<Vec<SmartCard>, ServerError> {
        let call = "GET smartcards?cardid=";
        let query = [("cardid", card_id)];
        self.list(Get { call, path: &["smartcards"], query: &query }).await
    }

    /// GET `smartcards/{id}`.
    ///
    /// # Errors
    /// See [`ServerProblem`]; an unknown id is [`ServerProblem::Nothing`].
    pub async fn smartcard(&self, id: Uuid) -> Result<SmartCard, ServerError> {
        let call = "GET smartcards/{id}";
        self.one(Get { call, path: &["smartcards", &id.to_string()], query: &[] }).await
    }

    /// GET `requests?targetuser=current&status=`: the caller's requests in this status.
    ///
    /// # Errors
    /// See [`ServerProblem`].
    pub async fn requests(&self, status: &str) -> Result<Vec<Request>, ServerError> {
        let call = "GET requests";
        let query = [("targetuser", "current"), ("status", status)];
        self.list(Get { call, path: &["requests"], query: &query }).await
    }

    /// GET `requests/{id}`.
    ///
    /// # Errors
    /// See [`ServerProblem`]; an unknown id is [`ServerProblem::Nothing`].
    pub async fn request(&self, id: Uuid) -> Result<Request, ServerError> {
        let call = "GET requests/{id}";
        self.one(Get { call, path: &["requests", &id.to_string()], query: &[] }).await
    }

    /// GET `profiletemplates/{id}/configuration/smartcards`: who makes the PIN, and which admin key cards get. The body
    /// holds an admin key and is handled as a secret. `None` where the server has none to show (204).
    ///
    /// # Errors
    /// See [`ServerProblem`].
    pub async fn smartcard_policy(&self, template: Uuid) -> Result<Option<SmartcardPolicy>, ServerError> {
        let call = "GET profiletemplates/{id}/configuration/smartcards";
        let path = ["profiletemplates", &template.to_string(), "configuration", "smartcards"];
        let body = self.http.get::<SecretBytes>(&Get { call, path: &path, query: &[] }).await?;
        body.map(|body| policy::read(body.expose())).transpose().map_err(|problem| ServerError { call, problem })
    }

    /// GET `…/serverproposedpin`.
    ///
    /// # Errors
    /// See [`ServerProblem`]. Only 204 means that the user supplies the PIN.
    pub async fn server_proposed_pin(
        &self,
        route: PinRoute,
        card: &CardParameters,
    ) -> Result<ProposedPin, ServerError> {
        let (call, path) = pin_path(route);
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let challenge = card.challenge_text();
        let query = pin_query(card, &challenge);
        let body = self.http.get::<SecretBytes>(&Get { call, path: &path, query: &query }).await?;
        match body {
            None => Ok(ProposedPin::UserSupplies),
            Some(body) => {
                secret_body::pin(body.expose()).map(ProposedPin::Pin).map_err(|problem| ServerError { call, problem })
            }
        }
    }

    /// GET `requests/{reqid}/smartcards/{scid}/authenticationresponse`: the answer to the card's challenge, as long as the
    /// challenge.
    ///
    /// # Errors
    /// See [`ServerProblem`]; 204 and an answer of another length must not reach a card.
    pub async fn authentication_response(
        &self,
        request: Uuid,
        smartcard: Uuid,
        card: &CardParameters,
        key: AdminKeyVersion,
    ) -> Result<AdminResponse, ServerError> {
        let call = "GET authenticationresponse";
        let fail = |problem| ServerError { call, problem };
        let path = response_path(request, smartcard);
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let challenge = card.challenge_text();
        let query = response_query(card, &challenge, key);
        let body = self.http.get::<SecretBytes>(&Get { call, path: &path, query: &query }).await?;
        let body = body.ok_or_else(|| fail(ServerProblem::Nothing))?;
        secret_body::admin_response(body.expose(), card.challenge.len()).map_err(fail)
    }

    async fn list<T: wire::FromObject>(&self, get: Get<'_>) -> Result<Vec<T>, ServerError> {
        match self.http.get::<Vec<u8>>(&get).await? {
            None => Ok(Vec::new()),
            Some(body) => wire::list(&body).map_err(|problem| ServerError { call: get.call, problem }),
        }
    }

    async fn one<T: wire::FromObject>(&self, get: Get<'_>) -> Result<T, ServerError> {
        let call = get.call;
        let body =
            self.http.get::<Vec<u8>>(&get).await?.ok_or(ServerError { call, problem: ServerProblem::Nothing })?;
        wire::one(&body).map_err(|problem| ServerError { call, problem })
    }
}

/// The path of the call for the proposed PIN, and its name.
#[must_use]
pub fn pin_path(route: PinRoute) -> (&'static str, Vec<String>) {
    let last = "serverproposedpin".to_owned();
    match route {
        PinRoute::Smartcard(card) => {
            ("GET smartcards/{id}/serverproposedpin", vec!["smartcards".to_owned(), card.to_string(), last])
        }
        PinRoute::Request(request, card) => (
            "GET requests/{reqid}/smartcards/{scid}/serverproposedpin",
            vec!["requests".to_owned(), request.to_string(), "smartcards".to_owned(), card.to_string(), last],
        ),
    }
}

/// The query of the call for the proposed PIN. Without a challenge the parameter is left out.
#[must_use]
pub fn pin_query<'a>(card: &'a CardParameters, challenge: &'a str) -> Vec<(&'static str, &'a str)> {
    let mut query = vec![("atr", card.atr.as_str()), ("cardid", card.card_id.as_str())];
    if !challenge.is_empty() {
        query.push(("challenge", challenge));
    }
    query
}

/// The path of the call for the answer to a challenge.
#[must_use]
pub fn response_path(request: Uuid, smartcard: Uuid) -> Vec<String> {
    let ids = [request.to_string(), smartcard.to_string()];
    let [request, smartcard] = ids;
    vec!["requests".to_owned(), request, "smartcards".to_owned(), smartcard, "authenticationresponse".to_owned()]
}

/// The query of the call for the answer to a challenge.
#[must_use]
pub fn response_query<'a>(
    card: &'a CardParameters,
    challenge: &'a str,
    key: AdminKeyVersion,
) -> Vec<(&'static str, &'a str)> {
    vec![
        ("cardid", card.card_id.as_str()),
        ("challenge", challenge),
        ("diversified", key.parameter()),
        ("atr", card.atr.as_str()),
    ]
}
