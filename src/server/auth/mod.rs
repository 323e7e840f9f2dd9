//! How we prove to the server who we are.

mod bearer;

use reqwest::header::HeaderValue;
use subtle::ConstantTimeEq;

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
    /// What the next request is to show, marked sensitive; read afresh each time, so that a renewed token is
    /// found.
    ///
    /// # Errors
    /// The token can't be read or is none.
    pub(super) fn credentials(&self) -> Result<Credentials, TokenError> {
        match self {
            Self::None => Ok(Credentials(None)),
            Self::Bearer(source) => source.header().map(|header| Credentials(Some(header))),
        }
    }

    /// Whether there is something to prove it with now, and what, in words.
    ///
    /// # Errors
    /// The token can't be read or is none.
    pub fn check(&self) -> Result<&'static str, TokenError> {
        Ok(match self.credentials()?.header() {
            Some(_) => "a bearer token is there",
            None => "none",
        })
    }
}

/// The value of a request's `Authorization` header, if it has one. A header's own `==` would stop at the first difference, so
/// it is out of reach here.
pub(super) struct Credentials(Option<HeaderValue>);

impl Credentials {
    pub(super) fn header(&self) -> Option<HeaderValue> {
        self.0.clone()
    }

    /// Whether both are the same, in a time that depends on their lengths only.
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        self.bytes().ct_eq(other.bytes()).into()
    }

    fn bytes(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], HeaderValue::as_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_that_have_changed_are_told_from_the_same_ones() {
        let credentials = |token: &'static str| Credentials(Some(HeaderValue::from_static(token)));
        let one = credentials("Bearer eyJ0.abc");
        assert!(one.is_same_as(&credentials("Bearer eyJ0.abc")));
        for other in ["Bearer eyJ0.abd", "Bearer eyJ0.ab", "Bearer eyJ0.abcd"] {
            assert!(!one.is_same_as(&credentials(other)), "{other}");
        }
        assert!(!one.is_same_as(&Credentials(None)));
        assert!(Credentials(None).is_same_as(&Credentials(None)));
    }
}
