//! SIGKILL at every command, every call and every point of the journal; pcscd killed in mid-job.

use std::os::unix::process::ExitStatusExt as _;
use std::time::{Duration, Instant};

use pinwright::job::journal::Point;
use pinwright::sim::card::SharedCard;
use pinwright::sim::gids::GidsSettings;
use pinwright::sim::server::{Endpoint, Fault, FaultKind};
use pinwright::sim::vpcd::VpcdHandle;
use support::installation::{Installation, Run, Running, server_for};
use support::pcscd::Pcscd;

use super::killing_card::{Before, KillingCard, Trigger, When, aftermath, kill, records, settled};
use super::{OLD_PIN, pcscd_with};

const ENROLL: &[&str] = &["--json", "set-pin", "--yes", "--again"];

struct KilledJobs {
    /// The card in its reader; out of it before pcscd goes.
    inserted: Option<VpcdHandle>,
    pcscd: Pcscd,
    installation: Installation,
    card: SharedCard<KillingCard>,
    trigger: Trigger,
    /// The current PIN is the authority.
    by_pin: bool,
    /// The PIN on the card.
    pin: Vec<u8>,
    kills: usize,
    /// Jobs that were done before their killer came.
    survivors: usize,
    points: std::collections::BTreeMap<String, usize>,
}

impl KilledJobs {
    fn start(&self) -> Running {
        match self.by_pin {
            false => self.installation.start(&self.pcscd.socket(), ENROLL),
            true => {
                let arguments = [ENROLL, &["--current-pin-fd", "9"]].concat();
                self.installation.start_with_secret(&self.pcscd.socket(), &arguments, &self.pin)
            }
        }
    }

    /// A job under attack, and all that must hold afterwards.
    fn case(&mut self, case: &str, at: Option<(usize, When)>, attack: impl FnOnce(&Installation, u32)) {
        let before = Before::new(&self.installation, &self.pin);
        self.trigger.set(at);
        let running = self.start();
        self.trigger.aim(running.id());
        attack(&self.installation, running.id());
        let run = running.finish();
        self.trigger.set(None);
        self.installation.server.state().clear_faults();
        match run.status.signal() {
            Some(9) => self.kills += 1,
            _ => {
                run.exits(0);
                self.survivors += 1;
            }
        }
        if matches!(at, Some((_, When::Lost))) {
            // pcscd 1.9.9 may take long to see a card again that broke the connection: a new one sees it at once.
            self.inserted = None;
            self.pcscd = pcscd_with(1).expect("it ran a moment ago");
            self.inserted = Some(self.pcscd.insert(0, self.card.clone()));
        }
        // Whatever pcscd was still to do for the dead process is done before the card is asked.
        let left = aftermath(case, &self.installation, &self.card, &before);
        let point = left.record.as_ref().map_or("none".to_owned(), |record| record.point().name().to_owned());
        *self.points.entry(point).or_default() += 1;
        let history = self.installation.pinwright(&self.pcscd, &["history", "--json"]).exits(0).json();
        let shown = history["records"].as_array().unwrap();
        assert_eq!(shown.len(), records(&self.installation).len(), "{case}: {history}");
        assert_eq!(history["unreadable"], serde_json::json!([]), "{case}");
        assert_eq!(
            shown.iter().filter(|record| record["open"] == true).count(),
            usize::from(left.record.as_ref().is_some_and(|record| record.is_open())),
            "{case}: {history}"
        );
        self.pin.clone_from(&left.pin);
        let rerun = self.start().finish();
        settled(case, &self.installation, &rerun, &left);
        self.pin = self.installation.server.state().last_pin().unwrap();
        assert!(self.card.with(|killing| killing.card.pin_is(&self.pin)), "{case}: the rerun's PIN");
    }
}

/// The commands of a job without a fault.
fn length(jobs: &mut KilledJobs) -> usize {
    jobs.trigger.set(None);
    jobs.start().finish().exits(0);
    jobs.pin = jobs.installation.server.state().last_pin().unwrap();
    jobs.trigger.seen()
}

fn at_every_command(jobs: &mut KilledJobs, times: &[When]) {
    for at in 0..length(jobs) {
        for when in times {
            jobs.case(&format!("command {at}, {when:?}, by PIN: {}", jobs.by_pin), Some((at, *when)), |_, _| {});
        }
    }
}

/// Until it is so, or the job is over.
fn until(pid: u32, reached: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    let gone = || std::fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z "));
    while !reached() {
        assert!(Instant::now() < deadline, "it never comes");
        if gone() {
            return;
        }
    }
    kill(pid);
}

fn at_every_call(jobs: &mut KilledJobs, calls: &[Endpoint]) {
    for call in calls {
        let delay = FaultKind::Delay(Duration::from_millis(1500));
        jobs.installation.server.state().clear_log();
        jobs.installation.server.inject(Fault::on(*call, delay));
        jobs.case(&format!("{call:?}"), None, |installation, pid| {
            until(pid, || installation.server.requests().iter().any(|seen| seen.endpoint == Some(*call)));
        });
    }
}

/// As soon as a point is on disk, and as soon as the next one is half-written.
fn at_every_point(jobs: &mut KilledJobs) {
    for point in [Point::Authorizing, Point::Setting, Point::Set, Point::Done] {
        for half_written in [false, true, true] {
            let folder = jobs.installation.journal();
            let known = Before::new(&jobs.installation, &jobs.pin).records;
            jobs.case(&format!("{point:?}, half-written: {half_written}"), None, |installation, pid| {
                let half = || {
                    let files = std::fs::read_dir(&folder).unwrap();
                    files.flatten().any(|file| file.path().extension().is_some_and(|extension| extension == "new"))
                };
                let at = |wanted| {
                    records(installation).iter().any(|record| record.point() == wanted && !known.contains(&record.id))
                };
                until(pid, || match (half_written, point) {
                    (false, _) => at(point),
                    // Before the first record there is none.
                    (true, Point::Authorizing) => half(),
                    (true, Point::Setting) => at(Point::Authorizing) && half(),
                    (true, Point::Set) => at(Point::Setting) && half(),
                    (true, _) => at(Point::Set) && half(),
                });
            });
            // What a kill left half-written would be taken for the next job's.
            for file in std::fs::read_dir(&folder).unwrap().flatten() {
                if file.path().extension().is_some_and(|extension| extension == "new") {
                    std::fs::remove_file(file.path()).unwrap();
                }
            }
        }
    }
}

fn jobs(by_pin: bool) -> Option<KilledJobs> {
    let pcscd = pcscd_with(2)?;
    let (card, trigger) = KillingCard::new();
    let installation = Installation::new(server_for(&GidsSettings::default()));
    if by_pin {
        installation.configure("", "[card]\nauthority = [\"current-pin\"]");
    }
    let pin = OLD_PIN.as_bytes().to_vec();
    let points = std::collections::BTreeMap::new();
    let inserted = Some(pcscd.insert(0, card.clone()));
    Some(KilledJobs { inserted, pcscd, installation, card, trigger, by_pin, pin, kills: 0, survivors: 0, points })
}

#[test]
fn a_job_killed_anywhere_leaves_a_card_that_the_journal_tells_of_and_a_rerun_settles() {
    let pauses = [0, 200, 500, 1_000].map(|micros| When::Later(Duration::from_micros(micros)));
    let times = [&[When::InFlight, When::Lost, When::Executed], &pauses[..]].concat();
    let (mut kills, mut points) = (0, Vec::new());
    for by_pin in [false, true] {
        let Some(mut jobs) = jobs(by_pin) else { return };
        if by_pin {
            at_every_command(&mut jobs, &[When::InFlight, When::Executed, pauses[1]]);
        } else {
            at_every_command(&mut jobs, &times);
            let calls = [
                Endpoint::Smartcards,
                Endpoint::Requests,
                Endpoint::CardPolicy,
                Endpoint::PinByCard,
                Endpoint::AuthenticationResponse,
            ];
            at_every_call(&mut jobs, &calls);
            at_every_point(&mut jobs);
        }
        kills += jobs.kills;
        points.push(format!("{:?} and {} that were done before", jobs.points, jobs.survivors));
    }
    println!(
        "{kills} kills, 0 cards in a state that a rerun can't resolve or name; records left: {}",
        points.join("; ")
    );
    assert!(kills >= 40, "{kills}");
}

/// Holds what a run says against the card.
fn stated_truly(case: &str, run: &Run, old: bool, new: bool) {
    let said = run.json()["card_state"].as_str().unwrap_or("none").to_owned();
    let truth = match (run.code(), said.as_str()) {
        (0, _) => new,
        (3, "untouched" | "untouched-try-spent") => old,
        (9, "pin-set-not-verified") => new,
        (9, "unknown") => old || new,
        _ => false,
    };
    assert!(truth, "{case}: {said} is not so: {run}");
}

#[test]
fn a_pcscd_killed_at_any_command_is_told_of_truly_and_the_next_one_serves_a_rerun() {
    let Some(mut jobs) = jobs(false) else { return };
    let length = { length(&mut jobs) };
    let mut ends = Vec::new();
    for at in 0..length {
        let when = if at.is_multiple_of(2) || at + 2 == length { When::Executed } else { When::InFlight };
        let case = format!("pcscd killed at command {at}, {when:?}");
        let Some(mut pcscd) = pcscd_with(2) else { return };
        let inserted = pcscd.insert(0, jobs.card.clone());
        let before = Before::new(&jobs.installation, &jobs.pin);
        jobs.trigger.set(Some((at, when)));
        jobs.trigger.aim(pcscd.id());
        let run = jobs.installation.start(&pcscd.socket(), ENROLL).finish();
        jobs.trigger.set(None);
        run.within(Duration::from_secs(10));
        pcscd.kill();
        drop((inserted, pcscd));
        let left = aftermath(&case, &jobs.installation, &jobs.card, &before);
        stated_truly(&case, &run, left.pin == jobs.pin, left.pin != jobs.pin);
        ends.push(run.code());
        let Some(pcscd) = pcscd_with(2) else { return };
        let _inserted = pcscd.insert(0, jobs.card.clone());
        let rerun = jobs.installation.pinwright(&pcscd, ENROLL);
        settled(&case, &jobs.installation, &rerun, &left);
        jobs.pin = jobs.installation.server.state().last_pin().unwrap();
        assert!(jobs.card.with(|killing| killing.card.pin_is(&jobs.pin)), "{case}");
    }
    println!("pcscd killed at each of {length} commands: exits {ends:?}, 0 untrue statements, every rerun done");
}
