//! Whole enrollments by the command, from an empty card to a certificate, judged by OpenSSL, OpenSC, Yubico's tools, and by servers that
//! let nobody in without the card: a web server that demands client certificates, and sshd.

mod cards;
mod counts;
mod judges;
mod login;
mod site;

use support::pcscd::Pcscd;

use self::cards::{Inserted, gids, nitrokey, piv};
use self::site::{Enrolled, Keys};

/// What each card is judged by.
fn judge(pcscd: &Pcscd, card: &Inserted, enrolled: &Enrolled) {
    judges::openssl_verifies_request_and_chain(enrolled);
    judges::opensc_lists_and_signs(pcscd, enrolled);
    judges::opensc_tests_the_keys(pcscd, enrolled);
    if card.is_piv {
        judges::yubico_verifies_and_tests(pcscd, enrolled);
        judges::ykman_lists(pcscd, enrolled);
    }
    login::curl_logs_in(pcscd, card, enrolled);
    login::ssh_logs_in(pcscd, enrolled);
}

#[test]
fn a_gids_card_is_enrolled_and_logs_in() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let card = gids(&pcscd);
    let enrolled = site::enroll(&pcscd, &card, Keys::RSA_2048);
    assert_eq!(enrolled.told["certificates"][0]["slot"], "kxc00");
    judge(&pcscd, &card, &enrolled);
}

#[test]
fn our_piv_card_is_enrolled_and_logs_in() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    for keys in [Keys::RSA_2048, Keys::P256] {
        let card = piv(&pcscd);
        let enrolled = site::enroll(&pcscd, &card, keys);
        assert_eq!(enrolled.told["certificates"][0]["slot"], "9a");
        judge(&pcscd, &card, &enrolled);
        drop(card);
        pcscd.wait_for_card(0, false);
    }
}

#[test]
fn an_independent_piv_card_is_enrolled_and_logs_in() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    for keys in [Keys::RSA_2048, Keys::P256] {
        let card = nitrokey(&pcscd);
        let enrolled = site::enroll(&pcscd, &card, keys);
        assert_eq!(enrolled.told["certificates"][0]["slot"], "9a");
        judge(&pcscd, &card, &enrolled);
        drop(card);
        pcscd.wait_for_card(0, false);
    }
}
