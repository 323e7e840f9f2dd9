//! The recordings of `fixtures/apdu/piv` and `fixtures/apdu/openpgp` whose names end in `-nitrokey`: made anew by every run.
//!
//! The challenges follow from the card's seed and from how often it was reset, which is pcscd's affair, and are not compared.
//! `PINWRIGHT_UPDATE_RECORDINGS=1 make interop` writes what was got into the files. `tests/replay.rs` plays them without a card.

use std::fs;
use std::path::PathBuf;

use support::kept;
use support::pcscd::Pcscd;
use support::vcard::Vcard;

use super::job::{Authority, Job};
use super::opensc::OpenSc;
use super::{ADMIN_PIN, GUID, PIN, PUK, SERIAL, VENDOR, apdu, openpgp, piv};

const SEED: &str = "7";
const WRONG: &str = "99999999";
const RESETTING_CODE: &str = "resetting";

/// One recording.
struct Case {
    /// The file's name without `-nitrokey.apdu`.
    name: &'static str,
    /// What is done to the card first, and how many wrong tries that makes.
    before: (Vec<String>, usize),
    /// The proof of an `set-pin`; `inspect` has none.
    authority: Option<Authority<'static>>,
    /// Exit code, and wrong tries that pinwright makes.
    ends: (i32, usize),
}

impl Case {
    fn inspect(name: &'static str) -> Self {
        Self { name, before: (Vec::new(), 0), authority: None, ends: (0, 0) }
    }

    fn enroll(name: &'static str, authority: &'static str, secret: &'static str) -> Self {
        let authority = Authority { name: authority, secret };
        Self { name, before: (Vec::new(), 0), authority: Some(authority), ends: (0, 0) }
    }

    /// The card gets these commands first.
    fn after(mut self, commands: &[String], wrong_tries: usize) -> Self {
        self.before.0.extend_from_slice(commands);
        self.before.1 += wrong_tries;
        self
    }

    /// The card refuses the proof.
    fn refused(self) -> Self {
        Self { ends: (4, 1), ..self }
    }

    /// The proof is not shown to the card.
    fn stopped(self, exit: i32) -> Self {
        Self { ends: (exit, 0), ..self }
    }
}

/// That many times.
fn times(count: usize, command: &str) -> Vec<String> {
    vec![command.to_owned(); count]
}

fn piv_cases() -> Vec<Case> {
    let blocked_pin = times(3, &apdu::piv_verify(WRONG));
    let blocked_puk = times(3, &apdu::piv_unblock(WRONG, "11111111"));
    vec![
        Case::inspect("inspect-ok"),
        Case::inspect("inspect-pin-blocked").after(&blocked_pin, 3),
        Case::enroll("set-pin-puk-ok", "puk", PUK),
        Case::enroll("set-pin-puk-pin-blocked", "puk", PUK).after(&blocked_pin, 3),
        Case::enroll("set-pin-puk-wrong", "puk", WRONG).refused(),
        Case::enroll("set-pin-puk-blocked", "puk", PUK).after(&blocked_puk, 3).refused(),
        Case::enroll("set-pin-current-pin-ok", "current-pin", PIN),
        Case::enroll("set-pin-current-pin-wrong", "current-pin", WRONG).refused(),
        Case::enroll("set-pin-current-pin-blocked", "current-pin", PIN).after(&blocked_pin, 3).stopped(4),
    ]
}

fn openpgp_cases() -> Vec<Case> {
    let blocked_pin = times(3, &apdu::openpgp_verify(WRONG));
    let blocked_admin = times(3, &apdu::openpgp_verify_admin(WRONG));
    let code = [apdu::openpgp_verify_admin(ADMIN_PIN), apdu::openpgp_put_resetting_code(RESETTING_CODE)];
    let blocked_code = times(3, &apdu::openpgp_unblock(WRONG, "11111111"));
    vec![
        Case::inspect("inspect-ok"),
        Case::inspect("inspect-pin-blocked").after(&blocked_pin, 3),
        Case::enroll("set-pin-admin-pin-ok", "admin-pin", ADMIN_PIN),
        Case::enroll("set-pin-admin-pin-pin-blocked", "admin-pin", ADMIN_PIN).after(&blocked_pin, 3),
        Case::enroll("set-pin-admin-pin-wrong", "admin-pin", WRONG).refused(),
        Case::enroll("set-pin-admin-pin-blocked", "admin-pin", ADMIN_PIN).after(&blocked_admin, 3).stopped(4),
        Case::enroll("set-pin-resetting-code-ok", "resetting-code", RESETTING_CODE).after(&code, 0),
        Case::enroll("set-pin-resetting-code-wrong", "resetting-code", WRONG).after(&code, 0).refused(),
        Case::enroll("set-pin-resetting-code-blocked", "resetting-code", RESETTING_CODE)
            .after(&code, 0)
            .after(&blocked_code, 3)
            .stopped(2),
        Case::enroll("set-pin-current-pin-ok", "current-pin", PIN),
        Case::enroll("set-pin-current-pin-wrong", "current-pin", WRONG).refused(),
        Case::enroll("set-pin-current-pin-blocked", "current-pin", PIN).after(&blocked_pin, 3).stopped(4),
    ]
}

#[test]
fn the_recordings_of_the_piv_card_are_what_is_recorded_now() {
    for case in piv_cases() {
        let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
        let card = Vcard::piv(&pcscd, 0, &["--guid", GUID, "--seed", SEED]);
        let make = "Nitrokey piv-authenticator 0.7.0 (tests/vcard), PIN 123456, PUK 12345678";
        let text = record(&pcscd, &card, &OpenSc::piv(&pcscd, &card), &case, piv::CARD_ID, make);
        compare("piv", case.name, &text);
    }
}

#[test]
fn the_recordings_of_the_openpgp_card_are_what_is_recorded_now() {
    for case in openpgp_cases() {
        let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
        let card = Vcard::openpgp(&pcscd, 0, &["--vendor", VENDOR, "--serial", SERIAL, "--seed", SEED]);
        let make = "Nitrokey opcard 1.11.0 (tests/vcard), PW1 123456, PW3 12345678";
        let text = record(&pcscd, &card, &OpenSc::openpgp(&pcscd, &card), &case, openpgp::CARD_ID, make);
        compare("openpgp", case.name, &text);
    }
}

fn record(pcscd: &Pcscd, card: &Vcard, opensc: &OpenSc<'_>, case: &Case, card_id: &str, make: &str) -> String {
    card.declare_wrong_tries(case.before.1 + case.ends.1);
    if !case.before.0.is_empty() {
        opensc.send(&case.before.0);
    }
    let job = Job::new(pcscd, card_id);
    let file = job.installation.path("recording.apdu");
    let out = file.to_str().unwrap();
    let run = match case.authority {
        None => job.installation.pinwright(pcscd, &["record", out, "inspect", "--card", make]),
        Some(authority) => job.run(authority, &["record", out, "set-pin", "--yes", "--again", "--card", make]),
    };
    run.exits(case.ends.0);
    fs::read_to_string(file).unwrap()
}

fn compare(family: &str, name: &str, text: &str) {
    kept::compare(family, &format!("{name}-nitrokey"), text, &[PIN, PUK, WRONG, RESETTING_CODE]);
}

fn recording(family: &str, name: &str) -> PathBuf {
    kept::path(family, &format!("{name}-nitrokey"))
}

/// A recording that no case makes any more would be played for ever, and prove what was true once.
#[test]
fn each_recording_has_its_case() {
    for (family, cases) in [("piv", piv_cases()), ("openpgp", openpgp_cases())] {
        let mut made: Vec<_> = cases.iter().map(|case| recording(family, case.name)).collect();
        made.push(recording(family, "session"));
        for entry in fs::read_dir(recording(family, "session").parent().unwrap()).unwrap() {
            let path = entry.unwrap().path();
            let ours = path.to_str().is_some_and(|name| name.ends_with("-nitrokey.apdu"));
            assert!(!ours || made.contains(&path), "{} is made by no case", path.display());
        }
    }
}
