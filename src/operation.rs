//! The commands of `pinwright`: advice names them from here, and so does the command line, so a command that is renamed
//! leaves no stale advice behind.

use std::fmt;

/// The program's name, as a person types it.
const PROGRAM: &str = "pinwright";

/// A command of the program. Its text form is what a person types: `pinwright agent status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// List readers and cards.
    Readers,
    /// Read one card.
    Inspect,
    /// Show what a job would do.
    Plan,
    /// Set the PIN.
    SetPin,
    /// Carry out a request for a card, to its end.
    Enroll,
    /// Set a forgotten PIN anew, by a request.
    Unblock,
    /// End a card's life at the server.
    Retire,
    /// Look at everything between plug and server.
    Doctor,
    /// List the journal.
    History,
    /// Serve cards as they are inserted.
    Agent,
    /// Ask the running agent for its state.
    AgentStatus,
    /// Ask the running agent for its journal.
    AgentHistory,
    /// Have the running agent ask the server now.
    AgentRecheck,
    /// Make the agent a service (Windows).
    AgentInstall,
    /// Remove the agent's service (Windows).
    AgentUninstall,
    /// Keep a credential (Windows).
    AgentProtect,
    /// Look at requests of the server, and change them.
    Request,
    /// List requests.
    RequestList,
    /// Show one request.
    RequestShow,
    /// Make a request.
    RequestCreate,
    /// Give a request up that no card is bound to.
    RequestCancel,
    /// Give a request up that is being worked on.
    RequestAbandon,
    /// Sign in at AD FS.
    Login,
    /// Forget the sign-in.
    Logout,
    /// Say who is signed in.
    Whoami,
    /// See how pinwright is configured.
    Config,
    /// Check the configuration.
    ConfigCheck,
    /// Show where each value comes from.
    ConfigShow,
    /// Record an operation on a card.
    Record,
    /// Play a recording back.
    Replay,
    /// Print what completes commands in a shell.
    Completions,
    /// Print the manual pages.
    Man,
    /// Do the job on stand-ins.
    #[cfg(feature = "sim")]
    Demo,
    /// Serve a stand-in.
    #[cfg(feature = "sim")]
    Sim,
}

impl Operation {
    /// Every operation.
    pub const ALL: &'static [Self] = &[
        Self::Readers,
        Self::Inspect,
        Self::Plan,
        Self::SetPin,
        Self::Enroll,
        Self::Unblock,
        Self::Retire,
        Self::Doctor,
        Self::History,
        Self::Agent,
        Self::AgentStatus,
        Self::AgentHistory,
        Self::AgentRecheck,
        Self::AgentInstall,
        Self::AgentUninstall,
        Self::AgentProtect,
        Self::Request,
        Self::RequestList,
        Self::RequestShow,
        Self::RequestCreate,
        Self::RequestCancel,
        Self::RequestAbandon,
        Self::Login,
        Self::Logout,
        Self::Whoami,
        Self::Config,
        Self::ConfigCheck,
        Self::ConfigShow,
        Self::Record,
        Self::Replay,
        Self::Completions,
        Self::Man,
        #[cfg(feature = "sim")]
        Self::Demo,
        #[cfg(feature = "sim")]
        Self::Sim,
    ];

    /// The operation's own name: the last of its words on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Readers => "readers",
            Self::Inspect => "inspect",
            Self::Plan => "plan",
            Self::SetPin => "set-pin",
            Self::Enroll => "enroll",
            Self::Unblock => "unblock",
            Self::Retire => "retire",
            Self::Doctor => "doctor",
            Self::History | Self::AgentHistory => "history",
            Self::Agent => "agent",
            Self::AgentStatus => "status",
            Self::AgentRecheck => "recheck",
            Self::AgentInstall => "install",
            Self::AgentUninstall => "uninstall",
            Self::AgentProtect => "protect",
            Self::Request => "request",
            Self::RequestList => "list",
            Self::RequestCreate => "create",
            Self::RequestCancel => "cancel",
            Self::RequestAbandon => "abandon",
            Self::Login => "login",
            Self::Logout => "logout",
            Self::Whoami => "whoami",
            Self::Config => "config",
            Self::ConfigCheck => "check",
            Self::ConfigShow | Self::RequestShow => "show",
            Self::Record => "record",
            Self::Replay => "replay",
            Self::Completions => "completions",
            Self::Man => "man",
            #[cfg(feature = "sim")]
            Self::Demo => "demo",
            #[cfg(feature = "sim")]
            Self::Sim => "sim",
        }
    }

    /// The schema of the operation's JSON.
    #[must_use]
    pub const fn schema(self) -> &'static str {
        match self {
            Self::Readers => "pinwright.readers/1",
            Self::Inspect => "pinwright.inspect/1",
            Self::Plan => "pinwright.plan/1",
            Self::SetPin => "pinwright.set-pin/1",
            Self::Enroll => "pinwright.enroll/1",
            Self::Unblock => "pinwright.unblock/1",
            Self::Retire => "pinwright.retire/1",
            Self::Doctor => "pinwright.doctor/1",
            Self::History | Self::AgentHistory => "pinwright.history/1",
            Self::Agent => "pinwright.agent/1",
            Self::AgentStatus => "pinwright.agent-status/1",
            Self::AgentRecheck => "pinwright.agent-control/1",
            Self::AgentInstall | Self::AgentUninstall | Self::AgentProtect => "pinwright.agent-service/1",
            Self::Request => "pinwright.request/1",
            Self::RequestList => "pinwright.request-list/1",
            Self::RequestShow => "pinwright.request-show/1",
            Self::RequestCreate => "pinwright.request-create/1",
            Self::RequestCancel => "pinwright.request-cancel/1",
            Self::RequestAbandon => "pinwright.request-abandon/1",
            Self::Login => "pinwright.login/1",
            Self::Logout => "pinwright.logout/1",
            Self::Whoami => "pinwright.whoami/1",
            Self::Config => "pinwright.config/1",
            Self::ConfigCheck => "pinwright.config-check/1",
            Self::ConfigShow => "pinwright.config-show/1",
            Self::Record => "pinwright.record/1",
            Self::Replay => "pinwright.replay/1",
            Self::Completions => "pinwright.completions/1",
            Self::Man => "pinwright.man/1",
            #[cfg(feature = "sim")]
            Self::Demo => "pinwright.demo/1",
            #[cfg(feature = "sim")]
            Self::Sim => "pinwright.sim/1",
        }
    }

    /// The operation whose subcommand this one is.
    #[must_use]
    pub const fn parent(self) -> Option<Self> {
        match self {
            Self::AgentStatus
            | Self::AgentHistory
            | Self::AgentRecheck
            | Self::AgentInstall
            | Self::AgentUninstall
            | Self::AgentProtect => Some(Self::Agent),
            Self::ConfigCheck | Self::ConfigShow => Some(Self::Config),
            Self::RequestList
            | Self::RequestShow
            | Self::RequestCreate
            | Self::RequestCancel
            | Self::RequestAbandon => Some(Self::Request),
            _ => None,
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parent() {
            Some(parent) => write!(f, "{parent} {}", self.name()),
            None => write!(f, "{PROGRAM} {}", self.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Operation;

    #[test]
    fn the_text_is_what_a_person_types() {
        assert_eq!(Operation::SetPin.to_string(), "pinwright set-pin");
        assert_eq!(Operation::AgentStatus.to_string(), "pinwright agent status");
    }
}
