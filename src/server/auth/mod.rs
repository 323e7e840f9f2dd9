//! How we prove to the server who we are.

mod anonymous;
mod bearer;
mod lifetime;
mod offered;
mod sign_in;
mod token;

use self::anonymous::Anonymous;
use self::bearer::Bearer;
pub use self::lifetime::Lifetime;
pub use self::offered::Offered;
pub(super) use self::sign_in::{Next, SignIn};
pub use self::sign_in::{SignInError, Stop};
pub use self::token::{TokenError, TokenSource};
use crate::os::files::Exposure;

/// The kind of authentication that the server's administrator has chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// None: for servers that know us by other means.
    None,
    /// `Authorization: Bearer`, with a token that another program renews.
    Bearer(TokenSource),
}

/// The schemes of `WWW-Authenticate` that this program can answer, with the value of `server.auth` for each.
pub const SPOKEN: [(&str, &str); 1] = [("Bearer", "bearer")];

impl Auth {
    /// The value of `server.auth`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Bearer(_) => "bearer",
        }
    }

    /// The scheme of `WWW-Authenticate` that it answers; `None` where it answers none.
    #[must_use]
    pub fn scheme(&self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Bearer(_) => Some("Bearer"),
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
        }
    }

    /// Begins the sign-in of one call.
    pub(super) fn sign_in(&self) -> Box<dyn SignIn> {
        match self {
            Self::None => Box::new(Anonymous),
            Self::Bearer(source) => Box::new(Bearer::new(source.clone())),
        }
    }

    /// How others can read what it signs in with; `None` where they can't.
    #[must_use]
    pub fn exposure(&self) -> Option<Exposure> {
        match self {
            Self::None => None,
            Self::Bearer(source) => source.warning(),
        }
    }

    /// Whether there is something to prove it with now, and what, in words.
    ///
    /// # Errors
    /// The token can't be read or is none.
    pub fn check(&self) -> Result<String, TokenError> {
        match self {
            Self::None => Ok("none".to_owned()),
            Self::Bearer(source) => source.header().map(|_| "a bearer token is there".to_owned()),
        }
    }
}
