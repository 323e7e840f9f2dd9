//! What carries a form to AD FS and its answer back.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use zeroize::Zeroizing;

use crate::secret::SecretBytes;
use crate::server::auth::adfs::error::AdfsError;

/// An answer of AD FS.
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The body: tokens, or an error.
    pub body: SecretBytes,
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

    /// The host, for messages.
    fn host(&self) -> String;
}
