//! The agent's own sign-in at AD FS: nobody is asked, its token lies in memory alone, and it is fetched anew before its end.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::sync::Mutex;

use super::assertion::ClientKey;
use super::error::AdfsError;
#[cfg(feature = "kerberos")]
use super::own_error::OwnError;
use super::own_error::Showed;
use super::tokens::Tokens;
use crate::server::auth::identity::Identity;
#[cfg(feature = "kerberos")]
use crate::server::auth::kerberos::negotiate::Negotiate;
use crate::server::auth::sign_in::SignInError;

/// With what the agent proves who it is.
#[derive(Debug, Clone)]
pub(super) enum Proof {
    /// A certificate: the client itself signs in, and its token names no user.
    Certificate(Identity),
    /// A keytab: the agent's account signs in, as a browser would.
    #[cfg(feature = "kerberos")]
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
            #[cfg(feature = "kerberos")]
            Proof::Keytab(negotiate) => match negotiate.check() {
                Ok(told) => Ok(format!("AD FS by {told}")),
                Err(SignInError::Kerberos(error)) => Err(AdfsError::from(OwnError::Kerberos(error)).into()),
                Err(error) => Err(error),
            },
        }
    }

    pub fn new(proof: Proof) -> Self {
        Self { proof, kept: Arc::default(), waits_for_kdc: Arc::default() }
    }
}

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Own").field(&self.proof).finish()
    }
}
