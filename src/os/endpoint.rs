//! The control endpoint: a socket in the file system (Windows: a named pipe) that one agent at a time listens on, and who asks there.
//!
//! [`Endpoint::open`] sees to its folder, its file, who may open it, and that no other agent sits there; [`admit`] says whether
//! a client may ask. A client reaches it with [`connect`].

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::NotHere;
use super::account::UserId;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux as platform;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
use windows as platform;

#[cfg(not(any(target_os = "linux", windows)))]
mod other;
#[cfg(not(any(target_os = "linux", windows)))]
use other as platform;

pub use platform::{
    AsyncEndpoint, AsyncStream, Endpoint, PLACE, Stream, admit, believe, connect, is_no_endpoint, is_place, of_system,
    of_user,
};

#[cfg(not(windows))]
mod places;

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

/// Whether a path can be that of a socket here.
pub const HAS_SOCKETS: bool = cfg!(not(windows));

/// What the key wants that says where metrics are served.
pub const METRICS_PLACE: &str = if HAS_SOCKETS {
    "an address of this machine as \"127.0.0.1:9912\", or \"unix:/path\""
} else {
    "an address of this machine as \"127.0.0.1:9912\""
};

/// Has an endpoint where one can be made: an imperative sentence without a full stop.
#[cfg(not(windows))]
pub const ANOTHER: &str = "set `agent.control` to a path in a folder that the agent's user may write to, and `agent.control_group` to a group of \
     that user";
/// Has an endpoint where one can be made: an imperative sentence without a full stop.
#[cfg(windows)]
pub const ANOTHER: &str =
    "set `agent.control` to another name of a pipe, and `agent.control_group` to a group of this machine or its domain";

/// A listener that is neither root, nor this process's user, nor the only one who can write to the socket's folder: what it
/// answers is anybody's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("who listens there ({}) is neither {TRUSTED}", user(*.uid))]
pub struct NotBelieved {
    /// Its user, where the system says.
    pub uid: Option<UserId>,
}

#[cfg(not(windows))]
const TRUSTED: &str = "root, nor this user, nor the only owner of the socket's folder";
#[cfg(windows)]
const TRUSTED: &str = "the system, nor an administrator, nor this user, nor the account of the service";

fn user(uid: Option<UserId>) -> String {
    uid.map_or("a user that the system does not tell".to_owned(), |uid| format!("user {uid}"))
}

/// A client that may not ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAllowed {
    /// Its user, where the system says.
    pub uid: Option<UserId>,
}
