//! Reading one secret from a file or descriptor, without ever hanging on it.

use std::fs::File;
use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::job::secrets::SecretError;
use crate::os::descriptor::is_ready;
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

/// One line is the secret. It is read byte by byte, and a second line that is there is refused: which one is meant nobody knows.
///
/// # Errors
/// The system's; too long; more than one line; `patience` is at its end.
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
            Ok(_) if byte[0] == b'\n' => {
                return match is_followed(file).map_err(unreadable)? {
                    false => Ok(secret),
                    true => Err(SecretError::Unusable { what, reason: "there is more than one line".to_owned() }),
                };
            }
            Ok(_) if secret.append(byte.as_slice()) => {}
            Ok(_) => return Err(SecretError::Unusable { what, reason: "it is too long".to_owned() }),
            Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
            Err(error) => return Err(unreadable(error)),
        }
    }
}

/// Whether something else than line ends is there now. Nobody waits for it: who has written one line may keep a pipe open.
fn is_followed(mut file: &File) -> io::Result<bool> {
    let mut byte = zeroize::Zeroizing::new([0_u8; 1]);
    while is_ready(file, Duration::ZERO)? {
        match file.read(byte.as_mut_slice()) {
            Ok(0) => return Ok(false),
            Ok(_) if matches!(byte[0], b'\n' | b'\r') => {}
            Ok(_) => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests;
