//! Whether another agent of this machine sees to the cards of the same PC/SC service.
//!
//! The first one listens on an abstract socket that is named after the service: agents of any user find it there, and the kernel says
//! whose it is. Nothing is said over it. Anybody could take the name, so an agent that finds it taken says so and goes on.

use std::fmt;
use std::io;
use std::path::Path;

/// What was found.
#[derive(Debug)]
pub enum Found {
    /// Nobody. We are the one that others find, as long as this is kept.
    Nobody(Held),
    /// Another agent, which came first.
    Other(Other),
}

/// The name, taken.
#[derive(Debug)]
pub struct Held {
    #[cfg(target_os = "linux")]
    _listener: std::os::unix::net::UnixListener,
}

/// An agent that came first, by the kernel's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Other {
    /// Its user.
    pub uid: u32,
    /// Its process; 0 where it is in a namespace that we don't see into.
    pub pid: i32,
}

impl fmt::Display for Other {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} of user {}", self.pid, self.uid)
    }
}

/// Looks for an agent at the service that listens on this socket; where there is none, we are found from now on.
///
/// # Errors
/// The system's: then it is not known whether there is one.
#[cfg(target_os = "linux")]
pub fn look(service: &Path) -> io::Result<Found> {
    use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

    /// A longer name is no address (unix(7)); a path's end tells it apart better than its beginning.
    const MAX: usize = 80;
    let path = service.as_os_str().as_bytes();
    let mut name = b"pinwright-agent:".to_vec();
    name.extend(path.iter().skip(path.len().saturating_sub(MAX)));
    let address = SocketAddr::from_abstract_name(name)?;
    match UnixListener::bind_addr(&address) {
        Ok(listener) => Ok(Found::Nobody(Held { _listener: listener })),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let peer = getsockopt(&UnixStream::connect_addr(&address)?, PeerCredentials)?;
            Ok(Found::Other(Other { uid: peer.uid(), pid: peer.pid() }))
        }
        Err(error) => Err(error),
    }
}

/// Looks for an agent at the service: on this system there is none.
///
/// # Errors
/// Never.
#[cfg(not(target_os = "linux"))]
pub fn look(_service: &Path) -> io::Result<Found> {
    Ok(Found::Nobody(Held {}))
}
