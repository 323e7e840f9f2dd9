//! PUK, management key and PW3 changed by the library, judged by yubico-piv-tool and GnuPG. No command of pinwright's changes
//! them yet.
//!
//! The library finds pcscd by an environment variable of its process, so that its part runs in one of its own: this program
//! again, with nothing but [`the_library`].

use std::time::Duration;

use pinwright::apdu::Channel;
use pinwright::card::family::{Families, detect};
use pinwright::card::{Card, CardError, Family, Proof};
use pinwright::reader::pcsc::PcscReaders;
use pinwright::reader::{Atr, EndAction, Readers};
use pinwright::secret::{AdminKey, Code};
use support::pcscd::Pcscd;
use support::vcard::{Exchange, Vcard};

use super::gnupg::GnuPg;
use super::judge::Verdict;
use super::opensc::OpenSc;
use super::yubico::Yubico;
use super::{ADMIN_PIN, GUID, PIN, PUK, SERIAL, VENDOR, apdu};

const TASK: &str = "PINWRIGHT_TEST_TASK";

/// What the card is born with, and what it is given.
const FACTORY_KEY: &str = "010203040506070801020304050607080102030405060708";
const NEW_KEY: &str = "981540F87A2907F81CFBA16E2AC42AC7E397D3584AD56408";
const AES_256_KEY: &str = "603DEB1015CA71BE2B73AEF0857D77811F352C073B6108D72D9810A30914DFF4";

const NEW_PUK: &str = "86420975";
const NEW_ADMIN_PIN: &str = "correct horse";
const WRONG: &str = "99999999";

const GENERAL_AUTHENTICATE: u8 = 0x87;
const SET_MANAGEMENT_KEY: u8 = 0xFF;

/// Has the library do something to the card, and gives its verdict with what the card was sent.
pub fn library(pcscd: &Pcscd, card: &Vcard, task: &[&str]) -> (Verdict, Vec<Exchange>) {
    let program = std::env::current_exe().unwrap();
    let mut command = super::judge::command(pcscd, program.to_str().unwrap());
    command.args(["--exact", "keys::the_library", "--ignored", "--nocapture"]);
    command.env(TASK, [&[pcscd.readers()[card.reader()].name.as_str()], task].concat().join("\n"));
    let (verdict, exchanges) = card.watch(|| super::judge::run(&mut command));
    assert!(verdict.text.contains("running 1 test"), "the library had its part: {}", verdict.text);
    assert!(card.was_reset(), "nothing stays authenticated");
    (verdict, exchanges)
}

#[test]
#[ignore = "helper process of the tests below"]
fn the_library() {
    let Ok(task) = std::env::var(TASK) else { return };
    let task: Vec<&str> = task.split('\n').collect();
    let mut connection = PcscReaders::new(Duration::from_secs(10)).open(task[0]).unwrap();
    let result = carry_out(&mut Channel::new(connection.as_mut()), &task[1..]);
    connection.end(EndAction::Reset).unwrap();
    if let Err(error) = result {
        panic!("{error}");
    }
}

/// By the capabilities that the card hands out, as a job does it.
fn carry_out(channel: &mut Channel<'_>, task: &[&str]) -> Result<(), CardError> {
    let code = |text: &str| Code::new(text.as_bytes()).unwrap();
    let key = |digits: &str| AdminKey::from_hex(digits.as_bytes()).unwrap();
    let (family, replaced) = match *task {
        ["change the PUK", ..] => (Family::Piv, Proof::Puk),
        ["change PW3", ..] => (Family::OpenPgp, Proof::AdminPin),
        _ => (Family::Piv, Proof::AdminAnswer),
    };
    let mut card = select(channel, family)?;
    match *task {
        ["change the PUK" | "change PW3", old, new] => {
            let change = card.code_change().unwrap();
            assert_eq!(change.code(), replaced);
            change.change_code(channel, &code(old), &code(new))
        }
        ["authenticate", digits] => card.admin_key_change().unwrap().prove_admin_key(channel, &key(digits)),
        ["change the management key", old, algorithm, new] => {
            let change = card.admin_key_change().unwrap();
            change.prove_admin_key(channel, &key(old))?;
            let algorithm = change.key_algorithms().iter().find(|known| known.name() == algorithm).unwrap();
            change.write_admin_key(channel, *algorithm, &key(new))?;
            // It takes the new one at once, and the library knows of which algorithm that is.
            change.prove_admin_key(channel, &key(new))
        }
        ["make a key pair", ..] | ["write a certificate", ..] => {
            card.admin_key_change().unwrap().prove_admin_key(channel, &key(FACTORY_KEY))?;
            super::certificates::carry_out(card.as_mut(), channel, task)
        }
        _ => panic!("no such task: {task:?}"),
    }
}

fn select(channel: &mut Channel<'_>, family: Family) -> Result<Box<dyn Card>, CardError> {
    let families = Families { prefer: vec![family.name().to_owned()], ..Families::default() };
    let mut card = detect(&Atr::new(&[0x3B, 0x00]), channel, &families).unwrap();
    assert_eq!(card.family(), family);
    card.identify(channel)?;
    Ok(card)
}

fn piv(pcscd: &Pcscd) -> Vcard {
    Vcard::piv(pcscd, 0, &["--guid", GUID, "--lenient"])
}

fn tries(exchanges: &[Exchange]) -> usize {
    exchanges.iter().filter(|exchange| exchange.is_try()).count()
}

/// Instruction, P1 and status of what is about the management key.
fn about_the_key(exchanges: &[Exchange]) -> Vec<(u8, u8, u16)> {
    let about = |exchange: &&Exchange| matches!(exchange.command[1], GENERAL_AUTHENTICATE | SET_MANAGEMENT_KEY);
    exchanges.iter().filter(about).map(|it| (it.command[1], it.command[2], it.status())).collect()
}

#[test]
fn yubico_unblocks_with_the_puk_that_was_set() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let card = piv(&pcscd);
    let (verdict, exchanges) = library(&pcscd, &card, &["change the PUK", PUK, NEW_PUK]);
    verdict.accepted();
    assert_eq!(tries(&exchanges), 1);

    let yubico = Yubico::new(&pcscd, &card);
    let (verdict, exchanges) = card.watch(|| yubico.unblock_pin(NEW_PUK, "24681357"));
    verdict.accepted();
    // The new PUK and nothing else: the old one was not tried on the way.
    let unblock = hex::decode(apdu::piv_unblock(NEW_PUK, "24681357")).unwrap();
    let offered: Vec<_> = exchanges.iter().filter(|exchange| exchange.is_try()).map(|it| it.without_le()).collect();
    assert_eq!(offered, [&unblock[..]]);
    yubico.verify_pin("24681357").accepted();
    OpenSc::piv(&pcscd, &card).unblock_pin(NEW_PUK, PIN).accepted();
}

#[test]
fn yubico_authenticates_with_the_management_key_that_was_set() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let card = piv(&pcscd);
    let yubico = Yubico::new(&pcscd, &card);
    yubico.set_chuid_with(NEW_KEY).refused();
    let (verdict, exchanges) =
        library(&pcscd, &card, &["change the management key", FACTORY_KEY, "Triple DES", NEW_KEY]);
    verdict.accepted();
    let authenticated = [(GENERAL_AUTHENTICATE, 0x03, 0x9000), (GENERAL_AUTHENTICATE, 0x03, 0x9000)];
    let set = [(SET_MANAGEMENT_KEY, 0xFF, 0x9000)];
    assert_eq!(about_the_key(&exchanges), [&authenticated[..], &set, &authenticated].concat());
    assert_eq!(tries(&exchanges), 0, "neither PIN nor PUK");
    yubico.set_chuid_with(NEW_KEY).accepted();
    yubico.set_chuid().refused();
    // The PIN has nothing to do with it.
    yubico.verify_pin(PIN).accepted();
}

#[test]
fn an_aes_key_that_was_set_answers_a_fresh_challenge() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let card = piv(&pcscd);
    let change = ["change the management key", FACTORY_KEY, "AES-256", AES_256_KEY];
    library(&pcscd, &card, &change).0.accepted();
    let (verdict, exchanges) = library(&pcscd, &card, &["authenticate", AES_256_KEY]);
    verdict.accepted();
    // This card has no metadata: it is asked by one algorithm after the other, and refuses those that are not its key's.
    let asked = about_the_key(&exchanges);
    assert_eq!(asked.last(), Some(&(GENERAL_AUTHENTICATE, 0x0C, 0x9000)), "{asked:X?}");
    assert_eq!(asked.iter().filter(|(_, _, status)| *status == 0x9000).count(), 2, "{asked:X?}");
    // Another key of that algorithm is refused by the card.
    let (verdict, exchanges) = library(&pcscd, &card, &["authenticate", &AES_256_KEY.replace('6', "7")]);
    verdict.refused();
    assert!(about_the_key(&exchanges).last().is_some_and(|(_, _, status)| *status != 0x9000), "{exchanges:?}");
    Yubico::new(&pcscd, &card).set_chuid().refused();
}

#[test]
fn gnupg_resets_a_pin_with_the_admin_pin_that_was_set() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let card = Vcard::openpgp(&pcscd, 0, &["--vendor", VENDOR, "--serial", SERIAL]);
    let (verdict, exchanges) = library(&pcscd, &card, &["change PW3", ADMIN_PIN, NEW_ADMIN_PIN]);
    verdict.accepted();
    // By itself first, and then with the new one.
    assert_eq!(tries(&exchanges), 2);

    let gnupg = GnuPg::new(&pcscd, &card);
    assert_eq!(gnupg.status().tries_left, [3, 0, 3]);
    gnupg.reset_pin_as_admin(NEW_ADMIN_PIN, "24681357").accepted();
    gnupg.verify_pin("24681357").accepted();
    assert_eq!(gnupg.status().tries_left, [3, 0, 3]);
}

#[test]
fn a_wrong_puk_and_a_wrong_management_key_change_nothing() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let card = piv(&pcscd);
    card.declare_wrong_tries(1);
    let (verdict, exchanges) = library(&pcscd, &card, &["change the PUK", WRONG, NEW_PUK]);
    let told = verdict.refused();
    assert!(told.contains("CHANGE REFERENCE DATA") && told.contains("6300"), "{told}");
    assert_eq!(tries(&exchanges), 1);
    let change = ["change the management key", NEW_KEY, "Triple DES", FACTORY_KEY];
    let (verdict, exchanges) = library(&pcscd, &card, &change);
    let told = verdict.refused();
    assert!(told.contains("GENERAL AUTHENTICATE (answer)"), "{told}");
    assert!(exchanges.iter().all(|exchange| exchange.command[1] != SET_MANAGEMENT_KEY), "{exchanges:?}");
    let yubico = Yubico::new(&pcscd, &card);
    yubico.set_chuid().accepted();
    yubico.unblock_pin(PUK, "24681357").accepted();
}

#[test]
fn a_wrong_admin_pin_changes_nothing_even_where_it_is_the_beginning_of_the_right_one() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let card = Vcard::openpgp(&pcscd, 0, &["--vendor", VENDOR, "--serial", SERIAL]);
    library(&pcscd, &card, &["change PW3", ADMIN_PIN, NEW_ADMIN_PIN]).0.accepted();
    card.declare_wrong_tries(1);
    // The card splits old and new by the length of its own: with the rest before the new one, the beginning would pass.
    let (begin, rest) = NEW_ADMIN_PIN.split_at(8);
    let (verdict, exchanges) = library(&pcscd, &card, &["change PW3", begin, &format!("{rest}{ADMIN_PIN}")]);
    let told = verdict.refused();
    assert!(told.contains("VERIFY (PW3)") && told.contains("63C2"), "{told}");
    assert_eq!(tries(&exchanges), 1);
    let gnupg = GnuPg::new(&pcscd, &card);
    assert_eq!(gnupg.status().tries_left, [3, 0, 2]);
    gnupg.reset_pin_as_admin(NEW_ADMIN_PIN, "24681357").accepted();
    gnupg.verify_pin("24681357").accepted();
}
