//! A daemon and the service manager that started it: whether daemons are possible here, and what the manager is told.
//!
//! The manager is systemd (sd_notify(3)). Where none started the process nobody is told, and nothing fails.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::NotHere;

/// The variables by which the service manager speaks to this process alone: not for a program that it starts (sd_notify(3),
/// sd_listen_fds(3), systemd.exec(5)).
pub const VARIABLES: [&str; 9] = [
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "JOURNAL_STREAM",
    "CREDENTIALS_DIRECTORY",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_FDNAMES",
    "FDSTORE",
];

/// What the service manager is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice<'a> {
    /// The daemon serves.
    Ready,
    /// The daemon's loop goes round: to be told within every [`watchdog`] interval.
    Alive,
    /// One line for people.
    Status(&'a str),
    /// The daemon was asked to end.
    Stopping {
        /// What it needs at most for that.
        within: Duration,
    },
}

/// Whether the agent can serve on this system: it needs a control endpoint, accounts and signals.
///
/// # Errors
/// It can't.
pub fn available() -> Result<(), NotHere> {
    if cfg!(target_os = "linux") { Ok(()) } else { Err(NotHere { what: "the agent" }) }
}

/// The folder of the credentials that the service manager gave this process (`CREDENTIALS_DIRECTORY`); an empty variable is an
/// unset one.
#[must_use]
pub fn credentials() -> Option<PathBuf> {
    std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from).filter(|folder| folder.is_absolute())
}

/// The longest silence that the service manager takes for life (the unit's `WatchdogSec=`); `None` where it does not watch.
#[must_use]
pub fn watchdog() -> Option<Duration> {
    #[cfg(target_os = "linux")]
    {
        sd_notify::watchdog_enabled()
    }
    #[cfg(not(target_os = "linux"))]
    {
        None
    }
}

/// Tells the service manager.
///
/// # Errors
/// It has asked to be told, and its socket fails.
pub fn notify(notice: Notice<'_>) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use sd_notify::NotifyState;
        match notice {
            Notice::Ready => sd_notify::notify(&[NotifyState::Ready]),
            Notice::Alive => sd_notify::notify(&[NotifyState::Watchdog]),
            Notice::Status(line) => sd_notify::notify(&[NotifyState::Status(line)]),
            Notice::Stopping { within } => {
                let needed = u32::try_from(within.as_micros()).unwrap_or(u32::MAX);
                sd_notify::notify(&[NotifyState::Stopping, NotifyState::ExtendTimeoutUsec(needed)])
            }
        }
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = notice;
        Ok(())
    }
}
