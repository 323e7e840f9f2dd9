//! The files and folders that the environment names.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::error::ConfigError;
use crate::os::folders;

/// The environment: names and values. An empty variable is an unset one.
#[derive(Clone, Copy)]
pub(super) struct Environment<'a>(pub &'a [(String, OsString)]);

impl Environment<'_> {
    /// A variable that is set.
    pub fn variable(&self, name: &str) -> Option<&OsStr> {
        self.0.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_os_str())
    }

    /// The folder in a variable. A relative path is none (XDG Base Directory Specification: it "should be considered invalid and
    /// ignored"), since it would be another folder wherever the program is started.
    pub fn folder(&self, name: &str) -> Option<PathBuf> {
        self.variable(name).map(PathBuf::from).filter(|path| path.is_absolute())
    }

    /// Our folder among the user's states.
    pub fn state_folder(&self) -> Option<PathBuf> {
        folders::state(&|name| self.folder(name))
    }

    /// The user's home.
    pub fn home(&self) -> Option<PathBuf> {
        folders::home(&|name| self.folder(name))
    }
}

/// The configuration files that are read where none is named and that are there: the machine's, its `config.d/*.toml` in the order
/// of their names, and then the user's own.
///
/// # Errors
/// [`ConfigError::Unreadable`] where `config.d` can't be listed.
pub(super) fn default_files(machine: &Path, environment: Environment<'_>) -> Result<Vec<PathBuf>, ConfigError> {
    let own = folders::settings(&|name| environment.folder(name));
    let mut files = vec![machine.join("config.toml")];
    files.extend(parts(&machine.join("config.d"))?);
    files.extend(own.map(|folder| folder.join("pinwright").join("config.toml")));
    files.retain(|path| path.exists());
    Ok(files)
}

/// The `*.toml` of a folder in the order of their names, hidden ones left out as a shell does.
fn parts(folder: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let unreadable = |source| ConfigError::Unreadable { path: folder.to_owned(), source };
    let mut parts = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let is_hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
        if !is_hidden && path.extension().is_some_and(|extension| extension == "toml") {
            parts.push(path);
        }
    }
    parts.sort();
    Ok(parts)
}
