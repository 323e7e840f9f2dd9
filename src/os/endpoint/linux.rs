//! A Unix socket as control endpoint.

mod peer;
mod rights;

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::{
    DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown,
};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::socket::{
    AddressFamily, Backlog, Shutdown, SockFlag, SockType, UnixAddr, bind, connect as connect_socket, listen,
    setsockopt, shutdown, socket, sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike as _};
use rustix::fs::{AtFlags, OFlags, chownat};

pub use self::peer::{admit, believe};
use self::rights::FileRights;
use super::EndpointError;
pub use super::places::{PLACE, is_place, of_system, of_user};
use crate::os::account::{Account, Group};

/// Anybody may look into the folder: what counts is the socket's own mode.
const FOLDER_MODE: u32 = 0o755;

/// The agent's user and its group.
const SOCKET_MODE: u32 = 0o660;

const BACKLOG: i32 = 16;

/// A socket that listens. Its file stays when this is dropped: an agent that finds it dead replaces it.
#[derive(Debug)]
pub struct Endpoint {
    listener: UnixListener,
    path: PathBuf,
    lock: Lock,
}

/// A connection.
pub type Stream = UnixStream;

/// A connection for asynchronous code.
pub type AsyncStream = tokio::net::UnixStream;

/// An [`Endpoint`] for asynchronous code.
#[derive(Debug)]
pub struct AsyncEndpoint {
    listener: tokio::net::UnixListener,
    _lock: Lock,
}

/// Held while the agent has the socket.
#[derive(Debug)]
struct Lock {
    _file: File,
}

impl Endpoint {
    /// Makes the socket for the members of `group`, and as `owner` where that is not who we are. The socket of an agent that has
    /// ended is replaced; one that answers is left alone.
    ///
    /// # Errors
    /// See [`EndpointError`].
    pub fn open(path: &Path, group: Option<Group>, owner: Option<&Account>) -> Result<Self, EndpointError> {
        let failed = |what| move |source| EndpointError::Io { what, path: path.to_owned(), source };
        let folder = path.parent().unwrap_or(Path::new("/"));
        make_folder(folder, owner)?;
        let rights = FileRights::of(owner).map_err(failed("working as the agent's user on"))?;
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
        Ok(Self { listener, path: path.to_owned(), lock })
    }

    /// The socket's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for the next client.
    ///
    /// # Errors
    /// The system's; from [`Endpoint::stop_accepting`] on, always.
    pub fn accept(&self) -> io::Result<Stream> {
        self.listener.accept().map(|(stream, _)| stream)
    }

    /// Wakes whoever waits for a client, and lets no more of them in.
    ///
    /// # Errors
    /// The system's: then whoever waits goes on to wait.
    pub fn stop_accepting(&self) -> io::Result<()> {
        Ok(shutdown(self.listener.as_raw_fd(), Shutdown::Both)?)
    }

    /// Removes the socket's name.
    ///
    /// # Errors
    /// The system's.
    pub fn remove(&self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }

    /// The same for asynchronous code. To be called inside of a runtime.
    ///
    /// # Errors
    /// The system's, or that of the runtime.
    pub fn into_async(self) -> io::Result<AsyncEndpoint> {
        self.listener.set_nonblocking(true)?;
        let listener = tokio::net::UnixListener::from_std(self.listener)?;
        Ok(AsyncEndpoint { listener, _lock: self.lock })
    }
}

impl AsyncEndpoint {
    /// Waits for the next client.
    ///
    /// # Errors
    /// The system's.
    pub async fn accept(&self) -> io::Result<AsyncStream> {
        self.listener.accept().await.map(|(stream, _)| stream)
    }
}

/// Connects to an agent. One that takes nobody in is waited for no longer than `within`.
///
/// # Errors
/// The system's: `NotFound` or `ConnectionRefused` where no agent listens, `PermissionDenied` where this user may not,
/// `WouldBlock` where it took too long.
pub fn connect(path: &Path, within: Duration) -> io::Result<Stream> {
    let socket = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    // By unix(7) and socket(7) it is the limit of connect(2), too. Zero would be none.
    let within = within.max(Duration::from_millis(1));
    let limit = TimeVal::milliseconds(i64::try_from(within.as_millis()).unwrap_or(i64::MAX));
    setsockopt(&socket, sockopt::SendTimeout, &limit)?;
    connect_socket(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
    let stream = UnixStream::from(socket);
    stream.set_write_timeout(None)?;
    Ok(stream)
}

/// Whether something that is no socket is there.
#[must_use]
pub fn is_no_endpoint(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|there| !there.file_type().is_socket())
}

fn listening(socket: OwnedFd) -> io::Result<UnixListener> {
    listen(&socket, Backlog::new(BACKLOG)?)?;
    Ok(UnixListener::from(socket))
}

/// systemd makes the folder for a unit; elsewhere it is made here, one level of it: by its owner, or by root for it.
fn make_folder(folder: &Path, owner: Option<&Account>) -> Result<(), EndpointError> {
    let failed = |source| EndpointError::Io { what: "making the folder", path: folder.to_owned(), source };
    let rights = FileRights::of(owner).map_err(failed)?;
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
    fchown(&folder, Some(owner.uid), Some(owner.gid.0))
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
fn lock(socket: &Path) -> Result<Lock, EndpointError> {
    let path = PathBuf::from(format!("{}.lock", socket.display()));
    let failed = |source| EndpointError::Io { what: "locking", path: path.clone(), source };
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
        Ok(()) => Ok(Lock { _file: file }),
        Err(TryLockError::WouldBlock) => Err(EndpointError::Running { path: socket.to_owned() }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// Removes a socket that nobody listens on any more.
fn remove_dead(path: &Path) -> Result<(), EndpointError> {
    let failed = |what| move |source| EndpointError::Io { what, path: path.to_owned(), source };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Ok(there) if there.file_type().is_socket() => {}
        Ok(_) => return Err(EndpointError::Occupied { path: path.to_owned() }),
        Err(error) => return Err(failed("looking at")(error)),
    }
    match UnixStream::connect(path) {
        // It has our name and not our lock: whoever it is, it lives.
        Ok(_) => Err(EndpointError::Running { path: path.to_owned() }),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path).map_err(failed("removing")),
        Err(error) => Err(failed("connecting to")(error)),
    }
}

/// Of what is there, and not of what a link points to. The group is set with our own rights, on the very socket that was looked
/// at: its owner need not belong to it.
fn set_mode(path: &Path, group: Option<Group>, rights: Option<FileRights>) -> Result<(), EndpointError> {
    let failed = |what| move |source| EndpointError::Io { what, path: path.to_owned(), source };
    let opened = OpenOptions::new().read(true).custom_flags(flags(OFlags::PATH | OFlags::NOFOLLOW)).open(path);
    let there = opened.map_err(failed("looking at"))?;
    let found = there.metadata().map_err(failed("looking at"))?;
    if !found.file_type().is_socket() {
        return Err(EndpointError::Occupied { path: path.to_owned() });
    }
    let itself = format!("/proc/self/fd/{}", there.as_raw_fd());
    fs::set_permissions(itself, mode(SOCKET_MODE)).map_err(failed("setting the mode of"))?;
    drop(rights);
    // Not even asked for where it is so already: a unit may be forbidden the call.
    match group.filter(|group| group.0 != found.gid()) {
        Some(group) => chownat(&there, "", None, Some(rustix::fs::Gid::from_raw(group.0)), AtFlags::EMPTY_PATH)
            .map_err(|error| failed("setting the group of")(error.into())),
        None => Ok(()),
    }
}
