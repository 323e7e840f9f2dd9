//! No sign-in, for servers that know us by other means.

use reqwest::header::HeaderValue;

use super::offered::Offered;
use super::sign_in::{Next, SignIn, SignInError, Stop};

/// The sign-in of one call without credentials.
pub(super) struct Anonymous;

impl SignIn for Anonymous {
    fn first(&mut self) -> Result<Option<HeaderValue>, SignInError> {
        Ok(None)
    }

    fn refused(&mut self, _: &Offered) -> Result<Next, SignInError> {
        Ok(Next::Stop(Stop::NoCredentials))
    }
}
