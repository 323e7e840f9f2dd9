//! Sign-in with AD FS: a person signs in once, in a browser; after that the refresh token renews the access token before it ends.

mod assertion;
mod authorize;
mod endpoints;
pub(super) mod error;
mod listener;
mod own;
pub(super) mod own_error;
pub(super) mod refusal;
mod request;
mod store;
mod tokens;
mod transport;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use reqwest::header::HeaderValue;

pub use self::endpoints::AdfsSettings;
use self::endpoints::Endpoints;
use self::error::AdfsError;
pub use self::listener::Listener;
use self::own::{Own, Proof};
use self::own_error::OwnError;
use self::refusal::RefusalKind;
pub use self::request::{Authorization, Device};
pub use self::store::Place;
use self::store::Store;
pub use self::tokens::Tokens;
use self::tokens::{Purpose, now};
pub use self::transport::{Page, Pages, Paging, Reply, Replying, Transport};
use super::challenge::Challenge;
use super::identity::Identity;
use super::kerberos::error::KerberosError;
use super::kerberos::negotiate::Negotiate;
use super::means::OwnMeans;
use super::sign_in::{Awaited, Credentials, Next, SignIn, SignInError, Stop};
use super::token::TokenSource;
use crate::secret::SecretBytes;

/// How AD FS is asked.
#[derive(Debug, Clone)]
pub struct Adfs {
    endpoints: Endpoints,
    /// Whether a sign-in with a keytab is bound to the TLS certificate of AD FS.
    binds: bool,
    store: Store,
    /// The agent's, where it has one of its own; a person's otherwise.
    own: Option<Own>,
}

impl Adfs {
    /// Nothing is sent yet, and nothing read.
    #[must_use]
    pub fn new(settings: AdfsSettings, transport: Arc<dyn Transport>) -> Self {
        let AdfsSettings { authority, client_id, resource, redirect_port, token_file, token_place, binds } = settings;
        let purpose = Purpose { authority: authority.to_string(), client_id, resource };
        Self {
            store: Store { path: token_file, place: token_place, purpose: purpose.clone() },
            endpoints: Endpoints { authority, redirect_port, purpose, transport },
            binds,
            own: None,
        }
    }

    /// The same for the agent, with what it has of its own; a person's sign-in where it has nothing.
    #[must_use]
    pub(super) fn of_agent(self, means: &OwnMeans) -> Self {
        let Some(own) = Own::of(means, &self.endpoints, self.binds) else { return self };
        let mut endpoints = self.endpoints;
        if let Some(client_id) = &means.client_id {
            endpoints.purpose.client_id.clone_from(client_id);
        }
        Self { own: Some(own), endpoints, ..self }
    }

    /// The certificate with which the agent proves who it is.
    #[must_use]
    pub fn certificate(&self) -> Option<&Identity> {
        match &self.own.as_ref()?.proof {
            Proof::Certificate(identity) => Some(identity),
            Proof::Keytab(_) => None,
        }
    }

    /// Kerberos, where the agent proves by a keytab who it is.
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
        self.endpoints.redirect_port
    }

    /// Begins a sign-in by browser. Nothing is sent.
    ///
    /// # Errors
    /// [`AdfsError::System`].
    pub fn authorization(&self) -> Result<Authorization, AdfsError> {
        self.endpoints.authorization()
    }

    /// Begins a sign-in on another device.
    ///
    /// # Errors
    /// AD FS says no or can't be asked.
    pub async fn device(&self) -> Result<Device, AdfsError> {
        self.endpoints.device().await
    }

    /// Has AD FS give tokens for a code, and keeps them.
    ///
    /// # Errors
    /// AD FS says no or can't be asked, or the file can't be written.
    pub async fn redeem(&self, begun: &Authorization, code: &SecretBytes) -> Result<Tokens, AdfsError> {
        let tokens = self.endpoints.tokens_for_code(begun, code).await?;
        self.keep(tokens).await
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
            ("client_id", self.endpoints.client_id()),
            ("device_code", code),
        ];
        match self.endpoints.tokens(&fields, &[code]).await {
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

    async fn keep(&self, tokens: Tokens) -> Result<Tokens, AdfsError> {
        let _lock = self.store.lock().await?;
        self.store.write(&tokens)?;
        Ok(tokens)
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
            let fetched = own.fetch(&self.endpoints).await?;
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
            ("client_id", self.endpoints.client_id()),
            ("resource", self.store.purpose.resource.as_bytes()),
            ("refresh_token", refresh.expose()),
        ];
        let renewed = self.endpoints.tokens(&fields, &[refresh.expose()]).await?.after(kept);
        self.store.write(&renewed)?;
        Ok(renewed.header())
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
