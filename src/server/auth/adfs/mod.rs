//! Sign-in with AD FS: a person signs in once, in a browser; after that the refresh token renews the access token before it ends.

pub(super) mod error;
mod listener;
mod request;
mod store;
mod tokens;
mod transport;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderValue;
use url::Url;

use self::error::{AdfsError, RefusalKind};
pub use self::listener::Listener;
pub use self::request::{Authorization, Device};
use self::request::{form, refusal_of};
use self::store::Store;
pub use self::tokens::Tokens;
use self::tokens::{Purpose, now};
pub use self::transport::{Reply, Replying, Transport};
use super::challenge::Challenge;
use super::sign_in::{Awaited, Credentials, Next, SignIn, SignInError, Stop};
use crate::secret::SecretBytes;

/// How AD FS is asked.
#[derive(Debug, Clone)]
pub struct Adfs {
    authorize: Url,
    redirect_port: u16,
    store: Store,
    transport: Arc<dyn Transport>,
}

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

impl Adfs {
    /// Nothing is sent yet, and nothing read.
    #[must_use]
    pub fn new(settings: AdfsSettings, transport: Arc<dyn Transport>) -> Self {
        let AdfsSettings { authority, client_id, resource, redirect_port, token_file } = settings;
        Self {
            authorize: AdfsSettings::endpoint(&authority, "authorize"),
            redirect_port,
            store: Store {
                path: token_file,
                purpose: Purpose { authority: authority.to_string(), client_id, resource },
            },
            transport,
        }
    }

    /// Where the sign-in is kept.
    #[must_use]
    pub fn token_file(&self) -> &Path {
        &self.store.path
    }

    /// The port where the browser comes back to.
    #[must_use]
    pub fn redirect_port(&self) -> u16 {
        self.redirect_port
    }

    /// Begins a sign-in by browser. Nothing is sent.
    ///
    /// # Errors
    /// [`AdfsError::System`].
    pub fn authorization(&self) -> Result<Authorization, AdfsError> {
        let Purpose { client_id, resource, .. } = &self.store.purpose;
        Authorization::new(self.authorize.clone(), client_id, resource, self.redirect_port)
    }

    /// Has AD FS give tokens for a code, and keeps them.
    ///
    /// # Errors
    /// AD FS says no or can't be asked, or the file can't be written.
    pub async fn redeem(&self, begun: &Authorization, code: &SecretBytes) -> Result<Tokens, AdfsError> {
        let fields: [(&str, &[u8]); 5] = [
            ("grant_type", b"authorization_code"),
            ("client_id", self.client_id()),
            ("code", code.expose()),
            ("redirect_uri", begun.redirect.as_bytes()),
            ("code_verifier", begun.verifier.expose()),
        ];
        let tokens = self.tokens(&fields, &[code.expose(), begun.verifier.expose()]).await?;
        self.keep(tokens).await
    }

    /// Begins a sign-in on another device.
    ///
    /// # Errors
    /// AD FS says no or can't be asked.
    pub async fn device(&self) -> Result<Device, AdfsError> {
        let resource = self.store.purpose.resource.as_bytes();
        let reply = self.transport.post("devicecode", form(&[("client_id", self.client_id()), ("resource", resource)]));
        let reply = reply.await?;
        // One that does not have the endpoint says so as a web server does.
        let lacks_it = || {
            AdfsError::Refused(error::Refusal {
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

    /// Asks once whether the person has signed in on the other device: `None` where not yet. [`Device::interval`] lies between two
    /// questions; it grows where AD FS asks for that.
    ///
    /// # Errors
    /// AD FS says no or can't be asked, or the file can't be written.
    pub async fn redeem_device(&self, device: &mut Device) -> Result<Option<Tokens>, AdfsError> {
        let code = device.device_code.expose();
        let fields: [(&str, &[u8]); 3] = [
            ("grant_type", b"urn:ietf:params:oauth:grant-type:device_code"),
            ("client_id", self.client_id()),
            ("device_code", code),
        ];
        match self.tokens(&fields, &[code]).await {
            Ok(tokens) => self.keep(tokens).await.map(Some),
            Err(AdfsError::Refused(refusal)) if refusal.kind == RefusalKind::AuthorizationPending => Ok(None),
            Err(AdfsError::Refused(refusal)) if refusal.kind == RefusalKind::SlowDown => {
                device.interval = device.interval.saturating_add(5);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The sign-in as it is kept. Nobody is asked.
    ///
    /// # Errors
    /// There is none, or the file can't be used.
    pub fn kept(&self) -> Result<Tokens, AdfsError> {
        self.store.read()
    }

    /// Removes the sign-in from this machine; whether there was one. AD FS is not told: it has nothing to take a token back with.
    ///
    /// # Errors
    /// The file can't be removed.
    pub async fn forget(&self) -> Result<bool, AdfsError> {
        if !self.store.path.exists() {
            return Ok(false);
        }
        let _lock = self.store.lock().await?;
        self.store.remove()
    }

    fn client_id(&self) -> &[u8] {
        self.store.purpose.client_id.as_bytes()
    }

    async fn keep(&self, tokens: Tokens) -> Result<Tokens, AdfsError> {
        let _lock = self.store.lock().await?;
        self.store.write(&tokens)?;
        Ok(tokens)
    }

    async fn tokens(&self, fields: &[(&str, &[u8])], secrets: &[&[u8]]) -> Result<Tokens, AdfsError> {
        let asked = now();
        let reply = self.transport.post("token", form(fields)).await?;
        match reply.status {
            200 => Tokens::of_answer(reply.body.expose(), asked).ok_or_else(|| self.not_adfs(200)),
            status => Err(self.refused(status, &reply.body, secrets)),
        }
    }

    fn refused(&self, status: u16, body: &SecretBytes, secrets: &[&[u8]]) -> AdfsError {
        refusal_of(body.expose(), secrets).map_or_else(|| self.not_adfs(status), AdfsError::Refused)
    }

    fn not_adfs(&self, status: u16) -> AdfsError {
        AdfsError::NotAdfs { host: self.transport.host(), status }
    }

    /// What to show now; another token than `refused`.
    async fn header(&self, refused: Option<&Credentials>) -> Result<Option<HeaderValue>, AdfsError> {
        let usable = |tokens: &Tokens| {
            let header = tokens.header().filter(|_| tokens.is_fresh(now()));
            header.filter(|header| refused.is_none_or(|refused| !refused.is_same_as(&Credentials::new(header.clone()))))
        };
        if let Some(header) = usable(&self.store.read()?) {
            return Ok(Some(header));
        }
        let _lock = self.store.lock().await?;
        // Another process may have renewed it meanwhile.
        let kept = self.store.read()?;
        if let Some(header) = usable(&kept) {
            return Ok(Some(header));
        }
        let Some(refresh) = &kept.refresh else {
            // A token that was refused before its time, and can't be renewed.
            return if kept.is_fresh(now()) { Ok(None) } else { Err(AdfsError::NoRefreshToken) };
        };
        tracing::debug!("renewing the sign-in at AD FS");
        let fields: [(&str, &[u8]); 4] = [
            ("grant_type", b"refresh_token"),
            ("client_id", self.client_id()),
            ("resource", self.store.purpose.resource.as_bytes()),
            ("refresh_token", refresh.expose()),
        ];
        let renewed = self.tokens(&fields, &[refresh.expose()]).await?.after(kept);
        self.store.write(&renewed)?;
        Ok(renewed.header())
    }

    /// Hands over the tokens as far as they can be read now.
    pub(in crate::server) fn hand_over(&self, hide: &mut dyn FnMut(&[u8])) {
        if let Ok(kept) = self.kept() {
            kept.hand_over(hide);
        }
    }

    pub(super) fn check(&self) -> Result<String, SignInError> {
        let kept = self.kept()?;
        match (kept.is_fresh(now()), kept.is_renewable()) {
            (_, true) => Ok("a sign-in at AD FS is there, and can be renewed (AD FS was not asked)".to_owned()),
            (true, false) => Ok("a sign-in at AD FS is there, and can't be renewed".to_owned()),
            (false, false) => Err(AdfsError::NoRefreshToken.into()),
        }
    }

    pub(super) fn sign_in(&self) -> Box<dyn SignIn> {
        Box::new(Showing { adfs: self.clone(), shown: None, has_renewed: false, waits: false })
    }
}

/// The sign-in of one call.
struct Showing {
    adfs: Adfs,
    shown: Option<Credentials>,
    /// The token was renewed after a refusal.
    has_renewed: bool,
    /// AD FS, or another process that asks it, is waited for.
    waits: bool,
}

impl Showing {
    async fn show(&mut self, is_refused: bool) -> Result<Option<HeaderValue>, SignInError> {
        self.waits = true;
        let header = self.adfs.header(self.shown.as_ref().filter(|_| is_refused)).await;
        self.waits = false;
        let header = header?;
        self.shown = header.clone().map(Credentials::new).or(self.shown.take());
        Ok(header)
    }
}

impl SignIn for Showing {
    fn first(&mut self) -> Awaited<'_, Option<HeaderValue>> {
        Box::pin(self.show(false))
    }

    fn refused<'a>(&'a mut self, challenge: &'a Challenge) -> Awaited<'a, Next> {
        Box::pin(async {
            if self.has_renewed {
                return Ok(Next::Stop(Stop::NewSignInRefused));
            }
            self.has_renewed = true;
            if challenge.offered.lacks("Bearer") {
                return Ok(Next::Stop(Stop::NotOffered));
            }
            Ok(self.show(true).await?.map_or(Next::Stop(Stop::SignInRefused), Next::Show))
        })
    }

    fn overdue(&self, after: Duration) -> Option<SignInError> {
        self.waits.then(|| AdfsError::Silent { after }.into())
    }
}
