//! Which processes are connected to a socket of the file system, as the kernel tells (sock_diag; Linux).

#[cfg(target_os = "linux")]
#[path = "socket_clients/linux.rs"]
mod system;

use std::io;
use std::path::Path;

/// The clients of one socket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Clients {
    /// The processes that have a connection open, in order of their ids, ourselves left out.
    pub processes: Vec<u32>,
    /// Connections of which this process may not see who has them: those of other users, and of processes that hide.
    pub unseen: usize,
}

/// The processes that are connected to the socket at this path, and how many connections nobody can be named for.
///
/// # Errors
/// The kernel can't be asked (another system, a filter of system calls), or knows of no connection to that socket (one of another
/// network namespace).
#[cfg(target_os = "linux")]
pub fn clients(socket: &Path) -> io::Result<Clients> {
    system::clients(socket)
}

/// The processes that are connected to the socket at this path: not told here.
///
/// # Errors
/// Always.
#[cfg(not(target_os = "linux"))]
pub fn clients(_socket: &Path) -> io::Result<Clients> {
    Err(io::ErrorKind::Unsupported.into())
}
