//! What comes from files: configuration, recordings, the journal.

use crate::card::gids::{APPLET_LIMITS, Gids};
use crate::card::iso7816::Iso7816;
use crate::card::{Card, PinJob, Proof};
use crate::config::Config;
use crate::job::journal;
use crate::reader::fixture::{Fixture, Problem};
use crate::reader::replay::{Replay, ReplayError};
use crate::reader::{EndAction, Frame, Protocol, ReaderError, Readers};
use crate::secret::Pin;

/// Stands where a secret may have been misplaced: a text with digits, as keys and PINs are.
const CANARY: &str = "73918264hunter2";
const CANARY_NUMBER: i64 = 73_918_264;

/// Configuration: what is taken can work, and no value of text or number is quoted in an error.
pub(super) fn config(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    match Config::from_toml(&text) {
        Ok(config) => can_work(&config),
        Err(error) => assert!(error.to_string().len() <= 10 * text.len() + 2000, "an error without end"),
    }
    let Ok(mut table) = toml::from_str::<toml::Table>(&text) else { return };
    table.iter_mut().for_each(|(key, value)| hide(key, value));
    let Ok(hidden) = toml::to_string(&table) else { return };
    if let Err(error) = Config::from_toml(&hidden) {
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(CANARY) && !shown.contains(&CANARY_NUMBER.to_string()), "{shown}");
    }
}

/// Puts the canary in place of every value; a profile's name is for people and stays.
fn hide(key: &str, value: &mut toml::Value) {
    match value {
        toml::Value::String(text) if key != "name" => CANARY.clone_into(text),
        toml::Value::Integer(number) => *number = CANARY_NUMBER,
        toml::Value::Array(list) => list.iter_mut().for_each(|value| hide(key, value)),
        toml::Value::Table(table) => table.iter_mut().for_each(|(key, value)| hide(key, value)),
        _ => {}
    }
}

fn can_work(config: &Config) {
    if let Some(server) = &config.server {
        assert!(matches!(server.url.scheme(), "https" | "http") && server.url.has_host());
        assert!(server.url.username().is_empty() && server.url.password().is_none());
        assert!((10..=600_000).contains(&server.timeout.as_millis()));
    }
    assert!((10..=600_000).contains(&config.reader_timeout.as_millis()));
    assert!(!config.rules.authorities.is_empty());
    let limits = config.families.gids_limits.unwrap_or(APPLET_LIMITS);
    let gids = Gids::new(config.families.id_order, limits);
    plannable(&gids);
    for profile in &config.families.profiles {
        plannable(&Iso7816::new(profile.clone()));
    }
}

/// The whole plan can be made, and no command in it is longer than an APDU.
fn plannable(card: &dyn Card) {
    let limits = card.limits();
    assert!(1 <= limits.min && limits.min <= limits.max && limits.max <= Pin::MAX);
    for proof in [Proof::AdminAnswer, Proof::CurrentPin] {
        let planned = card.plan(proof, true);
        assert_eq!(planned.is_ok(), card.takes(proof), "{proof:?}");
        let Ok(plan) = planned else { continue };
        for planned in plan.before_asking.iter().chain(&plan.after_asking) {
            for protocol in [Protocol::T0, Protocol::T1] {
                let frames = planned.command.frames(protocol, false);
                assert_eq!(frames.len(), 1, "a chain for {}", planned.purpose);
                assert!(frames.iter().all(|frame| (4..=261).contains(&frame.expose().len())));
            }
        }
    }
}

/// Recordings: read, written and read again alike; and played, each command gets its answer.
pub(super) fn fixture(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let read = match text.parse::<Fixture>() {
        Ok(fixture) => fixture,
        Err(error) => {
            assert!(error.line <= text.lines().count().max(1));
            return assert!(error.problem != Problem::TooLarge && error.to_string().len() < 120);
        }
    };
    let written = read.to_string();
    let again = written.parse::<Fixture>();
    let plain = |fixture: &Fixture| {
        let mut fixture = fixture.clone();
        fixture.exchanges.iter_mut().for_each(|exchange| exchange.line = 0);
        // A line break inside a header can't be written and becomes a space.
        fixture.headers.iter_mut().for_each(|(_, value)| *value = value.replace('\r', " "));
        fixture
    };
    assert_eq!(again.as_ref().map(&plain), Ok(plain(&read)));
    assert_eq!(again.map(|again| again.to_string()), Ok(written));
    play(read);
}

fn play(fixture: Fixture) {
    let exchanges = fixture.exchanges.clone();
    let Ok(replay) = Replay::new(fixture) else { return };
    let Ok(list) = replay.list() else { return };
    let Some(Ok(mut connection)) = list.first().map(|reader| replay.open(&reader.name)) else { return };
    assert!(exchanges.is_empty() || replay.finish().is_err(), "exchanges are left over");
    for exchange in &exchanges {
        // A masked byte stands for any.
        let command: Vec<u8> = exchange.command.0.iter().map(|byte| byte.unwrap_or(0x2A)).collect();
        let answer = connection.transmit(&Frame::public(&command));
        match (answer, exchange.response.bytes()) {
            (Ok(frame), Some(recorded)) => assert_eq!(frame.expose(), recorded),
            (Err(ReaderError::Replay(ReplayError::MaskedAnswer { line })), None) => assert_eq!(line, exchange.line),
            (answer, recorded) => assert!(recorded.is_none() && answer.is_err(), "another answer than recorded"),
        }
    }
    assert_eq!(replay.finish(), Ok(()));
    assert!(connection.transmit(&Frame::public(&[0; 5])).is_err(), "the recording has ended");
    assert!(connection.end(EndAction::Reset).is_ok());
}

/// Journal records: read, written and read again alike; an id is a file's name; an error quotes nothing.
pub(super) fn journal(input: &[u8]) {
    match journal::read_and_rewrite(input) {
        Ok([(record, name), (again, _)]) => {
            assert!(name.components().count() <= 2 && name.extension().is_some_and(|it| it == "json"), "{name:?}");
            assert!(!record.id.is_empty() && !record.id.contains('.'), "{:?}", record.id);
            assert_eq!((&record.id, &record.entries), (&again.id, &again.entries));
            assert_eq!((record.is_open(), record.point()), (again.is_open(), again.point()));
        }
        Err(reason) => assert!(
            [
                "closed",
                "not a journal record",
                "a journal record of another version",
                "a journal record with an unusable id",
                "a journal record with entries of a later program",
                "a journal record without entries",
            ]
            .contains(&reason)
        ),
    }
}
