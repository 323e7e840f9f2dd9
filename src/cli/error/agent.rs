//! What the agent's commands can fail with.

use std::io::{self, ErrorKind};

use serde::Serialize;
use thiserror::Error;

use crate::agent::control::client::AskError;
use crate::agent::control::protocol::Reason;
use crate::agent::metrics::MetricsError;
use crate::doctor::{Finding, State};
use crate::exit::Exit;
use crate::operation::Operation;
use crate::os::NotHere;
use crate::os::account::{self, AccountError};
use crate::os::credential::CredentialError;
use crate::os::endpoint::{self, EndpointError};
use crate::os::service;
use crate::os::service::installation::InstallationError;

/// An agent that can't start, or can't be asked.
#[derive(Debug, Error)]
pub enum AgentError {
    /// The system can't run one.
    #[error(transparent)]
    NotHere(#[from] NotHere),
    /// The user or group of the configuration.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// The control socket.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The metrics.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// The Kerberos library would not look at what it is told of the keytab.
    #[error(
        "the Kerberos library is told of `agent.keytab_file` by the environment, which it passes over in a program with capabilities"
    )]
    RightsOfFile,
    /// Not under systemd, or the unit has no credentials.
    #[error("systemd gave this process no credentials, and `agent.keytab_credential` names one")]
    NoCredentials,
    /// The environment is another one than was set.
    #[error("the environment in which the Kerberos library finds `agent.keytab_file` was changed on the way")]
    KeytabEnvironment,
    /// The program can't be started anew.
    #[error("the agent can't start itself anew for its keytab")]
    StartAnew(#[source] io::Error),
    /// The agent was not made a service, or is one still.
    #[error(transparent)]
    Installation(#[from] InstallationError),
    /// No credential was kept.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// A running agent gives no answer.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// A check that found something missing.
    #[error("the agent could not work like this: {}", failed(.0))]
    Check(Vec<Check>),
    /// A report that can't be told as JSON.
    #[error("a report can't be told as JSON")]
    Json(#[source] serde_json::Error),
    /// Told to end, and running jobs did not in their time.
    #[error("the jobs in {} had not ended in time: each card's record in the journal says how far it was taken", .0.join(", "))]
    Unfinished(Vec<String>),
    /// The card monitor has failed.
    #[error("the card monitor has failed by a defect, and without it no card is seen")]
    MonitorFailed,
    /// The loop ended by itself.
    #[error("the agent ended by itself")]
    Ended,
}

/// One thing that `pinwright agent --check` has looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What.
    pub check: &'static str,
    /// Whether the agent can work with it.
    pub ok: bool,
    /// What was found, and what to do where it is not well.
    pub detail: String,
    /// How it stands, in more than a yes or no.
    pub state: State,
    /// What was found.
    pub reason: String,
    /// What to do where it is not well.
    pub remedy: Option<String>,
}

impl From<&Finding> for Check {
    fn from(finding: &Finding) -> Self {
        let Finding { probe, state, reason, remedy, .. } = finding;
        let detail = remedy.as_ref().map_or_else(|| reason.clone(), |remedy| format!("{reason}; {remedy}"));
        Self {
            check: probe.name(),
            ok: *state != State::Failed,
            detail,
            state: *state,
            reason: reason.clone(),
            remedy: remedy.clone(),
        }
    }
}

/// Whether the socket can be had later, with the same configuration.
fn may_pass(error: &EndpointError) -> bool {
    match error {
        EndpointError::Running { .. } => true,
        EndpointError::Io { source, .. } => !says_of_the_place(source),
        EndpointError::Occupied { .. } | EndpointError::NotHere(_) => false,
    }
}

/// Whether the system says that the configured place is a wrong one, and not that it lacks something now.
fn says_of_the_place(error: &io::Error) -> bool {
    use ErrorKind::{AddrNotAvailable, InvalidInput, NotADirectory, NotFound, PermissionDenied, ReadOnlyFilesystem};
    matches!(
        error.kind(),
        AddrNotAvailable | InvalidInput | NotADirectory | NotFound | PermissionDenied | ReadOnlyFilesystem
    )
}

/// The names of what is not well.
fn failed(checks: &[Check]) -> String {
    let failed: Vec<&str> = checks.iter().filter(|check| !check.ok).map(|check| check.check).collect();
    failed.join(", ")
}

impl AgentError {
    /// The exit code. 2 is a wrong configuration and nothing that passes by itself: the unit is not started again after it.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Account(AccountError::Refused { .. } | AccountError::Regained { .. }) => Exit::Defect,
            Self::Account(AccountError::Lookup { .. }) => Exit::NoCard,
            Self::Endpoint(error) | Self::Metrics(MetricsError::Socket(error)) if may_pass(error) => Exit::NoCard,
            Self::Metrics(MetricsError::Address { source, .. }) if !says_of_the_place(source) => Exit::NoCard,
            Self::NotHere(_) | Self::Account(_) | Self::Endpoint(_) | Self::Metrics(_) | Self::Check(_) => Exit::Usage,
            Self::Ask(error) => match error {
                AskError::NoSocket | AskError::Unknown(_) | AskError::Endless => Exit::Usage,
                AskError::Refused(why) if matches!(why.reason, Reason::Journal | Reason::NotARequest) => Exit::Usage,
                // Like a service that gives no access to a card.
                _ => Exit::NoCard,
            },
            Self::Unfinished(_) => Exit::Attention,
            Self::Json(_) | Self::MonitorFailed | Self::Ended | Self::KeytabEnvironment => Exit::Defect,
            Self::RightsOfFile | Self::NoCredentials => Exit::Usage,
            Self::StartAnew(_) | Self::Installation(InstallationError::GoesOn) => Exit::NoCard,
            Self::Installation(_) | Self::Credential(_) => Exit::Usage,
        }
    }

    /// What to do next, as an imperative sentence without a full stop.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::RightsOfFile => {
                "take the capabilities from the program's file (`setcap -r`), or leave out `agent.keytab_file` and keep a ticket cache \
                 with `k5start`"
                    .to_owned()
            }
            Self::NoCredentials => "add LoadCredential= with that name to the unit, or set `agent.keytab_file`".to_owned(),
            Self::StartAnew(_) => "look at the limits of this process, and whether its program is still there".to_owned(),
            Self::Installation(error) => error.remedy(),
            Self::Credential(CredentialError::NotHere(_)) => {
                "use systemd's credentials: `systemd-creds encrypt`, and LoadCredentialEncrypted= in the unit".to_owned()
            }
            Self::Credential(CredentialError::Name(_)) => "use a name without a slash, a backslash or a colon".to_owned(),
            Self::Credential(CredentialError::Exposed(source)) => source.remedy(),
            Self::Credential(CredentialError::Io { .. }) => {
                "run the command as an administrator (\"Run as administrator\")".to_owned()
            }
            Self::Account(AccountError::NotHere(_)) => account::instead(),
            Self::NotHere(_) | Self::Endpoint(EndpointError::NotHere(_)) => {
                format!("use `{}`, or run the agent on Linux", Operation::SetPin)
            }
            Self::Account(AccountError::Unknown { .. } | AccountError::Lookup { .. }) => {
                account::CREATE.to_owned()
            }
            Self::Account(AccountError::NotRoot { name }) => format!("start the agent as root or as {name}"),
            Self::Account(AccountError::Refused { .. }) => "start the agent as that user".to_owned(),
            Self::Account(AccountError::Regained { .. }) => "report this; start the agent as that user meanwhile".to_owned(),
            Self::Endpoint(EndpointError::Running { .. }) => {
                format!("ask it with `{}`, or stop it first", Operation::AgentStatus)
            }
            Self::Endpoint(EndpointError::Occupied { .. }) => "set `agent.control` to another path".to_owned(),
            Self::Endpoint(EndpointError::Io { .. }) => endpoint::ANOTHER.to_owned(),
            Self::Metrics(_) => "set `agent.metrics` to a place that is free".to_owned(),
            Self::Ask(AskError::NoSocket) => "set `agent.control` in the configuration".to_owned(),
            Self::Ask(AskError::NotRunning { .. }) => service::to_have_one(),
            Self::Ask(AskError::NoAccess { .. }) => {
                "ask its administrator for the group of `agent.control_group`, and log in anew".to_owned()
            }
            Self::Ask(AskError::NotBelieved { .. }) => {
                format!("see who listens there ({}); set `agent.control` to the agent's own socket", service::WHO_LISTENS)
            }
            Self::Ask(AskError::Io { .. }) => format!("look into its log: {}", service::LOG),
            Self::Ask(AskError::Unknown(_) | AskError::Endless) => "use the `pinwright` that the agent was started from".to_owned(),
            // The agent has said what to do.
            Self::Ask(AskError::Refused(_)) => return None,
            Self::Check(_) => "see to what is marked, and check again".to_owned(),
            Self::Unfinished(_) => {
                format!("look at those cards with `{}` and `{}`", Operation::Inspect, Operation::History)
            }
            Self::Json(_) | Self::MonitorFailed | Self::Ended | Self::KeytabEnvironment => "report this, with the log".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_that_fails_by_a_defect_ends_with_its_exit_code() {
        assert_eq!(AgentError::MonitorFailed.exit() as u8, 70);
    }

    #[test]
    fn only_a_wrong_configuration_ends_an_agent_with_2() {
        let socket =
            |kind: ErrorKind| EndpointError::Io { what: "locking", path: "/run/x".into(), source: kind.into() };
        let address =
            |kind: ErrorKind| MetricsError::Address { address: ([127, 0, 0, 1], 9912).into(), source: kind.into() };
        let running = || EndpointError::Running { path: "/run/x".into() };
        let named = |name: &str| name.to_owned();
        let lookup = AccountError::Lookup { key: "agent.user", name: named("x"), source: ErrorKind::TimedOut.into() };
        let unknown = AccountError::Unknown { key: "agent.user", kind: "user", name: named("x") };
        for (error, code) in [
            (AgentError::Endpoint(running()), 3),
            (AgentError::Endpoint(socket(ErrorKind::StorageFull)), 3),
            (AgentError::Endpoint(socket(ErrorKind::PermissionDenied)), 2),
            (AgentError::Endpoint(EndpointError::Occupied { path: "/run/x".into() }), 2),
            (AgentError::Metrics(address(ErrorKind::AddrInUse)), 3),
            (AgentError::Metrics(address(ErrorKind::AddrNotAvailable)), 2),
            (AgentError::Metrics(MetricsError::Socket(running())), 3),
            (AgentError::Metrics(MetricsError::Socket(socket(ErrorKind::NotFound))), 2),
            (AgentError::Account(lookup), 3),
            (AgentError::Account(unknown), 2),
        ] {
            assert_eq!(error.exit() as u8, code, "{error:?}");
        }
    }
}
