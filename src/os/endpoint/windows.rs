//! A named pipe as control endpoint.
//!
//! Its list of rights says who may talk; that the first instance is made by us says that nobody sat there before; and nobody else may make
//! another instance, so that a client never talks to somebody else.

mod peer;
mod stream;

use std::future::pending;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use tokio::net::windows::named_pipe::NamedPipeServer;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, Semaphore};
use windows_sys::Win32::Foundation::ERROR_PIPE_BUSY;

pub use self::peer::{admit, believe};
pub use self::stream::Stream;
use super::EndpointError;
use crate::os::NotHere;
use crate::os::account::{Account, Group};
use crate::os::acl::pipe as rights;
use crate::os::windows::pipe;
use crate::os::windows::security::{Descriptor, own};

/// Where pipes are.
const PIPES: &str = r"\\.\pipe\";

/// How long to wait before a pipe is asked again all of whose instances are taken.
const PAUSE: Duration = Duration::from_millis(20);

/// How long a look at who sits there may take.
const LOOK: Duration = Duration::from_secs(1);

/// What keys of the configuration want.
pub const PLACE: &str = r"the name of a pipe of this machine, as \\.\pipe\pinwright-agent";

/// Where the machine's agent listens.
#[must_use]
pub fn of_system() -> PathBuf {
    PathBuf::from(format!("{PIPES}pinwright-agent"))
}

/// Where a person's agent listens.
#[must_use]
pub fn of_user(_variable: &dyn Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    own().ok().map(|own| PathBuf::from(format!("{PIPES}pinwright-agent-{own}")))
}

/// Whether an endpoint may be there.
#[must_use]
pub fn is_place(path: &Path) -> bool {
    let name = path.to_str().and_then(|text| text.strip_prefix(PIPES));
    name.is_some_and(|name| !name.is_empty() && !name.contains(['\\', '/']))
}

/// Whether something that is no pipe is there.
#[must_use]
pub fn is_no_endpoint(path: &Path) -> bool {
    !is_place(path) && path.exists()
}

/// A pipe that listens.
#[derive(Debug)]
pub struct Endpoint {
    path: PathBuf,
    descriptor: String,
    /// The instance that waits for a client.
    waiting: Mutex<Option<NamedPipeServer>>,
    /// Closed when no more clients are taken in.
    taking: Semaphore,
}

/// An [`Endpoint`] for asynchronous code.
#[derive(Debug)]
pub enum AsyncEndpoint {}

/// A connection for asynchronous code.
pub type AsyncStream = NamedPipeServer;

impl Endpoint {
    /// Makes the pipe for members of `group`.
    ///
    /// # Errors
    /// See [`EndpointError`].
    pub fn open(path: &Path, group: Option<Group>, _owner: Option<&Account>) -> Result<Self, EndpointError> {
        let failed = |what| move |source| EndpointError::Io { what, path: path.to_owned(), source };
        if !is_place(path) {
            return Err(failed("naming")(io::Error::new(ErrorKind::InvalidInput, PLACE)));
        }
        let own = own().map_err(failed("finding this user for"))?;
        let endpoint = Self {
            path: path.to_owned(),
            descriptor: rights(&own, group.map(|group| group.0).as_ref()),
            waiting: Mutex::new(None),
            taking: Semaphore::new(0),
        };
        let _inside = driver().map_err(failed("waiting for"))?.enter();
        match endpoint.instance(true) {
            Ok(first) => Ok(Self { waiting: Mutex::new(Some(first)), ..endpoint }),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(who_sits_at(path)),
            Err(error) => Err(failed("opening")(error)),
        }
    }

    fn instance(&self, is_first: bool) -> io::Result<NamedPipeServer> {
        pipe::server(&self.path, is_first, &Descriptor::of_text(&self.descriptor)?)
    }

    /// The pipe's name.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for the next client.
    ///
    /// # Errors
    /// The system's; from [`Endpoint::stop_accepting`] on, always.
    pub fn accept(&self) -> io::Result<Stream> {
        driver()?.block_on(async {
            let mut waiting = self.waiting.lock().await;
            let server = match waiting.take() {
                Some(server) => server,
                None => self.instance(false)?,
            };
            tokio::select! {
                biased;
                _ = self.taking.acquire() => Err(ErrorKind::ConnectionAborted.into()),
                connected = server.connect() => {
                    connected?;
                    // There before this client can go: as long as one instance is there, the name is ours. Where it can't be made now, it
                    // is made when the next client is waited for.
                    *waiting = self.instance(false).ok();
                    Ok(Stream::of_server(server))
                }
            }
        })
    }

    /// Wakes whoever waits for a client, and lets no more of them in.
    ///
    /// # Errors
    /// Never.
    pub fn stop_accepting(&self) -> io::Result<()> {
        self.taking.close();
        Ok(())
    }

    /// Removes the pipe's name: it goes with the last instance.
    ///
    /// # Errors
    /// Never.
    pub fn remove(&self) -> io::Result<()> {
        Ok(())
    }

    /// The same for asynchronous code.
    ///
    /// # Errors
    /// Always: metrics are served on a loopback address here.
    pub fn into_async(self) -> io::Result<AsyncEndpoint> {
        Err(io::Error::new(ErrorKind::Unsupported, NotHere { what: "a socket for the metrics" }))
    }
}

impl AsyncEndpoint {
    /// Waits for the next client.
    ///
    /// # Errors
    /// Never called.
    #[expect(clippy::unused_async, reason = "waits where there is something to wait for")]
    pub async fn accept(&self) -> io::Result<AsyncStream> {
        match *self {}
    }
}

/// Why the first instance could not be made: an agent has, or somebody else.
fn who_sits_at(path: &Path) -> EndpointError {
    let path = path.to_owned();
    match connect(&path, LOOK) {
        Ok(stream) if believe(&stream, &path).is_ok() => EndpointError::Running { path },
        Err(error) if error.kind() == ErrorKind::WouldBlock => EndpointError::Running { path },
        Ok(_) | Err(_) => EndpointError::Occupied { path },
    }
}

/// Connects to an agent. One that takes nobody in is waited for no longer than `within`.
///
/// # Errors
/// The system's: `NotFound` where no agent listens, `PermissionDenied` where this user may not, `WouldBlock` where it took too long.
pub fn connect(path: &Path, within: Duration) -> io::Result<Stream> {
    if !is_place(path) {
        return Err(ErrorKind::NotFound.into());
    }
    let _inside = driver()?.enter();
    let deadline = Instant::now() + within;
    loop {
        match pipe::client(path) {
            Ok(client) => return Ok(Stream::of_client(client)),
            Err(error) if error.raw_os_error() != Some(ERROR_PIPE_BUSY.cast_signed()) => return Err(error),
            Err(_) if Instant::now() >= deadline => return Err(ErrorKind::WouldBlock.into()),
            Err(_) => thread::sleep(PAUSE),
        }
    }
}

/// The runtime that waits for all pipes of this process, on a thread of its own.
fn driver() -> io::Result<Handle> {
    static DRIVER: OnceLock<Handle> = OnceLock::new();
    if let Some(handle) = DRIVER.get() {
        return Ok(handle.clone());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let handle = runtime.handle().clone();
    // Two at once are one too many, and harmless.
    thread::Builder::new().name("pipes".to_owned()).spawn(move || runtime.block_on(pending::<()>()))?;
    Ok(DRIVER.get_or_init(|| handle).clone())
}

#[cfg(test)]
mod tests;
