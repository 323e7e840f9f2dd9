//! Cards that are pulled or hang, a pcscd that dies: the command ends, and what it says of the card is true.

use std::process::Command;
use std::time::{Duration, Instant};

use pinwright::sim::card::{SharedCard, VirtualCard as _};
use pinwright::sim::fault::{Fault, Faulty};
use pinwright::sim::gids::{GidsCard, GidsSettings};
use pinwright::sim::server::{self, Endpoint, FaultKind};
use support::installation::{Installation, Run, Running, server_for};
use support::pcscd::Pcscd;

use super::{OLD_PIN, pcscd_with, personalised};

const ENROLL: &[&str] = &["--json", "set-pin", "--yes", "--again"];

/// RESET RETRY COUNTER: the one command of the job that writes.
const WRITE: u8 = 0x2C;

type FaultyCard = SharedCard<Faulty<GidsCard>>;

fn faulty(index: usize, fault: Fault) -> FaultyCard {
    SharedCard::new(Faulty::new(GidsCard::personalised(GidsSettings::default())).at(index, fault))
}

/// Holds what was said of the card against the card.
fn stated_truly(run: &Run, card: &FaultyCard, installation: &Installation) {
    let state = run.json()["card_state"].as_str().unwrap_or_else(|| panic!("no card_state: {run}")).to_owned();
    let new = installation.server.state().last_pin();
    let (old_pin, new_pin, wrote) = card.with(|card| {
        let card = card.card();
        let new_pin = new.as_ref().is_some_and(|pin| card.pin_is(pin));
        (card.pin_is(OLD_PIN.as_bytes()), new_pin, card.headers().iter().any(|header| header[1] == WRITE))
    });
    match state.as_str() {
        "untouched" | "untouched-try-spent" => assert!(old_pin && !wrote, "{state} is not so: {run}"),
        "pin-set-not-verified" => assert!(new_pin, "{state} is not so: {run}"),
        "unknown" => assert!(old_pin || new_pin, "{run}"),
        other => panic!("no such state as {other}: {run}"),
    }
    let attention = matches!(state.as_str(), "pin-set-not-verified" | "unknown");
    assert_eq!(run.code() == 9, attention, "exit 9 is for cards that need attention: {run}");
}

#[test]
fn a_card_pulled_at_any_exchange_is_told_of_truly() {
    // A reader for each exchange: pcscd looks every 400 ms and misses a card that is changed in between.
    let Some(pcscd) = pcscd_with(10) else { return };
    let cards: Vec<FaultyCard> = (0..10).map(|index| faulty(index, Fault::Removed)).collect();
    let _inserted: Vec<_> = cards.iter().enumerate().map(|(reader, card)| pcscd.insert(reader, card.clone())).collect();
    let mut codes = Vec::new();
    for (index, card) in cards.iter().enumerate() {
        let installation = Installation::new(server_for(&GidsSettings::default()));
        let reader = index.to_string();
        let run = installation.pinwright(&pcscd, &["--json", "set-pin", "--yes", "--again", "--reader", &reader]);
        if !card.with(|card| card.exhausted()) {
            // The job was done before that many exchanges.
            run.exits(0);
            break;
        }
        run.within(Duration::from_secs(10));
        assert!(matches!(run.code(), 3 | 9), "pulled at exchange {index}: {run}");
        stated_truly(&run, card, &installation);
        codes.push(run.code());
    }
    assert!((7..=9).contains(&codes.len()), "the exchanges of the job ended with {codes:?}");
    // Pulled at the write, and at the verification after it: the last two.
    let attention = codes.iter().position(|code| *code == 9);
    assert_eq!(attention, Some(codes.len() - 2), "{codes:?}");
}

#[test]
fn an_answer_lost_on_its_way_back_leaves_an_unknown_state_and_a_rerun_ends_well() {
    let Some(pcscd) = pcscd_with(2) else { return };
    // Found out by a job without a fault.
    let card = personalised();
    let inserted = pcscd.insert(0, card.clone());
    let installation = Installation::new(server_for(&GidsSettings::default()));
    installation.pinwright(&pcscd, ENROLL).exits(0);
    let write = card.with(|card| card.headers().iter().position(|header| header[1] == WRITE)).unwrap();
    drop(inserted);
    pcscd.wait_for_card(0, false);

    let card = faulty(write, Fault::LostAnswer);
    let _inserted = pcscd.insert(0, card.clone());
    let installation = Installation::new(server_for(&GidsSettings::default()));
    let run = installation.pinwright(&pcscd, ENROLL);
    run.exits(9);
    assert_eq!(run.json()["card_state"], "unknown", "{run}");
    stated_truly(&run, &card, &installation);

    pcscd.wait_for_card(0, true);
    installation.pinwright(&pcscd, ENROLL).exits(0);
    let pin = installation.server.state().last_pin().unwrap();
    assert!(card.with(|card| card.card().pin_is(&pin)));
}

#[test]
fn a_card_that_never_answers_is_given_up_within_the_deadline() {
    // Before the write nothing is in doubt; at the write everything is.
    for (index, code, state) in [(1, 3, "untouched"), (7, 9, "unknown")] {
        let Some(pcscd) = pcscd_with(2) else { return };
        let card = faulty(index, Fault::Hang);
        let _inserted = pcscd.insert(0, card.clone());
        let installation = Installation::new(server_for(&GidsSettings::default()));
        installation.configure("", "[reader]\ntimeout = \"2s\"");
        let run = installation.pinwright(&pcscd, ENROLL);
        run.exits(code).says("no answer").within(Duration::from_secs(8));
        assert!(run.elapsed >= Duration::from_secs(2), "{run}");
        assert_eq!(run.json()["card_state"], state, "{run}");
        stated_truly(&run, &card, &installation);
    }
}

/// A job that waits for the server's answer to the challenge, which is delayed.
fn running_until_asked(installation: &Installation, pcscd: &Pcscd) -> Running {
    let delay = FaultKind::Delay(Duration::from_secs(3));
    installation.server.inject(server::Fault::on(Endpoint::AuthenticationResponse, delay));
    let running = installation.start(&pcscd.socket(), ENROLL);
    let deadline = Instant::now() + Duration::from_secs(10);
    while !installation.server.requests().iter().any(|call| call.endpoint == Some(Endpoint::AuthenticationResponse)) {
        if Instant::now() > deadline {
            panic!("the server is never asked: {}", running.finish());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    running
}

#[test]
fn an_interruption_while_the_server_is_asked_leaves_the_card_as_it_was() {
    let Some(pcscd) = pcscd_with(2) else { return };
    let card = personalised();
    let _inserted = pcscd.insert(0, card.clone());
    let installation = Installation::new(server_for(&GidsSettings::default()));
    let running = running_until_asked(&installation, &pcscd);
    let before = Instant::now();
    assert!(Command::new("kill").args(["-INT", &running.id().to_string()]).status().unwrap().success());
    let run = running.finish();
    run.exits(10);
    assert!(before.elapsed() < Duration::from_secs(1), "it did not wait for the server: {run}");
    assert_eq!(run.json()["card_state"], "untouched", "{run}");
    assert!(card.with(|card| card.pin_is(OLD_PIN.as_bytes()) && card.tries_left() == 3));
    installation.pinwright(&pcscd, ENROLL).exits(0);
}

#[test]
fn a_command_killed_in_mid_job_leaves_no_session_on_the_card() {
    let Some(pcscd) = pcscd_with(2) else { return };
    let card = personalised();
    let _inserted = pcscd.insert(0, card.clone());
    let installation = Installation::new(server_for(&GidsSettings::default()));
    let running = running_until_asked(&installation, &pcscd);
    // VERIFY without data, from behind the reader: 63Cx in a session, 6986 after a reset.
    let status = || card.with(|card| card.transmit(&[0x00, 0x20, 0x00, 0x80]).unwrap());
    assert_eq!(status(), [0x63, 0xC3]);
    // As SIGKILL.
    drop(running);
    let deadline = Instant::now() + Duration::from_secs(5);
    while status() != [0x69, 0x86] {
        assert!(Instant::now() < deadline, "the card is not reset");
        std::thread::sleep(Duration::from_millis(10));
    }
    installation.pinwright(&pcscd, ENROLL).exits(0);
}

#[test]
fn a_pcscd_killed_while_the_server_is_asked_leaves_the_card_as_it_was() {
    let Some(mut pcscd) = pcscd_with(2) else { return };
    let card = personalised();
    let inserted = pcscd.insert(0, card.clone());
    let installation = Installation::new(server_for(&GidsSettings::default()));
    let running = running_until_asked(&installation, &pcscd);
    pcscd.kill();
    let run = running.finish();
    run.exits(3).says("smart card service stopped").within(Duration::from_secs(10));
    assert_eq!(run.json()["card_state"], "untouched", "{run}");
    assert!(card.with(|card| card.pin_is(OLD_PIN.as_bytes()) && card.tries_left() == 3));
    drop((inserted, pcscd));

    let Some(pcscd) = pcscd_with(2) else { return };
    let _inserted = pcscd.insert(0, card.clone());
    installation.pinwright(&pcscd, ENROLL).exits(0);
    let pin = installation.server.state().last_pin().unwrap();
    assert!(card.with(|card| card.pin_is(&pin)));
}
