//! The files and folders that the environment names.

use std::ffi::OsString;
use std::path::PathBuf;

/// The path in a variable of the environment. An empty variable is an unset one.
pub(super) fn variable(environment: &[(String, OsString)], name: &str) -> Option<PathBuf> {
    environment.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| PathBuf::from(value))
}

/// The configuration files that are read where none is named: the machine's, and then the user's own.
pub(super) fn default_files(environment: &[(String, OsString)]) -> Vec<PathBuf> {
    let own = variable(environment, "XDG_CONFIG_HOME")
        .or_else(|| variable(environment, "HOME").map(|home| home.join(".config")));
    let mut files = vec![PathBuf::from("/etc/pinwright/config.toml")];
    files.extend(own.map(|folder| folder.join("pinwright/config.toml")));
    files
}
