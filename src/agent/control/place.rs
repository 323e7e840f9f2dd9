//! The socket's place: its folder, its file, who may open it, and that no other agent sits there.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::{
    DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, chown, fchown,
};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket};
use nix::unistd::Gid;
use thiserror::Error;

use crate::agent::account::Account;

/// Anybody may look into the folder: what counts is the socket's own mode.
const FOLDER_MODE: u32 = 0o755;

/// The agent's user and its group.
const SOCKET_MODE: u32 = 0o660;

const BACKLOG: i32 = 16;

/// A socket that listens; nobody is answered yet.
#[derive(Debug)]
pub struct Place {
    pub(in crate::agent) listener: UnixListener,
    pub(super) path: PathBuf,
    pub(super) group: Option<Gid>,
    pub(in crate::agent) lock: Lock,
}

/// Held while the agent has the socket.
#[derive(Debug)]
pub struct Lock(#[allow(dead_code, reason = "held, not read: closing the file lets go of it")] File);

/// Why there is no control socket.
#[derive(Debug, Error)]
pub enum PlaceError {
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
}

impl Place {
    /// Makes the socket for the members of `group`, and hands it to `owner` where that is not who we are. The socket of an
    /// agent that has ended is replaced; one that answers is left alone.
    ///
    /// # Errors
    /// See [`PlaceError`].
    pub fn take(path: &Path, group: Option<Gid>, owner: Option<&Account>) -> Result<Self, PlaceError> {
        let failed = |what| move |source| PlaceError::Io { what, path: path.to_owned(), source };
        let folder = path.parent().unwrap_or(Path::new("/"));
        make_folder(folder, owner)?;
        let lock = lock(path, owner)?;
        remove_dead(path)?;
        let socket = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)
            .map_err(|error| failed("opening")(error.into()))?;
        let address = UnixAddr::new(path).map_err(|error| failed("naming")(error.into()))?;
        bind(socket.as_raw_fd(), &address).map_err(|error| failed("binding")(error.into()))?;
        // Nobody can connect before it listens, so its mode is right from the first client on.
        set_mode(path, group, owner).inspect_err(|_| drop(fs::remove_file(path)))?;
        listening(socket).map(|listener| Self { listener, path: path.to_owned(), group, lock }).map_err(|error| {
            drop(fs::remove_file(path));
            failed("listening on")(error)
        })
    }

    /// The socket's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn listening(socket: OwnedFd) -> io::Result<UnixListener> {
    listen(&socket, Backlog::new(BACKLOG)?)?;
    Ok(UnixListener::from(socket))
}

/// systemd makes the folder for a unit; elsewhere it is made here, one level of it.
fn make_folder(folder: &Path, owner: Option<&Account>) -> Result<(), PlaceError> {
    let failed = |source| PlaceError::Io { what: "making the folder", path: folder.to_owned(), source };
    match DirBuilder::new().mode(FOLDER_MODE).create(folder) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
        made => made.map_err(failed)?,
    }
    // The umask may have taken something away from it.
    fs::set_permissions(folder, Permissions::from_mode(FOLDER_MODE)).map_err(failed)?;
    match owner {
        Some(owner) => chown(folder, Some(owner.uid.as_raw()), Some(owner.gid.as_raw())).map_err(failed),
        None => Ok(()),
    }
}

/// Two agents that start at once must not take each other's socket for a dead one.
fn lock(socket: &Path, owner: Option<&Account>) -> Result<Lock, PlaceError> {
    let path = PathBuf::from(format!("{}.lock", socket.display()));
    let failed = |source| PlaceError::Io { what: "locking", path: path.clone(), source };
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(failed)?;
    if let Some(owner) = owner {
        fchown(&file, Some(owner.uid.as_raw()), Some(owner.gid.as_raw())).map_err(failed)?;
    }
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => Err(PlaceError::Running { path: socket.to_owned() }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// Removes a socket that nobody listens on any more.
fn remove_dead(path: &Path) -> Result<(), PlaceError> {
    let failed = |what| move |source| PlaceError::Io { what, path: path.to_owned(), source };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Ok(there) if there.file_type().is_socket() => {}
        Ok(_) => return Err(PlaceError::Occupied { path: path.to_owned() }),
        Err(error) => return Err(failed("looking at")(error)),
    }
    match UnixStream::connect(path) {
        // It has our name and not our lock: whoever it is, it lives.
        Ok(_) => Err(PlaceError::Running { path: path.to_owned() }),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path).map_err(failed("removing")),
        Err(error) => Err(failed("connecting to")(error)),
    }
}

fn set_mode(path: &Path, group: Option<Gid>, owner: Option<&Account>) -> Result<(), PlaceError> {
    let failed = |what| move |source| PlaceError::Io { what, path: path.to_owned(), source };
    fs::set_permissions(path, Permissions::from_mode(SOCKET_MODE)).map_err(failed("setting the mode of"))?;
    let there = fs::symlink_metadata(path).map_err(failed("looking at"))?;
    let uid = owner.map_or(there.uid(), |owner| owner.uid.as_raw());
    let gid = group.or(owner.map(|owner| owner.gid)).map_or(there.gid(), Gid::as_raw);
    // Not even asked for where it is so already: a unit may be forbidden the call.
    if (uid, gid) == (there.uid(), there.gid()) {
        return Ok(());
    }
    chown(path, Some(uid), Some(gid)).map_err(failed("setting the group of"))
}
