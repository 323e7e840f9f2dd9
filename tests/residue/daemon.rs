//! The workstation agent itself: one process for many cards, looked into while it waits for the next one.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;
use uuid::Uuid;

use super::forms::Canary;
use super::long_lived::{Series, assert_none};
use super::scan::{Hit, Scanner};
use super::scene::{By, Pulled, Scene, Spelling};
use super::subject::Subject;
use pinwright::sim::server::{Endpoint, Fault, FaultKind};

const PATIENCE: Duration = Duration::from_secs(60);

/// `pinwright agent` at its loudest.
pub struct Daemon {
    child: Child,
    events: Receiver<Value>,
    subject: Subject,
    /// A socket is no file that could be looked into.
    folder: tempfile::TempDir,
}

impl Daemon {
    pub fn start(scene: &Scene) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pinwright"));
        scene.place.furnish(&mut command, &scene.pcscd.socket());
        let subject = Subject::new(&mut command);
        let folder = tempfile::tempdir().unwrap();
        command
            .args(["-vvv", "--json", "agent"])
            .env("PINWRIGHT_AGENT_CONTROL", folder.path().join("agent.sock"))
            .env("TMPDIR", scene.place.path("tmp"))
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(scene.place.path("stderr")).unwrap());
        let mut child = command.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        // What it says is looked into as well.
        let mut copy = std::fs::File::create(scene.place.path("stdout")).unwrap();
        let (sender, events) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                writeln!(copy, "{line}").unwrap();
                if sender.send(serde_json::from_str(&line).unwrap()).is_err() {
                    return;
                }
            }
        });
        Self { child, events, subject, folder }
    }

    /// The phase in which the next job in the reader ends.
    #[track_caller]
    pub fn ends(&self) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let wait = deadline.saturating_duration_since(Instant::now());
            let event = self.events.recv_timeout(wait).expect("a job ends");
            if event["event"] == "phase" {
                return event["phase"].as_str().unwrap().to_owned();
            }
        }
    }

    /// The next card, with secrets of its own, before it is inserted.
    pub fn next(&self, scene: &Scene, length: usize, spelling: Spelling) -> Vec<Canary> {
        drop(scene.inserted.take());
        scene.pcscd.wait_for_card(0, false);
        let canaries = scene.arm(length, spelling);
        // A request of its own: else it is one that was done already.
        scene.place.server.state().change(|settings| settings.requests[0].uuid = Uuid::from_u128(fastrand::u128(..)));
        canaries
    }

    /// One card with secrets of its own, from its insertion to the end of its job.
    fn card(&self, scene: &Scene, length: usize, spelling: Spelling) -> (Vec<Canary>, String) {
        let mut canaries = self.next(scene, length, spelling);
        scene.insert();
        let phase = self.ends();
        canaries.extend(scene.answers());
        (canaries, phase)
    }

    /// What is in its memory and on disk.
    pub fn left(&self, scene: &Scene, canaries: &[Canary]) -> Vec<Hit> {
        // Asked through the socket: neither its answers nor what it keeps for them.
        let mut ask = Command::new(env!("CARGO_BIN_EXE_pinwright"));
        scene.place.furnish(&mut ask, &scene.pcscd.socket());
        ask.env("PINWRIGHT_AGENT_CONTROL", self.folder.path().join("agent.sock")).args(["--json", "agent", "history"]);
        let told = ask.output().unwrap();
        assert!(told.status.success(), "{told:?}");
        std::fs::write(scene.place.path("history"), &told.stdout).unwrap();
        let mut hits = self.subject.scan(self.child.id(), canaries);
        hits.extend(scene.left_on_disk(&Scanner::new(canaries)));
        hits
    }

    /// What is in a core that is taken of it now; `None` without gdb.
    pub fn core(&self, scene: &Scene, canaries: &[Canary]) -> Option<Vec<Hit>> {
        self.subject.core(self.child.id(), &scene.place.path("tmp"), canaries)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Both fail where it has ended.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// So many cards in one agent.
pub fn cards(scene: &Scene, agent: &Daemon, cards: usize) -> Series {
    let mut canaries = Vec::new();
    for card in 0..cards {
        let spelling = if card % 8 == 7 { Spelling::Escaped } else { Spelling::After(card % 32) };
        let (armed, phase) = agent.card(scene, [8, 6, 16, 8][card % 4], spelling);
        assert_eq!(phase, "done", "{}", std::fs::read_to_string(scene.place.path("stderr")).unwrap());
        assert!(scene.has_pin(&armed[0]));
        canaries.extend(armed);
    }
    Series { hits: agent.left(scene, &canaries), canaries }
}

/// Without the card that a scene begins with: it comes with secrets that nobody looks for.
pub fn scene_without_card(pcscd: super::Pcscd, by: By) -> Scene {
    let scene = Scene::new(pcscd, by, |_| {});
    drop(scene.inserted.take());
    scene.pcscd.wait_for_card(0, false);
    scene
}

#[test]
fn an_agent_that_waits_for_the_next_card_keeps_nothing() {
    for by in [By::Server, By::AdminKey] {
        let Some(pcscd) = super::pcscd() else { return };
        let scene = scene_without_card(pcscd, by);
        let agent = Daemon::start(&scene);
        let series = cards(&scene, &agent, 4);
        assert!(series.canaries.len() >= 12);
        assert_none(&series.hits);
        // Registers are in a core, too. Without gdb there is none; the long run has it.
        assert_none(&agent.core(&scene, &series.canaries).unwrap_or_default());
        assert_none(&scene.left_in_pcscd(&series.canaries));
    }
}

#[test]
fn an_agent_whose_jobs_fail_keeps_nothing() {
    let Some(pcscd) = super::pcscd() else { return };
    let scene = scene_without_card(pcscd, By::Server);
    let agent = Daemon::start(&scene);
    let mut canaries = Vec::new();
    // The PIN came, and the answer did not; and the other way round.
    for endpoint in [Endpoint::AuthenticationResponse, Endpoint::PinByCard] {
        scene.place.server.inject(Fault::on(endpoint, FaultKind::TruncatedBody));
        let (armed, phase) = agent.card(&scene, 8, Spelling::Plain);
        assert_ne!(phase, "done");
        canaries.extend(armed);
    }
    // The same with a server that fails, and its PIN in hand.
    for kind in [FaultKind::server_error(Uuid::from_u128(1)), FaultKind::status(403)] {
        scene.place.server.inject(Fault::on(Endpoint::AuthenticationResponse, kind));
        let (armed, phase) = agent.card(&scene, 8, Spelling::Plain);
        assert_ne!(phase, "done");
        assert!(scene.has_given_out_the_pin());
        canaries.extend(armed);
    }
    // Pulled when the PIN is on its way, and when it is set.
    for pulled in [Pulled::Before, Pulled::After] {
        let armed = agent.next(&scene, 8, Spelling::Plain);
        scene.card.with(|plastic| plastic.pulled = Some(pulled));
        scene.insert_for_a_moment();
        assert_ne!(agent.ends(), "done");
        assert_eq!(scene.has_pin(&armed[0]), pulled == Pulled::After);
        canaries.extend(armed);
        canaries.extend(scene.answers());
    }
    // Nobody is there to be asked for a PIN.
    let (armed, phase) = agent.card(&scene, 8, Spelling::Nothing);
    assert_eq!(phase, "needs-pin");
    canaries.extend(armed);
    // More than the card takes.
    let (armed, phase) = agent.card(&scene, 24, Spelling::Plain);
    assert_eq!(phase, "failed");
    canaries.extend(armed);
    assert_none(&agent.left(&scene, &canaries));
}
