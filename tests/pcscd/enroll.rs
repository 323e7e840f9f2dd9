//! The job, and what OpenSC then says of the card.

use pinwright::sim::card::SharedCard;
use pinwright::sim::gids::{GidsCard, GidsSettings};
use serde_json::json;
use support::installation::{Installation, server_for};
use support::opensc::{self, ADMIN_KEY};

use super::{OLD_PIN, pcscd_with, personalised};

const ENROLL: &[&str] = &["--json", "set-pin", "--yes", "--again"];

#[test]
fn opensc_accepts_the_pin_that_the_server_proposed_and_refuses_the_old_one() {
    let Some(pcscd) = pcscd_with(2) else { return };
    let card = personalised();
    let _inserted = pcscd.insert(0, card.clone());
    let installation = Installation::new(server_for(&GidsSettings::default()));
    let before = card.with(|card| card.commands_seen());

    let run = installation.pinwright(&pcscd, ENROLL);
    let seen = card.with(|card| card.commands_seen()) - before;

    let result = run.exits(0).json();
    assert_eq!(result["schema"], "pinwright.set-pin/1");
    assert_eq!(result["outcome"], "done");
    assert_eq!(result["reader"], pcscd.readers()[0].name.as_str());
    assert_eq!(result["family"], "gids");
    assert_eq!(result["atr"], opensc::atr(&pcscd, 0).as_str());
    assert_eq!(result["card_id"], "33221100-5544-7766-8899-aabbccddeeff");
    assert_eq!(result["smartcard"], "17cf063d-e337-4aa9-a822-346554ddd3c9");
    assert_eq!(result["request"], "a9b4b42c-cc50-4c9b-89d1-bbc0bcd5a099");
    assert_eq!(result["pin"], json!({"source": "server", "verified": true}));
    for part in ["total", "card", "server"] {
        assert!(result["elapsed_ms"][part].as_f64().is_some_and(|time| time > 0.0), "{part}: {run}");
    }
    assert_eq!(result["http_requests"], installation.server.requests().len());
    assert_eq!(result["apdus"], seen);
    assert!(seen <= 9, "the budget is 9 APDUs, and these were {seen}");

    let pin = String::from_utf8(installation.server.state().last_pin().unwrap()).unwrap();
    assert!(card.with(|card| card.pin_is(pin.as_bytes())));
    assert!(!card.with(|card| card.user_authenticated() || card.admin_authenticated()), "the card was reset");
    assert!(installation.server.violations().is_empty(), "{:?}", installation.server.violations());
    assert_eq!(card.with(|card| card.tries_left()), 3, "no try is spent");

    assert!(opensc::accepts_pin(&pcscd, 0, &pin));
    assert_eq!(card.with(|card| card.tries_left()), 3);
    assert!(!opensc::accepts_pin(&pcscd, 0, OLD_PIN));
    assert_eq!(card.with(|card| card.tries_left()), 2, "that was OpenSC's");
}

#[test]
fn a_card_initialised_by_opensc_is_enrolled_and_opensc_can_go_on_with_it() {
    let Some(pcscd) = pcscd_with(2) else { return };
    let card = SharedCard::new(GidsCard::blank());
    let _inserted = pcscd.insert(0, card.clone());
    let serial = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
    let made = opensc::run(
        &pcscd,
        "gids-tool",
        0,
        &["--initialize", "--admin-key", ADMIN_KEY, "--pin", "87654321", "--serial-number", serial],
    );
    // The tool ends with 0 even where it has failed: the card is asked.
    assert!(card.with(|card| card.is_active() && card.pin_is(b"87654321")), "{}", made.text);

    let mut known = GidsSettings::default();
    hex::decode_to_slice(serial, &mut known.card_id).unwrap();
    let installation = Installation::new(server_for(&known));
    let result = installation.pinwright(&pcscd, ENROLL).exits(0).json();
    assert_eq!(result["card_id"], "3c2d1e0f-5a4b-7869-8796-a5b4c3d2e1f0");
    let pin = String::from_utf8(installation.server.state().last_pin().unwrap()).unwrap();
    assert!(opensc::accepts_pin(&pcscd, 0, &pin));

    let unblocked = opensc::run(&pcscd, "gids-tool", 0, &["--unblock", "--admin-key", ADMIN_KEY, "--pin", "24681357"]);
    assert!(card.with(|card| card.pin_is(b"24681357")), "{}", unblocked.text);
}

#[test]
fn a_blocked_card_is_unblocked_by_the_job() {
    let Some(pcscd) = pcscd_with(2) else { return };
    let settings = GidsSettings { pin_left: Some(0), ..GidsSettings::default() };
    let card = SharedCard::new(GidsCard::personalised(settings.clone()));
    let _inserted = pcscd.insert(0, card.clone());
    assert!(!opensc::accepts_pin(&pcscd, 0, OLD_PIN), "it is blocked");

    let installation = Installation::new(server_for(&settings));
    installation.pinwright(&pcscd, ENROLL).exits(0);

    let pin = String::from_utf8(installation.server.state().last_pin().unwrap()).unwrap();
    assert_eq!(card.with(|card| card.tries_left()), 3);
    assert!(opensc::accepts_pin(&pcscd, 0, &pin));
}

#[test]
fn readers_and_inspect_agree_with_opensc_and_spend_no_try() {
    let Some(pcscd) = pcscd_with(2) else { return };
    let settings = GidsSettings { pin_left: Some(2), ..GidsSettings::default() };
    let card = SharedCard::new(GidsCard::personalised(settings.clone()));
    let _inserted = pcscd.insert(1, card.clone());
    let installation = Installation::new(server_for(&settings));

    let readers = installation.pinwright(&pcscd, &["--json", "readers"]).exits(0).json();
    let listing = opensc::run(&pcscd, "opensc-tool", 0, &["--list-readers"]).text;
    let names: Vec<&str> = readers["readers"].as_array().unwrap().iter().map(|r| r["name"].as_str().unwrap()).collect();
    let theirs: Vec<&str> = listing.lines().skip(2).collect();
    assert_eq!(names.len(), theirs.len(), "{listing}");
    assert!(names.iter().zip(theirs).all(|(ours, line)| line.ends_with(ours)), "{names:?}: {listing}");
    let atr = opensc::atr(&pcscd, 1);
    assert_eq!(readers["readers"][0]["state"], "empty");
    assert_eq!(readers["readers"][1]["state"], "card");
    assert_eq!(readers["readers"][1]["atr"], atr.as_str());
    assert_eq!(readers["readers"][1]["tries_left"]["left"], 2);

    let inspected = installation.pinwright(&pcscd, &["--json", "inspect"]).exits(0).json();
    assert_eq!(inspected["reader"], pcscd.readers()[1].name.as_str());
    assert_eq!(inspected["atr"], atr.as_str());
    assert_eq!(inspected["card_id"], "33221100-5544-7766-8899-aabbccddeeff");
    assert_eq!(inspected["card_id_raw"], "00112233445566778899aabbccddeeff");
    assert_eq!(inspected["pin"]["tries_left"]["left"], 2);

    assert_eq!(card.with(|card| card.tries_left()), 2);
    assert!(installation.server.requests().is_empty(), "looking at cards needs no server");
}

#[test]
fn opensc_accepts_the_pin_by_the_local_key_and_by_the_current_pin_that_it_has_set() {
    let Some(pcscd) = pcscd_with(2) else { return };
    let card = personalised();
    let _inserted = pcscd.insert(0, card.clone());
    let installation = Installation::new(server_for(&GidsSettings::default()));
    let enroll = |authority: &str, secret: &str| {
        installation.configure("", &format!("[card]\nauthority = [\"{authority}\"]"));
        let descriptor = format!("--{authority}-fd");
        let arguments = [ENROLL, &[descriptor.as_str(), "9"]].concat();
        let run = installation.start_with_secret(&pcscd.socket(), &arguments, secret.as_bytes()).finish();
        assert_eq!(run.exits(0).json()["authority"], authority);
        String::from_utf8(installation.server.state().last_pin().unwrap()).unwrap()
    };
    let pin = enroll("admin-key", ADMIN_KEY);
    assert!(opensc::accepts_pin(&pcscd, 0, &pin));
    let change = ["--change-pin", "--pin", &pin, "--new-pin", "86420975"];
    let changed = opensc::run(&pcscd, "pkcs15-tool", 0, &change);
    assert!(changed.success, "{}", changed.text);
    let pin = enroll("current-pin", "86420975");
    assert!(opensc::accepts_pin(&pcscd, 0, &pin));
    assert_eq!(card.with(|card| (card.tries_left(), card.admin_failures())), (3, 0), "no try is spent");
}

#[test]
fn an_output_that_is_full_does_not_hide_that_the_card_is_done() {
    let Some(pcscd) = pcscd_with(2) else { return };
    let card = personalised();
    let _inserted = pcscd.insert(0, card.clone());
    let installation = Installation::new(server_for(&GidsSettings::default()));
    for arguments in [&["set-pin", "--yes", "--again"][..], &["--json", "set-pin", "--yes", "--again"]] {
        let run = installation.start_by(&pcscd.socket(), "exec >/dev/full", arguments).finish();
        let pin = installation.server.state().last_pin().unwrap();
        assert!(card.with(|card| card.pin_is(&pin)));
        run.exits(2).says("error: the job is done: card ").says("but the result can't be written to standard output");
    }
}

/// The yes is not to be had from a pipe, and what comes out of one is none.
#[test]
fn a_standard_input_that_is_no_terminal_says_no_yes() {
    let Some(pcscd) = pcscd_with(2) else { return };
    let card = personalised();
    let _inserted = pcscd.insert(0, card.clone());
    let installation = Installation::new(server_for(&GidsSettings::default()));
    let recording = installation.path("r.apdu");
    for words in ["exec </dev/null", "exec <<E\nn\nE\n:", "exec <<E\ny\nE\n:"] {
        for arguments in [&["set-pin"][..], &["record", recording.to_str().unwrap(), "set-pin"]] {
            let run = installation.start_by(&pcscd.socket(), words, arguments).finish();
            run.exits(10).says("--yes");
            assert!(card.with(|card| card.pin_is(super::OLD_PIN.as_bytes())), "{words} {arguments:?}");
            drop(std::fs::remove_file(&recording));
        }
    }
    let paths: Vec<String> = installation.server.requests().into_iter().map(|call| call.path).collect();
    assert!(!paths.is_empty() && !paths.iter().any(|path| path.contains("proposedpin") || path.contains("response")));
}
