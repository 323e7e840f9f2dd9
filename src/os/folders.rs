//! The folders that the system has for a user's settings and state, and the user's own.
//!
//! Unix: by the environment (XDG Base Directory Specification). Windows: `%APPDATA%`, `%LOCALAPPDATA%` and `%USERPROFILE%`, asked of the
//! system itself and not of the environment, which anybody may have set; `XDG_CONFIG_HOME` and `XDG_STATE_HOME` count where they are set,
//! since nobody sets them there but for us. A service of Windows keeps its state beside the machine's configuration.

use std::path::PathBuf;

/// Asks for the folder in a variable of the environment.
pub type Variable<'a> = &'a dyn Fn(&str) -> Option<PathBuf>;

/// The folder that has our folder with this user's settings.
#[must_use]
pub fn settings(variable: Variable<'_>) -> Option<PathBuf> {
    variable("XDG_CONFIG_HOME").or_else(|| {
        #[cfg(windows)]
        {
            super::windows::folder::of_settings()
        }
        #[cfg(not(windows))]
        {
            variable("HOME").map(|home| home.join(".config"))
        }
    })
}

/// Our folder among the user's states.
#[must_use]
pub fn state(variable: Variable<'_>) -> Option<PathBuf> {
    if let Some(states) = variable("XDG_STATE_HOME") {
        return Some(states.join("pinwright"));
    }
    #[cfg(windows)]
    {
        match super::service::is_one() {
            true => Some(super::files::configuration_folder().join("journal")),
            false => super::windows::folder::of_machine_and_user().map(|folder| folder.join("pinwright")),
        }
    }
    #[cfg(not(windows))]
    {
        home(variable).map(|home| home.join(".local/state").join("pinwright"))
    }
}

/// The user's home. A service may run without HOME, and its user still has one.
#[must_use]
pub fn home(variable: Variable<'_>) -> Option<PathBuf> {
    #[cfg(windows)]
    {
        let _ = variable;
        super::windows::folder::of_user()
    }
    #[cfg(not(windows))]
    {
        variable("HOME").or_else(|| std::env::home_dir().filter(|home| home.is_absolute()))
    }
}
