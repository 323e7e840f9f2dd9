//! A daemon and the service manager that started it: whether daemons are possible here, and what the manager is told.
//!
//! The manager is systemd (sd_notify(3)), or that of Windows. Where none started the process nobody is told, and nothing fails.

pub mod installation;
#[cfg(windows)]
#[path = "service/windows.rs"]
mod platform;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::NotHere;
use crate::operation::Operation;

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

/// The service's name on Windows.
#[cfg(windows)]
pub const NAME: &str = "pinwright";

/// Starts the service: a command.
#[cfg(not(windows))]
pub const START: &str = "systemctl start pinwright-agent";
/// Starts the service: a command.
#[cfg(windows)]
pub const START: &str = "sc.exe start pinwright";

/// What to do where no agent answers, as an imperative sentence without a full stop: by how the service stands, where the system says that.
#[must_use]
pub fn to_have_one() -> String {
    #[cfg(windows)]
    {
        windows_remedy(installation::standing())
    }
    #[cfg(not(windows))]
    {
        format!("start one with `{START}` or `{}`; `agent.control` says where it listens", Operation::Agent)
    }
}

#[cfg(windows)]
fn windows_remedy(standing: Option<installation::Standing>) -> String {
    use installation::Standing;
    let here = format!("`{}`", Operation::Agent);
    match standing {
        Some(Standing::NotThere) => format!(
            "make the agent a service of this machine with `{}`, or start one of your own with {here}; `agent.control` says where it listens",
            Operation::AgentInstall
        ),
        Some(Standing::Failed { code }) => format!(
            "look into the service's log ({LOG}): it has ended with exit code {code}; then start it with `{START}`, or one of your own with \
             {here}"
        ),
        Some(Standing::Starts) => "ask again: the service is starting".to_owned(),
        Some(Standing::Stops) => format!("start the service with `{START}` when it has ended: it is stopping"),
        Some(Standing::Runs) => {
            format!("look at `agent.control`: the service runs, and answers elsewhere; its log: {LOG}")
        }
        Some(Standing::Stopped) | None => {
            format!(
                "start the service with `{START}`, or one of your own with {here}; `agent.control` says where it listens"
            )
        }
    }
}

/// Shows the service's log: a command in backticks, or where to look.
#[cfg(not(windows))]
pub const LOG: &str = "`journalctl -u pinwright-agent`";
/// Shows the service's log: a command in backticks, or where to look.
#[cfg(windows)]
pub const LOG: &str = "`Get-WinEvent -ProviderName pinwright` in PowerShell";

/// Shows who listens on control sockets.
#[cfg(not(windows))]
pub const WHO_LISTENS: &str = "`ss -xlp`";
/// Shows who listens on control sockets.
#[cfg(windows)]
pub const WHO_LISTENS: &str = r"`accesschk.exe -w \pipe\pinwright-agent` of Sysinternals";

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
    if cfg!(any(target_os = "linux", windows)) { Ok(()) } else { Err(NotHere { what: "the agent" }) }
}

/// The folder of the credentials that the service manager gave this process (`CREDENTIALS_DIRECTORY`); an empty variable is an
/// unset one. On Windows it is always the same folder ([`super::credential`]).
#[must_use]
pub fn credentials() -> Option<PathBuf> {
    #[cfg(windows)]
    {
        Some(super::files::configuration_folder().join("credentials"))
    }
    #[cfg(not(windows))]
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
    #[cfg(windows)]
    {
        platform::notify(notice)
    }
    #[cfg(not(any(target_os = "linux", windows)))]
    {
        let _ = notice;
        Ok(())
    }
}

/// Answers the service manager that has started this process, where it waits for an answer (Windows). To be called first.
pub fn join() {
    #[cfg(windows)]
    platform::join();
}

/// Tells the service manager how the process ends, where it does not see that by itself (Windows).
pub fn ended(code: u8) {
    #[cfg(windows)]
    if let Err(error) = platform::ended(code) {
        tracing::warn!("the service manager can't be told of the end: {error}");
    }
    #[cfg(not(windows))]
    let _ = code;
}

/// Whether this process is a service that belongs to no person: so Windows says; elsewhere the environment tells.
#[must_use]
pub fn is_one() -> bool {
    #[cfg(windows)]
    {
        platform::is_one()
    }
    #[cfg(not(windows))]
    {
        false
    }
}

#[cfg(windows)]
pub(in crate::os) use platform::is_joined;

/// Has `take` told what the service manager asks for from now on.
#[cfg(windows)]
pub(in crate::os) fn on_control(take: impl Fn(super::signals::Signal) + Send + Sync + 'static) {
    platform::on_control(take);
}
