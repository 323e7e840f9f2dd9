//! The socket's place: its folder, its file, who may open it, and that no other agent sits there.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::{
    DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown,
};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket};
use nix::unistd::Gid;
use rustix::fs::{AtFlags, OFlags, chownat};
use thiserror::Error;

use super::rights::Rights;
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
    /// Makes the socket for the members of `group`, and as `owner` where that is not who we are. The socket of an agent that has
    /// ended is replaced; one that answers is left alone.
    ///
    /// # Errors
    /// See [`PlaceError`].
    pub fn take(path: &Path, group: Option<Gid>, owner: Option<&Account>) -> Result<Self, PlaceError> {
        let failed = |what| move |source| PlaceError::Io { what, path: path.to_owned(), source };
        let folder = path.parent().unwrap_or(Path::new("/"));
        make_folder(folder, owner)?;
        let rights = Rights::of(owner).map_err(failed("working as the agent's user on"))?;
        let lock = lock(path)?;
        remove_dead(path)?;
        let socket = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)
            .map_err(|error| failed("opening")(error.into()))?;
        let address = UnixAddr::new(path).map_err(|error| failed("naming")(error.into()))?;
        bind(socket.as_raw_fd(), &address).map_err(|error| failed("binding")(error.into()))?;
        // Nobody can connect before it listens, so its mode is right from the first client on. Where one of these fails the
        // socket stays, and the next agent finds it dead: with its owner's rights gone nothing is removed here by its path.
        set_mode(path, group, rights)?;
        let listener = listening(socket).map_err(failed("listening on"))?;
        Ok(Self { listener, path: path.to_owned(), group, lock })
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

/// systemd makes the folder for a unit; elsewhere it is made here, one level of it: by its owner, or by root for it.
fn make_folder(folder: &Path, owner: Option<&Account>) -> Result<(), PlaceError> {
    let failed = |source| PlaceError::Io { what: "making the folder", path: folder.to_owned(), source };
    let rights = Rights::of(owner).map_err(failed)?;
    let made = DirBuilder::new().mode(FOLDER_MODE).create(folder);
    drop(rights);
    match (made, owner) {
        (Ok(()), _) => open_folder(folder).and_then(|folder| folder.set_permissions(mode(FOLDER_MODE))).map_err(failed),
        (Err(error), _) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        (Err(error), Some(owner)) if error.kind() == ErrorKind::PermissionDenied => {
            make_for(owner, folder, error).map_err(failed)
        }
        (Err(error), _) => Err(failed(error)),
    }
}

/// Where nobody but root can put another folder or a link in the place of one on the way.
fn make_for(owner: &Account, folder: &Path, refused: io::Error) -> io::Result<()> {
    const OTHERS_WRITE: u32 = 0o022;
    const STICKY: u32 = 0o1000;
    let (Some(parent), Some(name)) = (folder.parent(), folder.file_name()) else { return Err(refused) };
    let parent = fs::canonicalize(parent)?;
    for above in parent.ancestors() {
        let there = fs::symlink_metadata(above)?;
        let is_open = there.mode() & OTHERS_WRITE != 0 && there.mode() & STICKY == 0;
        if there.uid() != 0 || is_open {
            return Err(refused);
        }
    }
    let folder = parent.join(name);
    match DirBuilder::new().mode(FOLDER_MODE).create(&folder) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
        made => made?,
    }
    let folder = open_folder(&folder)?;
    folder.set_permissions(mode(FOLDER_MODE))?;
    fchown(&folder, Some(owner.uid.as_raw()), Some(owner.gid.as_raw()))
}

fn open_folder(folder: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(flags(OFlags::DIRECTORY | OFlags::NOFOLLOW)).open(folder)
}

fn mode(mode: u32) -> Permissions {
    Permissions::from_mode(mode)
}

fn flags(flags: OFlags) -> i32 {
    flags.bits().cast_signed()
}

/// Two agents that start at once must not take each other's socket for a dead one.
fn lock(socket: &Path) -> Result<Lock, PlaceError> {
    let path = PathBuf::from(format!("{}.lock", socket.display()));
    let failed = |source| PlaceError::Io { what: "locking", path: path.clone(), source };
    let mut options = OpenOptions::new();
    // Not through a link, and without waiting for the other end of a pipe.
    options
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(flags(OFlags::NOFOLLOW | OFlags::NONBLOCK));
    let file = options.open(&path).map_err(failed)?;
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

/// Of what is there, and not of what a link points to. The group is set with our own rights, on the very socket that was looked
/// at: its owner need not belong to it.
fn set_mode(path: &Path, group: Option<Gid>, rights: Option<Rights>) -> Result<(), PlaceError> {
    let failed = |what| move |source| PlaceError::Io { what, path: path.to_owned(), source };
    let opened = OpenOptions::new().read(true).custom_flags(flags(OFlags::PATH | OFlags::NOFOLLOW)).open(path);
    let there = opened.map_err(failed("looking at"))?;
    let found = there.metadata().map_err(failed("looking at"))?;
    if !found.file_type().is_socket() {
        return Err(PlaceError::Occupied { path: path.to_owned() });
    }
    let itself = format!("/proc/self/fd/{}", there.as_raw_fd());
    fs::set_permissions(itself, mode(SOCKET_MODE)).map_err(failed("setting the mode of"))?;
    drop(rights);
    // Not even asked for where it is so already: a unit may be forbidden the call.
    match group.filter(|group| group.as_raw() != found.gid()) {
        Some(group) => chownat(&there, "", None, Some(rustix::fs::Gid::from_raw(group.as_raw())), AtFlags::EMPTY_PATH)
            .map_err(|error| failed("setting the group of")(error.into())),
        None => Ok(()),
    }
}
