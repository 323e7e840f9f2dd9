//! How we prove to the server who we are.

mod anonymous;
mod bearer;
mod offered;
mod sign_in;
mod token;

use self::anonymous::Anonymous;
use self::bearer::Bearer;
pub use self::offered::Offered;
pub(super) use self::sign_in::{Next, SignIn};
pub use self::sign_in::{SignInError, Stop};
pub use self::token::{TokenError, TokenSource};

/// The kind of authentication that the server's administrator has chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// None: for servers that know us by other means.
    None,
    /// `Authorization: Bearer`, with a token that another program renews.
    Bearer(TokenSource),
}

impl Auth {
    /// Begins the sign-in of one call.
    pub(super) fn sign_in(&self) -> Box<dyn SignIn> {
        match self {
            Self::None => Box::new(Anonymous),
            Self::Bearer(source) => Box::new(Bearer::new(source.clone())),
        }
    }

    /// Whether there is something to prove it with now, and what, in words.
    ///
    /// # Errors
    /// The token can't be read or is none.
    pub fn check(&self) -> Result<String, TokenError> {
        match self {
            Self::None => Ok("none".to_owned()),
            Self::Bearer(source) => source.header().map(|_| match source.warning() {
                None => "a bearer token is there".to_owned(),
                Some(exposure) => {
                    format!("a bearer token is there (warning: {exposure}: {})", exposure.remedy())
                }
            }),
        }
    }
}
