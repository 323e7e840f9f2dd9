//! Why the journal can't be kept or read.

use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use thiserror::Error;
use uuid::Uuid;

use crate::operation::Operation;
use crate::os::files::Exposure;

/// Why the journal can't be kept. Without one no card is written to.
#[derive(Debug, Error)]
pub enum JournalError {
    /// No folder is configured and none can be derived.
    #[error("there is no place for the journal")]
    NoFolder,
    /// A file or folder fails.
    #[error("the journal can't be kept in {}", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Others can write to the folder, or it is a link.
    #[error("the journal is not kept in {}", .path.display())]
    Exposed {
        /// The folder.
        path: PathBuf,
        /// How.
        #[source]
        source: Exposure,
    },
    /// A record that can't be written as JSON.
    #[error("a journal record can't be written")]
    Encode(#[source] serde_json::Error),
    /// A record of the card in question that can't be read: nobody knows what it forbids.
    #[error("the journal's record {file} of this card is {reason}")]
    Unreadable {
        /// The file's name.
        file: String,
        /// Why, without its content.
        reason: &'static str,
        /// What the system says, where it was the system.
        #[source]
        source: Option<io::Error>,
    },
    /// A record that is as long as one may be.
    #[error("the journal's record {id} has no room for another entry")]
    Full {
        /// The job's id.
        id: String,
    },
    /// Another process works on it.
    #[error("another pinwright process works on {of}")]
    Busy {
        /// The card or the request.
        of: LockOf,
    },
}

impl JournalError {
    /// What to do about a journal that can't be kept, as an imperative sentence without a full stop.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::Exposed { source, .. } => source.remedy(),
            Self::Io { source, .. } => match source.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room there".to_owned(),
                ErrorKind::PermissionDenied
                | ErrorKind::ReadOnlyFilesystem
                | ErrorKind::NotFound
                // A file of that name, where a folder is to be made.
                | ErrorKind::AlreadyExists
                | ErrorKind::NotADirectory => OTHER_FOLDER.to_owned(),
                // Too many open files, a faulty disk: another folder would not help.
                _ => "see to what the system says, and run the command again: no card is written to without a journal"
                    .to_owned(),
            },
            Self::Full { .. } => format!(
                "look at what `{} --open` says of it, and end its request with `{}`: it was tried hundreds of times",
                Operation::History,
                Operation::RequestAbandon
            ),
            _ => OTHER_FOLDER.to_owned(),
        }
    }

    /// What a file or folder failed with.
    pub(super) fn io(path: &Path) -> impl Fn(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io { path: path.clone(), source }
    }
}

const OTHER_FOLDER: &str =
    "set `journal.dir` to a folder that this user can write to: no card is written to without a journal";

/// What a lock is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockOf {
    /// A card.
    Card(Uuid),
    /// A request.
    Request(Uuid),
}

impl fmt::Display for LockOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Card(id) => write!(f, "card {id}"),
            Self::Request(id) => write!(f, "request {id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_folder_does_not_mend_is_not_to_be_mended_by_one() {
        let told = |source| JournalError::io(Path::new("/x"))(source).remedy();
        assert!(told(ErrorKind::PermissionDenied.into()).starts_with("set `journal.dir`"));
        assert!(told(io::Error::other("too many open files")).starts_with("see to what the system says"));
        assert!(told(ErrorKind::StorageFull.into()).starts_with("make room"));
    }

    #[test]
    fn what_is_busy_is_named() {
        let told = |of| JournalError::Busy { of }.to_string();
        let id = Uuid::from_u128(7);
        assert_eq!(told(LockOf::Card(id)), format!("another pinwright process works on card {id}"));
        assert_eq!(told(LockOf::Request(id)), format!("another pinwright process works on request {id}"));
    }
}
