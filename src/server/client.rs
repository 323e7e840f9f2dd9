//! The client of one MIM CM server; its calls are in the files of the resources.

use thiserror::Error;
use url::Url;

use super::anchors::TrustError;
use super::auth::IdentityError;
use super::call::Call;
use super::connect::ClientError;
use super::error::{ServerError, ServerProblem};
use super::http::Http;
use super::settings::Settings;
use super::tls::{self, TlsError};
use super::verifier::ShownChains;
use super::wire::{self, FromObject};

/// No client can be made of the settings.
#[derive(Debug, Error)]
pub enum SetupError {
    /// Trust.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// Our own certificate.
    #[error("the client certificate can't be shown")]
    Identity(#[from] IdentityError),
    /// The HTTP client.
    #[error(transparent)]
    Http(#[from] ClientError),
}

/// A MIM CM server.
pub struct Client {
    pub(super) http: Http,
    pub(super) shown: ShownChains,
}

impl From<TlsError> for SetupError {
    fn from(error: TlsError) -> Self {
        match error {
            TlsError::Trust(error) => Self::Trust(error),
            TlsError::Identity(error) => Self::Identity(error),
        }
    }
}

impl Client {
    /// Makes a client; nothing is sent yet.
    ///
    /// # Errors
    /// The authorities' file or the client certificate can't be used, or the libraries refuse.
    pub fn new(settings: &Settings) -> Result<Self, SetupError> {
        let tls = tls::configuration(settings.ca_file.as_deref(), settings.identity.as_ref());
        Ok(Self { http: Http::new(tls.map_err(SetupError::from)?, settings)?, shown: ShownChains::default() })
    }

    /// The same, for one who wants to see what the server shows: see [`Client::chain`].
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn noting(settings: &Settings) -> Result<Self, SetupError> {
        let shown = ShownChains::default();
        let tls = tls::noting(settings.ca_file.as_deref(), settings.identity.as_ref(), Some(shown.clone()));
        Ok(Self { http: Http::new(tls.map_err(SetupError::from)?, settings)?, shown })
    }

    /// What makes the connections that the first calls need, and gets what signs them in where others have to be asked for that: to be
    /// driven by the runtime that drives the calls. It sends no request, and what goes wrong is told by the call that comes to it.
    pub fn connect_early(&self) -> impl Future<Output = ()> + Send + use<> {
        self.http.connect_early()
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
    pub fn url(&self, call: &Call) -> Url {
        self.http.url(call)
    }

    /// The objects that a call reads; none after 204.
    pub(super) async fn list<T: FromObject>(&self, call: &Call) -> Result<Vec<T>, ServerError> {
        match self.http.get::<Vec<u8>>(call).await? {
            None => Ok(Vec::new()),
            Some(body) => wire::list(&body).map_err(|problem| ServerError { call: call.name(), problem }),
        }
    }

    /// The same without elements that can't be read and are about another card by what can be read of them.
    pub(super) async fn list_beside<T: FromObject + PartialEq>(
        &self,
        call: &Call,
        is_another: impl Fn(&serde_json::Map<String, serde_json::Value>) -> bool,
    ) -> Result<Vec<T>, ServerError> {
        match self.http.get::<Vec<u8>>(call).await? {
            None => Ok(Vec::new()),
            Some(body) => {
                wire::list_beside(&body, is_another).map_err(|problem| ServerError { call: call.name(), problem })
            }
        }
    }

    /// The names that a call reads, in lower case; none after 204.
    pub(super) async fn words(&self, call: &Call) -> Result<Vec<String>, ServerError> {
        match self.http.get::<Vec<u8>>(call).await? {
            None => Ok(Vec::new()),
            Some(body) => wire::words(&body).map_err(|problem| ServerError { call: call.name(), problem }),
        }
    }

    /// The object that a call reads; 204 is an error.
    pub(super) async fn one<T: FromObject>(&self, call: &Call) -> Result<T, ServerError> {
        let fail = |problem| ServerError { call: call.name(), problem };
        let body = self.http.get::<Vec<u8>>(call).await?.ok_or_else(|| fail(ServerProblem::Nothing))?;
        wire::one(&body).map_err(fail)
    }
}
