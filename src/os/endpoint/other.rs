//! No control endpoint: nothing of it can exist, so nothing that takes one is ever called.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

pub use super::places::{PLACE, is_place, of_system, of_user};
use super::{EndpointError, NotAllowed, NotBelieved, NotHere};
use crate::os::account::{Account, Group};

/// A socket that listens.
#[derive(Debug)]
pub enum Endpoint {}

/// A connection.
#[derive(Debug)]
pub enum Stream {}

/// An [`Endpoint`] for asynchronous code.
#[derive(Debug)]
pub enum AsyncEndpoint {}

/// A connection for asynchronous code.
#[derive(Debug)]
pub enum AsyncStream {}

impl Endpoint {
    /// Makes it.
    ///
    /// # Errors
    /// Always [`EndpointError::NotHere`].
    pub fn open(_path: &Path, _group: Option<Group>, _owner: Option<&Account>) -> Result<Self, EndpointError> {
        Err(NotHere { what: "the control socket" }.into())
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        match *self {}
    }

    /// Waits for the next client.
    ///
    /// # Errors
    /// Never called.
    pub fn accept(&self) -> io::Result<Stream> {
        match *self {}
    }

    /// Wakes whoever waits for a client.
    ///
    /// # Errors
    /// Never called.
    pub fn stop_accepting(&self) -> io::Result<()> {
        match *self {}
    }

    /// Removes its name.
    ///
    /// # Errors
    /// Never called.
    pub fn remove(&self) -> io::Result<()> {
        match *self {}
    }

    /// The same for asynchronous code.
    ///
    /// # Errors
    /// Never called.
    pub fn into_async(self) -> io::Result<AsyncEndpoint> {
        match self {}
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

impl Stream {
    /// How long a read may take.
    ///
    /// # Errors
    /// Never called.
    pub fn set_read_timeout(&self, _timeout: Option<Duration>) -> io::Result<()> {
        match *self {}
    }

    /// How long a write may take.
    ///
    /// # Errors
    /// Never called.
    pub fn set_write_timeout(&self, _timeout: Option<Duration>) -> io::Result<()> {
        match *self {}
    }

    /// The same connection once more.
    ///
    /// # Errors
    /// Never called.
    pub fn try_clone(&self) -> io::Result<Self> {
        match *self {}
    }

    /// Ends it in one or both directions.
    ///
    /// # Errors
    /// Never called.
    pub fn shutdown(&self, _how: Shutdown) -> io::Result<()> {
        match *self {}
    }
}

impl Read for Stream {
    fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
        match *self {}
    }
}

impl Read for &Stream {
    fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
        match **self {}
    }
}

impl Write for Stream {
    fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
        match *self {}
    }

    fn flush(&mut self) -> io::Result<()> {
        match *self {}
    }
}

impl Write for &Stream {
    fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
        match **self {}
    }

    fn flush(&mut self) -> io::Result<()> {
        match **self {}
    }
}

impl AsyncRead for AsyncStream {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match *self {}
    }
}

impl AsyncWrite for AsyncStream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        match *self {}
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match *self {}
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match *self {}
    }
}

/// Lets clients in.
///
/// # Errors
/// Never called.
pub fn admit(stream: &Stream, _group: Option<Group>) -> Result<(), NotAllowed> {
    match *stream {}
}

/// Believes a listener.
///
/// # Errors
/// Never called.
pub fn believe(stream: &Stream, _path: &Path) -> Result<(), NotBelieved> {
    match *stream {}
}

/// Connects to an agent.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn connect(_path: &Path, _within: Duration) -> io::Result<Stream> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Whether something that is no socket is there.
#[must_use]
pub fn is_no_endpoint(path: &Path) -> bool {
    path.exists()
}
