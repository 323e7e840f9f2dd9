//! Sign-in with a bearer token that another program renews: read for each attempt, and once more after a refusal.

use reqwest::header::HeaderValue;

use super::challenge::Challenge;
use super::offered::Offered;
use super::sign_in::{Awaited, Credentials, Next, SignIn, SignInError, Stop};
use super::token::TokenSource;

/// The sign-in of one call with a token.
pub(super) struct Bearer {
    source: TokenSource,
    shown: Option<Credentials>,
    /// The token has been read anew after a refusal.
    renewed: bool,
}

impl Bearer {
    pub(super) fn new(source: TokenSource) -> Self {
        Self { source, shown: None, renewed: false }
    }

    fn read(&mut self) -> Result<HeaderValue, SignInError> {
        let read = Credentials::new(self.source.header()?);
        Ok(self.shown.insert(read).header())
    }

    /// Read anew once whatever is offered: a token that was replaced meanwhile is the likely reason, and proxies drop or change
    /// the offer.
    fn read_anew(&mut self, offered: &Offered) -> Result<Next, SignInError> {
        if self.renewed {
            return Ok(Next::Stop(Stop::NewTokenRefused));
        }
        self.renewed = true;
        let anew = Credentials::new(self.source.header()?);
        if self.shown.as_ref().is_some_and(|shown| shown.is_same_as(&anew)) {
            return Ok(Next::Stop(if offered.lacks("Bearer") { Stop::NotOffered } else { Stop::SameToken }));
        }
        Ok(Next::Show(self.shown.insert(anew).header()))
    }
}

impl SignIn for Bearer {
    fn first(&mut self) -> Awaited<'_, Option<HeaderValue>> {
        let read = self.read();
        Box::pin(async { read.map(Some) })
    }

    fn refused<'a>(&'a mut self, challenge: &'a Challenge) -> Awaited<'a, Next> {
        let next = self.read_anew(&challenge.offered);
        Box::pin(async { next })
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

    use super::*;

    fn shows(next: Result<Next, SignInError>) -> Result<String, Stop> {
        match next.unwrap() {
            Next::Show(header) => {
                assert!(header.is_sensitive());
                Ok(header.to_str().unwrap().to_owned())
            }
            Next::Stop(stop) => Err(stop),
        }
    }

    #[test]
    fn a_refused_token_is_read_anew_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let write = |token: &str| std::fs::write(&path, token).unwrap();
        let begin = || Bearer::new(TokenSource::File(path.clone()));
        let none = Offered::default();

        write("one");
        let mut same = begin();
        assert_eq!(same.read().unwrap(), "Bearer one");
        assert_eq!(shows(same.read_anew(&none)), Err(Stop::SameToken));

        let mut rotated = begin();
        rotated.read().unwrap();
        write("two");
        assert_eq!(shows(rotated.read_anew(&none)), Ok("Bearer two".to_owned()));
        write("three");
        assert_eq!(shows(rotated.read_anew(&none)), Err(Stop::NewTokenRefused));

        let mut lost = begin();
        lost.read().unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(lost.read_anew(&none).is_err());
    }

    #[test]
    fn a_server_that_wants_something_else_is_told_from_a_stale_token() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "one").unwrap();
        let mut headers = HeaderMap::new();
        headers.append(WWW_AUTHENTICATE, HeaderValue::from_static("Negotiate"));
        let mut bearer = Bearer::new(TokenSource::File(path));
        bearer.read().unwrap();
        assert_eq!(shows(bearer.read_anew(&Offered::of(&headers))), Err(Stop::NotOffered));
    }
}
