//! Tells the service manager that started the agent that it is ready, alive, at work and about to end.

use std::time::Duration;

use super::report::{Phase, ServiceState, Snapshot};
use crate::os::service::{self, Notice};

/// What ending may take beyond the jobs: a monitor that hangs, an output that nobody reads.
const STOP_MARGIN: Duration = Duration::from_secs(15);

/// How the service manager is told, and how often it wants a sign of life.
pub struct ServiceNotifier {
    interval: Option<Duration>,
    stop_time: Duration,
    tell: Box<dyn FnMut(Notice<'_>) + Send>,
    last_status: String,
}

impl ServiceNotifier {
    /// Tells this function; [`Notice::Alive`] at least every `interval`, never where that is `None`. `stop_timeout` is what running
    /// jobs may take to end.
    #[must_use]
    pub fn new(
        interval: Option<Duration>,
        stop_timeout: Duration,
        tell: impl FnMut(Notice<'_>) + Send + 'static,
    ) -> Self {
        let stop_time = stop_timeout.saturating_add(STOP_MARGIN);
        Self { interval, stop_time, tell: Box::new(tell), last_status: String::new() }
    }

    /// Tells nobody.
    #[must_use]
    pub fn silent() -> Self {
        Self::new(None, Duration::ZERO, |_| {})
    }

    /// Tells the service manager of the system, where one started this process and asked for that. The interval is half of the
    /// silence that it takes for life. When the agent ends it asks for `stop_timeout` and a little more, whatever the limit of its
    /// unit is.
    #[must_use]
    pub fn of_system(stop_timeout: Duration) -> Self {
        Self::new(service::watchdog().map(|limit| limit / 2), stop_timeout, |notice| {
            if let Err(error) = service::notify(notice) {
                tracing::warn!("the service manager can't be told {notice:?}: {error}");
            }
        })
    }

    /// How long the loop may sleep at most; `None` for as long as nothing happens.
    #[must_use]
    pub fn interval(&self) -> Option<Duration> {
        self.interval
    }

    /// Says that the agent serves. To be called once, after the first look at the readers.
    pub fn ready(&mut self) {
        (self.tell)(Notice::Ready);
    }

    /// Gives a sign of life. To be called at least every [`ServiceNotifier::interval`].
    pub fn alive(&mut self) {
        (self.tell)(Notice::Alive);
    }

    /// Tells the state, unless its line is the one that was told last. To be called when the state has changed.
    pub fn state(&mut self, snapshot: &Snapshot) {
        let line = status_line(snapshot);
        if line != self.last_status {
            (self.tell)(Notice::Status(&line));
            self.last_status = line;
        }
    }

    /// Says that the agent was asked to end.
    pub fn stopping(&mut self) {
        (self.tell)(Notice::Stopping { within: self.stop_time });
    }
}

/// The state in one line, as `systemctl status` shows it.
#[must_use]
pub fn status_line(snapshot: &Snapshot) -> String {
    match &snapshot.service {
        ServiceState::Starting => return "Looking for the PC/SC service".to_owned(),
        ServiceState::Absent { refused: true, .. } => return "The PC/SC service refuses the agent".to_owned(),
        ServiceState::Absent { .. } => return "The PC/SC service does not answer".to_owned(),
        ServiceState::Running => {}
    }
    let count = |phase: Phase| snapshot.readers.iter().filter(|reader| reader.phase == phase).count();
    let cards = snapshot.readers.len() - count(Phase::Empty);
    let hidden = if snapshot.hidden > 0 { format!(" and {} hidden", snapshot.hidden) } else { String::new() };
    let mut parts = vec![
        format!(
            "{} {}{hidden}",
            snapshot.readers.len(),
            if snapshot.readers.len() == 1 { "reader" } else { "readers" }
        ),
        format!("{cards} {}", if cards == 1 { "card" } else { "cards" }),
    ];
    let phases = Phase::ALL.into_iter().filter(|phase| *phase != Phase::Empty);
    parts.extend(
        phases
            .map(|phase| (count(phase), phase))
            .filter(|(n, _)| *n > 0)
            .map(|(n, phase)| format!("{n} {}", phase.name())),
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
        let tell = move |notice: Notice<'_>| heard.lock().unwrap().push(format!("{notice:?}"));
        let mut notifier = ServiceNotifier::new(None, Duration::from_secs(30), tell);
        let mut snapshot = Snapshot::idle();
        notifier.ready();
        notifier.state(&snapshot);
        notifier.state(&snapshot);
        snapshot.service = ServiceState::Running;
        notifier.state(&snapshot);
        snapshot.hidden = 2;
        notifier.state(&snapshot);
        notifier.stopping();
        let said = said.lock().unwrap();
        assert_eq!(said.len(), 5, "{said:?}");
        assert_eq!(said[3], "Status(\"0 readers and 2 hidden, 0 cards, 0 provisioned since the start\")");
        assert_eq!(said[4], "Stopping { within: 45s }");
        assert_eq!(said[2], "Status(\"0 readers, 0 cards, 0 provisioned since the start\")");
    }
}
