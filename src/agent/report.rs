//! What the agent tells: a snapshot on demand, and an event for each thing that happens. Both are versioned JSON, and
//! neither has a place for a secret.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The schema of [`Snapshot`].
pub const STATUS_SCHEMA: &str = "pinwright.agent-status/1";
/// The schema of [`Event`].
pub const EVENT_SCHEMA: &str = "pinwright.agent-event/1";

/// What a reader is doing with its card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// No card.
    Empty,
    /// The card is being looked at, or its job runs.
    Working,
    /// Not a card that can be provisioned here: left alone until it is pulled.
    NotOurs,
    /// No open request for it, or something that may pass: tried again later.
    Waiting,
    /// The server refuses (token, certificate, right) or can't be called as configured: asked again later, and a person has to act.
    NoAccess,
    /// The server can't be reached or fails: tried again later.
    ServerDown,
    /// `on_insert = "report"`, and there is an open request: nothing was written.
    Reported,
    /// The user must supply a PIN, and nobody could be asked: `pinwright set-pin` does it.
    NeedsPin,
    /// The PIN is set and verified.
    Done,
    /// An earlier job has done this request already: nothing was written.
    AlreadyDone,
    /// Stopped for good on this card, see the reason; until it is pulled, nothing is tried again.
    Failed,
    /// The reader does not answer any more: tried again later, and at once when the card is pulled and put in.
    Stuck,
}

impl Phase {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 12] = [
        Self::Empty,
        Self::Working,
        Self::Waiting,
        Self::NoAccess,
        Self::ServerDown,
        Self::NeedsPin,
        Self::Failed,
        Self::Stuck,
        Self::NotOurs,
        Self::Reported,
        Self::AlreadyDone,
        Self::Done,
    ];

    /// Its one name, in JSON, figures, log and status alike.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Working => "working",
            Self::NotOurs => "not-ours",
            Self::Waiting => "waiting",
            Self::NoAccess => "no-access",
            Self::ServerDown => "server-down",
            Self::Reported => "reported",
            Self::NeedsPin => "needs-pin",
            Self::Done => "done",
            Self::AlreadyDone => "already-done",
            Self::Failed => "failed",
            Self::Stuck => "stuck",
        }
    }
}

/// One reader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReaderReport {
    /// The reader's name, as the system gives it.
    pub reader: String,
    /// What it is doing.
    pub phase: Phase,
    /// The number of this insertion, counted by the agent over all readers; 0 without a card.
    pub insertion: u64,
    /// Since when, RFC 3339.
    pub since: String,
    /// The card's answer-to-reset, lower-case hex.
    pub atr: Option<String>,
    /// The card's family, once known.
    pub family: Option<String>,
    /// The card ID, once read.
    pub card_id: Option<String>,
    /// The open request, once found.
    pub request: Option<Uuid>,
    /// The id on every log line about this card, from its insertion until it is pulled, through all its jobs.
    pub enrollment: Option<String>,
    /// The step of the job that runs or has stopped.
    pub step: Option<String>,
    /// Why it is as it is, and what to do.
    pub reason: Option<String>,
    /// The exit code that `pinwright set-pin` would have ended with, where the job has failed.
    pub exit: Option<u8>,
    /// What is known of the card's PIN, where the job has failed.
    pub card_state: Option<String>,
    /// The job's id in the journal.
    pub journal: Option<String>,
    /// When the server will be asked again, RFC 3339.
    pub next_check: Option<String>,
}

impl ReaderReport {
    /// The report on a reader without a card, since now.
    #[must_use]
    pub fn empty(reader: &str) -> Self {
        Self {
            reader: reader.to_owned(),
            phase: Phase::Empty,
            insertion: 0,
            since: timestamp(SystemTime::now()),
            atr: None,
            family: None,
            card_id: None,
            request: None,
            enrollment: None,
            step: None,
            reason: None,
            exit: None,
            card_state: None,
            journal: None,
            next_check: None,
        }
    }
}

/// What has happened since the agent started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Cards inserted.
    pub insertions: u64,
    /// PINs set and verified.
    pub provisioned: u64,
    /// Jobs that failed for good.
    pub failed: u64,
    /// Jobs whose card needs attention (exit code 9).
    pub attention: u64,
    /// Times that the server was found down.
    pub server_failures: u64,
    /// Times that the PC/SC service was lost.
    pub service_losses: u64,
}

/// The agent's state at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// [`STATUS_SCHEMA`].
    pub schema: String,
    /// The agent's version.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// Since when it runs, RFC 3339.
    pub started: String,
    /// Whether the PC/SC service answers, and why not.
    pub service: ServiceState,
    /// Until when the server is left alone after a failure, RFC 3339.
    pub server_paused_until: Option<String>,
    /// Readers, in the order of their names.
    pub readers: Vec<ReaderReport>,
    /// How many readers are there beside them that `reader.ignore` hides.
    #[serde(default)]
    pub hidden: usize,
    /// Counts since the start.
    pub totals: Totals,
}

impl Snapshot {
    /// The state of this process as an agent that has just started: nothing is known yet.
    #[must_use]
    pub fn idle() -> Self {
        Self {
            schema: STATUS_SCHEMA.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            started: timestamp(SystemTime::now()),
            service: ServiceState::Starting,
            server_paused_until: None,
            readers: Vec::new(),
            hidden: 0,
            totals: Totals::default(),
        }
    }
}

/// The PC/SC service, as the agent sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum ServiceState {
    /// Not asked yet.
    Starting,
    /// It answers.
    Running,
    /// It does not answer, or refuses the agent; it is looked for again and again.
    Absent {
        /// Why, and what to do.
        reason: String,
        /// It answers and refuses the agent (polkit).
        #[serde(default)]
        refused: bool,
    },
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// The agent serves.
    Started,
    /// The agent was asked to stop.
    Stopping,
    /// The PC/SC service answers.
    ServiceFound,
    /// The PC/SC service does not answer any more, or refuses the agent.
    ServiceLost,
    /// A reader was plugged in.
    ReaderAdded,
    /// A reader is gone.
    ReaderRemoved,
    /// A card was inserted.
    Inserted,
    /// A card was pulled.
    Removed,
    /// A job has come to a step.
    Step,
    /// A reader's phase has changed: the end of a look or a job.
    Phase,
    /// The server failed; it is left alone for a while.
    ServerDown,
    /// The server answers again.
    ServerBack,
    /// The clock jumped (suspend and resume): everything is looked at anew.
    ClockJumped,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// [`EVENT_SCHEMA`].
    pub schema: String,
    /// When, RFC 3339 with milliseconds.
    pub time: String,
    /// What.
    pub event: EventKind,
    /// The reader that it happened in, as it is now; `null` where it concerns none.
    #[serde(flatten)]
    pub reader: Option<ReaderReport>,
    /// Why, where it concerns no reader.
    pub detail: Option<String>,
}

/// A time in the form that reports use.
#[must_use]
pub fn timestamp(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}
