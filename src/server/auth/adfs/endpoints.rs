//! AD FS as it is asked: where it is, as which client, and for what.

use std::path::PathBuf;
use std::sync::Arc;

use url::Url;

use super::error::AdfsError;
use super::refusal::{Refusal, RefusalKind};
use super::request::{Authorization, Device, form, refusal_of};
use super::store::Place;
use super::tokens::{Purpose, Tokens, now};
use super::transport::Transport;
use crate::secret::SecretBytes;

/// What the configuration says of AD FS.
#[derive(Debug, Clone)]
pub struct AdfsSettings {
    /// Where it is, `https://sts.contoso.com/adfs`.
    pub authority: Url,
    /// The client that is registered for pinwright.
    pub client_id: String,
    /// The identifier of MIM CM's relying party.
    pub resource: String,
    /// The port of this machine that is registered as the redirect address, `http://127.0.0.1:PORT/`.
    pub redirect_port: u16,
    /// Where the sign-in is kept.
    pub token_file: PathBuf,
    /// Whether that file has it, or the keyring.
    pub token_place: Place,
    /// Whether a sign-in with a keytab is bound to the TLS certificate of AD FS.
    pub binds: bool,
}

impl AdfsSettings {
    /// The address of an endpoint.
    #[must_use]
    pub fn endpoint(authority: &Url, name: &str) -> Url {
        let mut url = authority.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["oauth2", name]);
        }
        url
    }
}

/// One AD FS, asked as one client for one resource.
#[derive(Debug, Clone)]
pub(super) struct Endpoints {
    pub authority: Url,
    pub redirect_port: u16,
    pub purpose: Purpose,
    pub transport: Arc<dyn Transport>,
}

impl Endpoints {
    /// Begins a sign-in by browser. Nothing is sent.
    ///
    /// # Errors
    /// [`AdfsError::System`].
    pub fn authorization(&self) -> Result<Authorization, AdfsError> {
        let Purpose { client_id, resource, .. } = &self.purpose;
        let authorize = AdfsSettings::endpoint(&self.authority, "authorize");
        Authorization::new(authorize, client_id, resource, self.redirect_port)
    }

    pub async fn tokens_for_code(&self, begun: &Authorization, code: &SecretBytes) -> Result<Tokens, AdfsError> {
        let fields: [(&str, &[u8]); 5] = [
            ("grant_type", b"authorization_code"),
            ("client_id", self.client_id()),
            ("code", code.expose()),
            ("redirect_uri", begun.redirect.as_bytes()),
            ("code_verifier", begun.verifier.expose()),
        ];
        self.tokens(&fields, &[code.expose(), begun.verifier.expose()]).await
    }

    /// Begins a sign-in on another device.
    ///
    /// # Errors
    /// AD FS says no or can't be asked.
    pub async fn device(&self) -> Result<Device, AdfsError> {
        let resource = self.purpose.resource.as_bytes();
        let reply = self.transport.post("devicecode", form(&[("client_id", self.client_id()), ("resource", resource)]));
        let reply = reply.await?;
        // One that does not have the endpoint says so as a web server does.
        let lacks_it = || {
            AdfsError::Refused(Refusal {
                kind: RefusalKind::UnsupportedGrantType,
                words: "it has no endpoint devicecode".to_owned(),
            })
        };
        match reply.status {
            200 => Device::of_answer(reply.body.expose()).ok_or_else(|| self.not_adfs(200)),
            404 => Err(lacks_it()),
            status => Err(self.refused(status, &reply.body, &[])),
        }
    }

    pub fn client_id(&self) -> &[u8] {
        self.purpose.client_id.as_bytes()
    }

    pub async fn tokens(&self, fields: &[(&str, &[u8])], secrets: &[&[u8]]) -> Result<Tokens, AdfsError> {
        let asked = now();
        let reply = self.transport.post("token", form(fields)).await?;
        match reply.status {
            200 => Tokens::of_answer(reply.body.expose(), asked).ok_or_else(|| self.not_adfs(200)),
            status => Err(self.refused(status, &reply.body, secrets)),
        }
    }

    pub fn refused(&self, status: u16, body: &SecretBytes, secrets: &[&[u8]]) -> AdfsError {
        refusal_of(body.expose(), secrets).map_or_else(|| self.not_adfs(status), AdfsError::Refused)
    }

    pub fn not_adfs(&self, status: u16) -> AdfsError {
        AdfsError::NotAdfs { host: self.transport.host(), status }
    }
}
