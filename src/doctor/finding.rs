//! What a probe finds: a state, the reason, and the remedy.

use serde::{Serialize, Serializer};

use crate::exit::Exit;
use crate::job::secrets::Need;

/// How it stands with what was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Well.
    Ok,
    /// Work can be done, and somebody should know of it.
    Warning,
    /// Work can't be done like this.
    Failed,
    /// It can't be known from here.
    Unknown,
    /// Not looked at, since what comes before it is not well.
    Skipped,
}

/// What it is about: the exit code says which of these comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Group {
    /// What this machine was told and gives: configuration, files, limits.
    Configuration,
    /// The PC/SC service, readers, cards.
    Card,
    /// Who we are to the server.
    SignIn,
    /// The server and the way to it.
    Server,
}

impl Group {
    /// The exit code where it fails.
    #[must_use]
    pub fn exit(self) -> Exit {
        match self {
            Self::Configuration => Exit::Usage,
            Self::Card => Exit::NoCard,
            Self::SignIn => Exit::ServerRefused,
            Self::Server => Exit::ServerFailed,
        }
    }
}

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// Files, keys, values.
    Configuration,
    /// The agent's unit.
    Unit,
    /// `agent.control_group`.
    ControlGroup,
    /// `agent.user`.
    User,
    /// `agent.control`.
    Control,
    /// `agent.metrics`.
    Metrics,
    /// `agent.pinentry`.
    Pinentry,
    /// The journal's folder.
    Journal,
    /// What `[server]` names.
    Server,
    /// The source of the sign-in.
    ServerAuth,
    /// The file of a secret.
    Secret(Need),
    /// Core files of this process.
    Core,
    /// Locked memory.
    Memory,
    /// The PC/SC service.
    Service,
    /// Whether it, or something between us and it, logs APDUs.
    ServiceLog,
    /// Its core files.
    ServiceCore,
    /// Who may use it.
    Polkit,
    /// The readers.
    Readers,
    /// One reader's card.
    Card,
    /// Name and address of the server or of the proxy before it.
    Address,
    /// TLS.
    Tls,
    /// The API.
    Api,
    /// This machine's clock against the server's.
    Clock,
    /// How long the credentials are valid.
    Token,
    /// How long the tickets of Kerberos are valid.
    Tickets,
    /// The ticket that a KDC has given for the server, and its clock.
    Kdc,
    /// Whether the server takes them.
    SignIn,
    /// Who it takes us for.
    Account,
}

impl Probe {
    /// Its name, which scripts may rely on.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Unit => "unit",
            Self::ControlGroup => "agent.control_group",
            Self::User => "agent.user",
            Self::Control => "agent.control",
            Self::Metrics => "agent.metrics",
            Self::Pinentry => "agent.pinentry",
            Self::Journal => "journal",
            Self::Server => "server",
            Self::ServerAuth => "server.auth",
            Self::Secret(Need::AdminKey) => "card.admin_key",
            Self::Secret(Need::Puk) => "card.puk",
            Self::Secret(Need::AdminPin) => "card.admin_pin",
            Self::Secret(Need::ResettingCode) => "card.resetting_code",
            Self::Secret(Need::CurrentPin) => "card.current_pin",
            Self::Secret(Need::NewPin) => "card.new_pin",
            Self::Core => "core",
            Self::Memory => "memory",
            Self::Service => "PC/SC",
            Self::ServiceLog => "PC/SC log",
            Self::ServiceCore => "PC/SC core",
            Self::Polkit => "polkit",
            Self::Readers => "readers",
            Self::Card => "card",
            Self::Address => "server.address",
            Self::Tls => "server.tls",
            Self::Api => "server.api",
            Self::Clock => "clock",
            Self::Token => "token",
            Self::Tickets => "tickets",
            Self::Kdc => "KDC",
            Self::SignIn => "sign-in",
            Self::Account => "user",
        }
    }

    /// What it is about.
    #[must_use]
    pub fn group(self) -> Group {
        match self {
            Self::Configuration
            | Self::Unit
            | Self::ControlGroup
            | Self::User
            | Self::Control
            | Self::Metrics
            | Self::Pinentry
            | Self::Journal
            | Self::Server
            | Self::ServerAuth
            | Self::Secret(_)
            | Self::Core
            | Self::Memory => Group::Configuration,
            Self::Service | Self::ServiceLog | Self::ServiceCore | Self::Polkit | Self::Readers | Self::Card => {
                Group::Card
            }
            Self::Clock | Self::Token | Self::Tickets | Self::Kdc | Self::SignIn | Self::Account => Group::SignIn,
            Self::Address | Self::Tls | Self::Api => Group::Server,
        }
    }
}

impl Serialize for Probe {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// What one probe has found. All texts may hold foreign ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub probe: Probe,
    /// What it is about.
    pub group: Group,
    /// How it stands.
    pub state: State,
    /// What is so.
    pub reason: String,
    /// What to do, as an imperative sentence without a full stop; `None` where nothing is to be done.
    pub remedy: Option<String>,
}

/// A name that says who or where somebody is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// A card's ID in one of its forms.
    Card(Vec<String>),
    /// A machine.
    Host(String),
    /// A person or account.
    User(String),
    /// Who has issued a certificate, or whom it is for.
    Authority(String),
    /// A card's answer to reset, which says of what kind it is and is shown.
    Atr(String),
}

/// What all probes have found.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    list: Vec<Finding>,
    names: Vec<Name>,
    waits: bool,
}

impl Findings {
    /// For a worker that waits by itself for what may come yet.
    #[must_use]
    pub(super) fn of_waiting() -> Self {
        Self { waits: true, ..Self::default() }
    }

    /// In the order in which it was looked at.
    #[must_use]
    pub fn list(&self) -> &[Finding] {
        &self.list
    }

    /// The names in them.
    #[must_use]
    pub fn names(&self) -> &[Name] {
        &self.names
    }

    /// The exit code: that of the first that fails, of configuration, service and card, sign-in, server.
    #[must_use]
    pub fn exit(&self) -> Exit {
        let failed = self.list.iter().filter(|finding| finding.state == State::Failed);
        failed.map(|finding| finding.group.exit()).min_by_key(|exit| *exit as u8).unwrap_or(Exit::Done)
    }

    /// A name that is in what is told.
    pub(super) fn name(&mut self, name: Name) {
        self.names.push(name);
    }

    pub(super) fn ok(&mut self, probe: Probe, reason: impl Into<String>) {
        self.add(probe, State::Ok, reason.into(), None);
    }

    pub(super) fn warning(&mut self, probe: Probe, reason: impl Into<String>, remedy: impl Into<String>) {
        self.add(probe, State::Warning, reason.into(), Some(remedy.into()));
    }

    pub(super) fn failed(&mut self, probe: Probe, reason: impl Into<String>, remedy: impl Into<String>) {
        self.add(probe, State::Failed, reason.into(), Some(remedy.into()));
    }

    /// What may be well in a while without anybody's doing: a worker that waits for it can work.
    pub(super) fn failed_for_now(&mut self, probe: Probe, reason: impl Into<String>, remedy: impl Into<String>) {
        match self.waits {
            true => self.warning(probe, format!("waited for: {}", reason.into()), remedy),
            false => self.failed(probe, reason, remedy),
        }
    }

    pub(super) fn unknown(&mut self, probe: Probe, reason: impl Into<String>) {
        self.add(probe, State::Unknown, reason.into(), None);
    }

    pub(super) fn skipped(&mut self, probe: Probe, reason: impl Into<String>) {
        self.add(probe, State::Skipped, format!("not looked at: {}", reason.into()), None);
    }

    /// A result in words, of which an error is told with its remedy.
    pub(super) fn result(&mut self, probe: Probe, result: Result<String, Fault>) {
        match result {
            Ok(reason) => self.ok(probe, reason),
            Err(Fault { reason, remedy }) => self.failed(probe, reason, remedy),
        }
    }

    fn add(&mut self, probe: Probe, state: State, reason: String, remedy: Option<String>) {
        // Some errors name the key themselves, and it is not named twice.
        let reason = match reason.strip_prefix(probe.name()) {
            Some(rest) if rest.starts_with(": ") => rest.trim_start_matches(": ").to_owned(),
            _ => reason,
        };
        self.list.push(Finding { probe, group: probe.group(), state, reason, remedy });
    }
}

/// What is wrong, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub reason: String,
    pub remedy: String,
}

impl Fault {
    pub fn new(reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { reason: reason.into(), remedy: remedy.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_is_that_of_the_first_group_that_fails() {
        let code = |failing: &[Probe]| {
            let mut findings = Findings::default();
            findings.warning(Probe::Core, "x", "y");
            findings.unknown(Probe::Account, "x");
            failing.iter().for_each(|probe| findings.failed(*probe, "x", "y"));
            findings.exit() as u8
        };
        assert_eq!(code(&[]), 0);
        assert_eq!(code(&[Probe::Tls]), 6);
        assert_eq!(code(&[Probe::Tls, Probe::Token]), 5);
        assert_eq!(code(&[Probe::Card, Probe::Tls, Probe::SignIn]), 3);
        assert_eq!(code(&[Probe::Card, Probe::Journal]), 2);
    }

    #[test]
    fn only_who_waits_waits_for_what_may_come_yet() {
        let exit = |mut findings: Findings| {
            findings.failed_for_now(Probe::Service, "the service is not running", "start it");
            (findings.exit() as u8, findings.list()[0].reason.clone())
        };
        assert_eq!(exit(Findings::default()), (3, "the service is not running".to_owned()));
        assert_eq!(exit(Findings::of_waiting()), (0, "waited for: the service is not running".to_owned()));
    }
}
