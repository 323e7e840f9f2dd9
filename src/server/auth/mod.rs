//! How we prove to the server who we are.

mod bearer;

use reqwest::header::HeaderValue;

pub use bearer::{TokenError, TokenSource};

/// The kind of authentication that the server's administrator has chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// None: for servers that know us by other means.
    None,
    /// `Authorization: Bearer`, with a token that another program renews.
    Bearer(TokenSource),
}

impl Auth {
    /// The `Authorization` header for the next request, marked sensitive; read afresh each time, so that a renewed token is
    /// found.
    ///
    /// # Errors
    /// The token can't be read or is none.
    pub(super) fn header(&self) -> Result<Option<HeaderValue>, TokenError> {
        match self {
            Self::None => Ok(None),
            Self::Bearer(source) => source.header().map(Some),
        }
    }

    /// Whether there is something to prove it with now, and what, in words.
    ///
    /// # Errors
    /// The token can't be read or is none.
    pub fn check(&self) -> Result<&'static str, TokenError> {
        Ok(match self.header()? {
            Some(_) => "a bearer token is there",
            None => "none",
        })
    }
}
