//! A connection over a pipe, for code that waits: with limits, and ended from another thread.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::windows::io::{AsHandle, BorrowedHandle};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::windows::named_pipe::{NamedPipeClient, NamedPipeServer};
use tokio::sync::Semaphore;
use windows_sys::Win32::Foundation::{ERROR_BROKEN_PIPE, ERROR_NO_DATA, ERROR_PIPE_NOT_CONNECTED};

use super::driver;

/// A connection.
#[derive(Debug)]
pub struct Stream(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    end: End,
    read_timeout: Mutex<Option<Duration>>,
    write_timeout: Mutex<Option<Duration>>,
    /// Closed when the connection is ended here.
    open: Semaphore,
}

#[derive(Debug)]
enum End {
    Server(NamedPipeServer),
    Client(NamedPipeClient),
}

impl Stream {
    pub(super) fn of_server(server: NamedPipeServer) -> Self {
        Self::of(End::Server(server))
    }

    pub(super) fn of_client(client: NamedPipeClient) -> Self {
        Self::of(End::Client(client))
    }

    fn of(end: End) -> Self {
        let timeout = || Mutex::new(None);
        let (read_timeout, write_timeout) = (timeout(), timeout());
        Self(Arc::new(Shared { end, read_timeout, write_timeout, open: Semaphore::new(0) }))
    }

    /// How long a read may take.
    ///
    /// # Errors
    /// Never.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        *self.0.read_timeout.lock().unwrap_or_else(PoisonError::into_inner) = timeout;
        Ok(())
    }

    /// How long a write may take.
    ///
    /// # Errors
    /// Never.
    pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        *self.0.write_timeout.lock().unwrap_or_else(PoisonError::into_inner) = timeout;
        Ok(())
    }

    /// The same connection once more.
    ///
    /// # Errors
    /// Never.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self(Arc::clone(&self.0)))
    }

    /// Ends it, in both directions whatever is asked for: a pipe has no half.
    ///
    /// # Errors
    /// Never.
    pub fn shutdown(&self, _how: Shutdown) -> io::Result<()> {
        self.0.open.close();
        Ok(())
    }

    fn read_some(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let limit = *self.0.read_timeout.lock().unwrap_or_else(PoisonError::into_inner);
        let read = async {
            loop {
                let tried = match &self.0.end {
                    End::Server(server) => {
                        server.readable().await?;
                        server.try_read(buffer)
                    }
                    End::Client(client) => {
                        client.readable().await?;
                        client.try_read(buffer)
                    }
                };
                match tried {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    other => return other,
                }
            }
        };
        match self.wait(limit, read) {
            // The other end has gone: what came before is all.
            Err(error) if is_end(&error) => Ok(0),
            other => other.map(Option::unwrap_or_default),
        }
    }

    fn write_some(&self, bytes: &[u8]) -> io::Result<usize> {
        let limit = *self.0.write_timeout.lock().unwrap_or_else(PoisonError::into_inner);
        let write = async {
            loop {
                let tried = match &self.0.end {
                    End::Server(server) => {
                        server.writable().await?;
                        server.try_write(bytes)
                    }
                    End::Client(client) => {
                        client.writable().await?;
                        client.try_write(bytes)
                    }
                };
                match tried {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    other => return other,
                }
            }
        };
        match self.wait(limit, write) {
            Err(error) if is_end(&error) => Err(ErrorKind::BrokenPipe.into()),
            other => other?.ok_or_else(|| ErrorKind::BrokenPipe.into()),
        }
    }

    /// What comes of it within the limit; `None` where the connection was ended here meanwhile.
    fn wait(
        &self,
        limit: Option<Duration>,
        work: impl Future<Output = io::Result<usize>>,
    ) -> io::Result<Option<usize>> {
        driver()?.block_on(async {
            let timed = async {
                match limit {
                    Some(limit) => tokio::time::timeout(limit, work).await.unwrap_or(Err(ErrorKind::TimedOut.into())),
                    None => work.await,
                }
            };
            tokio::select! {
                biased;
                _ = self.0.open.acquire() => Ok(None),
                done = timed => done.map(Some),
            }
        })
    }

    /// Whether a client is at the other end.
    pub(super) fn is_of_server(&self) -> bool {
        matches!(self.0.end, End::Server(_))
    }
}

impl AsHandle for Stream {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        match &self.0.end {
            End::Server(server) => server.as_handle(),
            End::Client(client) => client.as_handle(),
        }
    }
}

fn is_end(error: &io::Error) -> bool {
    let code = error.raw_os_error().map(i32::cast_unsigned);
    matches!(code, Some(ERROR_BROKEN_PIPE | ERROR_NO_DATA | ERROR_PIPE_NOT_CONNECTED))
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_some(buffer)
    }
}

impl Read for &Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_some(buffer)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_some(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Write for &Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_some(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
