//! What a command is told of a card by whoever listens on the agent's socket.

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use pinwright::agent::Settings;
use pinwright::agent::control::client::{AskError, ask_about_card};
use pinwright::agent::control::protocol::Request;
use pinwright::job::effect::ProofState;
use pinwright::job::journal::{CARD_SCHEMA, CardRecords, Facts, JobKind, Journal, Moment, Phase, Stage};
use serde_json::json;
use uuid::Uuid;

use crate::agent::Agent;

const CARD: Uuid = Uuid::from_u128(0xC0);
const REQUEST: Uuid = Uuid::from_u128(0xE0);

/// Far beyond what an agent takes.
const WITHIN: Duration = Duration::from_secs(20);

/// Notes a job on a card as done.
fn note_done(journal: &Journal, card_id: Uuid) {
    let claim = journal.claim(card_id).unwrap();
    let facts = Facts { request: Some(REQUEST), authority: Some("server".to_owned()), ..Facts::default() };
    let first = Moment { facts, ..Moment::new(Stage::Prove, Phase::AboutTo, ProofState::Shown) };
    let mut job = claim.begin(JobKind::SetPin, first).unwrap();
    job.note(Moment::new(Stage::Verify, Phase::Done, ProofState::Accepted)).unwrap();
}

fn only(mut answers: Vec<Result<CardRecords, AskError>>) -> Result<CardRecords, AskError> {
    assert_eq!(answers.len(), 1);
    answers.pop().unwrap()
}

#[test]
fn an_agent_tells_the_records_of_the_card_and_of_no_other() {
    let agent = Agent::start(None);
    let journal = Journal::new(agent.folder.path().join("journal"), Duration::from_secs(60));
    note_done(&journal, CARD);
    note_done(&journal, Uuid::from_u128(1));
    let told = only(ask_about_card(&agent.settings(), CARD, WITHIN)).unwrap().of(CARD);
    assert_eq!(told, journal.of_card(CARD).unwrap());
    assert_eq!((told.len(), told[0].request()), (1, Some(REQUEST)));
    let unknown = Uuid::from_u128(2);
    assert!(only(ask_about_card(&agent.settings(), unknown, WITHIN)).unwrap().of(unknown).is_empty());
}

#[test]
fn the_card_is_named_where_it_is_asked_about_and_nowhere_else() {
    let agent = Agent::start(None);
    let schema = "\"schema\":\"pinwright.agent-control/1\"";
    for line in [
        format!("{{{schema},\"command\":\"card\"}}\n"),
        format!("{{{schema},\"command\":\"card\",\"card_id\":\"hunter2\"}}\n"),
        format!("{{{schema},\"command\":\"history\",\"card_id\":\"{CARD}\"}}\n"),
    ] {
        let mut client = agent.connect();
        client.say(&line);
        assert_eq!(client.refusal(), "not-a-request", "{line}");
    }
    // Other questions are as they were, so that an agent of before this one understands them.
    let status = pinwright::agent::control::protocol::Command::Status.request();
    assert_eq!(serde_json::to_string(&status).unwrap(), format!("{{{schema},\"command\":\"status\"}}"));
    let asked = serde_json::to_string(&Request::about_card(CARD)).unwrap();
    assert_eq!(asked, format!("{{{schema},\"command\":\"card\",\"card_id\":\"{CARD}\"}}"));
}

/// What somebody else says on the socket, and what is read of it within that time.
fn told_by(within: Duration, speak: impl FnOnce(UnixStream) + Send + 'static) -> Result<CardRecords, AskError> {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("agent.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let speaker = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut byte = [0];
        while stream.read(&mut byte).unwrap() == 1 && byte != *b"\n" {}
        speak(stream);
    });
    let settings = Settings { control: Some(socket), ..Settings::default() };
    let began = Instant::now();
    let told = only(ask_about_card(&settings, CARD, within));
    assert!(began.elapsed() < within + Duration::from_secs(5), "{:?}", began.elapsed());
    speaker.join().unwrap();
    told
}

fn says(answer: impl Into<Vec<u8>>) -> impl FnOnce(UnixStream) + Send + 'static {
    let answer = answer.into();
    move |mut stream| drop(stream.write_all(&answer))
}

/// Waits until the other side has gone.
fn until_gone(mut stream: &UnixStream) {
    drop(stream.read_to_end(&mut Vec::new()));
}

#[test]
fn whoever_listens_there_is_heard_for_so_long_and_no_longer() {
    let short = Duration::from_millis(300);
    let timed_out = |told: Result<CardRecords, AskError>| matches!(told, Err(AskError::Io { .. }));
    assert!(timed_out(told_by(short, |stream| until_gone(&stream))), "silence");
    let drip = told_by(short, |stream| while (&stream).write_all(b"[").is_ok() {});
    assert!(matches!(drip, Err(AskError::Io { .. } | AskError::Endless)), "a line without an end: {drip:?}");
    let endless = told_by(WITHIN, |mut stream| while stream.write_all(&[b' '; 65536]).is_ok() {});
    assert!(matches!(endless, Err(AskError::Endless)), "{endless:?}");
    // Nobody is let in, and the queue is full.
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("agent.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let mut queue = Vec::new();
    while let Ok(stream) = pinwright::os::endpoint::connect(&socket, Duration::from_millis(10)) {
        queue.push(stream);
        assert!(queue.len() < 100_000);
    }
    let settings = Settings { control: Some(socket), ..Settings::default() };
    let began = Instant::now();
    assert!(timed_out(only(ask_about_card(&settings, CARD, short))));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    drop(listener);
}

#[test]
fn what_is_no_answer_says_nothing() {
    let record = |id: &str, card: Uuid, entries: usize| {
        let entry = json!({"at": "2026-01-01T00:00:00Z", "stage": "verify", "phase": "done", "proof": "accepted",
            "facts": {"card_id": card, "request": REQUEST}});
        json!({"id": id, "job": "set-pin", "started": "2026-01-01T00:00:00Z", "entries": vec![entry; entries]})
    };
    let answer = |schema: &str, card: Uuid, records: serde_json::Value| {
        format!("{}\n", json!({"schema": schema, "card_id": card, "records": records}))
    };
    let good = answer(CARD_SCHEMA, CARD, json!([record("1-2", CARD, 1)]));
    assert_eq!(told_by(WITHIN, says(good)).unwrap().of(CARD).len(), 1);
    for garbage in ["", "\n", "hunter2\n", "[]\n", "{}\n", "\u{0}\u{1}", "{\"records\":[]}\n"] {
        assert!(matches!(told_by(WITHIN, says(garbage)), Err(AskError::Unknown(_))), "{garbage:?}");
    }
    let later = Uuid::from_u128(9);
    let nothing = [
        answer(CARD_SCHEMA, CARD, json!([])),
        answer("pinwright.agent-card/2", CARD, json!([record("1-2", CARD, 1)])),
        answer(CARD_SCHEMA, later, json!([record("1-2", CARD, 1)])),
        answer(CARD_SCHEMA, CARD, json!([record("1-2", later, 1)])),
        answer(CARD_SCHEMA, CARD, json!([record("../1", CARD, 1)])),
        answer(CARD_SCHEMA, CARD, json!([record("1-2", CARD, 0), 7, null, {"id": "1-2"}])),
    ];
    for answer in nothing {
        let told = told_by(WITHIN, says(answer.clone())).unwrap();
        assert!(told.of(CARD).is_empty(), "{answer}");
    }
    // An agent of before this question.
    let refusal = json!({"schema": "pinwright.agent-control/1", "outcome": "failed",
        "error": {"reason": "not-a-request", "message": "one line of JSON is needed"}});
    assert!(matches!(told_by(WITHIN, says(format!("{refusal}\n"))), Err(AskError::Refused(_))));
}
