//! How the loop tells whoever started it that it is ready, alive, at work and about to end.

use std::time::Duration;

use super::report::{Phase, ServiceState, Snapshot};

/// What is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign<'a> {
    /// The sockets are open, and the first look is taken.
    Ready,
    /// The loop goes round.
    Alive,
    /// One line for people.
    Status(&'a str),
    /// The agent was asked to end; running jobs are carried to theirs.
    Stopping,
}

/// What the end takes beside the jobs: a monitor that hangs, an output that nobody reads.
#[cfg(target_os = "linux")]
const STOP_MARGIN: Duration = Duration::from_secs(15);

/// A way to tell it, and how often a sign of life is wanted.
pub struct Pulse {
    interval: Option<Duration>,
    tell: Box<dyn FnMut(Sign<'_>) + Send>,
    said: String,
}

impl Pulse {
    /// Told to this function; [`Sign::Alive`] at least every `interval`, never where that is `None`.
    #[must_use]
    pub fn new(interval: Option<Duration>, tell: impl FnMut(Sign<'_>) + Send + 'static) -> Self {
        Self { interval, tell: Box::new(tell), said: String::new() }
    }

    /// Told to nobody.
    #[must_use]
    pub fn silent() -> Self {
        Self::new(None, |_| {})
    }

    /// Told to systemd, where it started this process and asked for that (sd_notify(3)); the interval is half of the unit's
    /// `WatchdogSec=`. When the agent ends it asks for `stop_timeout` and a little more, whatever the unit's `TimeoutStopSec=` is.
    #[cfg(target_os = "linux")]
    #[must_use]
    pub fn systemd(stop_timeout: Duration) -> Self {
        use sd_notify::NotifyState;
        let needed = u32::try_from((stop_timeout + STOP_MARGIN).as_micros()).unwrap_or(u32::MAX);
        let interval = sd_notify::watchdog_enabled().map(|limit| limit / 2);
        Self::new(interval, move |sign| {
            let states = match sign {
                Sign::Ready => &[NotifyState::Ready][..],
                Sign::Alive => &[NotifyState::Watchdog],
                Sign::Status(line) => &[NotifyState::Status(line)],
                Sign::Stopping => &[NotifyState::Stopping, NotifyState::ExtendTimeoutUsec(needed)],
            };
            if let Err(error) = sd_notify::notify(states) {
                tracing::warn!("systemd can't be told {sign:?}: {error}");
            }
        })
    }

    /// How long the loop may sleep at most; `None` for as long as nothing happens.
    #[must_use]
    pub fn interval(&self) -> Option<Duration> {
        self.interval
    }

    /// To be called once, after the first look.
    pub fn ready(&mut self) {
        (self.tell)(Sign::Ready);
    }

    /// To be called at least every [`Pulse::interval`].
    pub fn beat(&mut self) {
        (self.tell)(Sign::Alive);
    }

    /// To be called when the state has changed; the same line is not said twice in a row.
    pub fn state(&mut self, snapshot: &Snapshot) {
        let line = status_line(snapshot);
        if line != self.said {
            (self.tell)(Sign::Status(&line));
            self.said = line;
        }
    }

    /// To be called when the agent was asked to end.
    pub fn stopping(&mut self) {
        (self.tell)(Sign::Stopping);
    }
}

/// The state in one line, as `systemctl status` shows it.
#[must_use]
pub fn status_line(snapshot: &Snapshot) -> String {
    match &snapshot.service {
        ServiceState::Starting => return "Looking for the PC/SC service".to_owned(),
        ServiceState::Absent { .. } => return "The PC/SC service does not answer".to_owned(),
        ServiceState::Running => {}
    }
    let count = |phase: Phase| snapshot.readers.iter().filter(|reader| reader.phase == phase).count();
    let cards = snapshot.readers.len() - count(Phase::Empty);
    let mut parts = vec![
        format!("{} {}", snapshot.readers.len(), if snapshot.readers.len() == 1 { "reader" } else { "readers" }),
        format!("{cards} {}", if cards == 1 { "card" } else { "cards" }),
    ];
    let kinds = [
        (Phase::Working, "at work"),
        (Phase::Waiting, "waiting"),
        (Phase::NoAccess, "without access to the server"),
        (Phase::ServerDown, "waiting for the server"),
        (Phase::NeedsPin, "in need of a PIN from the user"),
        (Phase::Failed, "failed"),
        (Phase::Stuck, "stuck"),
    ];
    parts.extend(
        kinds
            .iter()
            .map(|(phase, words)| (count(*phase), words))
            .filter(|(n, _)| *n > 0)
            .map(|(n, w)| format!("{n} {w}")),
    );
    parts.push(format!("{} provisioned since the start", snapshot.totals.provisioned));
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn a_line_is_said_once() {
        let said = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&said);
        let mut pulse = Pulse::new(None, move |sign| heard.lock().unwrap().push(format!("{sign:?}")));
        let mut snapshot = Snapshot::idle();
        pulse.ready();
        pulse.state(&snapshot);
        pulse.state(&snapshot);
        snapshot.service = ServiceState::Running;
        pulse.state(&snapshot);
        pulse.stopping();
        let said = said.lock().unwrap();
        assert_eq!(said.len(), 4, "{said:?}");
        assert_eq!(said[2], "Status(\"0 readers, 0 cards, 0 provisioned since the start\")");
    }
}
