//! How we prove to the server who we are.

mod adfs;
mod anonymous;
mod bearer;
mod challenge;
mod identity;
mod kerberos;
mod lifetime;
mod means;
mod offered;
mod secret_file;
mod sign_in;
mod token;

pub use self::adfs::error::AdfsError;
pub use self::adfs::own_error::{OwnError, Showed};
pub use self::adfs::refusal::{Refusal, RefusalKind};
pub use self::adfs::{
    Adfs, AdfsSettings, Authorization, Device, Listener, Page, Pages, Paging, Place, Reply, Replying, Tokens, Transport,
};
use self::anonymous::Anonymous;
use self::bearer::Bearer;
pub use self::challenge::Challenge;
pub use self::identity::{Identity, IdentityError};
pub(super) use self::identity::{Shown, read as read_identity};
pub(super) use self::kerberos::error::NTLM;
pub use self::kerberos::error::{KerberosError, LibraryError, Reason, Sought};
pub use self::kerberos::keytab::{KERBEROS_VARIABLES, KeytabError, kerberos_environment, look as look_at_keytab};
pub use self::kerberos::negotiate::{ChannelBindings, Negotiate};
pub use self::lifetime::Lifetime;
pub use self::means::OwnMeans;
pub use self::offered::Offered;
pub use self::secret_file::SecretFileError;
use self::sign_in::Awaited;
pub(super) use self::sign_in::{FRESH_TOKEN, Next, SignIn};
pub use self::sign_in::{SignInError, Stop};
pub use self::token::{TokenError, TokenSource};
use crate::os::files::Exposure;
use crate::os::kerberos::{LIBRARY, Library};

/// The kind of authentication that the server's administrator has chosen.
#[derive(Debug, Clone)]
pub enum Auth {
    /// None: for servers that know us by other means.
    None,
    /// `Authorization: Bearer`, with a token that another program renews.
    Bearer(TokenSource),
    /// `Authorization: Bearer`, with a token of AD FS that is renewed here.
    Adfs(Box<Adfs>),
    /// `Authorization: Negotiate`, with Kerberos.
    Negotiate(Negotiate),
}

/// The schemes of `WWW-Authenticate` that this program can answer, with the value of `server.auth` for each.
pub const SPOKEN: &[(&str, &str)] = match LIBRARY {
    Library::Mit | Library::Windows => &[("Bearer", "bearer"), ("Negotiate", "negotiate")],
    Library::Missing => &[("Bearer", "bearer")],
};

impl Auth {
    /// The value of `server.auth`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Bearer(_) => "bearer",
            Self::Adfs(_) => "adfs",
            Self::Negotiate(_) => "negotiate",
        }
    }

    /// The scheme of `WWW-Authenticate` that it answers; `None` where it answers none.
    #[must_use]
    pub fn scheme(&self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Bearer(_) | Self::Adfs(_) => Some("Bearer"),
            Self::Negotiate(_) => Some("Negotiate"),
        }
    }

    /// How long what it signs in with is valid; `None` where there is nothing that could end.
    ///
    /// # Errors
    /// The token can't be read or is none.
    pub fn lifetime(&self) -> Result<Option<Lifetime>, TokenError> {
        match self {
            Self::None => Ok(None),
            Self::Bearer(source) => source.lifetime().map(Some),
            // It is renewed: the end of one token is not that of the sign-in.
            Self::Adfs(_) => Ok(None),
            Self::Negotiate(_) => Ok(None),
        }
    }

    /// Begins the sign-in of one call.
    pub(super) fn sign_in(&self) -> Box<dyn SignIn> {
        match self {
            Self::None => Box::new(Anonymous),
            Self::Bearer(source) => Box::new(Bearer::new(source.clone())),
            Self::Adfs(adfs) => adfs.sign_in(),
            Self::Negotiate(negotiate) => negotiate.sign_in(),
        }
    }

    /// Gets what others have to be asked for before a call can be signed in. What goes wrong is told by the sign-in of a call.
    pub(super) fn prepare(&self) -> Awaited<'static, ()> {
        match self {
            Self::None | Self::Bearer(_) => Box::pin(async { Ok(()) }),
            // It is renewed by a call of its own, which is sent when there is one to sign in.
            Self::Adfs(_) => Box::pin(async { Ok(()) }),
            Self::Negotiate(negotiate) => negotiate.prepare(),
        }
    }

    /// How others can read what it signs in with; `None` where they can't.
    #[must_use]
    pub fn exposure(&self) -> Option<Exposure> {
        match self {
            Self::None => None,
            Self::Bearer(source) => source.warning(),
            // A file that others can read is not used.
            Self::Adfs(_) => None,
            Self::Negotiate(_) => None,
        }
    }

    /// Whether a call that changes the server can be sent with its credentials at once. Otherwise a call that changes nothing has to be
    /// made first, from which the sign-in learns what it needs.
    pub(super) fn is_prepared(&self) -> bool {
        match self {
            Self::None | Self::Bearer(_) | Self::Adfs(_) => true,
            Self::Negotiate(negotiate) => negotiate.is_prepared(),
        }
    }

    /// Whether the sign-in has to see the server's certificate.
    pub(super) fn is_bound_to_tls(&self) -> bool {
        match self {
            Self::None | Self::Bearer(_) | Self::Adfs(_) => false,
            Self::Negotiate(negotiate) => negotiate.is_bound_to_tls(),
        }
    }

    /// The same for the agent, which signs in with what it has of its own, and without any person.
    #[must_use]
    pub fn of_agent(self, own: &OwnMeans) -> Self {
        match self {
            Self::None | Self::Bearer(_) => self,
            Self::Adfs(adfs) => Self::Adfs(Box::new(adfs.of_agent(own))),
            Self::Negotiate(negotiate) => Self::Negotiate(match &own.keytab {
                Some(keytab) => negotiate.with_keytab(keytab.clone(), own.principal.as_deref()),
                None => negotiate,
            }),
        }
    }

    /// The keytab, where it is one that signs in.
    #[must_use]
    pub fn keytab(&self) -> Option<&TokenSource> {
        match self {
            Self::None | Self::Bearer(_) => None,
            Self::Adfs(adfs) => adfs.keytab(),
            Self::Negotiate(negotiate) => negotiate.keytab(),
        }
    }

    /// Kerberos, where it has a part in it: at the server or at AD FS.
    #[must_use]
    pub fn kerberos(&self) -> Option<&Negotiate> {
        match self {
            Self::None | Self::Bearer(_) => None,
            Self::Adfs(adfs) => adfs.kerberos(),
            Self::Negotiate(negotiate) => Some(negotiate),
        }
    }

    /// Whether there is something to prove it with now, and what, in words. Nobody is asked for a ticket.
    ///
    /// # Errors
    /// Token or keytab can't be read, or are none.
    pub fn check(&self) -> Result<String, SignInError> {
        match self {
            Self::None => Ok("none".to_owned()),
            Self::Bearer(source) => Ok(source.header().map(|_| "a bearer token is there".to_owned())?),
            Self::Adfs(adfs) => adfs.check(),
            Self::Negotiate(negotiate) => negotiate.check(),
        }
    }
}
