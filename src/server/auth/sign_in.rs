//! The sign-in of one call: what its first request shows, and what to do after a 401.

use reqwest::header::HeaderValue;
use subtle::ConstantTimeEq;
use thiserror::Error;

use super::offered::Offered;
use super::token::TokenError;

/// The sign-in of one call, from its first request to its last. One value serves one call, so it may remember what it has
/// shown; a kind that takes several rounds answers each 401 with the next one.
pub(in crate::server) trait SignIn: Send {
    /// The value of `Authorization` for the first request of an attempt, marked sensitive; `None` for no header. Asked anew
    /// for each attempt: some kinds must not show the same thing twice.
    ///
    /// # Errors
    /// There are no credentials, or none that can be used.
    fn first(&mut self) -> Result<Option<HeaderValue>, SignInError>;

    /// What to do after a 401 to what was shown last. Nothing was carried out, so any call may be sent again.
    ///
    /// # Errors
    /// As [`SignIn::first`].
    fn refused(&mut self, offered: &Offered) -> Result<Next, SignInError>;
}

/// What to do after a 401.
pub(in crate::server) enum Next {
    /// Send the request again with this value of `Authorization`, which is marked sensitive.
    Show(HeaderValue),
    /// Nothing that we have would be taken.
    Stop(Stop),
}

/// Why nothing more is shown after a 401.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Nothing was shown, and there is nothing to show.
    NoCredentials,
    /// The token was read anew and is the one that was refused; the server names schemes, and this kind is none of them.
    NotOffered,
    /// The token was read anew and is the one that was refused: it was not sent again.
    SameToken,
    /// The token was read anew, was another one, and was refused as well.
    NewTokenRefused,
}

/// Why there is nothing to sign in with.
#[derive(Debug, Error)]
pub enum SignInError {
    /// Token file or credential.
    #[error("the bearer token can't be used")]
    Token(#[from] TokenError),
}

/// The value of a request's `Authorization` header. A header's own `==` would stop at the first difference, so it is out of
/// reach here.
pub(super) struct Credentials(HeaderValue);

impl Credentials {
    pub(super) fn new(header: HeaderValue) -> Self {
        Self(header)
    }

    pub(super) fn header(&self) -> HeaderValue {
        self.0.clone()
    }

    /// Whether both are the same, in a time that depends on their lengths only.
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_that_have_changed_are_told_from_the_same_ones() {
        let credentials = |token: &'static str| Credentials::new(HeaderValue::from_static(token));
        let one = credentials("Bearer eyJ0.abc");
        assert!(one.is_same_as(&credentials("Bearer eyJ0.abc")));
        for other in ["Bearer eyJ0.abd", "Bearer eyJ0.ab", "Bearer eyJ0.abcd", ""] {
            assert!(!one.is_same_as(&credentials(other)), "{other}");
        }
    }
}
