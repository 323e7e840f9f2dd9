//! The agent's own sign-in at AD FS: nobody is asked, its token lies in memory alone, and it is fetched anew before its end.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::sync::Mutex;

use super::assertion::{self, ClientKey};
use super::authorize::Way;
use super::endpoints::{AdfsSettings, Endpoints};
use super::error::AdfsError;
use super::own_error::{OwnError, Showed};
use super::request::form;
use super::tokens::{Tokens, now};
use crate::server::auth::identity::Identity;
use crate::server::auth::kerberos::negotiate::{ChannelBindings, Negotiate};
use crate::server::auth::means::OwnMeans;
use crate::server::auth::sign_in::SignInError;

/// With what the agent proves who it is.
#[derive(Debug, Clone)]
pub(super) enum Proof {
    /// A certificate: the client itself signs in, and its token names no user.
    Certificate(Identity),
    /// A keytab: the agent's account signs in, as a browser would.
    Keytab(Negotiate),
}

/// The agent's own sign-in. Copies share the token.
#[derive(Clone)]
pub(super) struct Own {
    pub proof: Proof,
    pub kept: Arc<Mutex<Option<Tokens>>>,
    /// A KDC is being asked.
    pub waits_for_kdc: Arc<AtomicBool>,
}

impl Own {
    /// Whether there is something to prove it with now, and what, in words. Nobody is asked.
    pub fn check(&self) -> Result<String, SignInError> {
        match &self.proof {
            Proof::Certificate(identity) => {
                let told = match ClientKey::read(identity).map_err(AdfsError::from)?.told() {
                    Showed::Certificate { name, thumbprint } => format!("certificate {name:?} ({thumbprint})"),
                    Showed::Ticket => String::new(),
                };
                Ok(format!("AD FS as a client, with {told} (AD FS was not asked)"))
            }
            Proof::Keytab(negotiate) => match negotiate.check() {
                Ok(told) => Ok(format!("AD FS by {told}")),
                Err(SignInError::Kerberos(error)) => Err(AdfsError::from(OwnError::Kerberos(error)).into()),
                Err(error) => Err(error),
            },
        }
    }

    fn new(proof: Proof) -> Self {
        Self { proof, kept: Arc::default(), waits_for_kdc: Arc::default() }
    }

    /// What the agent has of its own; `None` where it has nothing. `binds`: a ticket is bound to the TLS certificate of AD FS.
    pub fn of(means: &OwnMeans, endpoints: &Endpoints, binds: bool) -> Option<Self> {
        if let Some(identity) = &means.certificate {
            return Some(Self::new(Proof::Certificate(identity.clone())));
        }
        if let Some(keytab) = &means.keytab {
            let service = format!("HTTP/{}", endpoints.transport.host());
            let bindings = if binds { ChannelBindings::Auto } else { ChannelBindings::Off };
            let negotiate = Negotiate::new(&service, None, bindings);
            let negotiate = negotiate.with_keytab(keytab.clone(), means.principal.as_deref());
            return Some(Self::new(Proof::Keytab(negotiate)));
        }
        None
    }

    /// A token for the agent itself.
    ///
    /// # Errors
    /// AD FS or a KDC says no or can't be asked, or certificate, key or keytab can't be used.
    pub async fn fetch(&self, endpoints: &Endpoints) -> Result<Tokens, AdfsError> {
        match &self.proof {
            Proof::Certificate(identity) => by_certificate(identity, endpoints).await,
            Proof::Keytab(negotiate) => {
                let begun = endpoints.authorization()?;
                let authority = &endpoints.authority;
                let way = Way { transport: &*endpoints.transport, authority, waits_for_kdc: &self.waits_for_kdc };
                let code = way.code(&begun, negotiate).await?;
                let tokens = endpoints.tokens_for_code(&begun, &code).await;
                tokens.map_err(|error| of_own(error, Showed::Ticket, None))
            }
        }
    }
}

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Own").field(&self.proof).finish()
    }
}

async fn by_certificate(identity: &Identity, endpoints: &Endpoints) -> Result<Tokens, AdfsError> {
    let key = ClientKey::read(identity)?;
    let endpoint = AdfsSettings::endpoint(&endpoints.authority, "token");
    let asked = now();
    let assertion = key.assertion(&endpoints.purpose.client_id, endpoint.as_str(), asked)?;
    let fields: [(&str, &[u8]); 5] = [
        ("grant_type", b"client_credentials"),
        ("client_id", endpoints.client_id()),
        ("resource", endpoints.purpose.resource.as_bytes()),
        ("client_assertion_type", assertion::KIND),
        ("client_assertion", assertion.expose()),
    ];
    let reply = endpoints.transport.post("token", form(&fields)).await?;
    match reply.status {
        200 => Tokens::of_answer(reply.body.expose(), asked).ok_or_else(|| endpoints.not_adfs(200)),
        status => {
            let refused = endpoints.refused(status, &reply.body, &[assertion.expose()]);
            Err(of_own(refused, key.told(), reply.ahead))
        }
    }
}

/// What AD FS says no to, told for the agent: nobody is asked to sign in.
fn of_own(error: AdfsError, showed: Showed, ahead: Option<i64>) -> AdfsError {
    match error {
        AdfsError::Refused(refusal) => OwnError::Refused { refusal, showed, ahead }.into(),
        error => error,
    }
}
