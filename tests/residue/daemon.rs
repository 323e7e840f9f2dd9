//! The workstation agent itself: one process for many cards, looked into while it waits for the next one.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;
use uuid::Uuid;

use super::canary_setup::{By, CanarySetup, Pulled, Spelling};
use super::forms::Canary;
use super::long_lived::{Series, assert_none};
use super::scan::{Hit, Scanner};
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
    pub fn start(setup: &CanarySetup) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pinwright"));
        setup.installation.furnish(&mut command, &setup.pcscd.socket());
        let subject = Subject::new(&mut command);
        let folder = tempfile::tempdir().unwrap();
        command
            .args(["-vvv", "--json", "agent"])
            .env("PINWRIGHT_AGENT_CONTROL", folder.path().join("agent.sock"))
            .env("TMPDIR", setup.installation.path("tmp"))
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(setup.installation.path("stderr")).unwrap());
        let mut child = command.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        // What it says is looked into as well.
        let mut copy = std::fs::File::create(setup.installation.path("stdout")).unwrap();
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
    pub fn next(&self, setup: &CanarySetup, length: usize, spelling: Spelling) -> Vec<Canary> {
        drop(setup.inserted.take());
        setup.pcscd.wait_for_card(0, false);
        let canaries = setup.arm(length, spelling);
        // A request of its own: else it is one that was done already.
        setup
            .installation
            .server
            .state()
            .change(|settings| settings.requests[0].uuid = Uuid::from_u128(fastrand::u128(..)));
        canaries
    }

    /// One card with secrets of its own, from its insertion to the end of its job.
    fn card(&self, setup: &CanarySetup, length: usize, spelling: Spelling) -> (Vec<Canary>, String) {
        let mut canaries = self.next(setup, length, spelling);
        setup.insert();
        let phase = self.ends();
        canaries.extend(setup.answers());
        (canaries, phase)
    }

    /// What is in its memory and on disk.
    pub fn left(&self, setup: &CanarySetup, canaries: &[Canary]) -> Vec<Hit> {
        // Asked through the socket: neither its answers nor what it keeps for them.
        let mut ask = Command::new(env!("CARGO_BIN_EXE_pinwright"));
        setup.installation.furnish(&mut ask, &setup.pcscd.socket());
        ask.env("PINWRIGHT_AGENT_CONTROL", self.folder.path().join("agent.sock")).args(["--json", "agent", "history"]);
        let told = ask.output().unwrap();
        assert!(told.status.success(), "{told:?}");
        std::fs::write(setup.installation.path("history"), &told.stdout).unwrap();
        let mut hits = self.subject.scan(self.child.id(), canaries);
        hits.extend(setup.left_on_disk(&Scanner::new(canaries)));
        hits
    }

    /// What is in a core that is taken of it now; `None` without gdb.
    pub fn core(&self, setup: &CanarySetup, canaries: &[Canary]) -> Option<Vec<Hit>> {
        self.subject.core(self.child.id(), &setup.installation.path("tmp"), canaries)
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
pub fn cards(setup: &CanarySetup, agent: &Daemon, cards: usize) -> Series {
    let mut canaries = Vec::new();
    for card in 0..cards {
        let spelling = if card % 8 == 7 { Spelling::Escaped } else { Spelling::After(card % 32) };
        let (armed, phase) = agent.card(setup, [8, 6, 16, 8][card % 4], spelling);
        assert_eq!(phase, "done", "{}", std::fs::read_to_string(setup.installation.path("stderr")).unwrap());
        assert!(setup.has_pin(&armed[0]) && setup.has_been_sent_the_cookie());
        canaries.extend(armed);
    }
    Series { hits: agent.left(setup, &canaries), canaries }
}

/// Without the card that a set-up begins with: it comes with secrets that nobody looks for.
pub fn scene_without_card(pcscd: super::Pcscd, by: By) -> CanarySetup {
    let setup = CanarySetup::new(pcscd, by, |_| {});
    drop(setup.inserted.take());
    setup.pcscd.wait_for_card(0, false);
    setup
}

#[test]
fn an_agent_that_waits_for_the_next_card_keeps_nothing() {
    for by in [By::Server, By::AdminKey] {
        let Some(pcscd) = super::pcscd() else { return };
        let setup = scene_without_card(pcscd, by);
        let agent = Daemon::start(&setup);
        let series = cards(&setup, &agent, 4);
        assert!(series.canaries.len() >= 12);
        assert_none(&series.hits);
        // Registers are in a core, too. Without gdb there is none; the long run has it.
        assert_none(&agent.core(&setup, &series.canaries).unwrap_or_default());
        assert_none(&setup.left_in_pcscd(&series.canaries));
    }
}

#[test]
fn an_agent_whose_jobs_fail_keeps_nothing() {
    let Some(pcscd) = super::pcscd() else { return };
    let setup = scene_without_card(pcscd, By::Server);
    let agent = Daemon::start(&setup);
    let mut canaries = Vec::new();
    // The PIN came, and the answer did not; and the other way round.
    for endpoint in [Endpoint::AuthenticationResponse, Endpoint::PinByCard] {
        setup.installation.server.inject(Fault::on(endpoint, FaultKind::TruncatedBody));
        let (armed, phase) = agent.card(&setup, 8, Spelling::Plain);
        assert_ne!(phase, "done");
        canaries.extend(armed);
    }
    // The same with a server that fails, and its PIN in hand.
    for kind in [FaultKind::server_error(Uuid::from_u128(1)), FaultKind::status(403)] {
        setup.installation.server.inject(Fault::on(Endpoint::AuthenticationResponse, kind));
        let (armed, phase) = agent.card(&setup, 8, Spelling::Plain);
        assert_ne!(phase, "done");
        assert!(setup.has_given_out_the_pin());
        canaries.extend(armed);
    }
    // Pulled when the PIN is on its way, and when it is set.
    for pulled in [Pulled::Before, Pulled::After] {
        let armed = agent.next(&setup, 8, Spelling::Plain);
        setup.card.with(|card| card.pulled = Some(pulled));
        setup.insert_for_a_moment();
        assert_ne!(agent.ends(), "done");
        assert_eq!(setup.has_pin(&armed[0]), pulled == Pulled::After);
        canaries.extend(armed);
        canaries.extend(setup.answers());
    }
    // Nobody is there to be asked for a PIN.
    let (armed, phase) = agent.card(&setup, 8, Spelling::Nothing);
    assert_eq!(phase, "needs-pin");
    canaries.extend(armed);
    // More than the card takes.
    let (armed, phase) = agent.card(&setup, 24, Spelling::Plain);
    assert_eq!(phase, "failed");
    canaries.extend(armed);
    assert_none(&agent.left(&setup, &canaries));
}
