//! Reading one secret from a file or descriptor, without ever hanging on it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::job::secrets::SecretError;
use crate::secret::SecretBytes;

/// Longest secret read from a file or descriptor.
const SECRET_MAX: usize = 256;

/// How long a descriptor may keep us waiting: somebody may be typing at its other end.
const LIMIT: Duration = Duration::from_secs(120);

/// How soon an interruption is noticed.
const GLANCE: Duration = Duration::from_millis(100);

/// How long a secret is waited for.
#[derive(Clone, Copy)]
pub struct Patience<'a> {
    until: Instant,
    interrupted: &'a AtomicBool,
}

impl<'a> Patience<'a> {
    /// Two minutes, or until an interruption.
    pub fn from_now(interrupted: &'a AtomicBool) -> Self {
        Self { until: Instant::now() + LIMIT, interrupted }
    }
}

/// Opens a file that holds a secret. A regular one: at anything else, such as a pipe that nobody writes to, a job could wait.
///
/// # Errors
/// The system's, or another kind of file.
pub fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        // Opening a pipe waits for its other end otherwise.
        options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    }
    let file = options.open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"))
    }
}

/// One line is the secret. It is read byte by byte: what comes after it stays where it is.
///
/// # Errors
/// The system's; too long; `patience` is at its end.
pub fn line(
    what: &'static str,
    mut file: &File,
    origin: &str,
    patience: Patience<'_>,
) -> Result<SecretBytes, SecretError> {
    let unreadable = |source| SecretError::Unreadable { what, origin: origin.to_owned(), source };
    let mut secret = SecretBytes::with_capacity(SECRET_MAX);
    let mut byte = zeroize::Zeroizing::new([0_u8; 1]);
    loop {
        if patience.interrupted.load(Ordering::Relaxed) {
            return Err(SecretError::Cancelled { what });
        }
        if !is_ready(file, GLANCE).map_err(unreadable)? {
            if Instant::now() >= patience.until {
                return Err(SecretError::TimedOut { what });
            }
            continue;
        }
        match file.read(byte.as_mut_slice()) {
            Ok(0) => return Ok(secret),
            Ok(_) if byte[0] == b'\n' => return Ok(secret),
            Ok(_) if secret.append(byte.as_slice()) => {}
            Ok(_) => return Err(SecretError::Unusable { what, reason: "it is too long".to_owned() }),
            Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
            Err(error) => return Err(unreadable(error)),
        }
    }
}

/// Whether something can be read within that time, be it an end or an error.
///
/// # Errors
/// The system's.
#[cfg(unix)]
pub fn is_ready(file: &File, within: Duration) -> io::Result<bool> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::io::Errno;
    let mut polled = [PollFd::new(file, PollFlags::IN)];
    let wait = Timespec::try_from(within).map_err(|_| io::ErrorKind::InvalidInput)?;
    match poll(&mut polled, Some(&wait)) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Regular files alone are read here, and those never wait.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn is_ready(_file: &File, _within: Duration) -> io::Result<bool> {
    Ok(true)
}

#[cfg(test)]
mod tests;
