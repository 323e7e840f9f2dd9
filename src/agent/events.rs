//! Publishes what happens: events to followers and the log, a snapshot to whoever asks, the state to the service manager.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::SyncSender;
use std::time::{Instant, SystemTime};

use super::notifier::ServiceNotifier;
use super::phrase::Sentence;
use super::report::{
    EVENT_SCHEMA, Event, EventKind, Phase, ReaderReport, STATUS_SCHEMA, ServiceState, Snapshot, Totals, timestamp,
};
use super::slot::Slot;

/// Whom events go to, and what they add up to.
pub(super) struct EventPublisher {
    started: SystemTime,
    service: ServiceState,
    /// Readers that are there and that the configuration hides.
    hidden: BTreeSet<String>,
    followers: Vec<SyncSender<Event>>,
    totals: Totals,
    notifier: ServiceNotifier,
    next_sign_of_life: Option<Instant>,
    ready: bool,
    changed: bool,
}

impl EventPublisher {
    pub fn new(notifier: ServiceNotifier) -> Self {
        Self {
            started: SystemTime::now(),
            service: ServiceState::Starting,
            hidden: BTreeSet::new(),
            followers: Vec::new(),
            totals: Totals::default(),
            next_sign_of_life: notifier.interval().map(|_| Instant::now()),
            notifier,
            ready: false,
            changed: true,
        }
    }

    /// When a sign of life is due; `None` where the service manager wants none.
    pub fn next_sign_of_life(&self) -> Option<Instant> {
        self.next_sign_of_life
    }

    /// Gives a sign of life when it is due.
    pub fn give_sign_of_life(&mut self, now: Instant) {
        if self.next_sign_of_life.is_some_and(|due| due <= now) {
            self.notifier.alive();
            self.next_sign_of_life = self.notifier.interval().map(|interval| now + interval);
        }
    }

    /// Tells the service manager the state where it has changed, and once that the agent is ready: when it has looked for the
    /// PC/SC service, also where it did not find it.
    pub fn publish_state(&mut self, slots: &BTreeMap<String, Slot>) {
        if std::mem::take(&mut self.changed) {
            let snapshot = self.snapshot(slots, None);
            self.notifier.state(&snapshot);
            if self.service != ServiceState::Starting && !std::mem::replace(&mut self.ready, true) {
                self.notifier.ready();
            }
        }
    }

    /// Counts an insertion and gives its number.
    pub fn next_insertion(&mut self) -> u64 {
        self.totals.insertions += 1;
        self.totals.insertions
    }

    pub fn service(&mut self, state: ServiceState) {
        // Its readers are told anew when it is back.
        self.hidden.clear();
        self.service = state;
    }

    /// Counts a reader that is there and hidden, which is no event.
    pub fn hidden(&mut self, reader: &str) {
        self.changed |= self.hidden.insert(reader.to_owned());
    }

    /// It is gone.
    pub fn no_longer_hidden(&mut self, reader: &str) {
        self.changed |= self.hidden.remove(reader);
    }

    pub fn service_is_absent(&self) -> bool {
        matches!(self.service, ServiceState::Absent { .. })
    }

    pub fn follow(&mut self, follower: SyncSender<Event>) {
        self.followers.push(follower);
    }

    /// Publishes the end of a look or a job.
    pub fn ended(&mut self, report: &ReaderReport, attention: bool) {
        match report.phase {
            Phase::Done => self.totals.provisioned += 1,
            Phase::Failed => self.totals.failed += 1,
            _ => {}
        }
        if attention {
            self.totals.attention += 1;
            let card = report.card_id.as_deref().unwrap_or("unknown");
            let id = report.enrollment.as_deref();
            tracing::error!(reader = %report.reader, id, card, "the card needs attention: {}", report.reason.as_deref().unwrap_or_default());
        }
        self.publish(EventKind::Phase, Some(report), None);
    }

    /// Publishes an event to the log and all followers. A follower that does not keep up is dropped, so that it holds up nobody.
    pub fn publish(&mut self, what: EventKind, reader: Option<&ReaderReport>, detail: Option<String>) {
        match what {
            EventKind::ServerDown => self.totals.server_failures += 1,
            EventKind::ServiceLost => self.totals.service_losses += 1,
            EventKind::Stopping => self.notifier.stopping(),
            _ => {}
        }
        self.changed = true;
        log(&Sentence { what, reader, detail: detail.as_deref() });
        if self.followers.is_empty() {
            return;
        }
        let event = Event {
            schema: EVENT_SCHEMA.to_owned(),
            time: timestamp(SystemTime::now()),
            event: what,
            reader: reader.cloned(),
            detail,
        };
        self.followers.retain(|follower| follower.try_send(event.clone()).is_ok());
    }

    pub fn snapshot(&self, slots: &BTreeMap<String, Slot>, server_paused: Option<Instant>) -> Snapshot {
        let until = |instant: Instant| timestamp(SystemTime::now() + instant.saturating_duration_since(Instant::now()));
        Snapshot {
            schema: STATUS_SCHEMA.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            started: timestamp(self.started),
            service: self.service.clone(),
            server_paused_until: server_paused.map(until),
            hidden: self.hidden.len(),
            readers: slots.values().filter(|slot| !slot.gone).map(|slot| slot.report.clone()).collect(),
            totals: self.totals.clone(),
        }
    }
}

/// An event's line in the log; a job's steps are there already, from the job itself.
fn log(sentence: &Sentence<'_>) {
    let name = sentence.reader.map(|report| report.reader.as_str());
    // What is about a card has the id of its jobs' lines.
    let id = sentence.reader.and_then(|report| report.enrollment.as_deref());
    let phase = sentence.reader.filter(|_| sentence.what == EventKind::Phase).map(|report| report.phase);
    match (sentence.what, phase) {
        (EventKind::Step, _) => {}
        (EventKind::ServiceLost | EventKind::ServerDown, _)
        | (_, Some(Phase::Failed | Phase::Stuck | Phase::NoAccess | Phase::ServerDown)) => {
            tracing::warn!(reader = name, id, "{sentence}");
        }
        _ => tracing::info!(reader = name, id, "{sentence}"),
    }
}
