//! The text of a file that decides where secrets go: bounded, of a regular file, and nobody else's to change.

use std::path::Path;

use super::error::ConfigError;
use crate::os::files::{read_text, refuse_writable};

/// The longest file: the sample with every key has some thousand bytes.
const FILE_MAX: u64 = 1024 * 1024;

/// Reads it.
///
/// # Errors
/// [`ConfigError::Unreadable`] also where it is no regular file or too long, and [`ConfigError::Exposed`].
pub(super) fn text_of(path: &Path) -> Result<String, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
    let (text, file) = read_text(path, FILE_MAX).map_err(unreadable)?;
    if let Some(file) = file {
        refuse_writable(&file, path).map_err(|source| ConfigError::Exposed { path: path.to_owned(), source })?;
    }
    Ok(text)
}
