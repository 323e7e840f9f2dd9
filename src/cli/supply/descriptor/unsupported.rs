//! Where descriptors have no numbers that a caller could name, secrets come from files.

use std::io;

use super::super::source::Patience;
use crate::job::secrets::SecretError;
use crate::secret::SecretBytes;

/// Nothing.
pub struct Descriptor;

impl Descriptor {
    /// There is none to take hold of.
    pub fn claim(_number: u32) -> Self {
        Self
    }

    /// Never.
    pub fn is_terminal(&self) -> bool {
        false
    }

    /// The error is to be had at once.
    pub fn is_ready(&self) -> bool {
        true
    }

    /// None.
    ///
    /// # Errors
    /// Always.
    pub fn secret(&self, what: &'static str, _patience: Patience<'_>) -> Result<SecretBytes, SecretError> {
        let source = io::Error::from(io::ErrorKind::Unsupported);
        Err(SecretError::Unreadable { what, origin: "the file descriptor".to_owned(), source })
    }
}
