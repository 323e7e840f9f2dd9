//! The sign-in of one call: what its first request shows, what to do after a 401, and what an answer has to prove.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderValue};
use subtle::ConstantTimeEq;
use thiserror::Error;

use super::adfs::error::AdfsError;
use super::challenge::Challenge;
use super::kerberos::error::KerberosError;
use super::token::TokenError;

/// What a sign-in gives once it has it: some kinds ask others first.
pub(in crate::server) type Awaited<'a, T> = Pin<Box<dyn Future<Output = Result<T, SignInError>> + Send + 'a>>;

/// The sign-in of one call, from its first request to its last. One value serves one call, so it may remember what it has
/// shown; a kind that takes several rounds answers each 401 with the next one.
pub(in crate::server) trait SignIn: Send {
    /// The value of `Authorization` for the first request of an attempt, marked sensitive; `None` for no header. Asked anew
    /// for each attempt: some kinds must not show the same thing twice.
    ///
    /// # Errors
    /// There are no credentials, or none that can be used.
    fn first(&mut self) -> Awaited<'_, Option<HeaderValue>>;

    /// What to do after a 401 to what was shown last. Nothing was carried out, so any call may be sent again.
    ///
    /// # Errors
    /// As [`SignIn::first`].
    fn refused<'a>(&'a mut self, challenge: &'a Challenge) -> Awaited<'a, Next>;

    /// Looks at the head of any other answer, before its body is read. `is_success`: what it holds would be used.
    ///
    /// # Errors
    /// The answer does not prove what this kind has to see proved.
    fn answered<'a>(&'a mut self, _headers: &'a HeaderMap, _is_success: bool) -> Awaited<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    /// What it was waiting for where the call's deadline came meanwhile; `None`: it was not what took so long.
    fn overdue(&self, _after: Duration) -> Option<SignInError> {
        None
    }
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
    /// What was refused is all that there is; the server names schemes, and this kind is none of them.
    NotOffered,
    /// The token was read anew and is the one that was refused: it was not sent again.
    SameToken,
    /// The token was read anew, was another one, and was refused as well.
    NewTokenRefused,
    /// The token of AD FS is refused before its time, and there is nothing to renew it with.
    SignInRefused,
    /// The token of AD FS was renewed, and the new one was refused as well.
    NewSignInRefused,
    /// The agent signs in at AD FS with a certificate; its token was fetched anew, and the new one was refused as well.
    ClientRefused,
    /// The server offers NTLM and not Kerberos.
    NtlmAlone,
    /// The server does not take a Kerberos ticket, and does not say why.
    TicketRefused,
    /// The server has proved that it knows who we are by Kerberos, and does not let this user in.
    UserRefused,
}

/// Why there is nothing to sign in with, or an answer is not taken.
#[derive(Debug, Error)]
pub enum SignInError {
    /// Token file or credential.
    #[error("the bearer token can't be used")]
    Token(#[from] TokenError),
    /// AD FS.
    #[error("the sign-in at AD FS can't be used")]
    Adfs(#[from] AdfsError),
    /// Kerberos.
    #[error(transparent)]
    Kerberos(#[from] KerberosError),
}

impl SignInError {
    /// What to do next, as an imperative sentence without a full stop.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::Token(error) => error.remedy_of_rights().unwrap_or_else(|| FRESH_TOKEN.to_owned()),
            Self::Adfs(error) => error.remedy(),
            Self::Kerberos(error) => error.remedy(),
        }
    }
}

/// What to do about a token that is not taken.
pub(in crate::server) const FRESH_TOKEN: &str =
    "put a fresh token where `server.token_file` or `server.token_credential` points";

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
