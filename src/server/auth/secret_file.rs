//! A file that holds a secret of ours: opened where nobody else can get at it, and refused in the same words whatever the secret is.

use std::fs::File;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::os::credential;
use crate::os::files::{Exposure, open_regular, refuse_readable, refuse_writable};

/// Why the file is not used.
#[derive(Debug, Error)]
pub enum SecretFileError {
    /// It is a credential, and this process is not under systemd, or its unit has none.
    #[error("systemd gave this process no credentials (CREDENTIALS_DIRECTORY is not set)")]
    NoCredentials,
    /// It can't be read.
    #[error("{} can't be read", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Others can get at it.
    #[error("{} is not used", .path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// How.
        #[source]
        source: Exposure,
    },
}

impl SecretFileError {
    /// The system does not let this file be read.
    pub(in crate::server) fn unreadable(path: &Path, source: std::io::Error) -> Self {
        Self::Unreadable { path: path.to_owned(), source }
    }

    /// What to do about the rights of the file, as an imperative sentence without a full stop; `None` where it is not about them.
    #[must_use]
    pub fn remedy_of_rights(&self) -> Option<String> {
        match self {
            Self::Exposed { source, .. } => Some(source.remedy()),
            Self::NoCredentials | Self::Unreadable { .. } => None,
        }
    }
}

/// Who may do what with the file besides this user and root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::server) enum Others {
    /// Everybody may read it.
    MayRead,
    /// Nobody else may.
    MayNothing,
}

/// Opens the file, which is a regular one that nobody else can change, for what it holds.
pub(in crate::server) fn open(path: &Path, others: Others) -> Result<File, SecretFileError> {
    content(as_it_is(path, others)?, path)
}

/// What the opened file holds, as a file; of a credential that is protected, the secret.
pub(in crate::server) fn content(file: File, path: &Path) -> Result<File, SecretFileError> {
    credential::opened(file, path).map_err(|source| SecretFileError::unreadable(path, source))
}

/// Opens the file, which is a regular one that nobody else can change.
pub(in crate::server) fn as_it_is(path: &Path, others: Others) -> Result<File, SecretFileError> {
    let file = open_regular(path).map_err(|source| SecretFileError::unreadable(path, source))?;
    let looked = refuse_writable(&file, path);
    let looked = match others {
        Others::MayRead => looked,
        Others::MayNothing => looked.and_then(|()| refuse_readable(&file, path)),
    };
    looked.map_err(|source| SecretFileError::Exposed { path: path.to_owned(), source })?;
    Ok(file)
}
