//! Commands on the wire for the same end, a new PIN that the card has verified: pinwright against the judges, by the card's own log.
//! `make bench` prints the table.

use support::pcscd::Pcscd;
use support::vcard::Vcard;

use super::gnupg::GnuPg;
use super::job::{Authority, Job};
use super::opensc::OpenSc;
use super::ykman::Ykman;
use super::yubico::Yubico;
use super::{ADMIN_PIN, GUID, PIN, PUK, SERIAL, VENDOR};

const NEW: &str = "24681357";

/// How many commands the card was sent, on a card as from the factory.
fn count(make: impl Fn(&Pcscd) -> Vcard, act: impl Fn(&Pcscd, &Vcard)) -> Option<usize> {
    let pcscd = Pcscd::start_or_skip(2)?;
    let card = make(&pcscd);
    let ((), exchanges) = card.watch(|| act(&pcscd, &card));
    Some(exchanges.len())
}

fn ours(card_id: &'static str, name: &'static str, secret: &'static str) -> impl Fn(&Pcscd, &Vcard) {
    move |pcscd, _| {
        Job::new(pcscd, card_id).enroll(Authority { name, secret }).exits(0);
    }
}

/// The same by ykman, where there is one.
fn ykman(make: impl Fn(&Pcscd) -> Vcard, act: impl Fn(&Ykman<'_>)) -> Option<usize> {
    if !Ykman::is_installed() {
        return None;
    }
    count(make, |pcscd, card| act(&Ykman::new(pcscd, card)))
}

/// Prints a line of the table; ours are never more.
fn compare(what: &str, ours: Option<usize>, theirs: &[(&str, Option<usize>)]) {
    let Some(ours) = ours else { return };
    let others: Vec<String> = theirs.iter().filter_map(|(name, count)| Some(format!("{name} {}", (*count)?))).collect();
    println!("{what}: pinwright {ours}, {}", others.join(", "));
    assert!(theirs.iter().filter_map(|(_, count)| *count).all(|theirs| ours <= theirs), "{what}: {ours}, {others:?}");
}

#[test]
fn a_piv_card_is_sent_no_more_than_by_others() {
    let piv = |pcscd: &Pcscd| Vcard::piv(pcscd, 0, &["--guid", GUID, "--lenient"]);
    let id = super::piv::CARD_ID;
    compare(
        "PIV, PIN by PUK",
        count(piv, ours(id, "puk", PUK)),
        &[
            (
                "yubico-piv-tool",
                count(piv, |pcscd, card| {
                    let yubico = Yubico::new(pcscd, card);
                    yubico.unblock_pin(PUK, NEW).accepted();
                    yubico.verify_pin(NEW).accepted();
                }),
            ),
            (
                "OpenSC",
                count(piv, |pcscd, card| {
                    let opensc = OpenSc::piv(pcscd, card);
                    opensc.unblock_pin(PUK, NEW).accepted();
                    opensc.verify_pin(NEW).accepted();
                }),
            ),
            ("ykman (PIN not verified)", ykman(piv, |ykman| drop(ykman.unblock_pin(PUK, NEW).accepted()))),
        ],
    );
    compare(
        "PIV, PIN by the current one",
        count(piv, ours(id, "current-pin", PIN)),
        &[
            (
                "yubico-piv-tool",
                count(piv, |pcscd, card| {
                    let yubico = Yubico::new(pcscd, card);
                    yubico.change_pin(PIN, NEW).accepted();
                    yubico.verify_pin(NEW).accepted();
                }),
            ),
            (
                "OpenSC",
                count(piv, |pcscd, card| {
                    let opensc = OpenSc::piv(pcscd, card);
                    opensc.change_pin(PIN, NEW).accepted();
                    opensc.verify_pin(NEW).accepted();
                }),
            ),
            ("ykman (PIN not verified)", ykman(piv, |ykman| drop(ykman.change_pin(PIN, NEW).accepted()))),
        ],
    );
}

#[test]
fn an_openpgp_card_is_sent_no_more_than_by_others() {
    let openpgp = |pcscd: &Pcscd| Vcard::openpgp(pcscd, 0, &["--serial", SERIAL, "--vendor", VENDOR]);
    let id = super::openpgp::CARD_ID;
    compare(
        "OpenPGP, PIN by the admin PIN",
        count(openpgp, ours(id, "admin-pin", ADMIN_PIN)),
        &[(
            "GnuPG",
            count(openpgp, |pcscd, card| {
                let gnupg = GnuPg::new(pcscd, card);
                gnupg.reset_pin_as_admin(ADMIN_PIN, NEW).accepted();
                gnupg.verify_pin(NEW).accepted();
            }),
        )],
    );
    compare(
        "OpenPGP, PIN by the current one",
        count(openpgp, ours(id, "current-pin", PIN)),
        &[
            (
                "GnuPG",
                count(openpgp, |pcscd, card| {
                    let gnupg = GnuPg::new(pcscd, card);
                    gnupg.change_pin(PIN, NEW).accepted();
                    gnupg.verify_pin(NEW).accepted();
                }),
            ),
            (
                "OpenSC",
                count(openpgp, |pcscd, card| {
                    let opensc = OpenSc::openpgp(pcscd, card);
                    opensc.change_pin(PIN, NEW).accepted();
                    opensc.verify_pin(NEW).accepted();
                }),
            ),
        ],
    );
}
