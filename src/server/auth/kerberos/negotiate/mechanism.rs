//! What the sign-in needs of a Kerberos library: two calls, both of which may wait for the network.

use std::fmt;
use std::time::Duration;

use crate::secret::SecretBytes;
use crate::server::auth::kerberos::error::LibraryError;

/// A token that is wanted.
pub(super) struct Request {
    /// The server's principal.
    pub service: String,
    /// Ours, where it is named.
    pub principal: Option<String>,
    /// What the token is bound to.
    pub bindings: Option<Vec<u8>>,
}

/// A library.
pub(super) trait Mechanism: fmt::Debug + Send + Sync {
    /// A token for the server, and what becomes of it.
    ///
    /// # Errors
    /// The library's text.
    fn begin(&self, request: &Request) -> Result<(Box<dyn Context>, SecretBytes), LibraryError>;
}

/// A token that was made, and waits for the server's answer.
pub(super) trait Context: Send {
    /// Takes the server's token.
    ///
    /// # Errors
    /// It proves nothing, or is the server's own error: the library's text.
    fn step(self: Box<Self>, token: &[u8]) -> Result<Progress, LibraryError>;
}

/// Where an exchange stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// Both sides have proved who they are; how long the ticket for the server still is valid, where that is known.
    Done(Option<Duration>),
    /// The library wants to send more.
    Unfinished,
}
