//! `plan`, judged by the card: what it has announced is what `set-pin` then sends.

use support::pcscd::Pcscd;
use support::vcard::{Exchange, Vcard};

use super::job::{Authority, Job};
use super::opensc::OpenSc;
use super::{ADMIN_PIN, GUID, PIN, PUK, SERIAL, VENDOR, apdu, openpgp, piv};

const RESETTING_CODE: &str = "resetting";

/// What can be known of a command beforehand: all of it, or its header where a secret follows.
fn announced(frame: &str, secret: bool) -> String {
    if secret { frame[..8].to_owned() } else { frame.to_owned() }
}

/// Plans and enrolls, and compares.
fn plan_then_enroll(card: &Vcard, job: &Job<'_>, authority: Authority<'_>) {
    let (run, while_planning) = card.watch(|| job.run(authority, &["--json", "plan", "--again"]));
    let plan = run.exits(0).json();
    assert_eq!(plan["outcome"], "possible", "{run}");
    assert_eq!(plan["authority"], authority.name);
    assert!(!while_planning.iter().any(Exchange::is_try), "{while_planning:?}");
    let steps = plan["steps"].as_array().unwrap().iter().filter(|step| step["kind"] == "apdu");
    let planned: Vec<(String, bool)> = steps
        .map(|step| (step["frame"].as_str().unwrap().to_owned(), step["secret"].as_bool().unwrap()))
        .map(|(frame, secret)| (announced(&frame, secret), secret))
        .collect();

    let (run, exchanges) = card.watch(|| job.enroll(authority));
    run.exits(0);
    let sent: Vec<(String, bool)> = exchanges
        .iter()
        .map(|exchange| (hex::encode_upper(&exchange.command), exchange.is_secret()))
        .map(|(frame, secret)| (announced(&frame, secret), secret))
        .collect();
    assert_eq!(planned, sent, "{}: planned, sent", authority.name);
}

#[test]
fn a_piv_card_is_sent_what_was_planned() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let card = Vcard::piv(&pcscd, 0, &["--guid", GUID]);
    let job = Job::new(&pcscd, piv::CARD_ID);
    plan_then_enroll(&card, &job, Authority { name: "current-pin", secret: PIN });
    plan_then_enroll(&card, &job, Authority { name: "puk", secret: PUK });
}

#[test]
fn an_openpgp_card_is_sent_what_was_planned() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let card = Vcard::openpgp(&pcscd, 0, &["--vendor", VENDOR, "--serial", SERIAL]);
    let set = [apdu::openpgp_verify_admin(ADMIN_PIN), apdu::openpgp_put_resetting_code(RESETTING_CODE)];
    OpenSc::openpgp(&pcscd, &card).send(&set);
    let job = Job::new(&pcscd, openpgp::CARD_ID);
    plan_then_enroll(&card, &job, Authority { name: "current-pin", secret: PIN });
    plan_then_enroll(&card, &job, Authority { name: "admin-pin", secret: ADMIN_PIN });
    plan_then_enroll(&card, &job, Authority { name: "resetting-code", secret: RESETTING_CODE });
}
