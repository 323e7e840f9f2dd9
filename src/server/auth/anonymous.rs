//! No sign-in, for servers that know us by other means.

use reqwest::header::HeaderValue;

use super::challenge::Challenge;
use super::sign_in::{Awaited, Next, SignIn, Stop};

/// The sign-in of one call without credentials.
pub(super) struct Anonymous;

impl SignIn for Anonymous {
    fn first(&mut self) -> Awaited<'_, Option<HeaderValue>> {
        Box::pin(async { Ok(None) })
    }

    fn refused<'a>(&'a mut self, _: &'a Challenge) -> Awaited<'a, Next> {
        Box::pin(async { Ok(Next::Stop(Stop::NoCredentials)) })
    }
}
