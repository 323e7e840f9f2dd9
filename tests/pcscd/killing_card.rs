//! A card that has a process killed at a chosen command, and what journal and card say afterwards.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use pinwright::job::journal::{Journal, Point, Record};
use pinwright::sim::card::{LinkFault, SharedCard, VirtualCard};
use pinwright::sim::gids::{GidsCard, GidsSettings};
use support::installation::{Installation, Run};

/// When the process is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// The command is on its way, and the card still executes it.
    InFlight,
    /// The command is on its way, and power fails with the process: the card never sees it.
    Lost,
    /// The card has executed the command and not answered.
    Executed,
    /// That long after the answer left: somewhere between this command and the next.
    Later(Duration),
}

#[derive(Default)]
struct Plan {
    at: Option<(usize, When)>,
    victim: Option<u32>,
    seen: usize,
}

/// When the card kills, and whom.
#[derive(Clone, Default)]
pub struct Trigger(Arc<Mutex<Plan>>);

impl Trigger {
    /// Counts commands anew, and kills at that one.
    pub fn set(&self, at: Option<(usize, When)>) {
        *self.0.lock().unwrap() = Plan { at, ..Plan::default() };
    }

    /// Whom.
    pub fn aim(&self, pid: u32) {
        self.0.lock().unwrap().victim = Some(pid);
    }

    /// Commands since it was armed.
    pub fn seen(&self) -> usize {
        self.0.lock().unwrap().seen
    }

    fn count(&self) -> Option<When> {
        let mut plan = self.0.lock().unwrap();
        plan.seen += 1;
        plan.at.filter(|(at, _)| at + 1 == plan.seen).map(|(_, when)| when)
    }

    fn kill(&self) {
        let deadline = Instant::now() + Duration::from_secs(5);
        while Instant::now() < deadline {
            let victim = self.0.lock().unwrap().victim;
            if let Some(pid) = victim {
                return kill(pid);
            }
            thread::yield_now();
        }
        panic!("nobody to kill");
    }
}

/// SIGKILL, and the wait until the process is no more than an entry in its parent's table.
pub fn kill(pid: u32) {
    let id = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    // Fails only where it has ended already.
    let _ = rustix::process::kill_process(id, rustix::process::Signal::KILL);
    let running = || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        !stat.is_empty() && !stat.contains(") Z ")
    };
    let deadline = Instant::now() + Duration::from_secs(5);
    while running() && Instant::now() < deadline {
        thread::yield_now();
    }
}

/// A card that kills the client at a command.
pub struct KillingCard {
    pub card: GidsCard,
    trigger: Trigger,
    pub sent: Vec<Vec<u8>>,
}

impl KillingCard {
    pub fn new() -> (SharedCard<Self>, Trigger) {
        let trigger = Trigger::default();
        let card = GidsCard::personalised(GidsSettings::default());
        (SharedCard::new(Self { card, trigger: trigger.clone(), sent: Vec::new() }), trigger)
    }
}

impl VirtualCard for KillingCard {
    fn atr(&self) -> &[u8] {
        self.card.atr()
    }

    fn reset(&mut self) {
        self.card.reset();
    }

    fn power_off(&mut self) {
        self.card.power_off();
    }

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, LinkFault> {
        self.sent.push(command.to_vec());
        match self.trigger.count() {
            None => self.card.transmit(command),
            Some(When::InFlight) => {
                self.trigger.kill();
                self.card.transmit(command)
            }
            Some(When::Lost) => {
                self.trigger.kill();
                self.card.power_off();
                Err(LinkFault::Transmission)
            }
            Some(When::Executed) => {
                let answer = self.card.transmit(command);
                self.trigger.kill();
                answer
            }
            Some(When::Later(pause)) => {
                let trigger = self.trigger.clone();
                thread::spawn(move || {
                    // Sleeping is too coarse for what happens in between.
                    let start = Instant::now();
                    while start.elapsed() < pause {
                        thread::yield_now();
                    }
                    trigger.kill();
                });
                self.card.transmit(command)
            }
        }
    }
}

/// How things were before a job.
pub struct Before {
    /// The PIN on the card.
    pub pin: Vec<u8>,
    pub records: Vec<String>,
    pub pins: usize,
}

impl Before {
    pub fn new(installation: &Installation, pin: &[u8]) -> Self {
        let records = records(installation).into_iter().map(|record| record.id).collect();
        Self { pin: pin.to_vec(), records, pins: installation.server.state().pins().len() }
    }
}

/// What a job that was killed left behind.
pub struct Aftermath {
    /// The record of the killed job, where it had begun one.
    pub record: Option<Record>,
    /// The PIN on the card.
    pub pin: Vec<u8>,
}

/// The journal of the installation, with no file in it that is none.
pub fn records(installation: &Installation) -> Vec<Record> {
    let history = Journal::new(installation.journal(), Duration::from_secs(86_400)).history().unwrap();
    assert!(history.unreadable.is_empty(), "{:?}", history.unreadable);
    history.records
}

/// Holds the journal against the card, from both sides.
pub fn aftermath(
    case: &str,
    installation: &Installation,
    card: &SharedCard<KillingCard>,
    before: &Before,
) -> Aftermath {
    let made = installation.server.state().pins().split_off(before.pins);
    let old = card.with(|killing| killing.card.pin_is(&before.pin));
    let new = made.into_iter().find(|pin| card.with(|killing| killing.card.pin_is(pin)));
    let records = records(installation);
    assert!(records.len() <= before.records.len() + 1, "{case}: one record a job");
    let record = records.into_iter().find(|record| !before.records.contains(&record.id));
    let point = record.as_ref().map(|record| record.point());
    let truth = match point {
        None | Some(Point::Authorizing | Point::Untouched) => old,
        Some(Point::Setting | Point::Unclear) => old || new.is_some(),
        Some(Point::Set | Point::Done) => new.is_some(),
        Some(Point::Resolved) => false,
    };
    assert!(truth, "{case}: the journal says {point:?}, old {old}, new {}", new.is_some());
    assert_eq!(card.with(|killing| killing.card.tries_left()), 3, "{case}: no try is lost");
    assert_eq!(card.with(|killing| killing.card.admin_failures()), 0, "{case}: no admin try is lost");
    Aftermath { record, pin: new.unwrap_or_else(|| before.pin.clone()) }
}

/// `pinwright history --json` shows it, and a rerun has ended well and settled it.
pub fn settled(case: &str, installation: &Installation, rerun: &Run, left: &Aftermath) {
    let open = left.record.as_ref().filter(|record| record.is_open());
    let result = rerun.exits(0).json();
    let expected = open.map_or(serde_json::Value::Null, |record| record.id.as_str().into());
    assert_eq!(result["settled"], expected, "{case}: {rerun}");
    assert!(records(installation).iter().all(|record| !record.is_open()), "{case}: nothing is left open");
}
