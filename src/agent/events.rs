//! Telling: events to followers, a snapshot to whoever asks, and the counts.

use std::collections::BTreeMap;
use std::sync::mpsc::SyncSender;
use std::time::{Instant, SystemTime};

use super::notifier::ServiceNotifier;
use super::phrase::Sentence;
use super::report::{
    EVENT_SCHEMA, Event, Phase, ReaderReport, STATUS_SCHEMA, ServiceState, Snapshot, Totals, What, timestamp,
};
use super::slot::Slot;

/// Who is told what.
pub(super) struct Teller {
    started: SystemTime,
    service: ServiceState,
    followers: Vec<SyncSender<Event>>,
    totals: Totals,
    notifier: ServiceNotifier,
    next_beat: Option<Instant>,
    ready: bool,
    changed: bool,
}

impl Teller {
    pub fn new(notifier: ServiceNotifier) -> Self {
        Self {
            started: SystemTime::now(),
            service: ServiceState::Starting,
            followers: Vec::new(),
            totals: Totals::default(),
            next_beat: notifier.interval().map(|_| Instant::now()),
            notifier,
            ready: false,
            changed: true,
        }
    }

    /// When a sign of life is due, where somebody wants one.
    pub fn next_beat(&self) -> Option<Instant> {
        self.next_beat
    }

    /// Gives a sign of life when it is due.
    pub fn beat(&mut self, now: Instant) {
        if self.next_beat.is_some_and(|due| due <= now) {
            self.notifier.alive();
            self.next_beat = self.notifier.interval().map(|interval| now + interval);
        }
    }

    /// Shows the state where it has changed, and says once that the first look at the service is taken: also one that did not
    /// find it, since the agent is ready then to wait for it.
    pub fn show(&mut self, slots: &BTreeMap<String, Slot>) {
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
        self.service = state;
    }

    pub fn follow(&mut self, follower: SyncSender<Event>) {
        self.followers.push(follower);
    }

    /// Tells of the end of a look or a job.
    pub fn ended(&mut self, report: &ReaderReport, attention: bool) {
        match report.phase {
            Phase::Done => self.totals.provisioned += 1,
            Phase::Failed => self.totals.failed += 1,
            _ => {}
        }
        if attention {
            self.totals.attention += 1;
            let card = report.card_id.as_deref().unwrap_or("unknown");
            tracing::error!(reader = %report.reader, card, "the card needs attention: {}", report.reason.as_deref().unwrap_or_default());
        }
        self.tell(What::Phase, Some(report), None);
    }

    /// Tells everybody who listens. One that does not keep up is dropped, as it must not hold up the others.
    pub fn tell(&mut self, what: What, reader: Option<&ReaderReport>, detail: Option<String>) {
        match what {
            What::ServerDown => self.totals.server_failures += 1,
            What::ServiceLost => self.totals.service_losses += 1,
            What::Stopping => self.notifier.stopping(),
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
            readers: slots.values().filter(|slot| !slot.gone).map(|slot| slot.report.clone()).collect(),
            totals: self.totals.clone(),
        }
    }
}

/// An event's line in the log; a job's steps are there already, from the job itself.
fn log(sentence: &Sentence<'_>) {
    let name = sentence.reader.map(|report| report.reader.as_str());
    // The end of a job has the id of the job's own lines.
    let ended = sentence.reader.filter(|_| sentence.what == What::Phase);
    let id = ended.and_then(|report| report.enrollment.as_deref());
    match ended.map(|report| report.phase) {
        _ if sentence.what == What::Step => {}
        Some(Phase::Failed | Phase::Stuck | Phase::NoAccess) => tracing::warn!(reader = name, id, "{sentence}"),
        _ => tracing::info!(reader = name, id, "{sentence}"),
    }
}
