//! The control endpoint: a socket in the file system that one agent at a time listens on, and who asks there.
//!
//! [`Endpoint::open`] sees to its folder, its file, who may open it, and that no other agent sits there; [`admit`] says whether
//! a client may ask. A client reaches it with [`connect`].

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::NotHere;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::{AsyncEndpoint, AsyncStream, Endpoint, Stream, admit, believe, connect, is_no_endpoint};

#[cfg(not(target_os = "linux"))]
mod other;
#[cfg(not(target_os = "linux"))]
pub use other::{AsyncEndpoint, AsyncStream, Endpoint, Stream, admit, believe, connect, is_no_endpoint};

/// Why there is no endpoint.
#[derive(Debug, Error)]
pub enum EndpointError {
    /// Another agent has it.
    #[error("an agent is running already and answers on {}", .path.display())]
    Running {
        /// The socket.
        path: PathBuf,
    },
    /// Something else sits there.
    #[error("{} is there, and is no socket of an agent", .path.display())]
    Occupied {
        /// What is there.
        path: PathBuf,
    },
    /// The system refused.
    #[error("the control socket can't be made: {what} {}", .path.display())]
    Io {
        /// What we were doing.
        what: &'static str,
        /// To what.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The system has no endpoint that pinwright knows how to use.
    #[error(transparent)]
    NotHere(#[from] NotHere),
}

/// A listener that is neither root, nor this process's user, nor the only one who can write to the socket's folder: what it
/// answers is anybody's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("who listens there ({}) is neither root, nor this user, nor the only owner of the socket's folder", user(*.uid))]
pub struct NotBelieved {
    /// Its user, where the system says.
    pub uid: Option<u32>,
}

fn user(uid: Option<u32>) -> String {
    uid.map_or("a user that the system does not tell".to_owned(), |uid| format!("user {uid}"))
}

/// A client that may not ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAllowed {
    /// Its user, where the system says.
    pub uid: Option<u32>,
}
