//! The agent as a service of Windows, put in and taken out by its own program. Elsewhere packages bring a unit.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::operation::Operation;
use crate::os::NotHere;
use crate::os::files::Exposure;

#[cfg(windows)]
#[path = "installation/windows.rs"]
mod platform;
#[cfg(windows)]
pub(in crate::os) use platform::account;
#[cfg(windows)]
pub(super) use platform::standing;

/// Whether the program does that on this system.
pub const IS_POSSIBLE: bool = cfg!(windows);

/// The agent as a service, as it was put in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// The account that it works as.
    pub account: String,
    /// The folder of the configuration.
    pub configuration: PathBuf,
    /// The folder of the journal.
    pub journal: PathBuf,
}

/// How the service stands.
#[cfg(windows)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    NotThere,
    Stopped,
    Failed { code: u32 },
    Starts,
    Stops,
    Runs,
}

/// Why the agent was not put in, or taken out.
#[derive(Debug, Error)]
pub enum InstallationError {
    /// Not on this system.
    #[error(transparent)]
    NotHere(#[from] NotHere),
    /// Only administrators may.
    #[error("this user may not change the services of the machine")]
    NotAllowed,
    /// Others could change the program, or the folder of its configuration, and so what the service does.
    #[error("the agent is not made a service")]
    Exposed(#[source] Exposure),
    /// The account is none that services may work as.
    #[error("the machine knows no such account for services")]
    NoAccount,
    /// It is there.
    #[error("there is a service of this name already")]
    IsThere,
    /// It is not there.
    #[error("there is no such service")]
    IsNotThere,
    /// It was removed, and some program still looks at it.
    #[error("the service is being removed: it goes when every program has let go of it")]
    IsGoing,
    /// It does not end.
    #[error("the service was told to stop, and goes on")]
    GoesOn,
    /// The system refused something else.
    #[error("the system refused: {what}")]
    System {
        /// What we were doing.
        what: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl InstallationError {
    /// What to do next, as an imperative sentence without a full stop.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::NotHere(_) => "use the package's unit: `systemctl enable --now pinwright-agent`".to_owned(),
            Self::NotAllowed => "run the command as an administrator (\"Run as administrator\")".to_owned(),
            Self::Exposed(source) => source.remedy(),
            Self::NoAccount => {
                "write it as DOMAIN\\NAME$, have the domain's administrator let this machine use it (`Test-ADServiceAccount` in \
                 PowerShell tells), or leave `--account` out"
                    .to_owned()
            }
            Self::IsThere => format!("remove it first: `{}`", Operation::AgentUninstall),
            Self::IsNotThere => "see which services there are: `sc.exe query state= all`".to_owned(),
            Self::IsGoing => {
                "close the window of services and the event log, or restart Windows, and repeat the command".to_owned()
            }
            Self::GoesOn => {
                format!("see what it does (`{}`), and repeat the command when it has ended", Operation::AgentStatus)
            }
            Self::System { .. } => "see to what the system says, and repeat the command".to_owned(),
        }
    }
}

/// Makes the agent a service that starts with the machine, with folders and event source. It is not started.
///
/// # Errors
/// [`InstallationError`]; what was done before it is taken back, but for folders.
pub fn install(account: Option<&str>) -> Result<Installed, InstallationError> {
    #[cfg(windows)]
    {
        platform::install(account)
    }
    #[cfg(not(windows))]
    {
        let _ = account;
        Err(NotHere { what: "making the agent a service by this command" }.into())
    }
}

/// Stops the service and removes it. Configuration and journal stay.
///
/// # Errors
/// [`InstallationError`].
pub fn uninstall() -> Result<(), InstallationError> {
    #[cfg(windows)]
    {
        platform::uninstall()
    }
    #[cfg(not(windows))]
    {
        Err(NotHere { what: "removing the agent's service by this command" }.into())
    }
}
