//! A card that loses its session under a job, and jobs that meet on one card.
//!
//! Through pcscd nobody else can reset a card in our transaction: the card does it itself. What a reset by another program
//! looks like where the service tells of it is tested in-process, with the rules of PC/SC (`tests/faults/resets.rs`).

use std::time::{Duration, Instant};

use pinwright::sim::card::{LinkFault, SharedCard, VirtualCard};
use pinwright::sim::gids::{GidsCard, GidsSettings};
use pinwright::sim::server::{Endpoint, Fault, FaultKind};
use support::installation::{Installation, server_for};

use super::{OLD_PIN, pcscd_with, personalised};

const ENROLL: &[&str] = &["--json", "set-pin", "--yes", "--again"];

/// A card that resets itself right after it has given a challenge, that many times.
struct Forgetful {
    card: GidsCard,
    times: usize,
    sent: Vec<Vec<u8>>,
}

impl Forgetful {
    fn count(&self, start: &[u8]) -> usize {
        self.sent.iter().filter(|command| command.starts_with(start)).count()
    }
}

/// GENERAL AUTHENTICATE, asking and answering.
const CHALLENGE: &[u8] = &[0x00, 0x87, 0x00, 0x00, 0x04];
const ANSWER: &[u8] = &[0x00, 0x87, 0x00, 0x00, 0x0C];

impl VirtualCard for Forgetful {
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
        let answer = self.card.transmit(command)?;
        if command.starts_with(CHALLENGE) && self.times > 0 {
            self.times -= 1;
            self.card.reset();
        }
        Ok(answer)
    }
}

#[test]
fn a_reset_between_challenge_and_answer_costs_one_fresh_challenge_and_no_try() {
    for (times, code) in [(1, 0), (2, 4), (9, 4)] {
        let Some(pcscd) = pcscd_with(2) else { return };
        let card = GidsCard::personalised(GidsSettings::default());
        let card = SharedCard::new(Forgetful { card, times, sent: Vec::new() });
        let _inserted = pcscd.insert(0, card.clone());
        let installation = Installation::new(server_for(&GidsSettings::default()));

        let run = installation.pinwright(&pcscd, ENROLL);
        run.exits(code).within(Duration::from_secs(5));
        card.with(|card| {
            assert_eq!(card.count(CHALLENGE), 2, "one fresh challenge, whatever happens: {run}");
            assert_eq!(card.count(ANSWER), usize::from(code == 0), "the first answer is never sent: {run}");
            assert_eq!((card.card.tries_left(), card.card.admin_failures()), (3, 0));
        });
        let asked =
            |endpoint| installation.server.requests().iter().filter(|call| call.endpoint == Some(endpoint)).count();
        assert_eq!((asked(Endpoint::AuthenticationResponse), asked(Endpoint::PinByCard)), (2, 1));
        assert!(installation.server.violations().is_empty(), "{:?}", installation.server.violations());
        if code == 0 {
            let pin = installation.server.state().last_pin().unwrap();
            assert!(card.with(|card| card.card.pin_is(&pin)));
        } else {
            assert_eq!(run.json()["card_state"], "untouched", "{run}");
            assert!(card.with(|card| card.card.pin_is(OLD_PIN.as_bytes())));
            card.with(|card| card.times = 0);
            installation.pinwright(&pcscd, ENROLL).exits(0);
        }
    }
}

/// The first job waits for the server's answer to the challenge for that long.
fn wait_for_the_server(installation: &Installation, delay: Duration) {
    installation.server.inject(Fault::on(Endpoint::AuthenticationResponse, FaultKind::Delay(delay)));
}

fn until_asked(installation: &Installation) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !installation.server.requests().iter().any(|call| call.endpoint == Some(Endpoint::AuthenticationResponse)) {
        assert!(Instant::now() < deadline, "the server is never asked");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The claim is taken and let go of inside the transaction, so on one card in one reader the service tells first: the second
/// job waits, and is told when it has waited for long.
#[test]
fn a_second_job_on_a_card_that_is_held_for_long_is_told() {
    let Some(pcscd) = pcscd_with(2) else { return };
    let card = personalised();
    let _inserted = pcscd.insert(0, card.clone());
    let installation = Installation::new(server_for(&GidsSettings::default()));
    installation.configure("", "[reader]\ntimeout = \"1s\"");
    wait_for_the_server(&installation, Duration::from_secs(6));
    let first = installation.start(&pcscd.socket(), ENROLL);
    until_asked(&installation);

    let second = installation.pinwright(&pcscd, ENROLL);
    second.exits(3).says("held by another program").says("pinwright (pid ").says("leave the card in");
    assert_eq!(second.json()["card_state"], "untouched");
    first.finish().exits(0);
    let pins = installation.server.state().pins();
    assert_eq!(pins.len(), 1, "the second job asked for no PIN");
    assert!(card.with(|card| card.pin_is(&pins[0]) && card.tries_left() == 3));
}

/// Two cards under one ID (a copy, or one card behind two services): no transaction stands between the jobs, the claim does.
#[test]
fn a_second_job_on_the_same_card_id_elsewhere_is_told_of_the_first() {
    let Some(pcscd) = pcscd_with(2) else { return };
    let (card, copy) = (personalised(), personalised());
    let _card = pcscd.insert(0, card.clone());
    let _copy = pcscd.insert(1, copy.clone());
    let installation = Installation::new(server_for(&GidsSettings::default()));
    let enroll = |reader| ["--json", "set-pin", "--yes", "--again", "--reader", reader];
    wait_for_the_server(&installation, Duration::from_secs(2));
    let first = installation.start(&pcscd.socket(), &enroll("0"));
    until_asked(&installation);
    let calls = installation.server.requests().len();

    let second = installation.pinwright(&pcscd, &enroll("1"));
    second.exits(3).says("another pinwright process works on card 33221100-5544-7766-8899-aabbccddeeff");
    second.says("wait for the other process").within(Duration::from_secs(1));
    assert_eq!(second.json()["card_state"], "untouched");
    assert_eq!(installation.server.requests().len(), calls, "the server hears nothing of the second");
    assert!(copy.with(|card| card.pin_is(OLD_PIN.as_bytes()) && card.tries_left() == 3));

    // Killed, and its claim goes with it.
    drop(first);
    installation.pinwright(&pcscd, &enroll("1")).exits(0);
    let pin = installation.server.state().last_pin().unwrap();
    assert!(copy.with(|card| card.pin_is(&pin)) && card.with(|card| card.pin_is(OLD_PIN.as_bytes())));
}
