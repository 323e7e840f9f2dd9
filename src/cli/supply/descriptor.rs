//! One descriptor that the caller opened, by its number, and the secret behind it.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::time::Duration;

use super::source::{self, Patience};
use crate::job::secrets::SecretError;
use crate::os::descriptor::{duplicate, is_ready, is_write_only};
use crate::secret::SecretBytes;

/// What the caller handed over under a number, or why it can't be had.
pub struct Descriptor {
    number: u32,
    file: io::Result<File>,
}

impl Descriptor {
    /// Takes hold of it.
    pub fn claim(number: u32) -> Self {
        Self { number, file: duplicate(number) }
    }

    /// Whether it would show what is typed.
    pub fn is_terminal(&self) -> bool {
        self.file.as_ref().is_ok_and(|file| file.is_terminal())
    }

    /// Whether something can be read now, be it an end or an error.
    pub fn is_ready(&self) -> bool {
        self.file.as_ref().map_or(true, |file| is_ready(file, Duration::ZERO).unwrap_or(true))
    }

    /// The secret: one line, from where the descriptor stands.
    ///
    /// # Errors
    /// It is not open, not open for reading, too long, more than one line, or not there while `patience` lasts.
    pub fn secret(&self, what: &'static str, patience: Patience<'_>) -> Result<SecretBytes, SecretError> {
        if matches!(self.number, 1 | 2) {
            let reason = "descriptors 1 and 2 are for output".to_owned();
            return Err(SecretError::Unusable { what, reason });
        }
        let file = self.file.as_ref().map_err(|error| {
            // A number that is no open descriptor may be the secret, given by mistake.
            SecretError::Unreadable { what, origin: "the file descriptor".to_owned(), source: same(error) }
        })?;
        let origin = format!("file descriptor {}", self.number);
        if is_write_only(file) {
            let source = io::Error::new(io::ErrorKind::InvalidInput, "it is open for writing only");
            return Err(SecretError::Unreadable { what, origin, source });
        }
        source::line(what, file, &origin, patience)
    }
}

/// The system's error once more: the secret may be asked for again.
fn same(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
}

#[cfg(test)]
mod tests;
