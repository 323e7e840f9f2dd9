//! The harness itself: does it see what it claims to see?

use std::panic::{AssertUnwindSafe, catch_unwind};

use support::pcscd::Pcscd;
use support::vcard::{Exchange, Vcard};

use super::apdu;
use super::opensc::OpenSc;

/// Drops the card as the end of a test does, and gives what it complained of.
fn complaint(card: Vcard) -> Option<String> {
    let panic = catch_unwind(AssertUnwindSafe(|| drop(card))).err()?;
    Some(panic.downcast_ref::<String>().expect("a panic with words").clone())
}

#[test]
fn a_wrong_try_that_was_not_declared_fails_the_test() {
    let Some(pcscd) = Pcscd::start_or_skip(4) else { return };
    let piv = Vcard::piv(&pcscd, 0, &[]);
    OpenSc::piv(&pcscd, &piv).send(&[apdu::piv_verify("999999")]);
    let complaint = complaint(piv).expect("a complaint");
    assert!(complaint.contains("0 wrong tries were declared, and 1 were made"), "{complaint}");
    assert!(complaint.contains("0020008008393939393939FFFF"), "{complaint}");

    let openpgp = Vcard::openpgp(&pcscd, 1, &[]);
    OpenSc::openpgp(&pcscd, &openpgp).send(&[apdu::openpgp_change("999999", "654321")]);
    assert!(self::complaint(openpgp).is_some());
}

#[test]
fn a_wrong_try_that_was_declared_and_not_made_fails_the_test_too() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let card = Vcard::piv(&pcscd, 0, &[]);
    card.declare_wrong_tries(1);
    OpenSc::piv(&pcscd, &card).send(&[apdu::piv_verify(super::PIN), apdu::PIV_STATUS.to_owned()]);
    let complaint = complaint(card).expect("a complaint");
    assert!(complaint.contains("1 wrong tries were declared, and 0 were made"), "{complaint}");
}

#[test]
fn only_commands_with_a_secret_to_compare_are_tries() {
    let exchange = |command: &str, status: &str| Exchange {
        command: hex::decode(command).unwrap(),
        response: hex::decode(status).unwrap(),
    };
    for refused in [
        exchange(&apdu::piv_verify("999999"), "63C2"),
        exchange(&apdu::piv_verify("999999"), "6983"),
        exchange(&apdu::openpgp_change("999999", "654321"), "6300"),
        exchange(&apdu::piv_unblock("99999999", "654321"), "63C0"),
    ] {
        assert!(refused.is_refused_try(), "{refused:?}");
    }
    for harmless in [
        exchange(apdu::PIV_STATUS, "63C2"),
        // As ykman asks, with an extended Le.
        exchange("00200080000000", "63C2"),
        exchange("0020FF80", "9000"),
        exchange("002C028106363534333231", "6982"),
        exchange(&apdu::piv_verify("123456"), "9000"),
        exchange("00A4040006D2760001240100", "9000"),
    ] {
        assert!(!harmless.is_refused_try(), "{harmless:?}");
    }
}

#[test]
fn a_card_forgets_at_a_reset_what_was_verified() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let card = Vcard::piv(&pcscd, 0, &[]);
    let opensc = OpenSc::piv(&pcscd, &card);
    let verified = opensc.send(&[apdu::piv_verify(super::PIN), apdu::PIV_STATUS.to_owned()]);
    assert_eq!(verified.iter().map(Exchange::status).collect::<Vec<_>>(), [0x9000, 0x9000]);
    opensc.run("opensc-tool", &["--reset"]).accepted();
    assert_eq!(opensc.send(&[apdu::PIV_STATUS.to_owned()])[0].status(), 0x63C3);
}

#[test]
fn the_tests_that_the_book_names_exist() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/src/judges.md")).unwrap();
    let named = page.split('`').skip(1).step_by(2).filter_map(|word| word.split_once("::"));
    let mut count = 0;
    for (module, test) in named {
        // With a folder before it, a test of another suite.
        let module = if module.contains('/') { module.to_owned() } else { format!("interop/{module}") };
        let source = std::fs::read_to_string(root.join(format!("tests/{module}.rs"))).unwrap_or_default();
        assert!(source.contains(&format!("#[test]\nfn {test}()")), "{module}::{test} is not there");
        count += 1;
    }
    assert!(count > 50, "only {count} tests are named: has the table changed its form?");
}
