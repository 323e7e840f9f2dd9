//! A running agent and what it tells: every wait is for an event, and the deadline is for those that never come.

use std::sync::mpsc::Receiver;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pinwright::agent::report::{Event, EventKind, Phase, ReaderReport, Snapshot};
use pinwright::agent::{self, AgentContext, MailboxSender, Message, Settings, Stopped, mailbox};

/// Far longer than anything takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How many of the last events are shown when one does not come.
const SHOWN: usize = 60;

/// An agent on a thread of its own; ended when dropped.
pub struct Agent {
    pub sender: MailboxSender,
    events: Receiver<Event>,
    /// What came so far, in short.
    log: Vec<String>,
    thread: Option<JoinHandle<Stopped>>,
}

impl Agent {
    /// One that finds these messages waiting, and then somebody who follows.
    pub fn start(settings: Settings, context: AgentContext, waiting: Vec<Message>) -> Self {
        let (sender, mailbox) = mailbox();
        waiting.into_iter().for_each(|message| sender.send(message).unwrap());
        let events = sender.follow().unwrap();
        let thread = std::thread::spawn(move || agent::run(settings, context, mailbox).unwrap());
        Self { sender, events, log: Vec::new(), thread: Some(thread) }
    }

    /// The next event for which `wanted` is true; those before it are passed over.
    #[track_caller]
    pub fn until(&mut self, what: &str, mut wanted: impl FnMut(&Event) -> bool) -> Event {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(event) => {
                    self.log.push(short(&event));
                    if wanted(&event) {
                        return event;
                    }
                }
                Err(_) => {
                    let from = self.log.len().saturating_sub(SHOWN);
                    panic!("no {what}; before:\n{}", self.log[from..].join("\n"));
                }
            }
        }
    }

    /// Waits for something that happens in no reader, or in any.
    #[track_caller]
    pub fn hears(&mut self, what: EventKind) -> Event {
        self.until(&format!("{what:?}"), |event| event.event == what)
    }

    /// Waits for something that happens in a reader.
    #[track_caller]
    pub fn sees(&mut self, reader: &str, what: EventKind) -> ReaderReport {
        let event = self.until(&format!("{what:?} in {reader}"), |event| {
            event.event == what && event.reader.as_ref().is_some_and(|report| report.reader == reader)
        });
        event.reader.unwrap()
    }

    /// Waits for a job's step in a reader.
    #[track_caller]
    pub fn reaches(&mut self, reader: &str, step: &str) {
        self.until(&format!("step {step} in {reader}"), |event| {
            event.event == EventKind::Step
                && event
                    .reader
                    .as_ref()
                    .is_some_and(|report| report.reader == reader && report.step.as_deref() == Some(step))
        });
    }

    /// The end of the next look or job in a reader, which has to be this one.
    #[track_caller]
    pub fn ends(&mut self, reader: &str, phase: Phase) -> ReaderReport {
        let report = self.sees(reader, EventKind::Phase);
        assert_eq!(report.phase, phase, "{report:?}");
        report
    }

    /// Everything that was told and not waited for.
    pub fn rest(&mut self) -> Vec<Event> {
        self.events.try_iter().inspect(|event| self.log.push(short(event))).collect()
    }

    /// The agent's state.
    pub fn status(&self) -> Snapshot {
        self.sender.status().unwrap()
    }

    /// One reader's state.
    #[track_caller]
    pub fn report(&self, reader: &str) -> ReaderReport {
        let status = self.status();
        let found = status.readers.iter().find(|report| report.reader == reader);
        found.cloned().unwrap_or_else(|| panic!("no {reader}: {status:?}"))
    }

    /// Asks it to end, without waiting for that.
    pub fn ask_to_stop(&self) {
        self.sender.send(Message::Shutdown).unwrap();
    }

    /// Ends it and tells how.
    pub fn stop(self) -> Stopped {
        self.ask_to_stop();
        self.ended()
    }

    /// Waits for its end and tells how.
    pub fn ended(mut self) -> Stopped {
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // Gone already where the test has stopped it, and a failing test must not wait.
        let _ = self.sender.send(Message::Shutdown);
    }
}

fn short(event: &Event) -> String {
    let Event { time, event, reader, detail, .. } = event;
    match reader {
        None => format!("{time} {event:?} {}", detail.as_deref().unwrap_or_default()),
        Some(ReaderReport { reader, phase, insertion, step, reason, .. }) => {
            let (step, reason) = (step.as_deref().unwrap_or("-"), reason.as_deref().unwrap_or_default());
            format!("{time} {event:?} {reader} {phase:?} insertion {insertion} step {step} {reason}")
        }
    }
}
