//! Whether others can get at a file that holds a secret or decides where one goes, or at a folder of ours.
//!
//! Others are anybody but root, this process's user, and a group that has no other member; on Windows anybody but the system, its
//! administrators, TrustedInstaller, this process's user, and our service where this is it.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

#[cfg(unix)]
mod unix;
#[cfg(unix)]
use unix as platform;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
use windows as platform;

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
    /// It, or a folder on the way to it, lets this other one write (Windows).
    #[error("{} can write to {}", anybody_or(.who), .path.display())]
    WritableBy {
        /// What they can write to.
        path: PathBuf,
        /// Who.
        who: Option<Box<Trustee>>,
    },
    /// The file lets this one read, who stands for many (Windows).
    #[error("{} can read {}", anybody_or(.who), .path.display())]
    ReadableBy {
        /// The file.
        path: PathBuf,
        /// Who.
        who: Option<Box<Trustee>>,
    },
    /// It, or a folder or link on the way to it, belongs to this other one (Windows).
    #[error("{} belongs to {who}", .path.display())]
    OwnedBy {
        /// What belongs to them.
        path: PathBuf,
        /// Who.
        who: Box<Trustee>,
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

/// A user or a group, as Windows tells them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trustee {
    /// By name, where there is one.
    pub name: Option<String>,
    /// By number, as commands take it in every language (`S-1-5-32-545`).
    pub sid: String,
}

impl fmt::Display for Trustee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name} ({})", self.sid),
            None => f.write_str(&self.sid),
        }
    }
}

/// A list that is not there, or not understood, lets anybody in.
fn anybody_or(who: &Option<Box<Trustee>>) -> String {
    who.as_ref().map_or_else(|| "anybody".to_owned(), |who| who.to_string())
}

/// The commands that take a right: first what a folder above hands down becomes the thing's own, since only that can be taken.
fn icacls(path: &Path, change: &str) -> String {
    let path = path.display();
    format!("`icacls \"{path}\" /inheritance:d`, then `icacls \"{path}\" {change}`")
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
            Self::WritableBy { path, who: Some(who) } => {
                let right = if path.is_dir() { "(OI)(CI)RX" } else { "RX" };
                format!(
                    "leave them the right to read at most: {}",
                    icacls(path, &format!("/grant:r *{}:{right}", who.sid))
                )
            }
            Self::ReadableBy { path, who: Some(who) } => {
                format!("take that right: {}", icacls(path, &format!("/remove:g *{}", who.sid)))
            }
            Self::WritableBy { path, who: None } | Self::ReadableBy { path, who: None } => {
                let change = "/reset";
                format!("have it inherit its rights again: `icacls \"{}\" {change}`", path.display())
            }
            Self::OwnedBy { path, who } => format!(
                "run the command as {who}, if that is whose it should be, or look at what it holds, and then give it to the administrators: \
                 `icacls \"{}\" /setowner *S-1-5-32-544`",
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
    platform::refuse_writable(file, path)
}

/// Looks whether everybody can read what this opened file holds; exempt is what [`refuse_writable`] exempts.
///
/// # Errors
/// [`Exposure`]: they can, or the system does not say.
pub fn refuse_readable(file: &File, path: &Path) -> Result<(), Exposure> {
    platform::refuse_readable(file, path)
}

/// Looks whether others can write to this folder of ours, or put another one or a link in its place. A link of root or of this
/// process's user is as good as the folder.
///
/// # Errors
/// [`Exposure`]: they can, or the system does not say.
pub fn refuse_shared_folder(path: &Path) -> Result<(), Exposure> {
    platform::refuse_shared_folder(path)
}

/// The user to whom a folder belongs, where nobody else but root and this process's user can write to it or put another one in its
/// place.
#[cfg(target_os = "linux")]
#[must_use]
pub(in crate::os) fn sole_owner(folder: &Path) -> Option<u32> {
    platform::sole_owner(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_windows_says_names_whom_and_the_command() {
        let who = Box::new(Trustee { name: Some("BUILTIN\\Users".to_owned()), sid: "S-1-5-32-545".to_owned() });
        let path = PathBuf::from("C:\\ProgramData\\pinwright\\config.toml");
        let writable = Exposure::WritableBy { path: path.clone(), who: Some(who.clone()) };
        assert_eq!(
            writable.to_string(),
            "BUILTIN\\Users (S-1-5-32-545) can write to C:\\ProgramData\\pinwright\\config.toml"
        );
        assert!(writable.remedy().contains("config.toml\" /grant:r *S-1-5-32-545:RX`"), "{}", writable.remedy());
        let readable = Exposure::ReadableBy { path: path.clone(), who: Some(who.clone()) };
        assert!(readable.remedy().ends_with("/remove:g *S-1-5-32-545`"), "{}", readable.remedy());
        let anybody = Exposure::ReadableBy { path: path.clone(), who: None };
        assert!(anybody.to_string().starts_with("anybody can read") && anybody.remedy().ends_with("/reset`"));
        let owned = Exposure::OwnedBy { path, who: Box::new(Trustee { name: None, ..*who }) };
        assert!(owned.to_string().ends_with("belongs to S-1-5-32-545"), "{owned}");
        assert!(owned.remedy().contains("/setowner *S-1-5-32-544"), "{}", owned.remedy());
    }
}
