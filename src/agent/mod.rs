//! Layer 6: the workstation agent. It sleeps until a card is inserted, and sets its PIN where the server has an open request.
//!
//! [`run`] is the loop: it waits for messages (from the card monitor, the jobs, the control socket, signals) and for the next
//! moment at which something is due, and with nothing due it sleeps for good. Each card's job has a thread of its own
//! ([`jobs`]), so that a reader that hangs holds up no other.

pub mod backoff;
pub mod control;
mod enrollment;
mod events;
pub mod job_report;
pub mod jobs;
pub mod mailbox;
pub mod metrics;
pub mod notifier;
mod phrase;
pub mod pinentry;
pub mod report;
pub mod settings;
mod slot;
pub mod system_events;
pub mod verdict;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant, SystemTime};

use self::backoff::{Backoff, ServerPause};
use self::events::EventPublisher;
use self::job_report::{Ending, JobEvent, JobReport};
use self::jobs::JobContext;
pub use self::mailbox::{Mailbox, MailboxSender, Message, mailbox};
pub use self::notifier::ServiceNotifier;
use self::report::{EventKind, Phase, ReaderReport, ServiceState};
pub use self::settings::Settings;
use self::slot::{Slot, needs_attention};
use self::verdict::Next;
use crate::operation::Operation;
use crate::reader::ReaderError;
use crate::reader::ignore::is_ignored;
use crate::reader::monitor::{self, CardEvent, Handle, StatusService};

/// What one agent works with.
pub struct AgentContext {
    /// What all jobs have in common.
    pub jobs: Arc<JobContext>,
    /// Where status changes come from.
    pub status: Arc<dyn StatusService>,
    /// Entries of `reader.ignore`: readers that are not looked at.
    pub ignored_readers: Vec<String>,
    /// How the service manager is told that the agent is ready and alive.
    pub notifier: ServiceNotifier,
}

/// How the agent ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// Readers whose jobs had not ended in time. Their journal records say how far the cards were taken.
    pub unfinished: Vec<String>,
    /// The card monitor has failed, by a defect: without it no card is seen.
    pub monitor_failed: bool,
}

/// The pause after a change of readers or cards, before the list is read once more: PC/SC announces no change that falls between
/// a look at the list and the next wait.
const SETTLE: Duration = Duration::from_secs(1);

/// Serves until [`Message::Shutdown`].
///
/// # Errors
/// The monitor's thread can't be started.
pub fn run(settings: Settings, context: AgentContext, mailbox: Mailbox) -> std::io::Result<Stopped> {
    let Mailbox { messages, sender } = mailbox;
    let handle = Handle::default();
    let watch = start_monitor(context.status, handle.clone(), sender.clone())?;
    let mut agent = Agent {
        server_pause: ServerPause::new(Backoff::new(settings.retry_first, settings.retry_longest)),
        settings,
        jobs: context.jobs,
        ignored_readers: context.ignored_readers,
        sender,
        handle: handle.clone(),
        slots: BTreeMap::new(),
        publisher: EventPublisher::new(context.notifier),
        probe: None,
        settle: None,
        stopping: None,
        monitor_failed: false,
    };
    // Followers that wait already get `started` as their first event, though the monitor may have sent messages before it.
    let (followers, others): (Vec<_>, Vec<_>) =
        messages.try_iter().partition(|message| matches!(message, Message::Follow(_)));
    followers.into_iter().for_each(|message| agent.take(message));
    agent.publisher.publish(EventKind::Started, None, None);
    others.into_iter().for_each(|message| agent.take(message));
    while !agent.is_over() {
        let message = match agent.next_deadline() {
            None => messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(deadline) => messages.recv_timeout(deadline.saturating_duration_since(Instant::now())),
        };
        match message {
            Ok(message) => agent.take(message),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        agent.see_to_what_is_due(Instant::now());
    }
    handle.stop();
    drop(watch);
    let unfinished = agent.slots.into_iter().filter(|(_, slot)| slot.is_running()).map(|(reader, _)| reader).collect();
    Ok(Stopped { unfinished, monitor_failed: agent.monitor_failed })
}

fn start_monitor(
    status: Arc<dyn StatusService>,
    handle: Handle,
    sender: MailboxSender,
) -> std::io::Result<std::thread::JoinHandle<()>> {
    std::thread::Builder::new().name("card-monitor".to_owned()).spawn(move || {
        let _guard = MonitorPanicGuard(sender.clone());
        let tell = |event| match sender.send(Message::Card(event)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(mailbox::Ended) => ControlFlow::Break(()),
        };
        monitor::watch(status.as_ref(), &handle, &tell);
    })
}

/// Dropped by a panic of the card monitor, it tells the loop.
struct MonitorPanicGuard(MailboxSender);

impl Drop for MonitorPanicGuard {
    fn drop(&mut self) {
        if std::thread::panicking() && self.0.send(Message::MonitorFailed).is_err() {
            tracing::debug!("the card monitor has failed after the agent's end");
        }
    }
}

/// Takes the card out of the slot: the report on the reader without it, under the id that the card had.
fn pulled(slot: &mut Slot) -> ReaderReport {
    let enrollment = slot.removed();
    ReaderReport { enrollment, ..slot.report.clone() }
}

struct Agent {
    settings: Settings,
    jobs: Arc<JobContext>,
    ignored_readers: Vec<String>,
    sender: MailboxSender,
    handle: Handle,
    slots: BTreeMap<String, Slot>,
    server_pause: ServerPause,
    publisher: EventPublisher,
    /// The job that finds out whether the server is back.
    probe: Option<(String, u64)>,
    settle: Option<Instant>,
    stopping: Option<Instant>,
    monitor_failed: bool,
}

impl Agent {
    fn take(&mut self, message: Message) {
        match message {
            Message::Card(event) => self.card(event, Instant::now()),
            Message::Job(JobReport { reader, insertion, event }) => match event {
                JobEvent::Ended(ending) => self.ended(&reader, insertion, &ending, Instant::now()),
                event => self.job_event(&reader, insertion, event),
            },
            Message::Status(reply) => {
                let snapshot = self.publisher.snapshot(&self.slots, self.server_pause.until());
                // The client may have gone meanwhile.
                reply.try_send(snapshot).unwrap_or_else(|_| tracing::debug!("nobody waits for the status any more"));
            }
            Message::Follow(follower) => self.publisher.follow(follower),
            Message::Recheck(reply) => {
                let count = self.recheck(Instant::now());
                if self.publisher.service_is_absent() {
                    // Its intervals may be long ones by now.
                    self.call_monitor(Handle::refresh);
                }
                tracing::info!("re-check asked for: {count} cards wait");
                if reply.is_some_and(|reply| reply.try_send(count).is_err()) {
                    tracing::debug!("nobody waits for the count any more");
                }
            }
            Message::ClockJumped => {
                self.server_pause.clock_jumped(Instant::now(), SystemTime::now());
                self.publisher.publish(
                    EventKind::ClockJumped,
                    None,
                    Some("the machine may have been asleep".to_owned()),
                );
                self.call_monitor(Handle::rescan);
            }
            Message::Shutdown => self.stop(Instant::now()),
            Message::MonitorFailed => {
                tracing::error!("the card monitor has failed: the agent ends, since it would see no card any more");
                self.monitor_failed = true;
                self.stop(Instant::now());
            }
        }
    }

    fn card(&mut self, event: CardEvent, now: Instant) {
        self.settle = Some(now + SETTLE);
        match event {
            CardEvent::ServiceFound => {
                self.publisher.service(ServiceState::Running);
                self.publisher.publish(EventKind::ServiceFound, None, None);
            }
            CardEvent::ServiceLost(error) => self.service_lost(&error),
            CardEvent::ReaderAdded { reader } => {
                if is_ignored(&reader, &self.ignored_readers) {
                    tracing::info!("reader {reader:?} is there, and ignored by the configuration");
                    self.publisher.hidden(&reader);
                    return;
                }
                let slot = self.slots.entry(reader.clone()).or_insert_with(|| Slot::new(&reader, &self.settings));
                slot.gone = false;
                self.publisher.publish(EventKind::ReaderAdded, Some(&slot.report), None);
            }
            CardEvent::ReaderRemoved { reader } => self.reader_removed(&reader),
            CardEvent::Inserted { reader, presence } => {
                let Some(slot) = self.slots.get_mut(&reader) else { return };
                let insertion = self.publisher.next_insertion();
                slot.inserted(insertion, &presence, &self.settings, now);
                self.publisher.publish(EventKind::Inserted, Some(&slot.report), None);
            }
            CardEvent::Removed { reader } => {
                let Some(slot) = self.slots.get_mut(&reader) else { return };
                let report = pulled(slot);
                self.publisher.publish(EventKind::Removed, Some(&report), None);
            }
        }
    }

    fn service_lost(&mut self, error: &ReaderError) {
        let reason = match error {
            // A job that held a card reports the loss itself.
            ReaderError::ServiceLost { .. } | ReaderError::SystemEnds { .. } => {
                format!("{error}; the agent goes on when it is back")
            }
            error if error.needs_a_person() => {
                let remedy = error.remedy();
                format!(
                    "{error}. {remedy}. The agent asks again at growing intervals, `{}` at once",
                    Operation::AgentRecheck
                )
            }
            error => format!("{error}. {}", error.remedy()),
        };
        let refused = matches!(error, ReaderError::AccessDenied);
        self.publisher.service(ServiceState::Absent { reason: reason.clone(), refused });
        self.publisher.publish(EventKind::ServiceLost, None, Some(reason));
        // When the service is back the monitor reports readers and cards anew.
        for reader in self.slots.keys().cloned().collect::<Vec<_>>() {
            self.reader_removed(&reader);
        }
    }

    fn reader_removed(&mut self, reader: &str) {
        self.publisher.no_longer_hidden(reader);
        let Some(slot) = self.slots.get_mut(reader) else { return };
        if slot.present.is_some() {
            let report = pulled(slot);
            self.publisher.publish(EventKind::Removed, Some(&report), None);
        }
        slot.gone = true;
        self.publisher.publish(EventKind::ReaderRemoved, Some(&slot.report), None);
        self.slots.retain(|_, slot| !slot.gone || slot.is_running());
    }

    fn job_event(&mut self, reader: &str, insertion: u64, event: JobEvent) {
        let Some(slot) = self.slots.get_mut(reader) else { return };
        let (is_step, is_answer) = (matches!(event, JobEvent::Step(_)), matches!(event, JobEvent::Found(_)));
        if slot.job_event(insertion, event, &self.settings, Instant::now()) && is_step {
            self.publisher.publish(EventKind::Step, Some(&slot.report), None);
        }
        if is_answer {
            // Not at the job's end only: this job may yet wait for a person, and the others need not wait with it.
            self.server_answered(Instant::now());
        }
    }

    fn ended(&mut self, reader: &str, insertion: u64, ending: &Ending, now: Instant) {
        self.server_has(ending, now);
        self.probe.take_if(|(probe, number)| probe == reader && *number == insertion);
        let Some(slot) = self.slots.get_mut(reader) else { return };
        let Some((report, current)) = slot.ended(insertion, ending) else { return };
        if current {
            match ending.verdict.next {
                Next::Never => {}
                Next::Recheck => slot.due_for_recheck(now),
                Next::Soon => slot.due_soon(now),
                Next::Again => slot.due_again(now),
                Next::Retry(_) | Next::AfterPause => slot.wait_for_server(self.server_pause.until(), now),
            }
            self.publisher.ended(&slot.report, needs_attention(ending));
        } else if needs_attention(ending) || report.phase == Phase::Done {
            // The card was pulled under the job. Published all the same: somebody has to look at the card, or it is done.
            self.publisher.ended(&report, needs_attention(ending));
        }
        self.slots.retain(|_, slot| !slot.gone || slot.is_running());
    }

    /// Begins or ends the server's pause by what a job's end says of the server.
    fn server_has(&mut self, ending: &Ending, now: Instant) {
        if let Next::Retry(retry_after) = ending.verdict.next {
            let was_open = self.server_pause.until().is_none();
            let until = self.server_pause.failed(now, retry_after);
            let pause = until.saturating_duration_since(now);
            tracing::info!("the server is left alone for {:.1} s", pause.as_secs_f32());
            if was_open {
                self.publisher.publish(EventKind::ServerDown, None, ending.reason.clone());
            }
        } else if ending.server_answered {
            self.server_answered(now);
        }
    }

    fn server_answered(&mut self, now: Instant) {
        if self.server_pause.succeeded() {
            self.publisher.publish(EventKind::ServerBack, None, None);
            let waiting = self.slots.values_mut().filter(|slot| slot.waits_for_server);
            waiting.for_each(|slot| slot.due = Some(now));
        }
    }

    /// Makes a job due for every card that waits, and gives their number. A person wants it, so the pause that the server has
    /// asked for ends, too.
    fn recheck(&mut self, now: Instant) -> usize {
        let settings = &self.settings;
        let count = self.slots.values_mut().map(|slot| usize::from(slot.recheck_now(now, settings))).sum();
        if count > 0 {
            self.server_pause.lift();
        }
        count
    }

    fn stop(&mut self, now: Instant) {
        if self.stopping.is_none() {
            self.stopping = Some(now + self.settings.stop_timeout);
            self.publisher.publish(EventKind::Stopping, None, None);
            self.slots.values().for_each(Slot::interrupt);
        }
    }

    fn is_over(&self) -> bool {
        let Some(deadline) = self.stopping else { return false };
        Instant::now() >= deadline || !self.slots.values().any(Slot::is_running)
    }

    /// The earliest moment at which something has to be done; `None`: sleep until a message comes.
    fn next_deadline(&self) -> Option<Instant> {
        if self.stopping.is_some() {
            return self.stopping.into_iter().chain(self.publisher.next_sign_of_life()).min();
        }
        let slots = self.slots.values().filter_map(Slot::next_deadline);
        let waits = self.probe.is_none() && self.slots.values().any(|slot| slot.waits_for_server);
        let probe = if waits { self.server_pause.until() } else { None };
        slots.chain(self.settle).chain(probe).chain(self.publisher.next_sign_of_life()).min()
    }

    fn see_to_what_is_due(&mut self, now: Instant) {
        self.publisher.give_sign_of_life(now);
        self.publisher.publish_state(&self.slots);
        if self.stopping.is_some() {
            return;
        }
        if self.settle.take_if(|settle| *settle <= now).is_some() {
            self.call_monitor(Handle::refresh);
        }
        self.probe_server(now);
        let look_only = self.server_pause.ordered_until(now).is_some();
        for slot in self.slots.values_mut() {
            if slot.overdue(now, &self.settings) {
                let id = slot.report.enrollment.as_deref();
                tracing::error!(reader = %slot.report.reader, id, "the job is overdue: its reader is quarantined");
                self.publisher.publish(EventKind::Phase, Some(&slot.report), None);
            }
            let Some(task) = slot.take_task(now, look_only, &self.settings) else { continue };
            if let Err(error) = jobs::start(Arc::clone(&self.jobs), task, self.sender.clone()) {
                slot.not_started(&error);
                self.probe = None;
                self.publisher.ended(&slot.report, false);
            }
        }
    }

    /// One card's job finds out whether the server is back; the others follow when it is.
    fn probe_server(&mut self, now: Instant) {
        if self.probe.is_some() || self.server_pause.until().is_some_and(|until| until > now) {
            return;
        }
        let waiting = self.slots.values_mut().filter(|slot| slot.waits_for_server && !slot.is_running());
        // The card whose last job is the oldest: the server may fail at one card alone.
        if let Some(slot) = waiting.min_by_key(|slot| slot.last_job) {
            slot.due = Some(now);
            self.probe = slot.present.map(|insertion| (slot.report.reader.clone(), insertion));
        }
    }

    /// Calls the monitor on a thread of its own: it may hang in the service, and this loop must not.
    fn call_monitor(&self, call: fn(&Handle)) {
        let handle = self.handle.clone();
        let spawned = std::thread::Builder::new().name("monitor-call".to_owned()).spawn(move || call(&handle));
        if let Err(error) = spawned {
            tracing::error!("the card monitor can't be called: {error}");
        }
    }
}
