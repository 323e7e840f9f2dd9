//! What the configuration decides about the agent: `[agent]`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::server::auth::OwnMeans;

/// What the agent does with a card of a known family.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnInsert {
    /// Sets its PIN, where a request for that is open.
    #[default]
    #[serde(alias = "provision")]
    SetPin,
    /// Carries out its open request to enroll or unblock it, to the end. It makes no request, erases nothing and retires nothing.
    Enroll,
    /// Says what it would do, and writes nothing.
    Report,
}

/// Where metrics can be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MetricsAddress {
    /// A TCP address of this machine's loopback.
    Loopback(SocketAddr),
    /// A Unix socket.
    Socket(PathBuf),
}

/// The agent's settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What to do with a card.
    pub on_insert: OnInsert,
    /// Whether requests are worked on that are not the agent's own, but that it may see.
    pub visible_requests: bool,
    /// After so long a card's job is asked to back out, and its reader counts as stuck if it does not.
    pub job_timeout: Duration,
    /// How long a running job may take to end after SIGTERM.
    pub stop_timeout: Duration,
    /// First pause before the server is asked again about a card without an open request.
    pub recheck_first: Duration,
    /// Longest pause; pauses double up to it.
    pub recheck_longest: Duration,
    /// First pause after a failure of the server.
    pub retry_first: Duration,
    /// Longest pause after failures; pauses double up to it and each is drawn at random below that.
    pub retry_longest: Duration,
    /// The pinentry program that asks for a PIN which the user chooses.
    pub pinentry: Option<PathBuf>,
    /// How long the person at the pinentry has.
    pub pinentry_timeout: Duration,
    /// The control socket; `None` where none is to be had.
    pub control: Option<PathBuf>,
    /// Where a command that talks to an agent looks next: the machine's agent, unless `control` is configured or is that.
    pub control_of_system: Option<PathBuf>,
    /// Members of this group may ask for status, history and a re-check, beside root and the agent's own user.
    pub control_group: Option<String>,
    /// The user to become after the sockets are open, when started as root.
    pub user: Option<String>,
    /// Where metrics can be fetched; off where `None`.
    pub metrics: Option<MetricsAddress>,
    /// With what the agent signs in by itself.
    pub own: OwnMeans,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            on_insert: OnInsert::SetPin,
            visible_requests: false,
            job_timeout: Duration::from_secs(180),
            stop_timeout: Duration::from_secs(30),
            recheck_first: Duration::from_secs(30),
            recheck_longest: Duration::from_secs(15 * 60),
            retry_first: Duration::from_secs(2),
            retry_longest: Duration::from_secs(5 * 60),
            pinentry: None,
            pinentry_timeout: Duration::from_secs(120),
            control: None,
            control_of_system: None,
            control_group: None,
            user: None,
            metrics: None,
            own: OwnMeans::default(),
        }
    }
}
