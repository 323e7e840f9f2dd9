//! pinwright on an OpenPGP card, judged by GnuPG and OpenSC.

use pinwright::sim::server::PinMaker;
use support::pcscd::Pcscd;
use support::vcard::{Exchange, Vcard};

use super::gnupg::{GnuPg, Status};
use super::job::{Authority, Job, assert_done, assert_refused, counted};
use super::opensc::OpenSc;
use super::{ADMIN_PIN, PIN, SERIAL, VENDOR, apdu, gnupg};

/// Manufacturer and serial number, repeated to 16 bytes as OpenSC's minidriver does.
const CARD_ID_RAW: &str = "000f12345678000f12345678000f1234";
/// The same as Windows reads what a minidriver gives it: the first three fields little-endian.
pub const CARD_ID: &str = "34120f00-7856-0f00-1234-5678000f1234";

const RESETTING_CODE: &str = "resetting";
const BY_ADMIN_PIN: Authority<'_> = Authority { name: "admin-pin", secret: ADMIN_PIN };
const BY_RESETTING_CODE: Authority<'_> = Authority { name: "resetting-code", secret: RESETTING_CODE };
const BY_CURRENT_PIN: Authority<'_> = Authority { name: "current-pin", secret: PIN };
const WRONG: &str = "99999999";

fn card(pcscd: &Pcscd) -> Vcard {
    Vcard::openpgp(pcscd, 0, &["--vendor", VENDOR, "--serial", SERIAL])
}

fn tries(exchanges: &[Exchange]) -> usize {
    exchanges.iter().filter(|exchange| exchange.is_try()).count()
}

fn set_resetting_code(opensc: &OpenSc<'_>) {
    let set = [apdu::openpgp_verify_admin(ADMIN_PIN), apdu::openpgp_put_resetting_code(RESETTING_CODE)];
    assert!(opensc.send(&set).iter().all(|exchange| exchange.status() == 0x9000));
}

/// The command that offers a wrong secret to what this authority proves itself with.
fn wrong_try(authority: Authority<'_>) -> String {
    match authority.name {
        "admin-pin" => apdu::openpgp_verify_admin(WRONG),
        "resetting-code" => apdu::openpgp_unblock(WRONG, "11111111"),
        _ => apdu::openpgp_verify(WRONG),
    }
}

fn spend_tries(opensc: &OpenSc<'_>, card: &Vcard, authority: Authority<'_>, count: usize) {
    card.declare_wrong_tries(count);
    opensc.send(&vec![wrong_try(authority); count]);
}

/// Where [`Status::tries_left`] has the counter.
fn counter(authority: Authority<'_>) -> usize {
    ["current-pin", "resetting-code", "admin-pin"].iter().position(|name| *name == authority.name).unwrap()
}

#[test]
fn inspect_agrees_with_the_judges_and_spends_no_try() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let card = card(&pcscd);
    let (opensc, gnupg) = (OpenSc::openpgp(&pcscd, &card), GnuPg::new(&pcscd, &card));
    let job = Job::new(&pcscd, CARD_ID);
    for left in [3, 2] {
        if left == 2 {
            spend_tries(&opensc, &card, BY_CURRENT_PIN, 1);
        }
        let (inspected, exchanges) = card.watch(|| job.inspect());
        assert_eq!(inspected["family"], "openpgp");
        assert_eq!(inspected["card_id"], CARD_ID);
        assert_eq!(inspected["card_id_raw"], CARD_ID_RAW);
        assert_eq!(inspected["pin"]["tries_left"]["left"], left);
        let counters = ["pin", "resetting-code", "admin-pin"].map(|name| counted(&inspected, name));
        assert_eq!(counters, [Some(u64::from(left)), Some(0), Some(3)]);
        assert_eq!(opensc.tries_left(), left);
        assert_eq!(gnupg.status(), Status { aid: gnupg::aid(), tries_left: [left, 0, 3] });
        assert_eq!(tries(&exchanges), 0);
    }
    assert!(job.installation.server.requests().is_empty(), "looking at a card needs no server");
}

#[test]
fn the_judges_accept_the_pin_that_was_set() {
    for authority in [BY_ADMIN_PIN, BY_RESETTING_CODE, BY_CURRENT_PIN] {
        let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
        let card = card(&pcscd);
        let (opensc, gnupg) = (OpenSc::openpgp(&pcscd, &card), GnuPg::new(&pcscd, &card));
        set_resetting_code(&opensc);
        spend_tries(&opensc, &card, BY_CURRENT_PIN, 1);
        let job = Job::new(&pcscd, CARD_ID);

        let (run, exchanges) = card.watch(|| job.enroll(authority));
        assert_done(&run, "openpgp", CARD_ID, authority.name, exchanges.len());

        let pin = job.pin();
        assert_eq!(gnupg.status().tries_left, [3, 3, 3], "{}: the counters are full", authority.name);
        gnupg.verify_pin(&pin).accepted();
        opensc.verify_pin(&pin).accepted();
        opensc.run("openpgp-tool", &["--verify", "CHV1", "--pin", &pin]).accepted();
        // Admin PIN and resetting code are as they were.
        gnupg.unblock_pin(RESETTING_CODE, "1029384756").accepted();
        gnupg.reset_pin_as_admin(ADMIN_PIN, PIN).accepted();
        assert!(job.installation.server.violations().is_empty(), "{:?}", job.installation.server.violations());
    }
}

#[test]
fn the_card_forgets_the_admin_when_the_job_is_done() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let card = card(&pcscd);
    Job::new(&pcscd, CARD_ID).enroll(BY_ADMIN_PIN).exits(0);
    assert!(card.was_reset(), "nobody finds PW3 verified");
}

#[test]
fn a_blocked_pin_is_set_by_admin_pin_and_by_resetting_code() {
    for authority in [BY_ADMIN_PIN, BY_RESETTING_CODE] {
        let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
        let card = card(&pcscd);
        let (opensc, gnupg) = (OpenSc::openpgp(&pcscd, &card), GnuPg::new(&pcscd, &card));
        set_resetting_code(&opensc);
        spend_tries(&opensc, &card, BY_CURRENT_PIN, 3);
        let job = Job::new(&pcscd, CARD_ID);
        assert_eq!(job.inspect()["pin"]["tries_left"]["left"], 0);

        let (run, exchanges) = card.watch(|| job.enroll(authority));
        assert_done(&run, "openpgp", CARD_ID, authority.name, exchanges.len());
        assert_eq!(gnupg.status().tries_left, [3, 3, 3]);
        gnupg.verify_pin(&job.pin()).accepted();
    }
}

#[test]
fn a_pin_that_a_judge_has_set_is_the_current_pin() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let card = card(&pcscd);
    let (opensc, gnupg) = (OpenSc::openpgp(&pcscd, &card), GnuPg::new(&pcscd, &card));
    gnupg.change_pin(PIN, "correct horse").accepted();
    let job = Job::new(&pcscd, CARD_ID);
    job.enroll(Authority { name: "current-pin", secret: "correct horse" }).exits(0);
    opensc.change_pin(&job.pin(), "13579024").accepted();
    job.enroll(Authority { name: "current-pin", secret: "13579024" }).exits(0);
    gnupg.verify_pin(&job.pin()).accepted();
}

#[test]
fn a_resetting_code_that_gnupg_has_set_is_the_resetting_code() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let card = card(&pcscd);
    let gnupg = GnuPg::new(&pcscd, &card);
    gnupg.set_resetting_code(ADMIN_PIN, "battery staple").accepted();
    let job = Job::new(&pcscd, CARD_ID);
    job.enroll(Authority { name: "resetting-code", secret: "battery staple" }).exits(0);
    gnupg.verify_pin(&job.pin()).accepted();
}

#[test]
fn an_admin_pin_need_not_be_ascii() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let card = card(&pcscd);
    let (opensc, gnupg) = (OpenSc::openpgp(&pcscd, &card), GnuPg::new(&pcscd, &card));
    let changed = opensc.send(&[apdu::openpgp_change_admin(ADMIN_PIN, "Schlüssel")]);
    assert_eq!(changed[0].status(), 0x9000);
    let job = Job::new(&pcscd, CARD_ID);
    job.enroll(Authority { name: "admin-pin", secret: "Schlüssel" }).exits(0);
    gnupg.verify_pin(&job.pin()).accepted();
}

#[test]
fn a_code_of_a_length_that_none_has_is_not_offered() {
    let long = "1".repeat(128);
    for name in ["admin-pin", "resetting-code"] {
        for secret in ["1234567", &long] {
            let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
            let card = card(&pcscd);
            set_resetting_code(&OpenSc::openpgp(&pcscd, &card));
            let job = Job::new(&pcscd, CARD_ID);
            let (run, exchanges) = card.watch(|| job.enroll(Authority { name, secret }));
            // Where no code can be so long it is no secret, elsewhere none of this card's.
            assert_refused(&run, 7, "untouched", "not usable");
            assert_eq!(tries(&exchanges), 0, "{exchanges:?}");
        }
    }
}

#[test]
fn a_code_with_a_character_too_many_sets_no_pin_that_passes_for_the_one_that_was_meant() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let card = card(&pcscd);
    let (opensc, gnupg) = (OpenSc::openpgp(&pcscd, &card), GnuPg::new(&pcscd, &card));
    set_resetting_code(&opensc);
    let job = Job::new(&pcscd, CARD_ID);
    // The card splits code and PIN by the length of its own code, and the rest of the wrong one begins the PIN. What it
    // then has is told by the VERIFY that follows, which is the one wrong try.
    card.declare_wrong_tries(1);
    let (run, exchanges) = card.watch(|| job.enroll(Authority { name: "resetting-code", secret: "resetting1" }));
    let state = run.exits(9).says("63C2").json()["card_state"].clone();
    assert!(state == "unknown" || state == "pin-set-not-verified", "{run}");
    assert_eq!(tries(&exchanges), 2);
    assert_eq!(gnupg.status().tries_left, [2, 3, 3]);
    gnupg.verify_pin(&format!("1{}", job.pin())).accepted();
    // The right code settles it.
    job.enroll(BY_RESETTING_CODE).exits(0);
    gnupg.verify_pin(&job.pin()).accepted();
}

#[test]
fn a_card_that_wants_derived_pins_is_offered_none() {
    for authority in [BY_ADMIN_PIN, BY_RESETTING_CODE, BY_CURRENT_PIN] {
        let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
        let card = card(&pcscd);
        let opensc = OpenSc::openpgp(&pcscd, &card);
        set_resetting_code(&opensc);
        let set = opensc.send(&[apdu::openpgp_verify_admin(ADMIN_PIN), apdu::OPENPGP_PUT_KDF.to_owned()]);
        assert!(set.iter().all(|exchange| exchange.status() == 0x9000), "{set:?}");
        let job = Job::new(&pcscd, CARD_ID);
        let (run, exchanges) = card.watch(|| job.enroll(authority));
        assert_eq!(run.json()["card_state"], "untouched", "{run}");
        run.exits(4).says("KDF");
        assert_eq!(tries(&exchanges), 0, "{exchanges:?}");
    }
}

#[test]
fn a_terminated_card_is_named_so() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let card = card(&pcscd);
    let opensc = OpenSc::openpgp(&pcscd, &card);
    let ended = opensc.send(&[apdu::openpgp_verify_admin(ADMIN_PIN), apdu::OPENPGP_TERMINATE.to_owned()]);
    assert!(ended.iter().all(|exchange| exchange.status() == 0x9000), "{ended:?}");
    let job = Job::new(&pcscd, CARD_ID);
    let run = job.installation.pinwright(&pcscd, &["--json", "inspect"]);
    run.exits(3).says("terminat");
}

#[test]
fn a_wrong_secret_costs_one_try_and_changes_nothing() {
    for authority in [BY_ADMIN_PIN, BY_RESETTING_CODE, BY_CURRENT_PIN] {
        let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
        let card = card(&pcscd);
        let (opensc, gnupg) = (OpenSc::openpgp(&pcscd, &card), GnuPg::new(&pcscd, &card));
        set_resetting_code(&opensc);
        card.declare_wrong_tries(1);
        let job = Job::new(&pcscd, CARD_ID);
        let (run, exchanges) = card.watch(|| job.enroll(Authority { secret: WRONG, ..authority }));
        assert_refused(&run, 4, "untouched-try-spent", "63C2");
        assert_eq!(tries(&exchanges), 1);
        let mut left = [3, 3, 3];
        left[counter(authority)] = 2;
        assert_eq!(gnupg.status().tries_left, left, "{}", authority.name);
        gnupg.verify_pin(PIN).accepted();
        // With another secret the job goes on: the card has answered, and nothing is in doubt.
        job.enroll(authority).exits(0);
        gnupg.verify_pin(&job.pin()).accepted();
    }
}

#[test]
fn a_secret_with_few_tries_left_is_not_risked() {
    for authority in [BY_ADMIN_PIN, BY_RESETTING_CODE, BY_CURRENT_PIN] {
        for (spent, left) in [(2, 1), (3, 0)] {
            let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
            let card = card(&pcscd);
            let (opensc, gnupg) = (OpenSc::openpgp(&pcscd, &card), GnuPg::new(&pcscd, &card));
            set_resetting_code(&opensc);
            spend_tries(&opensc, &card, authority, spent);
            let job = Job::new(&pcscd, CARD_ID);
            // The right one: it is not the card that refuses.
            let (run, exchanges) = card.watch(|| job.enroll(authority));
            match (authority.name, left) {
                // A code that is not set has 0 tries left as well: this card has no such authority.
                ("resetting-code", 0) => assert_refused(&run, 2, "untouched", "not set, or blocked"),
                _ => assert_refused(&run, 4, "untouched", "tries"),
            }
            assert_eq!(tries(&exchanges), 0, "{}, {left} left: {exchanges:?}", authority.name);
            assert_eq!(gnupg.status().tries_left[counter(authority)], left);
        }
    }
}

#[test]
fn a_resetting_code_that_is_not_set_is_not_offered() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let card = card(&pcscd);
    let job = Job::new(&pcscd, CARD_ID);
    let (run, exchanges) = card.watch(|| job.enroll(BY_RESETTING_CODE));
    assert_refused(&run, 2, "untouched", "resetting");
    assert_eq!(tries(&exchanges), 0);
}

#[test]
fn a_pin_that_does_not_fit_stops_the_job_before_a_try() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let card = card(&pcscd);
    let job = Job::with(&pcscd, CARD_ID, PinMaker::Fixed(b"12345".to_vec()));
    let (run, exchanges) = card.watch(|| job.enroll(BY_ADMIN_PIN));
    assert_refused(&run, 8, "untouched", "PIN");
    assert_eq!(tries(&exchanges), 0);
    GnuPg::new(&pcscd, &card).verify_pin(PIN).accepted();
}

#[test]
fn the_server_is_no_authority_over_the_pin() {
    for command in [&["--json", "plan"][..], &["--json", "set-pin", "--yes", "--again"]] {
        let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
        let card = card(&pcscd);
        set_resetting_code(&OpenSc::openpgp(&pcscd, &card));
        let job = Job::new(&pcscd, CARD_ID);
        job.installation.configure("", "[card]\nauthority = [\"server\", \"admin-key\"]");
        let (run, exchanges) = card.watch(|| job.installation.pinwright(&pcscd, command));
        assert_refused(&run, 2, "untouched", "an OpenPGP card has no admin key");
        run.says("admin-pin, resetting-code, current-pin");
        assert_eq!(tries(&exchanges), 0);
        assert!(exchanges.iter().all(|exchange| !exchange.is_secret()), "{exchanges:?}");
        assert!(job.installation.server.requests().is_empty(), "nor is the server asked for anything");
    }
}
