//! SIGKILL at every command, every call and every point of the journal; pcscd killed in mid-job.

use std::os::unix::process::ExitStatusExt as _;
use std::time::{Duration, Instant};

use pinwright::provision::journal::Point;
use pinwright::sim::card::SharedCard;
use pinwright::sim::gids::GidsSettings;
use pinwright::sim::server::{Endpoint, Fault, FaultKind};
use pinwright::sim::vpcd::VpcdHandle;
use support::pcscd::Pcscd;
use support::workplace::{Run, Running, Workplace, server_for};

use super::trap::{Before, Trap, Trigger, When, aftermath, kill, records, settled};
use super::{OLD_PIN, pcscd_with};

const ENROLL: &[&str] = &["--json", "enroll", "--yes"];

struct Scene {
    /// The card in its reader; out of it before pcscd goes.
    inserted: Option<VpcdHandle>,
    pcscd: Pcscd,
    place: Workplace,
    card: SharedCard<Trap>,
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

impl Scene {
    fn start(&self) -> Running {
        match self.by_pin {
            false => self.place.start(&self.pcscd.socket(), ENROLL),
            true => {
                let arguments = [ENROLL, &["--current-pin-fd", "9"]].concat();
                self.place.start_with_secret(&self.pcscd.socket(), &arguments, &self.pin)
            }
        }
    }

    /// A job under attack, and all that must hold afterwards.
    fn case(&mut self, case: &str, at: Option<(usize, When)>, attack: impl FnOnce(&Workplace, u32)) {
        let before = Before::new(&self.place, &self.pin);
        self.trigger.set(at);
        let running = self.start();
        self.trigger.aim(running.id());
        attack(&self.place, running.id());
        let run = running.finish();
        self.trigger.set(None);
        self.place.server.state().clear_faults();
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
        let left = aftermath(case, &self.place, &self.card, &before);
        let point = left.record.as_ref().map_or("none".to_owned(), |record| record.point.name().to_owned());
        *self.points.entry(point).or_default() += 1;
        let history = self.place.pinwright(&self.pcscd, &["history", "--json"]).exits(0).json();
        let shown = history["records"].as_array().unwrap();
        assert_eq!(shown.len(), records(&self.place).len(), "{case}: {history}");
        assert_eq!(history["unreadable"], serde_json::json!([]), "{case}");
        assert_eq!(
            shown.iter().filter(|record| record["open"] == true).count(),
            usize::from(left.record.as_ref().is_some_and(|record| record.point.is_open())),
            "{case}: {history}"
        );
        self.pin.clone_from(&left.pin);
        let rerun = self.start().finish();
        settled(case, &self.place, &rerun, &left);
        self.pin = self.place.server.state().last_pin().unwrap();
        assert!(self.card.with(|trap| trap.card.pin_is(&self.pin)), "{case}: the rerun's PIN");
    }
}

/// The commands of a job without a fault.
fn length(scene: &mut Scene) -> usize {
    scene.trigger.set(None);
    scene.start().finish().exits(0);
    scene.pin = scene.place.server.state().last_pin().unwrap();
    scene.trigger.seen()
}

fn at_every_command(scene: &mut Scene, times: &[When]) {
    for at in 0..length(scene) {
        for when in times {
            scene.case(&format!("command {at}, {when:?}, by PIN: {}", scene.by_pin), Some((at, *when)), |_, _| {});
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

fn at_every_call(scene: &mut Scene, calls: &[Endpoint]) {
    for call in calls {
        let delay = FaultKind::Delay(Duration::from_millis(1500));
        scene.place.server.state().clear_log();
        scene.place.server.inject(Fault::on(*call, delay));
        scene.case(&format!("{call:?}"), None, |place, pid| {
            until(pid, || place.server.requests().iter().any(|seen| seen.endpoint == Some(*call)));
        });
    }
}

/// As soon as a point is on disk, and as soon as the next one is half-written.
fn at_every_point(scene: &mut Scene) {
    for point in [Point::Authorizing, Point::Setting, Point::Set, Point::Done] {
        for half_written in [false, true, true] {
            let folder = scene.place.journal();
            let known = Before::new(&scene.place, &scene.pin).records;
            scene.case(&format!("{point:?}, half-written: {half_written}"), None, |place, pid| {
                let half = || {
                    let files = std::fs::read_dir(&folder).unwrap();
                    files.flatten().any(|file| file.path().extension().is_some_and(|extension| extension == "new"))
                };
                let at =
                    |wanted| records(place).iter().any(|record| record.point == wanted && !known.contains(&record.id));
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

fn scene(by_pin: bool) -> Option<Scene> {
    let pcscd = pcscd_with(2)?;
    let (card, trigger) = Trap::new();
    let place = Workplace::new(server_for(&GidsSettings::default()));
    if by_pin {
        place.configure("", "[card]\nauthority = [\"current-pin\"]");
    }
    let pin = OLD_PIN.as_bytes().to_vec();
    let points = std::collections::BTreeMap::new();
    let inserted = Some(pcscd.insert(0, card.clone()));
    Some(Scene { inserted, pcscd, place, card, trigger, by_pin, pin, kills: 0, survivors: 0, points })
}

#[test]
fn a_job_killed_anywhere_leaves_a_card_that_the_journal_tells_of_and_a_rerun_settles() {
    let pauses = [0, 200, 500, 1_000].map(|micros| When::Later(Duration::from_micros(micros)));
    let times = [&[When::InFlight, When::Lost, When::Executed], &pauses[..]].concat();
    let (mut kills, mut points) = (0, Vec::new());
    for by_pin in [false, true] {
        let Some(mut scene) = scene(by_pin) else { return };
        if by_pin {
            at_every_command(&mut scene, &[When::InFlight, When::Executed, pauses[1]]);
        } else {
            at_every_command(&mut scene, &times);
            let calls = [
                Endpoint::Smartcards,
                Endpoint::Requests,
                Endpoint::CardPolicy,
                Endpoint::PinByCard,
                Endpoint::AuthenticationResponse,
            ];
            at_every_call(&mut scene, &calls);
            at_every_point(&mut scene);
        }
        kills += scene.kills;
        points.push(format!("{:?} and {} that were done before", scene.points, scene.survivors));
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
    let Some(mut scene) = scene(false) else { return };
    let length = { length(&mut scene) };
    let mut ends = Vec::new();
    for at in 0..length {
        let when = if at.is_multiple_of(2) || at + 2 == length { When::Executed } else { When::InFlight };
        let case = format!("pcscd killed at command {at}, {when:?}");
        let Some(mut pcscd) = pcscd_with(2) else { return };
        let inserted = pcscd.insert(0, scene.card.clone());
        let before = Before::new(&scene.place, &scene.pin);
        scene.trigger.set(Some((at, when)));
        scene.trigger.aim(pcscd.id());
        let run = scene.place.start(&pcscd.socket(), ENROLL).finish();
        scene.trigger.set(None);
        run.within(Duration::from_secs(10));
        pcscd.kill();
        drop((inserted, pcscd));
        let left = aftermath(&case, &scene.place, &scene.card, &before);
        stated_truly(&case, &run, left.pin == scene.pin, left.pin != scene.pin);
        ends.push(run.code());
        let Some(pcscd) = pcscd_with(2) else { return };
        let _inserted = pcscd.insert(0, scene.card.clone());
        let rerun = scene.place.pinwright(&pcscd, ENROLL);
        settled(&case, &scene.place, &rerun, &left);
        scene.pin = scene.place.server.state().last_pin().unwrap();
        assert!(scene.card.with(|trap| trap.card.pin_is(&scene.pin)), "{case}");
    }
    println!("pcscd killed at each of {length} commands: exits {ends:?}, 0 untrue statements, every rerun done");
}
