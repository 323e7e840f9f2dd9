//! Where sockets of agents are on Unix.

use std::path::{Path, PathBuf};

/// What keys of the configuration want.
pub const PLACE: &str = "the whole path of a socket";

/// Where the machine's agent listens.
#[must_use]
pub fn of_system() -> PathBuf {
    PathBuf::from("/run/pinwright/agent.sock")
}

/// Where a person's agent listens: in the folder that belongs to their session (XDG Base Directory Specification).
#[must_use]
pub fn of_user(variable: &dyn Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    variable("XDG_RUNTIME_DIR").map(|folder| folder.join("pinwright").join("agent.sock"))
}

/// Whether an endpoint may be there.
#[must_use]
pub fn is_place(path: &Path) -> bool {
    path.is_absolute() && path.file_name().is_some()
}
