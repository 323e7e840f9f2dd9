//! One reader, as the loop knows it: which card is in it, which job runs on it, and when something is due.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use super::backoff::{Backoff, Recheck};
use super::job_report::{Ending, JobEvent};
use super::jobs::{Others, Task};
use super::report::{Phase, ReaderReport, timestamp};
use super::settings::Settings;
use crate::job::{CardIdentity, CardState, Step};
use crate::reader::Presence;

/// First and longest pause where another program has the card.
const IN_USE_PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// How often a card with a bad contact is tried again.
const MAX_CONTACT_RETRIES: u32 = 2;

/// A reader.
pub(super) struct Slot {
    /// What status and events say of it.
    pub report: ReaderReport,
    /// The insertion that is in it now.
    pub present: Option<u64>,
    /// Unplugged: kept only until its job has ended.
    pub gone: bool,
    /// When a job is due.
    pub due: Option<Instant>,
    /// A job is due as soon as the server answers again.
    pub waits_for_server: bool,
    /// When a job was begun last.
    pub last_job: Option<Instant>,
    running: Option<Running>,
    identity: Option<CardIdentity>,
    others: Others,
    recheck: Recheck,
    soon: Backoff,
    contact_retries: u32,
}

/// A job.
struct Running {
    insertion: u64,
    interrupted: Arc<AtomicBool>,
    /// When it is told to back out; `None` while a person is asked, since the dialog has a timeout of its own.
    deadline: Option<Instant>,
    /// The deadline has passed, and the job was told to back out.
    overdue: bool,
    /// The report on the card as it was when the card was pulled under the job.
    pulled: Option<ReaderReport>,
}

impl Slot {
    pub fn new(reader: &str, settings: &Settings) -> Self {
        Self {
            report: ReaderReport::empty(reader),
            present: None,
            gone: false,
            due: None,
            waits_for_server: false,
            last_job: None,
            running: None,
            identity: None,
            others: Others::NotSeen,
            recheck: Recheck::new(settings.recheck_first, settings.recheck_longest),
            soon: Backoff::new(IN_USE_PAUSES.0, IN_USE_PAUSES.1),
            contact_retries: 0,
        }
    }

    /// A card was inserted: a job is due, unless the card is mute.
    pub fn inserted(&mut self, insertion: u64, presence: &Presence, settings: &Settings, now: Instant) {
        drop(self.removed());
        self.gone = false;
        self.present = Some(insertion);
        self.recheck = Recheck::new(settings.recheck_first, settings.recheck_longest);
        self.soon = Backoff::new(IN_USE_PAUSES.0, IN_USE_PAUSES.1);
        self.contact_retries = 0;
        self.report.insertion = insertion;
        self.report.enrollment = Some(format!("{:08x}", fastrand::u32(..)));
        self.report.atr = presence.atr.as_ref().map(ToString::to_string);
        if presence.mute {
            let reason = "The card does not respond to a reset. Insert it the other way round, or try another reader";
            self.turn(Phase::Failed, Some(reason.to_owned()));
        } else {
            let waits = self.running.as_ref().map(|running| running.overdue);
            let phase = if waits == Some(true) { Phase::Stuck } else { Phase::Working };
            self.turn(phase, waits.map(|_| "The job on the card before has not ended yet".to_owned()));
            self.due = Some(now);
        }
    }

    /// The card was pulled: what was known of it is forgotten, but for its id in the log, which is given. A running job backs
    /// out, or carries its write to the end.
    pub fn removed(&mut self) -> Option<String> {
        let nothing = ReaderReport::empty(&self.report.reader);
        let last = std::mem::replace(&mut self.report, nothing);
        let enrollment = last.enrollment.clone();
        if let Some(running) = &mut self.running {
            running.interrupted.store(true, Ordering::Relaxed);
            running.pulled.get_or_insert(last);
        }
        self.present = None;
        self.due = None;
        self.waits_for_server = false;
        self.identity = None;
        self.others = Others::NotSeen;
        enrollment
    }

    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Asks a running job to back out.
    pub fn interrupt(&self) {
        if let Some(running) = &self.running {
            running.interrupted.store(true, Ordering::Relaxed);
        }
    }

    /// The next moment at which something has to be done here.
    pub fn next_deadline(&self) -> Option<Instant> {
        match &self.running {
            Some(running) => running.deadline.filter(|_| !running.overdue),
            None => self.due,
        }
    }

    /// The job that is due now, which counts as running from here on.
    pub fn take_task(&mut self, now: Instant, look_only: bool, settings: &Settings) -> Option<Task> {
        let insertion = self.present?;
        if self.running.is_some() || self.due.is_none_or(|due| due > now) {
            return None;
        }
        self.due = None;
        self.waits_for_server = false;
        let interrupted = Arc::new(AtomicBool::new(false));
        self.last_job = Some(now);
        let deadline = Some(now + settings.job_timeout);
        self.running =
            Some(Running { insertion, interrupted: Arc::clone(&interrupted), deadline, overdue: false, pulled: None });
        self.report.next_check = None;
        self.turn(Phase::Working, None);
        let (reader, identity) = (self.report.reader.clone(), self.identity.clone());
        let enrollment = self.report.enrollment.clone().unwrap_or_default();
        Some(Task { reader, insertion, enrollment, identity, look_only, others: self.others, interrupted })
    }

    /// The thread of a job could not be started.
    pub fn not_started(&mut self, error: &std::io::Error) {
        self.running = None;
        self.turn(Phase::Failed, Some(format!("No thread could be started for the card: {error}")));
    }

    /// A job that takes too long is told to back out, once; tells whether that was now.
    pub fn overdue(&mut self, now: Instant, settings: &Settings) -> bool {
        let is_over = |running: &&mut Running| !running.overdue && running.deadline.is_some_and(|end| end <= now);
        let Some(running) = self.running.as_mut().filter(is_over) else { return false };
        running.overdue = true;
        running.interrupted.store(true, Ordering::Relaxed);
        if self.present.is_some() {
            let reason = format!(
                "The job has not ended within {} s: reader, card or server hang. Other readers go on. Pull the card out when \
                 the reader's light is still",
                settings.job_timeout.as_secs()
            );
            self.turn(Phase::Stuck, Some(reason));
        }
        true
    }

    /// Takes an event of the running job short of its end; tells whether it is about the card that is there now.
    pub fn job_event(&mut self, insertion: u64, event: JobEvent, settings: &Settings, now: Instant) -> bool {
        let Some(running) = self.running.as_mut().filter(|running| running.insertion == insertion) else {
            return false;
        };
        let current = self.present == Some(insertion) && running.pulled.is_none();
        let report = running.pulled.as_mut().unwrap_or(&mut self.report);
        match event {
            JobEvent::Step(step) => {
                report.step = Some(step.name().to_owned());
                let asks = step == Step::Supply;
                running.deadline =
                    if asks { None } else { running.deadline.or_else(|| Some(now + settings.job_timeout)) };
            }
            JobEvent::Found(request) => report.request = Some(request),
            JobEvent::Identified(identity) => {
                report.family = Some(identity.family.name().to_owned());
                report.card_id = Some(identity.card_id.to_string());
                if current {
                    self.identity = Some(identity);
                }
            }
            JobEvent::LookedAtAll(others) if current => self.others = others,
            JobEvent::LookedAtAll(_) | JobEvent::Ended(_) => {}
        }
        current
    }

    /// The end of the running job: what is to be told of it, and whether it is about the card that is there now.
    pub fn ended(&mut self, insertion: u64, ending: &Ending) -> Option<(ReaderReport, bool)> {
        let running = self.running.take_if(|running| running.insertion == insertion)?;
        let mut current = true;
        let mut report = match running.pulled {
            Some(pulled) => {
                current = false;
                pulled
            }
            None => self.report.clone(),
        };
        report.phase = ending.verdict.phase;
        report.since = timestamp(SystemTime::now());
        report.reason.clone_from(&ending.reason);
        report.journal.clone_from(&ending.journal);
        report.exit = ending.stopped.map(|(_, _, exit)| exit);
        report.card_state = ending.stopped.map(|(_, state, _)| state.name().to_owned());
        report.step = ending.stopped.map(|(step, ..)| step.name().to_owned());
        if current {
            self.report = report.clone();
        } else if self.due.is_some() {
            self.turn(Phase::Working, None);
        }
        Some((report, current))
    }

    /// Makes a job due after a pause that grows: the card has no request, or reader, server or journal refused.
    pub fn due_for_recheck(&mut self, now: Instant) {
        let pause = self.recheck.pause();
        self.due_in(now, pause);
    }

    /// Makes a job due when the server is back.
    pub fn wait_for_server(&mut self, until: Option<Instant>, now: Instant) {
        self.waits_for_server = true;
        let until = until.map(|until| SystemTime::now() + until.saturating_duration_since(now));
        self.report.next_check = until.map(timestamp);
    }

    /// Makes a job due soon: another program has the card.
    pub fn due_soon(&mut self, now: Instant) {
        let pause = self.soon.failed(None).max(IN_USE_PAUSES.0 / 2);
        self.due_in(now, pause);
    }

    /// Makes a job due soon for a card with a bad contact; after [`MAX_CONTACT_RETRIES`] of them the card has failed.
    pub fn due_again(&mut self, now: Instant) {
        if self.contact_retries < MAX_CONTACT_RETRIES {
            self.contact_retries += 1;
            self.due_in(now, IN_USE_PAUSES.0);
        } else {
            self.report.phase = Phase::Failed;
        }
    }

    fn due_in(&mut self, now: Instant, pause: Duration) {
        self.due = Some(now + pause);
        self.report.next_check = Some(timestamp(SystemTime::now() + pause));
    }

    /// Makes a job due now where the card waits for anything; tells whether it does.
    pub fn recheck_now(&mut self, now: Instant, settings: &Settings) -> bool {
        let waits = matches!(
            self.report.phase,
            Phase::Waiting | Phase::NoAccess | Phase::ServerDown | Phase::Reported | Phase::NeedsPin | Phase::Stuck
        );
        if !waits || self.running.is_some() || self.present.is_none() {
            return false;
        }
        self.recheck = Recheck::new(settings.recheck_first, settings.recheck_longest);
        self.due = Some(now);
        true
    }

    fn turn(&mut self, phase: Phase, reason: Option<String>) {
        self.report.phase = phase;
        self.report.reason = reason;
        self.report.since = timestamp(SystemTime::now());
    }
}

/// Whether an ending leaves a card that somebody has to look at.
pub(super) fn needs_attention(ending: &Ending) -> bool {
    ending.stopped.is_some_and(|(_, state, _): (_, CardState, _)| state.needs_attention())
}
