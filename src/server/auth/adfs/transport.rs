//! What carries a form to AD FS and its answer back.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use reqwest::header::{HeaderMap, HeaderValue};
use url::Url;
use zeroize::Zeroizing;

use super::error::AdfsError;
use crate::secret::SecretBytes;
use crate::server::auth::challenge::Challenge;

/// An answer of AD FS.
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The body: tokens, or an error.
    pub body: SecretBytes,
    /// By how many seconds our clock is ahead of the one that AD FS shows.
    pub ahead: Option<i64>,
}

/// A page of AD FS, as a browser gets it.
pub struct Page {
    /// The HTTP status.
    pub status: u16,
    /// Its head. Cookies and a code may be in it.
    pub headers: HeaderMap,
    /// What a 401 asks for.
    pub challenge: Challenge,
    /// The beginning of its text.
    pub start: SecretBytes,
}

/// A page to come.
pub type Paging<'a> = Pin<Box<dyn Future<Output = Result<Page, AdfsError>> + Send + 'a>>;

/// The pages of one AD FS as one browser asks for them: over one connection where that holds, with the cookies that it was given.
pub trait Pages: Send {
    /// Asks for a page. Redirects are not followed.
    ///
    /// # Errors
    /// [`AdfsError::Unreachable`].
    fn get<'a>(&'a mut self, url: &'a Url, authorization: Option<HeaderValue>) -> Paging<'a>;
}

/// A reply to come.
pub type Replying<'a> = Pin<Box<dyn Future<Output = Result<Reply, AdfsError>> + Send + 'a>>;

/// Sends forms to one AD FS, and nowhere else.
pub trait Transport: fmt::Debug + Send + Sync {
    /// Sends a form to an endpoint below `oauth2/`: `token` or `devicecode`. Redirects are not followed.
    ///
    /// # Errors
    /// [`AdfsError::Unreachable`].
    fn post(&self, endpoint: &'static str, form: Zeroizing<String>) -> Replying<'_>;

    /// A browser without any window, which has no cookie yet.
    ///
    /// # Errors
    /// [`AdfsError::Unreachable`].
    fn pages(&self) -> Result<Box<dyn Pages>, AdfsError>;

    /// The host, for messages.
    fn host(&self) -> String;
}
