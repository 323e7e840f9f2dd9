//! Kerberos by the library that the system has: a token for a server, what that server answers to it, and whose tickets there are.
//!
//! On Windows the system itself has it (SSPI), and signs in as the account that this process works as. Elsewhere it is MIT's, in builds with
//! the feature `kerberos`: it takes ticket cache and keytab from its environment.

#[cfg(all(unix, feature = "kerberos"))]
#[path = "kerberos/mit.rs"]
mod platform;
#[cfg(not(any(windows, all(unix, feature = "kerberos"))))]
#[path = "kerberos/other.rs"]
mod platform;
#[cfg(windows)]
#[path = "kerberos/windows.rs"]
mod platform;

use std::time::Duration;

use thiserror::Error;

use crate::foreign_text::escaped;
use crate::secret::SecretBytes;

/// Whose library it is. Their words differ, and what a user does about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Library {
    /// MIT's: ticket caches, keytabs, `kinit`.
    Mit,
    /// Windows itself (SSPI): the account that the process works as.
    Windows,
    /// This build has none.
    Missing,
}

/// The one of this build.
pub const LIBRARY: Library = platform::LIBRARY;

/// A token that is wanted.
#[derive(Debug)]
pub struct Request {
    /// The server's principal: `HTTP/cm.contoso.com`, with its realm behind an `@` where it is another one than the name belongs to.
    pub service: String,
    /// Ours, where it is named.
    pub principal: Option<String>,
    /// What the token is bound to.
    pub bindings: Option<Vec<u8>>,
}

/// A token that was made, and waits for the server's answer.
pub trait Context: Send {
    /// Takes the server's token. It may wait for the network.
    ///
    /// # Errors
    /// It proves nothing, or is the server's own error.
    fn step(self: Box<Self>, token: &[u8]) -> Result<Progress, LibraryError>;
}

/// Where an exchange stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Both sides have proved who they are; how long the ticket for the server still is valid, where that is known.
    Done(Option<Duration>),
    /// The library wants to send more.
    Unfinished,
}

/// Tickets, or what gives some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tickets {
    /// Whose they are; untrusted text, escaped.
    pub principal: String,
    /// How long the ticket is valid with which others are got; `None` where the system renews it by itself.
    pub left: Option<Duration>,
}

/// What the library says.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("{text}")]
pub struct LibraryError {
    /// Its text, made safe to show.
    pub text: Box<str>,
    /// Its number, where it has one (`SECURITY_STATUS`).
    pub number: Option<u32>,
}

/// The longest text of a library that is shown.
const LONGEST: usize = 400;

impl LibraryError {
    /// With the library's own text.
    #[must_use]
    pub fn new(text: &str, number: Option<u32>) -> Self {
        Self { text: shown(text).into(), number }
    }
}

/// Text of a library, made safe to show. MIT's ends some with a zero.
fn shown(text: &str) -> String {
    let text: String = text.replace('\0', "").chars().take(LONGEST).collect();
    escaped(&text).trim().to_owned()
}

/// A token for the server, and what becomes of it. NTLM never is a way to make one. It may wait for a KDC.
///
/// # Errors
/// There is no ticket, or none for this server.
pub fn begin(request: &Request) -> Result<(Box<dyn Context>, SecretBytes), LibraryError> {
    platform::begin(request)
}

/// Whose tickets there are to sign in with. Of a keytab the library may ask a KDC, and wait for it.
///
/// # Errors
/// There are none.
pub fn tickets(principal: Option<&str>) -> Result<Tickets, LibraryError> {
    platform::tickets(principal)
}
