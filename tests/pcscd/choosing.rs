//! Which card? One, or none is touched.

use std::time::Duration;

use pinwright::sim::card::SharedCard;
use pinwright::sim::gids::{GidsCard, GidsSettings};
use support::installation::{Installation, server_for};
use support::pcscd::Pcscd;
use support::waiting;

use super::{pcscd_with, personalised};

const ENROLL: &[&str] = &["--json", "set-pin", "--yes", "--again"];

#[test]
fn no_card_is_exit_3_and_names_the_readers() {
    let Some(pcscd) = pcscd_with(2) else { return };
    let installation = Installation::new(server_for(&GidsSettings::default()));
    let run = installation.pinwright(&pcscd, ENROLL);
    run.exits(3).says(&pcscd.readers()[0].name).says("insert the card");
    assert!(installation.server.requests().is_empty());
}

/// Commands with which the family and the ID of a GIDS card are found.
const IDENTIFICATION: usize = 3;

#[test]
fn two_cards_are_named_and_left_alone_until_one_is_chosen() {
    let Some(pcscd) = pcscd_with(4) else { return };
    let other = GidsSettings { card_id: [0x77; 16], ..GidsSettings::default() };
    let first = SharedCard::new(GidsCard::personalised(other));
    let second = personalised();
    let _first = pcscd.insert(0, first.clone());
    let _second = pcscd.insert(3, second.clone());
    let installation = Installation::new(server_for(&GidsSettings::default()));

    let run = installation.pinwright(&pcscd, ENROLL);
    run.exits(3).says(&pcscd.readers()[0].name).says(&pcscd.readers()[3].name).says("--reader");
    // Both are told by their IDs: they are read, and nothing else is done to them.
    run.says("77777777-7777-7777-7777-777777777777").says("33221100-5544-7766-8899-aabbccddeeff");
    for card in [&first, &second] {
        card.with(|card| {
            assert_eq!((card.commands_seen(), card.tries_left()), (IDENTIFICATION, 3));
            assert!(card.pin_is(super::OLD_PIN.as_bytes()));
        });
    }
    assert!(installation.server.requests().is_empty());

    installation.pinwright(&pcscd, &["--json", "set-pin", "--yes", "--again", "--reader", "3"]).exits(0);
    let pin = installation.server.state().last_pin().unwrap();
    assert!(second.with(|card| card.pin_is(&pin)));
    assert_eq!(first.with(|card| card.commands_seen()), IDENTIFICATION, "the one that is not meant is left alone");

    // By its ID a card is found in whatever reader it is; the other one is asked for its own, no more.
    let id = "33221100-5544-7766-8899-aabbccddeeff";
    let run = installation.pinwright(&pcscd, &["--json", "set-pin", "--yes", "--again", "--card-id", id]);
    assert_eq!(run.exits(0).json()["reader"], pcscd.readers()[3].name.as_str());
    assert!(first.with(|card| card.pin_is(super::OLD_PIN.as_bytes()) && card.tries_left() == 3));
}

/// Latin-1 in a driver's configuration: what PC/SC gives is no UTF-8, and has to come back to it as it came.
#[test]
fn a_reader_whose_name_is_not_utf_8_is_opened_by_what_is_shown() {
    let pcscd = match Pcscd::start_named(2, b"Lecteur \xE9") {
        Ok(pcscd) => pcscd,
        Err(reason) => return waiting::skip(&format!("no pcscd: {reason}")),
    };
    let card = personalised();
    let _inserted = pcscd.insert(1, card.clone());
    let installation = Installation::new(server_for(&GidsSettings::default()));
    let name = r"Lecteur \xE9 0 00 01";

    let listed = installation.pinwright(&pcscd, &["readers"]);
    listed.exits(0).says(name).says("33221100-5544-7766-8899-aabbccddeeff");
    let listed = installation.pinwright(&pcscd, &["--json", "readers"]).exits(0).json();
    assert_eq!(listed["readers"][1]["name"], name);
    for wanted in [name, r"\xe9 0 00 01", "1"] {
        let run = installation.pinwright(&pcscd, &["--json", "set-pin", "--yes", "--again", "--reader", wanted]);
        assert_eq!(run.exits(0).json()["reader"], name);
        let pin = installation.server.state().last_pin().unwrap();
        assert!(card.with(|card| card.pin_is(&pin)), "{wanted}");
    }
    let gone = installation.pinwright(&pcscd, &["inspect", "--reader", "\u{FFFD}"]);
    gone.exits(3).says(r#""Lecteur \\xE9 0 00 01""#);
}

#[test]
fn no_pcscd_is_exit_3_and_says_how_to_start_it() {
    let installation = Installation::new(server_for(&GidsSettings::default()));
    for command in [ENROLL, &["--json", "readers"]] {
        let run = installation.start(&installation.path("no-such-socket"), command).finish();
        run.exits(3).says("not running").says("pcscd").within(Duration::from_secs(5));
    }
    assert!(installation.server.requests().is_empty());
}

#[test]
fn no_reader_is_exit_3_for_the_job_and_an_empty_list_for_readers() {
    let Some(pcscd) = pcscd_with(0) else { return };
    let installation = Installation::new(server_for(&GidsSettings::default()));
    installation.pinwright(&pcscd, ENROLL).exits(3).says("no smart card reader");
    let listed = installation.pinwright(&pcscd, &["--json", "readers"]).exits(0).json();
    assert_eq!(listed["readers"], serde_json::json!([]));
}
