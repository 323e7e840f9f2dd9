//! The virtual cards against recorded sessions of measured ones, and against what a card owes its
//! holder: counters that reach zero, challenges that serve once, a way back from a blocked PIN.
#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::path::Path;

use cipher::{BlockCipherEncrypt, KeyInit};
use pinwright::reader::fixture::{Exchange, Fixture, Pattern};
use pinwright::sim::card::SharedCard;
use pinwright::sim::card::VirtualCard;
use pinwright::sim::fault::{Fault, Faulty};
use pinwright::sim::gids::{GidsCard, GidsSettings};
use pinwright::sim::iso7816::{Iso7816Card, Iso7816Settings};
use pinwright::sim::random::Randomness;
use support::repository::recordings;

const SELECT: &str = "00A4040C09A00000039742544659";
const REPLAYED_AT_LEAST: usize = 12;

/// Sends a command in hexadecimal, gives the answer likewise.
fn send(card: &mut impl VirtualCard, command: &str) -> String {
    hex::encode_upper(card.transmit(&hex::decode(command).unwrap()).unwrap())
}

fn settings(fixture: &Fixture) -> GidsSettings {
    let mut settings = GidsSettings {
        random: Randomness::script(&hex::decode(fixture.header("random").unwrap_or("")).unwrap()),
        ..GidsSettings::default()
    };
    if let Some(atr) = fixture.header("atr") {
        settings.atr = hex::decode(atr).unwrap();
    }
    if let Some(pin) = fixture.header("sim-pin") {
        settings.pin = pin.as_bytes().to_vec();
    }
    settings.pin_left = fixture.header("sim-tries-left").map(|n| n.parse().unwrap());
    settings
}

fn card_for(kind: &str, fixture: &Fixture) -> GidsCard {
    let mut settings = settings(fixture);
    match kind {
        "gids personalised" => GidsCard::personalised(settings),
        "gids blocked" => {
            settings.pin_left = Some(0);
            GidsCard::personalised(settings)
        }
        "gids blank" => GidsCard::blank_with(settings),
        other => panic!("no virtual card for 'sim: {other}'"),
    }
}

fn expected(exchange: &Exchange, differs: Option<(&str, &str)>) -> Pattern {
    match differs {
        Some((recorded, right)) if exchange.response.to_string() == recorded => right.parse().unwrap(),
        _ => exchange.response.clone(),
    }
}

fn replay(path: &Path, exchange: &Exchange, expected: &Pattern, card: &mut GidsCard) {
    let place = || format!("{}:{}", path.display(), exchange.line);
    let command = exchange.command.bytes();
    let command = command.unwrap_or_else(|| panic!("{}: a masked command", place()));
    let got = card.transmit(&command).unwrap();
    assert!(
        expected.matches(&got),
        "{}\n  command  {}\n  expected {expected}\n  got      {}",
        place(),
        exchange.command,
        Pattern::exact(&got)
    );
}

#[test]
fn the_virtual_card_answers_as_the_measured_one() {
    let mut replayed = 0;
    for (path, fixture) in recordings() {
        let Some(kind) = fixture.header("sim") else {
            continue;
        };
        let differs = fixture.header("sim-differs").map(|text| text.split_once('=').unwrap());
        let mut card = card_for(kind, &fixture);
        if fixture.header("sim-selected") == Some("yes") {
            send(&mut card, SELECT);
        }
        for exchange in &fixture.exchanges {
            replay(&path, exchange, &expected(exchange, differs), &mut card);
        }
        replayed += 1;
    }
    assert!(replayed >= REPLAYED_AT_LEAST, "only {replayed} replayed");
}

/// The session with the long files needs an enrolled card. Its data objects are taken from the
/// recording itself and put on the card, so that cutting into pieces is what is compared. The public
/// key is left out: no key pair was made.
#[test]
fn long_files_come_in_the_measured_pieces() {
    let (path, fixture) = recordings().into_iter().find(|(path, _)| path.ends_with("gids/read-files-ok.apdu")).unwrap();
    let mut card = GidsCard::personalised(GidsSettings::default());
    let mut whole: Vec<(u16, u16, Vec<u8>)> = Vec::new();
    for exchange in &fixture.exchanges {
        let command = exchange.command.bytes().unwrap();
        let mut answer = exchange.response.bytes().unwrap();
        answer.truncate(answer.len() - 2);
        match command[..] {
            [0, 0xCB, a, b, 4, 0x5C, 2, c, d, _] => {
                whole.push((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]), answer));
            }
            [0, 0xC0, ..] => whole.last_mut().unwrap().2.extend(answer),
            _ => whole.push((0, 0, answer)),
        }
    }
    for (file, tag, element) in whole.iter().filter(|(file, ..)| *file != 0) {
        let head = match element[2] {
            0x82 => 5,
            0x81 => 4,
            _ => 3,
        };
        assert!(card.preset_object(*file, *tag, &element[head..]));
    }
    let mut foreign = false;
    let mut compared = 0;
    for exchange in &fixture.exchanges {
        let command = exchange.command.to_string();
        foreign = command.ends_with("7F498000") || (foreign && command.starts_with("00C0"));
        if !foreign {
            replay(&path, exchange, &exchange.response, &mut card);
            compared += 1;
        }
    }
    assert!(compared >= 15, "only {compared} compared");
}

/// Whether an answer has the form of the recorded one, where a key pair has its part in it that can't be the same: as long, with the
/// same status word, and a public key in the same template.
fn is_alike(expected: &[u8], got: &[u8]) -> bool {
    let template = if expected.starts_with(&[0x7F, 0x49]) { 9 } else { 0 };
    let end = |answer: &[u8]| answer[answer.len() - 2..].to_vec();
    expected.len() == got.len() && end(expected) == end(got) && expected[..template] == got[..template]
}

/// Plays recorded sessions one after the other on one card, which is reset between two of them where the recorded one was.
fn play_on(card: &mut GidsCard, names: &[&str]) -> usize {
    let mut alike = 0;
    for name in names {
        let (path, fixture) =
            recordings().into_iter().find(|(path, _)| path.ends_with(format!("gids/{name}"))).unwrap();
        // OpenSC's first SELECT is refused in another way where nothing is selected.
        if fixture.exchanges[0].response.to_string() != "6A82" {
            card.power_off();
            card.reset();
        }
        let mut of_key = false;
        for exchange in &fixture.exchanges {
            let command = exchange.command.bytes().unwrap();
            of_key = match command[..] {
                [0x00, 0x47 | 0x2A, ..] | [0x00, 0xCB, 0x3F, 0xFF, 0x0A, 0x70, ..] => true,
                [0x00, 0xC0, ..] => of_key,
                _ => false,
            };
            let expected = expected(exchange, Some(("6999", "6A82")));
            if !of_key {
                replay(&path, exchange, &expected, card);
                continue;
            }
            let got = card.transmit(&command).unwrap();
            let recorded = expected.bytes().unwrap();
            assert!(is_alike(&recorded, &got), "{}:{}: {}", path.display(), exchange.line, hex::encode_upper(&got));
            alike += 1;
        }
    }
    alike
}

/// A blank card is set up, gets a key pair, a certificate, signs, is read, and loses both again: OpenSC's own sessions.
#[test]
fn the_virtual_card_goes_through_a_measured_life() {
    let mut card = GidsCard::blank();
    card.reset();
    let sessions = [
        "initialise-blank-ok.apdu",
        "generate-key-ok.apdu",
        "sign-ok.apdu",
        "store-certificate-ok.apdu",
        "list-ok.apdu",
        "delete-certificate-ok.apdu",
        "delete-key-ok.apdu",
    ];
    assert_eq!(play_on(&mut card, &sessions), 12);
    assert!(!card.has_key(0x81));
}

/// The enrollment by hand, and then what everybody reads of the card.
#[test]
fn the_virtual_card_is_enrolled_as_the_measured_one() {
    let challenge = hex::decode("0557897F8D84407B").unwrap();
    let mut card =
        GidsCard::personalised(GidsSettings { random: Randomness::script(&challenge), ..GidsSettings::default() });
    assert_eq!(play_on(&mut card, &["enroll-ok.apdu", "read-files-ok.apdu"]), 5);
    assert!(card.has_key(0x81));
}

#[test]
fn every_fixture_says_what_it_is() {
    let all = recordings();
    assert!(all.len() >= 24, "only {} fixtures", all.len());
    for (path, fixture) in all {
        for key in ["fixture", "card", "atr", "protocol", "origin", "scenario"] {
            assert!(fixture.header(key).is_some_and(|v| !v.is_empty()), "{}: no '{key}'", path.display());
        }
        assert!(!fixture.exchanges.is_empty(), "{}", path.display());
    }
}

const MSE: &str = "0022C1A403830180";
const CHALLENGE: &str = "00870000047C02810000";
const WRONG_ANSWER: &str = "008700000C7C0A82080000000000000000";
const WRONG_PIN: &str = "002000800430303030";
const RIGHT_PIN: &str = "00200080083132333435363738";
const SET_PIN: &str = "002C0280083837363534333231";

fn enrolled(settings: GidsSettings) -> GidsCard {
    let mut card = GidsCard::personalised(settings);
    assert_eq!(send(&mut card, SELECT), "9000");
    card
}

/// Computed here and not by the card's own code.
fn right_answer(card: &mut impl VirtualCard) -> String {
    let challenge = send(card, CHALLENGE);
    let mut block: [u8; 8] = hex::decode(&challenge[8..24]).unwrap().try_into().unwrap();
    let key = GidsSettings::default().admin_key;
    let mut cipher_block = block.into();
    des::TdesEde3::new(&key.into()).encrypt_block(&mut cipher_block);
    block = cipher_block.into();
    format!("008700000C7C0A8208{}", hex::encode_upper(block))
}

#[test]
fn a_blocked_pin_stays_blocked_until_the_administrator_sets_it() {
    let mut card = enrolled(GidsSettings::default());
    for expected in ["63C2", "63C1", "63C0", "6983", "6983"] {
        assert_eq!(send(&mut card, WRONG_PIN), expected);
    }
    card.power_off();
    card.reset();
    assert_eq!(send(&mut card, SELECT), "9000");
    assert_eq!(send(&mut card, RIGHT_PIN), "6983");
    assert_eq!(send(&mut card, SET_PIN), "6982");
    assert_eq!(send(&mut card, MSE), "9000");
    let answer = right_answer(&mut card);
    assert_eq!(send(&mut card, &answer), "9000");
    assert_eq!(send(&mut card, SET_PIN), "9000");
    assert!(card.pin_is(b"87654321") && !card.pin_is(b"12345678"));
    assert_eq!(card.tries_left(), 3);
    assert!(!card.admin_authenticated());
}

#[test]
fn a_challenge_serves_once() {
    let mut card = enrolled(GidsSettings::default());
    send(&mut card, MSE);
    let answer = right_answer(&mut card);
    assert_eq!(send(&mut card, WRONG_ANSWER), "6982");
    assert_eq!(send(&mut card, &answer), "6985");
    let answer = right_answer(&mut card);
    assert_eq!(send(&mut card, &answer), "9000");
    assert_eq!(send(&mut card, &answer), "6985");
    let next = right_answer(&mut card);
    assert_ne!(next, answer);
    assert!(!card.admin_authenticated(), "a new challenge ends the state");
}

#[test]
fn a_stricter_card_locks_its_admin_key_for_good() {
    let mut card = enrolled(GidsSettings { admin_tries: Some(3), ..GidsSettings::default() });
    send(&mut card, MSE);
    // A right answer in between gives all tries back.
    for right in [false, false, true, false, false] {
        let answer = right_answer(&mut card);
        let word = send(&mut card, if right { &answer } else { WRONG_ANSWER });
        assert_eq!(word, if right { "9000" } else { "6982" });
    }
    let answer = right_answer(&mut card);
    assert_eq!(send(&mut card, WRONG_ANSWER), "6982");
    assert!(card.admin_locked());
    assert_eq!(send(&mut card, &answer), "6983");
    assert_eq!(send(&mut card, CHALLENGE), "6983");
    card.reset();
    send(&mut card, SELECT);
    send(&mut card, MSE);
    assert_eq!(send(&mut card, CHALLENGE), "6983");
    assert_eq!(send(&mut card, RIGHT_PIN), "9000");
}

#[test]
fn a_card_as_measured_never_locks_its_admin_key() {
    let mut card = enrolled(GidsSettings::default());
    send(&mut card, MSE);
    for _ in 0..13 {
        send(&mut card, CHALLENGE);
        assert_eq!(send(&mut card, WRONG_ANSWER), "6982");
    }
    let answer = right_answer(&mut card);
    assert_eq!(send(&mut card, &answer), "9000");
    assert_eq!(card.admin_failures(), 13);
}

#[test]
fn a_lost_answer_leaves_the_pin_set() {
    let mut card = SharedCard::new(Faulty::new(enrolled(GidsSettings::default())));
    send(&mut card, MSE);
    let answer = right_answer(&mut card);
    send(&mut card, &answer);
    card.with(|card| card.next(Fault::LostAnswer));
    assert!(card.transmit(&hex::decode(SET_PIN).unwrap()).is_err());
    assert!(card.with(|card| card.card().pin_is(b"87654321")));
}

#[test]
fn no_secret_is_kept_of_what_the_card_saw() {
    let mut card = enrolled(GidsSettings::default());
    send(&mut card, RIGHT_PIN);
    assert_eq!(card.headers()[1], [0x00, 0x20, 0x00, 0x80]);
    assert_eq!(card.commands_seen(), 2);
}

#[test]
fn no_bytes_make_the_strict_card_panic() {
    let mut card = Iso7816Card::new(Iso7816Settings {
        implicit: true,
        puk: Some(b"12345678".to_vec()),
        ..Iso7816Settings::default()
    });
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut roll = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 40) as u8
    };
    const HEADS: [[u8; 4]; 10] = [
        [0, 0x20, 0, 1],
        [0, 0x24, 0, 1],
        [0, 0x2C, 0, 1],
        [0, 0x2C, 2, 1],
        [0, 0x82, 0, 0],
        [0, 0x84, 0, 0],
        [0, 0xA4, 0, 0],
        [0, 0xA4, 4, 0],
        [0, 0xB0, 0, 3],
        [0, 0xC0, 0, 0],
    ];
    for _ in 0..50_000 {
        let mut command = HEADS[usize::from(roll() % 10)].to_vec();
        if roll() < 20 {
            command[usize::from(roll() % 4)] = roll();
        }
        let length = roll() % 20;
        command.push(length);
        command.extend((0..length).map(|_| b'0' + roll() % 4));
        if roll() < 20 {
            command.truncate(usize::from(roll() % 10));
        }
        assert!(card.transmit(&command).unwrap().len() >= 2);
    }
}
