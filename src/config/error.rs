//! Why a configuration can't be used: where it stands, and what is wrong there. No value of the file is quoted.

use std::path::PathBuf;

use thiserror::Error;

use crate::card::profile::{Clash, ProfileError};
use crate::os::files::{self, Exposure};

/// A configuration that can't be used. Exit code 2.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// A file can't be read.
    #[error("{} can't be read", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Others can write to it.
    #[error("{} is not used as configuration", .path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// How.
        #[source]
        source: Exposure,
    },
    /// Not TOML, an unknown key, or a value of the wrong kind.
    #[error("{origin}: {message}")]
    Syntax {
        /// File and line, or the environment variable.
        origin: String,
        /// What is wrong.
        message: String,
    },
    /// A value that can't be.
    #[error("{key}: {message}")]
    Value {
        /// The key.
        key: &'static str,
        /// What is wrong.
        message: String,
    },
    /// A card profile that can't work.
    #[error("{origin}: {problem}")]
    Profile {
        /// File and line.
        origin: String,
        /// Key, and what is wrong.
        problem: ProfileError,
    },
    /// Two card profiles that can't both be.
    #[error("{origin}: card profile {name:?} {clash} (the other is {other:?}: {other_origin})")]
    Profiles {
        /// File and line of the later one.
        origin: String,
        /// Its name.
        name: String,
        /// The earlier one's name.
        other: String,
        /// File and line of the earlier one.
        other_origin: String,
        /// Why.
        clash: Clash,
    },
    /// Keys that exclude each other, or one that needs another.
    #[error("{0}")]
    Conflict(&'static str),
}

impl ConfigError {
    /// What to do next, as an imperative sentence without a full stop.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::Exposed { source, .. } => source.remedy(),
            Self::Unreadable { .. }
            | Self::Syntax { .. }
            | Self::Value { .. }
            | Self::Profile { .. }
            | Self::Profiles { .. }
            | Self::Conflict(_) => correct(),
        }
    }
}

/// Has the configuration corrected, wherever it is: an imperative sentence without a full stop.
pub(crate) fn correct() -> String {
    format!("correct the configuration: {}, your own, PINWRIGHT_* or --config", of_machine().display())
}

/// The file that the machine's configuration begins with.
pub(crate) fn of_machine() -> PathBuf {
    files::configuration_folder().join("config.toml")
}

/// The error of a key whose value can't be.
pub(super) fn value(key: &'static str, message: &str) -> ConfigError {
    ConfigError::Value { key, message: message.to_owned() }
}
