//! No terminal that can be asked.

use std::io;

use crate::secret::SecretBytes;

/// Never.
#[must_use]
pub fn is_interactive() -> bool {
    false
}

/// Never.
#[must_use]
pub fn can_confirm() -> bool {
    false
}

/// No terminal.
pub enum Terminal {}

impl Terminal {
    /// There is none.
    ///
    /// # Errors
    /// Always.
    pub fn open() -> io::Result<Self> {
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }

    /// Never called.
    ///
    /// # Errors
    /// None.
    pub fn secret(&mut self, _question: &str, _go_on: &mut dyn FnMut() -> bool) -> io::Result<Option<SecretBytes>> {
        match *self {}
    }

    /// Never called.
    ///
    /// # Errors
    /// None.
    pub fn long_secret(
        &mut self,
        _question: &str,
        _go_on: &mut dyn FnMut() -> bool,
    ) -> io::Result<Option<SecretBytes>> {
        match *self {}
    }

    /// Never called.
    ///
    /// # Errors
    /// None.
    pub fn confirm(&mut self, _question: &str, _go_on: &mut dyn FnMut() -> bool) -> io::Result<Option<bool>> {
        match *self {}
    }

    /// Never called.
    ///
    /// # Errors
    /// None.
    pub fn line(&mut self, _question: &str, _go_on: &mut dyn FnMut() -> bool) -> io::Result<Option<String>> {
        match *self {}
    }

    /// Never called.
    ///
    /// # Errors
    /// None.
    pub fn say(&mut self, _text: &str) -> io::Result<()> {
        match *self {}
    }
}
