//! The agent's process: its events from standard output, its state from the control socket.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use pinwright::agent::report::{Event, EventKind, Phase, ReaderReport, Snapshot};
use rustix::process::{Pid, Signal, kill_process};

use crate::installation::Installation;
use crate::repository;

/// Far longer than anything takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(90);

const SHOWN: usize = 60;

/// A running agent; killed when dropped.
pub struct Daemon {
    child: Child,
    events: Receiver<Event>,
    log: Vec<String>,
    err: PathBuf,
}

impl Daemon {
    /// Starts one and waits until it says so. `name` tells its control socket and log from others'.
    pub fn start(installation: &Installation, socket: &Path, name: &str) -> Self {
        Self::start_with(installation, socket, name, &[])
    }

    /// The same with more variables in its environment.
    pub fn start_with(installation: &Installation, socket: &Path, name: &str, variables: &[(&str, &str)]) -> Self {
        let err = installation.path(&format!("{name}.log"));
        let mut command = Command::new(repository::pinwright());
        installation.furnish(&mut command, socket);
        command
            .env("PINWRIGHT_AGENT_CONTROL", installation.path(&format!("{name}.sock")))
            .args(["--json", "agent"])
            .envs(variables.iter().copied());
        command.stdout(Stdio::piped()).stderr(std::fs::File::create(&err).unwrap());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, events) = channel();
        std::thread::spawn(move || {
            for line in lines {
                let event = serde_json::from_str(&line.unwrap()).unwrap();
                if sender.send(event).is_err() {
                    return;
                }
            }
        });
        let mut daemon = Self { child, events, log: Vec::new(), err };
        daemon.until("Started", |event| event.event == EventKind::Started);
        daemon
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next event for which `wanted` is true.
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
                    let log = std::fs::read_to_string(&self.err).unwrap_or_default();
                    panic!("no {what}; before:\n{}\nlog:\n{log}", self.log[from..].join("\n"));
                }
            }
        }
    }

    /// Waits for such an event.
    #[track_caller]
    pub fn hears(&mut self, what: EventKind) {
        self.until(&format!("{what:?}"), |event| event.event == what);
    }

    /// The end of a job on that card.
    #[track_caller]
    pub fn ends(&mut self, card: &str) -> ReaderReport {
        let of_card = |event: &Event| {
            event.event == EventKind::Phase && event.reader.as_ref().is_some_and(|r| r.card_id.as_deref() == Some(card))
        };
        self.until(&format!("end of the job on {card}"), of_card).reader.unwrap()
    }

    /// The good end of a job on that card.
    #[track_caller]
    pub fn finishes(&mut self, card: &str) {
        loop {
            let report = self.ends(card);
            if report.phase != Phase::Waiting {
                return assert_eq!(report.phase, Phase::Done, "{report:?}");
            }
        }
    }

    /// The ends of the jobs on these cards. One that waits is looked at again: pcscd was still giving the card power, or others
    /// had it.
    #[track_caller]
    pub fn all_end(&mut self, cards: impl IntoIterator<Item = String>) -> Vec<ReaderReport> {
        let mut left: Vec<String> = cards.into_iter().collect();
        let mut reports = Vec::new();
        while !left.is_empty() {
            let report = self.until("another end", |event| event.event == EventKind::Phase).reader.unwrap();
            if report.phase != Phase::Waiting {
                left.retain(|id| Some(id) != report.card_id.as_ref());
                reports.push(report);
            }
        }
        reports
    }

    /// The same, and each has ended well.
    #[track_caller]
    pub fn all_finish(&mut self, cards: impl IntoIterator<Item = String>) {
        for report in self.all_end(cards) {
            assert_eq!(report.phase, Phase::Done, "{report:?}");
        }
    }

    /// Waits for a step of a job.
    #[track_caller]
    pub fn reaches(&mut self, step: &str) {
        self.until(step, |event| {
            event.event == EventKind::Step && event.reader.as_ref().is_some_and(|r| r.step.as_deref() == Some(step))
        });
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end.
    #[track_caller]
    pub fn exit(&mut self) -> Option<i32> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < deadline, "the agent does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Asked through the control socket.
    pub fn status(&self, installation: &Installation, socket: &Path, name: &str) -> Snapshot {
        let mut command = Command::new(repository::pinwright());
        installation.furnish(&mut command, socket);
        command.env("PINWRIGHT_AGENT_CONTROL", installation.path(&format!("{name}.sock")));
        let output = command.args(["--json", "agent", "status"]).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Both fail where it has ended, as it should have.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn short(event: &Event) -> String {
    let reader = event.reader.as_ref();
    let part = |text: Option<&str>| text.unwrap_or_default().to_owned();
    format!(
        "{} {:?} {} {} {} {}",
        event.time,
        event.event,
        part(reader.map(|r| r.reader.as_str())),
        part(reader.and_then(|r| r.card_id.as_deref())),
        part(reader.and_then(|r| r.step.as_deref())),
        part(reader.and_then(|r| r.reason.as_deref()).or(event.detail.as_deref())),
    )
}
