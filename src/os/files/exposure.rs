//! Whether others can get at a file that holds a secret or decides where one goes, or at a folder of ours.
//!
//! Others are anybody but root, this process's user, and a group that has no other member. Systems without mode bits are not
//! asked: there files and folders have the rights that their folder hands down.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

#[cfg(unix)]
mod unix;

/// How others can get at it.
#[derive(Debug, Error)]
pub enum Exposure {
    /// It, or a folder on the way to it, lets others write.
    #[error("others can write to {}", .path.display())]
    Writable {
        /// What they can write to.
        path: PathBuf,
    },
    /// The file lets everybody read.
    #[error("everybody can read {}", .path.display())]
    Readable {
        /// The file.
        path: PathBuf,
    },
    /// It, or a folder or link on the way to it, belongs to another user.
    #[error("{} belongs to another user (number {user})", .path.display())]
    Anothers {
        /// What belongs to them.
        path: PathBuf,
        /// Their number.
        user: u32,
    },
    /// Its rights can't be looked at.
    #[error("the rights of {} can't be looked at", .path.display())]
    Unseen {
        /// What can't be looked at.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Exposure {
    /// What to do next, as an imperative sentence without a full stop.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::Writable { path } => {
                format!(
                    "give {0} to root or to this user, and take the others' right to write (`chmod go-w {0}`)",
                    path.display()
                )
            }
            Self::Readable { path } => format!("take the others' right to read (`chmod o-r {}`)", path.display()),
            Self::Anothers { path, user } => format!(
                "run the command as user {user}, if that is whose it should be, or give {} to root or to this user",
                path.display()
            ),
            Self::Unseen { path, .. } => format!("let this user look at {}", path.display()),
        }
    }
}

/// Looks whether others can change what this opened file holds, or put another one in its place. What systemd passes in
/// `$CREDENTIALS_DIRECTORY`, and what the caller passes as a descriptor, is exempt.
///
/// # Errors
/// [`Exposure`]: they can, or the system does not say.
pub fn refuse_writable(file: &File, path: &Path) -> Result<(), Exposure> {
    #[cfg(unix)]
    {
        unix::refuse_writable(file, path)
    }
    #[cfg(not(unix))]
    {
        let _ = (file, path);
        Ok(())
    }
}

/// Looks whether everybody can read what this opened file holds; exempt is what [`refuse_writable`] exempts.
///
/// # Errors
/// [`Exposure`]: they can, or the system does not say.
pub fn refuse_readable(file: &File, path: &Path) -> Result<(), Exposure> {
    #[cfg(unix)]
    {
        unix::refuse_readable(file, path)
    }
    #[cfg(not(unix))]
    {
        let _ = (file, path);
        Ok(())
    }
}

/// Looks whether others can write to this folder of ours, or put another one or a link in its place. A link of root or of this
/// process's user is as good as the folder.
///
/// # Errors
/// [`Exposure`]: they can, or the system does not say.
pub fn refuse_shared_folder(path: &Path) -> Result<(), Exposure> {
    #[cfg(unix)]
    {
        unix::refuse_shared_folder(path)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        Ok(())
    }
}

/// The user to whom a folder belongs, where nobody else but root and this process's user can write to it or put another one in its
/// place.
#[cfg(target_os = "linux")]
#[must_use]
pub(in crate::os) fn sole_owner(folder: &Path) -> Option<u32> {
    unix::sole_owner(folder)
}
