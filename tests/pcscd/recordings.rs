//! Recordings of our own virtual cards, made anew by every run: what no independent card has, which are Yubico's metadata and
//! a profile with an unblocking code. `tests/replay.rs` plays them without a card.

use std::fs;

use pinwright::sim::card::VirtualCard;
use pinwright::sim::iso7816::{Iso7816Card, Iso7816Settings, Padding};
use pinwright::sim::piv::{PivCard, PivSettings};
use pinwright::sim::server::Settings;
use support::installation::Installation;
use support::kept;
use uuid::Uuid;

use super::pcscd_with;

const PUK: &str = "12345678";
const WRONG: &str = "99999999";
const CARD_ID: [u8; 16] = *b"\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xAA\xBB\xCC\xDD\xEE\xFF";

/// One recording.
struct Case<Card> {
    name: &'static str,
    card: Card,
    /// What an `set-pin` offers for the PUK; `inspect` offers nothing.
    puk: Option<&'static str>,
    exit: i32,
}

fn inspect<Card>(name: &'static str, card: Card) -> Case<Card> {
    Case { name, card, puk: None, exit: 0 }
}

fn enroll<Card>(name: &'static str, card: Card, puk: &'static str, exit: i32) -> Case<Card> {
    Case { name, card, puk: Some(puk), exit }
}

/// The text of the recording.
fn record(case: Case<impl VirtualCard + 'static>, server: Settings, make: &str, sections: &str) -> Option<String> {
    let pcscd = pcscd_with(2)?;
    let _inserted = pcscd.insert(0, case.card);
    let installation = Installation::new(server);
    installation.configure("", &format!("[card]\nauthority = [\"puk\"]\n{sections}"));
    let file = installation.path("recording.apdu");
    let out = file.to_str().unwrap();
    let run = match case.puk {
        None => installation.pinwright(&pcscd, &["record", out, "inspect", "--card", make]),
        Some(puk) => {
            let arguments = ["record", out, "set-pin", "--yes", "--again", "--card", make, "--puk-fd", "9"];
            installation.start_with_secret(&pcscd.socket(), &arguments, puk.as_bytes()).finish()
        }
    };
    run.exits(case.exit);
    Some(fs::read_to_string(file).unwrap())
}

fn piv(pin_left: u8, puk_left: u8) -> PivCard {
    let (pin_left, puk_left) = (Some(pin_left), Some(puk_left));
    PivCard::new(PivSettings { guid: Some(CARD_ID), yubico: true, pin_left, puk_left, ..PivSettings::default() })
}

fn metadata_cases() -> [Case<PivCard>; 7] {
    [
        inspect("inspect-ok-metadata", piv(3, 3)),
        inspect("inspect-last-try-metadata", piv(1, 1)),
        inspect("inspect-puk-blocked-metadata", piv(3, 0)),
        enroll("set-pin-puk-ok-metadata", piv(3, 3), PUK, 0),
        enroll("set-pin-puk-wrong-metadata", piv(3, 3), WRONG, 4),
        enroll("set-pin-puk-last-try-metadata", piv(3, 1), PUK, 4),
        enroll("set-pin-puk-blocked-metadata", piv(3, 0), PUK, 4),
    ]
}

#[test]
fn the_recordings_of_metadata_are_what_is_recorded_now() {
    for case in metadata_cases() {
        let name = case.name;
        let server = Settings::for_card(Uuid::from_bytes(CARD_ID), "3b951381018073ff01000b", [0x5A; 24]);
        let make = "pinwright's own virtual card with Yubico's extensions, PIN 123456, PUK 12345678";
        let Some(text) = record(case, server, make, "") else { return };
        kept::compare("piv", name, &text, &["123456", PUK, WRONG]);
    }
}

/// PIN 12345678. The card never says how many tries the code has left.
fn iso(code_tries: u8) -> Iso7816Card {
    Iso7816Card::new(Iso7816Settings {
        atr: b"\x3B\x81\x80\x01\x55\x55".to_vec(),
        card_id: CARD_ID.to_vec(),
        padding: Some(Padding { byte: 0xFF, length: 8 }),
        puk: Some(b"246813".to_vec()),
        puk_tries: code_tries,
        ..Iso7816Settings::default()
    })
}

#[test]
fn the_recordings_of_an_unblocking_code_are_what_is_recorded_now() {
    let profile = kept::path("iso7816", "profile").with_extension("toml");
    let profiles = fs::read_to_string(profile).unwrap();
    for case in [
        inspect("inspect-unblocking-code-ok", iso(3)),
        enroll("set-pin-puk-ok", iso(3), "246813", 0),
        enroll("set-pin-puk-wrong", iso(3), WRONG, 4),
        enroll("set-pin-puk-blocked", iso(0), "246813", 4),
    ] {
        let name = case.name;
        let server = Settings::for_card(Uuid::from_bytes_le(CARD_ID), "3b8180015555", [0x5A; 24]);
        let make = "pinwright's own virtual card, PIN 12345678, unblocking code 246813";
        let Some(text) = record(case, server, make, &profiles) else { return };
        kept::compare("iso7816", name, &text, &["12345678", "246813", WRONG]);
    }
}

/// A recording that no case makes any more would be played for ever, and prove what was true once.
#[test]
fn each_recording_of_metadata_has_its_case() {
    let made = metadata_cases().map(|case| kept::path("piv", case.name));
    for entry in fs::read_dir(made[0].parent().unwrap()).unwrap() {
        let path = entry.unwrap().path();
        let ours = path.to_str().is_some_and(|name| name.ends_with("-metadata.apdu"));
        assert!(!ours || made.contains(&path), "{} is made by no case", path.display());
    }
}
