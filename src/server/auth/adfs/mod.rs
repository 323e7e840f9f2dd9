//! Sign-in with AD FS: a person signs in once, in a browser; after that the refresh token renews the access token before it ends.

mod assertion;
#[cfg(feature = "kerberos")]
mod authorize;
pub(super) mod error;
mod listener;
mod own;
pub(super) mod own_error;
pub(super) mod refusal;
mod request;
mod store;
mod tokens;
mod transport;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use reqwest::header::HeaderValue;
use url::Url;

use self::assertion::ClientKey;
use self::error::AdfsError;
pub use self::listener::Listener;
use self::own::{Own, Proof};
use self::own_error::{OwnError, Showed};
use self::refusal::{Refusal, RefusalKind};
pub use self::request::{Authorization, Device};
use self::request::{form, refusal_of};
pub use self::store::Place;
use self::store::Store;
pub use self::tokens::Tokens;
use self::tokens::{Purpose, now};
pub use self::transport::{Page, Pages, Paging, Reply, Replying, Transport};
use super::challenge::Challenge;
use super::identity::Identity;
use super::kerberos::error::KerberosError;
#[cfg(feature = "kerberos")]
use super::kerberos::negotiate::{ChannelBindings, Negotiate};
use super::means::OwnMeans;
use super::sign_in::{Awaited, Credentials, Next, SignIn, SignInError, Stop};
use super::token::TokenSource;
use crate::secret::SecretBytes;

/// How AD FS is asked.
#[derive(Debug, Clone)]
pub struct Adfs {
    authority: Url,
    redirect_port: u16,
    #[cfg(feature = "kerberos")]
    binds: bool,
    store: Store,
    transport: Arc<dyn Transport>,
    /// The agent's, where it has one of its own; a person's otherwise.
    own: Option<Own>,
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

impl Adfs {
    /// Nothing is sent yet, and nothing read.
    #[must_use]
    pub fn new(settings: AdfsSettings, transport: Arc<dyn Transport>) -> Self {
        let AdfsSettings { authority, client_id, resource, redirect_port, token_file, token_place, binds } = settings;
        let _ = binds;
        Self {
            redirect_port,
            #[cfg(feature = "kerberos")]
            binds,
            store: Store {
                path: token_file,
                place: token_place,
                purpose: Purpose { authority: authority.to_string(), client_id, resource },
            },
            authority,
            transport,
            own: None,
        }
    }

    /// The same for the agent, with what it has of its own; a person's sign-in where it has nothing.
    #[must_use]
    pub(super) fn of_agent(self, means: &OwnMeans) -> Self {
        let Some(proof) = self.proof(means) else { return self };
        let mut adfs = self;
        if let Some(client_id) = &means.client_id {
            adfs.store.purpose.client_id.clone_from(client_id);
        }
        Self { own: Some(Own::new(proof)), ..adfs }
    }

    fn proof(&self, means: &OwnMeans) -> Option<Proof> {
        if let Some(identity) = &means.certificate {
            return Some(Proof::Certificate(identity.clone()));
        }
        #[cfg(feature = "kerberos")]
        if let Some(keytab) = &means.keytab {
            let service = format!("HTTP/{}", self.transport.host());
            let bindings = if self.binds { ChannelBindings::Auto } else { ChannelBindings::Off };
            let negotiate = Negotiate::new(&service, None, bindings);
            return Some(Proof::Keytab(negotiate.with_keytab(keytab.clone(), means.principal.as_deref())));
        }
        None
    }

    /// The certificate with which the agent proves who it is.
    #[must_use]
    pub fn certificate(&self) -> Option<&Identity> {
        match &self.own.as_ref()?.proof {
            Proof::Certificate(identity) => Some(identity),
            #[cfg(feature = "kerberos")]
            Proof::Keytab(_) => None,
        }
    }

    /// Kerberos, where the agent proves by a keytab who it is.
    #[cfg(feature = "kerberos")]
    #[must_use]
    pub fn kerberos(&self) -> Option<&Negotiate> {
        match &self.own.as_ref()?.proof {
            Proof::Certificate(_) => None,
            Proof::Keytab(negotiate) => Some(negotiate),
        }
    }

    /// Until when the agent's own token is valid, where it has one now.
    #[must_use]
    pub fn own_token_until(&self) -> Option<SystemTime> {
        let kept = self.own.as_ref()?.kept.try_lock().ok()?;
        kept.as_ref().map(Tokens::expires)
    }

    /// The keytab with which the agent proves who it is.
    #[must_use]
    pub fn keytab(&self) -> Option<&TokenSource> {
        match &self.own.as_ref()?.proof {
            Proof::Certificate(_) => None,
            #[cfg(feature = "kerberos")]
            Proof::Keytab(negotiate) => negotiate.keytab(),
        }
    }

    /// The file that a person's sign-in is kept in; `None` where no file has it.
    #[must_use]
    pub fn token_file(&self) -> Option<&Path> {
        (self.own.is_none() && self.store.place == Place::File).then_some(&self.store.path)
    }

    /// Where a person's sign-in is kept; `None` for the agent's own, which is in its memory alone.
    #[must_use]
    pub fn token_place(&self) -> Option<Place> {
        self.own.is_none().then_some(self.store.place)
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
        let authorize = AdfsSettings::endpoint(&self.authority, "authorize");
        Authorization::new(authorize, client_id, resource, self.redirect_port)
    }

    /// Has AD FS give tokens for a code, and keeps them.
    ///
    /// # Errors
    /// AD FS says no or can't be asked, or the file can't be written.
    pub async fn redeem(&self, begun: &Authorization, code: &SecretBytes) -> Result<Tokens, AdfsError> {
        let tokens = self.tokens_for_code(begun, code).await?;
        self.keep(tokens).await
    }

    async fn tokens_for_code(&self, begun: &Authorization, code: &SecretBytes) -> Result<Tokens, AdfsError> {
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
        let resource = self.store.purpose.resource.as_bytes();
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
        if self.store.place == Place::File && !self.store.path.exists() {
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
        if let Some(own) = &self.own {
            let mut kept = own.kept.lock().await;
            if let Some(header) = kept.as_ref().and_then(usable) {
                return Ok(Some(header));
            }
            *kept = None;
            tracing::debug!("signing in at AD FS");
            let fetched = self.fetch(own).await?;
            return Ok(kept.insert(fetched).header());
        }
        if let Some(header) = usable(&self.store.read_soon().await?) {
            return Ok(Some(header));
        }
        let _lock = self.store.lock().await?;
        // Another process may have renewed it meanwhile.
        let kept = self.store.read_soon().await?;
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

    /// A token for the agent itself.
    async fn fetch(&self, own: &Own) -> Result<Tokens, AdfsError> {
        match &own.proof {
            Proof::Certificate(identity) => self.fetch_by_certificate(identity).await,
            #[cfg(feature = "kerberos")]
            Proof::Keytab(negotiate) => {
                let begun = self.authorization()?;
                let authority = &self.authority;
                let way = authorize::Way { transport: &*self.transport, authority, waits_for_kdc: &own.waits_for_kdc };
                let code = way.code(&begun, negotiate).await?;
                let tokens = self.tokens_for_code(&begun, &code).await;
                tokens.map_err(|error| of_own(error, Showed::Ticket, None))
            }
        }
    }

    async fn fetch_by_certificate(&self, identity: &Identity) -> Result<Tokens, AdfsError> {
        let key = ClientKey::read(identity)?;
        let endpoint = AdfsSettings::endpoint(&self.authority, "token");
        let asked = now();
        let assertion = key.assertion(&self.store.purpose.client_id, endpoint.as_str(), asked)?;
        let fields: [(&str, &[u8]); 5] = [
            ("grant_type", b"client_credentials"),
            ("client_id", self.client_id()),
            ("resource", self.store.purpose.resource.as_bytes()),
            ("client_assertion_type", assertion::KIND),
            ("client_assertion", assertion.expose()),
        ];
        let reply = self.transport.post("token", form(&fields)).await?;
        match reply.status {
            200 => Tokens::of_answer(reply.body.expose(), asked).ok_or_else(|| self.not_adfs(200)),
            status => {
                let refused = self.refused(status, &reply.body, &[assertion.expose()]);
                Err(of_own(refused, key.told(), reply.ahead))
            }
        }
    }

    /// Hands over the tokens as far as they can be read now.
    pub(in crate::server) fn hand_over(&self, hide: &mut dyn FnMut(&[u8])) {
        if let Some(own) = &self.own {
            if let Some(kept) = own.kept.try_lock().ok().as_deref().and_then(Option::as_ref) {
                kept.hand_over(hide);
            }
            return;
        }
        if let Ok(kept) = self.kept() {
            kept.hand_over(hide);
        }
    }

    pub(super) fn check(&self) -> Result<String, SignInError> {
        if let Some(own) = &self.own {
            return own.check();
        }
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

/// What AD FS says no to, told for the agent: nobody is asked to sign in.
fn of_own(error: AdfsError, showed: Showed, ahead: Option<i64>) -> AdfsError {
    match error {
        AdfsError::Refused(refusal) => OwnError::Refused { refusal, showed, ahead }.into(),
        error => error,
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
                let is_client = self.adfs.certificate().is_some();
                return Ok(Next::Stop(if is_client { Stop::ClientRefused } else { Stop::NewSignInRefused }));
            }
            self.has_renewed = true;
            if challenge.offered.lacks("Bearer") {
                return Ok(Next::Stop(Stop::NotOffered));
            }
            Ok(self.show(true).await?.map_or(Next::Stop(Stop::SignInRefused), Next::Show))
        })
    }

    fn overdue(&self, after: Duration) -> Option<SignInError> {
        let waits_for_kdc = self.adfs.own.as_ref().is_some_and(|own| own.waits_for_kdc.load(Ordering::Relaxed));
        self.waits.then(|| match waits_for_kdc {
            true => AdfsError::from(OwnError::Kerberos(KerberosError::Silent { after })).into(),
            false => AdfsError::Silent { after }.into(),
        })
    }
}
