//! Jobs that go another way: nothing is left by these either.

use std::time::{Duration, Instant};

use pinwright::sim::server::{Endpoint, Fault, FaultKind, PinMaker};
use serde_json::{Value, json};
use uuid::Uuid;

use super::agent::Agent;
use super::canary_setup::{By, CanarySetup, Pulled, Spelling};
use super::command::LOUD;
use super::forms::{Canary, Kind};
use super::long_lived::assert_none;
use super::scan::Scanner;

/// One job in a worker, and a look at it afterwards.
struct Case<'a> {
    setup: &'a CanarySetup,
    agent: &'a mut Agent,
}

impl Case<'_> {
    /// `armed` as [`CanarySetup::arm`] gave it. Gives what the card was sent, to tell that the secrets were on their way.
    #[track_caller]
    fn run(&mut self, mut armed: Vec<Canary>, more: Value, ends: &str) -> Vec<Vec<u8>> {
        let ended = self.agent.job(self.setup, LOUD, more);
        let said = std::fs::read_to_string(self.setup.installation.path("stderr")).unwrap();
        assert_eq!(ended, ends, "{said}");
        armed.extend(self.setup.answers());
        if ends == "panicked" {
            self.settle(&armed);
        }
        assert_none(&self.agent.scan(&armed));
        assert_none(&self.setup.left_on_disk(&Scanner::new(&armed)));
        self.setup.installation.server.state().clear_faults();
        self.setup.card.with(|card| card.sent.clone())
    }

    /// A card that is dropped and not let go of is reset by its worker thread, which nobody waits for.
    fn settle(&self, canaries: &[Canary]) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !self.agent.scan(canaries).is_empty() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn sent(commands: &[Vec<u8>], ins: u8) -> bool {
    commands.iter().any(|command| command.get(1) == Some(&ins))
}

#[test]
fn failures_of_the_server_and_odd_answers_leave_nothing() {
    let Some(pcscd) = super::pcscd() else { return };
    let setup = CanarySetup::new(pcscd, By::Server, |_| {});
    setup.configure("timeout = \"1s\"", "");
    let mut agent = Agent::new(&setup);
    let mut case = Case { setup: &setup, agent: &mut agent };
    // The PIN is here, and the answer comes by halves, or byte by byte until the deadline.
    for kind in [FaultKind::DropMidBody, FaultKind::TruncatedBody, FaultKind::SlowDrip(Duration::from_millis(100))] {
        let armed = setup.arm(8, Spelling::Plain);
        setup.installation.server.inject(Fault::on(Endpoint::AuthenticationResponse, kind).always());
        let commands = case.run(armed, json!({}), "6");
        assert!(!sent(&commands, 0x2C));
    }
    // The PIN is here, and the server fails before it gives the answer.
    for (kind, ends) in [
        (FaultKind::server_error(Uuid::from_u128(1)), "6"),
        (FaultKind::status(503), "6"),
        (FaultKind::DropBeforeHeaders, "6"),
        (FaultKind::status(403), "5"),
    ] {
        let armed = setup.arm(8, Spelling::Plain);
        setup.installation.server.inject(Fault::on(Endpoint::AuthenticationResponse, kind).always());
        let commands = case.run(armed, json!({}), ends);
        assert!(setup.has_given_out_the_pin());
        assert!(!sent(&commands, 0x2C));
    }
    for kind in [FaultKind::DropMidBody, FaultKind::TruncatedBody, FaultKind::SlowDrip(Duration::from_millis(100))] {
        let armed = setup.arm(16, Spelling::Plain);
        setup.installation.server.inject(Fault::on(Endpoint::PinByCard, kind).always());
        case.run(armed, json!({}), "6");
    }
    // A PIN that the card does not take, and PINs in JSON of other kinds.
    case.run(setup.arm(30, Spelling::Plain), json!({}), "8");
    for (before, after) in [("{\"pin\":\"", "\"}"), ("[\"", "\"]"), ("\"", ""), ("", "")] {
        let armed = setup.arm(8, Spelling::Plain);
        let body = format!("{before}{}{after}", armed[0].as_text()).into_bytes();
        let maker = PinMaker::Raw { status: 200, content_type: "application/json".to_owned(), body };
        setup.installation.server.state().change(|settings| settings.pin_maker = maker);
        case.run(armed, json!({}), "6");
    }
}

#[test]
fn a_card_that_is_pulled_leaves_nothing() {
    for pulled in [Pulled::Before, Pulled::After] {
        let Some(pcscd) = super::pcscd() else { return };
        let setup = CanarySetup::new(pcscd, By::Server, |_| {});
        let mut agent = Agent::new(&setup);
        let armed = setup.arm(8, Spelling::Plain);
        setup.card.with(|card| card.pulled = Some(pulled));
        let commands = Case { setup: &setup, agent: &mut agent }.run(armed.clone(), json!({}), "9");
        assert!(sent(&commands, 0x2C));
        assert_eq!(setup.has_pin(&armed[0]), pulled == Pulled::After);
    }
}

#[test]
fn a_panic_with_secrets_in_hand_leaves_nothing() {
    for by in [By::Server, By::AdminKey] {
        let Some(pcscd) = super::pcscd() else { return };
        let setup = CanarySetup::new(pcscd, by, |_| {});
        let mut agent = Agent::new(&setup);
        for step in ["fit the PIN", "set the PIN", "verify the PIN"] {
            let armed = setup.arm(8, Spelling::Plain);
            let commands =
                Case { setup: &setup, agent: &mut agent }.run(armed, json!({ "panic_at": step }), "panicked");
            assert_eq!(sent(&commands, 0x2C), step == "verify the PIN");
        }
        // And it goes on.
        Case { setup: &setup, agent: &mut agent }.run(setup.arm(8, Spelling::Plain), json!({}), "0");
    }
}

#[test]
fn secrets_from_elsewhere_leave_nothing() {
    for by in [By::Server, By::AdminKey, By::CurrentPin] {
        let Some(pcscd) = super::pcscd() else { return };
        let setup = CanarySetup::new(pcscd, by, |_| {});
        let mut agent = Agent::new(&setup);
        let mut case = Case { setup: &setup, agent: &mut agent };
        for spelling in [Spelling::Plain, Spelling::Nothing] {
            let armed = setup.arm(8, spelling);
            let mut descriptors = json!({});
            if spelling == Spelling::Nothing {
                descriptors["--pin-fd"] = json!(setup.secret(Kind::Pin));
            }
            if by == By::CurrentPin {
                descriptors["--current-pin-fd"] = json!(setup.secret(Kind::CurrentPin));
            }
            let pin = armed[0].clone();
            case.run(armed, json!({ "descriptors": descriptors }), "0");
            assert!(setup.has_pin(&pin), "{by:?}, {spelling:?}");
        }
    }
}
