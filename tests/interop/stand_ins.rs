//! pinwright's own virtual cards (`src/sim`), on which faults are tried, beside the independent ones: both are sent the same
//! commands, and must accept, refuse and count alike. Which word a refusal has is left to each card, as the standards leave it.
//!
//! Not asked: RESET RETRY COUNTER with a new PIV PIN that is none (letters). SP 800-73-4 wants it refused, and so does ours; the
//! independent card sets it.

use pinwright::sim::card::VirtualCard;
use pinwright::sim::openpgp::{OpenPgpCard, OpenPgpSettings};
use pinwright::sim::piv::{PivCard, PivSettings};
use support::pcscd::Pcscd;
use support::vcard::{Exchange, Vcard};

use super::opensc::OpenSc;
use super::{ADMIN_PIN, GUID, PIN, PUK, SERIAL, VENDOR, apdu};

const OTHER: &str = "24681357";
const WRONG: &str = "99999999";

/// What a card's answer says to whoever asked.
#[derive(Debug, PartialEq, Eq)]
enum Meaning {
    Accepted,
    /// With the tries left, where the card tells.
    Refused(Option<u16>),
}

fn meaning(exchange: &Exchange) -> Meaning {
    match exchange.status() {
        0x9000 => Meaning::Accepted,
        word @ 0x63C0..=0x63CF => Meaning::Refused(Some(word & 0x000F)),
        0x6983 => Meaning::Refused(Some(0)),
        _ => Meaning::Refused(None),
    }
}

/// A counter that only one of them tells is told by the VERIFY without data that follows.
fn alike(a: &Meaning, b: &Meaning) -> bool {
    matches!((a, b), (Meaning::Refused(_), Meaning::Refused(None)) | (Meaning::Refused(None), Meaning::Refused(_)))
        || a == b
}

fn compare(opensc: &OpenSc<'_>, card: &Vcard, mut ours: impl VirtualCard, select: &str, commands: &[String]) {
    let theirs = opensc.send(commands);
    card.declare_wrong_tries(theirs.iter().filter(|exchange| exchange.is_refused_try()).count());
    let mut send = |command: &str| {
        let command = hex::decode(command).unwrap();
        let response = ours.transmit(&command).unwrap();
        Exchange { command, response }
    };
    assert_eq!(send(select).status(), 0x9000);
    for (number, (command, theirs)) in commands.iter().zip(&theirs).enumerate() {
        let ours = send(command);
        assert!(
            alike(&meaning(&ours), &meaning(theirs)),
            "command {number}, {command}: theirs {:04X}, ours {:04X}",
            theirs.status(),
            ours.status()
        );
    }
}

/// Each command with the counter after it.
fn each_counted(status: &[&str], commands: Vec<String>) -> Vec<String> {
    let counted = |command: String| std::iter::once(command).chain(status.iter().map(|&status| status.to_owned()));
    commands.into_iter().flat_map(counted).collect()
}

#[test]
fn the_piv_card_accepts_refuses_and_counts_as_the_independent_one() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let card = Vcard::piv(&pcscd, 0, &["--guid", GUID]);
    let ours = PivCard::new(PivSettings::default());
    let commands = each_counted(
        &[apdu::PIV_STATUS],
        vec![
            apdu::piv_verify(WRONG),
            apdu::piv_verify(PIN),
            apdu::PIV_LOG_OUT.to_owned(),
            apdu::piv_verify("12345"),
            apdu::piv_change(WRONG, OTHER),
            apdu::PIV_LOG_OUT.to_owned(),
            apdu::piv_change(PIN, "12ab5678"),
            apdu::piv_change(PIN, OTHER),
            apdu::PIV_LOG_OUT.to_owned(),
            apdu::piv_unblock(WRONG, PIN),
            apdu::piv_verify(OTHER),
            apdu::PIV_LOG_OUT.to_owned(),
            apdu::piv_verify(WRONG),
            apdu::piv_verify(WRONG),
            apdu::piv_verify(WRONG),
            apdu::piv_verify(OTHER),
            apdu::piv_change(OTHER, PIN),
            apdu::piv_unblock(PUK, PIN),
            apdu::piv_verify(PIN),
            apdu::PIV_LOG_OUT.to_owned(),
            apdu::piv_unblock(WRONG, OTHER),
            apdu::piv_unblock(WRONG, OTHER),
            apdu::piv_unblock(WRONG, OTHER),
            apdu::piv_unblock(PUK, OTHER),
            apdu::piv_verify(PIN),
        ],
    );
    compare(&OpenSc::piv(&pcscd, &card), &card, ours, apdu::PIV_SELECT, &commands);
}

#[test]
fn the_openpgp_card_accepts_refuses_and_counts_as_the_independent_one() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let card = Vcard::openpgp(&pcscd, 0, &["--vendor", VENDOR, "--serial", SERIAL]);
    let code = "resetting";
    let opensc = OpenSc::openpgp(&pcscd, &card);
    opensc.send(&[apdu::openpgp_verify_admin(ADMIN_PIN), apdu::openpgp_put_resetting_code(code)]);
    let settings = OpenPgpSettings { resetting_code: Some(code.as_bytes().to_vec()), ..OpenPgpSettings::default() };
    let ours = OpenPgpCard::new(settings);
    let commands = each_counted(
        &[apdu::OPENPGP_STATUS, apdu::OPENPGP_ADMIN_STATUS],
        vec![
            apdu::openpgp_verify(WRONG),
            apdu::openpgp_verify(PIN),
            apdu::OPENPGP_LOG_OUT.to_owned(),
            apdu::openpgp_change(WRONG, OTHER),
            apdu::openpgp_change(PIN, OTHER),
            apdu::OPENPGP_LOG_OUT.to_owned(),
            apdu::openpgp_reset_as_admin(PIN),
            apdu::openpgp_verify_admin(WRONG),
            apdu::openpgp_verify_admin(ADMIN_PIN),
            apdu::openpgp_reset_as_admin("12345"),
            apdu::openpgp_reset_as_admin(PIN),
            apdu::OPENPGP_ADMIN_LOG_OUT.to_owned(),
            apdu::openpgp_verify(PIN),
            apdu::OPENPGP_LOG_OUT.to_owned(),
            apdu::openpgp_unblock("wrong one", OTHER),
            apdu::openpgp_unblock(code, OTHER),
            apdu::openpgp_unblock("resetting1", PIN),
            apdu::openpgp_verify(&format!("1{PIN}")),
            apdu::OPENPGP_LOG_OUT.to_owned(),
            apdu::openpgp_verify(WRONG),
            apdu::openpgp_verify(WRONG),
            apdu::openpgp_verify(WRONG),
            apdu::openpgp_verify(&format!("1{PIN}")),
            apdu::openpgp_unblock(code, PIN),
            apdu::openpgp_verify(PIN),
            apdu::OPENPGP_LOG_OUT.to_owned(),
            apdu::openpgp_unblock("wrong one", OTHER),
            apdu::openpgp_unblock("wrong one", OTHER),
            apdu::openpgp_unblock("wrong one", OTHER),
            apdu::openpgp_unblock(code, OTHER),
            apdu::openpgp_verify_admin(WRONG),
            apdu::openpgp_verify_admin(WRONG),
            apdu::openpgp_verify_admin(WRONG),
            apdu::openpgp_verify_admin(ADMIN_PIN),
            apdu::openpgp_verify(PIN),
        ],
    );
    compare(&opensc, &card, ours, apdu::OPENPGP_SELECT, &commands);
}
