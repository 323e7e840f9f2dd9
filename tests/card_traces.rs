//! The virtual cards against recorded sessions of measured ones, and against what a card owes its
//! holder: counters that reach zero, challenges that serve once, a way back from a blocked PIN.
#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};

use pinwright::reader::fixture::{Exchange, Fixture, Pattern};
use pinwright::sim::card::VirtualCard;
use pinwright::sim::gids::{GidsCard, GidsSettings};
use pinwright::sim::random::Randomness;

const SELECT: &str = "00A4040C09A00000039742544659";
const REPLAYED_AT_LEAST: usize = 11;

/// Sends a command in hexadecimal, gives the answer likewise.
fn send(card: &mut impl VirtualCard, command: &str) -> String {
    hex::encode_upper(card.transmit(&hex::decode(command).unwrap()).unwrap())
}

fn fixtures(folder: &Path) -> Vec<(PathBuf, Fixture)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(fixtures(&path));
        } else if path.extension().is_some_and(|e| e == "apdu") {
            let text = fs::read_to_string(&path).unwrap();
            let fixture = text
                .parse()
                .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            found.push((path, fixture));
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

fn all() -> Vec<(PathBuf, Fixture)> {
    fixtures(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/apdu"))
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
        Some((recorded, right)) if exchange.response.to_string() == recorded => {
            right.parse().unwrap()
        }
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
    for (path, fixture) in all() {
        let Some(kind) = fixture.header("sim") else {
            continue;
        };
        let differs = fixture
            .header("sim-differs")
            .map(|text| text.split_once('=').unwrap());
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
/// key is left out: this card generates none.
#[test]
fn long_files_come_in_the_measured_pieces() {
    let (path, fixture) = all()
        .into_iter()
        .find(|(path, _)| path.ends_with("gids/read-files-ok.apdu"))
        .unwrap();
    let mut card = GidsCard::personalised(GidsSettings::default());
    let mut whole: Vec<(u16, u16, Vec<u8>)> = Vec::new();
    for exchange in &fixture.exchanges {
        let command = exchange.command.bytes().unwrap();
        let mut answer = exchange.response.bytes().unwrap();
        answer.truncate(answer.len() - 2);
        match command[..] {
            [0, 0xCB, a, b, 4, 0x5C, 2, c, d, _] => {
                whole.push((
                    u16::from_be_bytes([a, b]),
                    u16::from_be_bytes([c, d]),
                    answer,
                ));
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

#[test]
fn every_fixture_says_what_it_is() {
    let all = all();
    assert!(all.len() >= 24, "only {} fixtures", all.len());
    for (path, fixture) in all {
        for key in ["fixture", "card", "atr", "protocol", "origin", "scenario"] {
            assert!(
                fixture.header(key).is_some_and(|v| !v.is_empty()),
                "{}: no '{key}'",
                path.display()
            );
        }
        assert!(!fixture.exchanges.is_empty(), "{}", path.display());
    }
}
