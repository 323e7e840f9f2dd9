//! A job, and the history of its card, in a journal with 100,000 records of other cards: half of them of version 1, 100 open.
//! Both are to cost what they cost in an empty one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use pinwright::job::effect::ProofState;
use pinwright::job::journal::v1::{File, SCHEMA};
use pinwright::job::journal::{Facts, JobKind, Journal, Moment, Phase, Point, Stage};
use uuid::Uuid;

/// Records of other cards, of each version.
const OTHERS: u128 = 50_000;

/// Every so many-th of them is open.
const OPEN: u128 = 1_000;

const ROUNDS: usize = 60;

/// The most that a job or a filtered history may cost against one in an empty journal.
const LIMIT: f64 = 1.2;

const CARD: Uuid = Uuid::from_u128(1);

fn main() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder on disk");
    let journal = |name| Journal::new(folder.path().join(name), Duration::from_secs(90 * 86_400));
    let (empty, full) = (journal("empty"), journal("full"));
    let start = Instant::now();
    fill(&full);
    println!("{} records of other cards, made in {:.0} s", 2 * OTHERS, start.elapsed().as_secs_f64());
    let start = Instant::now();
    job(&full, CARD);
    full.tidy(CARD);
    println!("the first job and its tidying, with the names of version 1 listed: {:.1} ms", millis(start.elapsed()));
    job(&empty, CARD);

    let mut jobs = (Vec::new(), Vec::new());
    let mut histories = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        for (journal, times) in [(&empty, (&mut jobs.0, &mut histories.0)), (&full, (&mut jobs.1, &mut histories.1))] {
            let start = Instant::now();
            job(journal, CARD);
            times.0.push(millis(start.elapsed()));
            let start = Instant::now();
            assert!(!journal.history_of(CARD).expect("the folder can be read").records.is_empty());
            times.1.push(millis(start.elapsed()));
        }
    }
    insist("a job's journal", jobs);
    insist("the history of one card", histories);
}

fn insist(what: &str, (empty, full): (Vec<f64>, Vec<f64>)) {
    let (empty, full) = (median(empty), median(full));
    println!("{what}: {empty:.2} ms in an empty journal, {full:.2} ms in the full one, ratio {:.2}", full / empty);
    assert!(full / empty <= LIMIT, "{what} depends on other cards' records");
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// What a good job does with the journal until its result is told.
fn job(journal: &Journal, card_id: Uuid) {
    let claim = journal.claim(card_id).expect("the card is free");
    let earlier = claim.unsettled().expect("the folder can be read");
    let moment = |stage, phase, proof| Moment::new(stage, phase, proof);
    let facts = Facts { authority: Some("server".to_owned()), request: Some(CARD), ..Facts::default() };
    let first = Moment { facts, ..moment(Stage::Prove, Phase::AboutTo, ProofState::Shown) };
    let mut running = claim.begin(JobKind::SetPin, first).expect("the record is written");
    for (stage, phase) in [(Stage::Pin, Phase::AboutTo), (Stage::Pin, Phase::Done), (Stage::Verify, Phase::Done)] {
        running.note(moment(stage, phase, ProofState::Accepted)).expect("the record is written");
    }
    running.settle(&earlier).expect("the folder can be read");
    running.tell_version_one(&[]);
}

/// Writes the others' records without waiting for the disk.
fn fill(journal: &Journal) {
    let sample = Uuid::from_u128(2);
    job(journal, sample);
    let id = journal.history_of(sample).expect("the folder can be read").records[0].id.clone();
    let path = find(journal.folder(), &format!("{id}.json")).expect("the sample's record");
    let done = fs::read_to_string(&path).expect("the sample is read");
    let open = done.replace("\"open\": false", "\"open\": true").replace("\"done\"", "\"unknown\"");
    let cards = path.ancestors().nth(3).expect("the cards' folder");
    for number in 0..OTHERS {
        let is_open = number % OPEN == 0;
        let card = Uuid::from_u128(number << 64 | 0xA5_0000);
        let home = cards.join(format!("{:02x}", shard(card))).join(card.to_string());
        fs::create_dir_all(&home).expect("a folder");
        let text = if is_open { &open } else { &done };
        fs::write(home.join(format!("{id}.json")), text.replace(&sample.to_string(), &card.to_string()))
            .expect("a record");
        version_one(journal.folder(), Uuid::from_u128(number << 64 | 0x5A_0000), is_open);
    }
}

/// As the journal spreads its cards' folders.
fn shard(card: Uuid) -> u8 {
    card.as_bytes().iter().fold(0, |shard, byte| shard ^ byte)
}

fn version_one(folder: &Path, card_id: Uuid, is_open: bool) {
    let file = File {
        schema: SCHEMA.to_owned(),
        id: "19a1b2c3d4e-0f0f0f0f".to_owned(),
        started: "2026-11-01T08:00:00Z".to_owned(),
        changed: "2026-11-01T08:00:01Z".to_owned(),
        point: if is_open { Point::Setting } else { Point::Done },
        reader: "Virtual 0 00 00".to_owned(),
        atr: "3b8d0180fba000000397425446590301c8".to_owned(),
        card_id,
        smartcard: Uuid::from_u128(2),
        request: Some(Uuid::from_u128(3)),
        authority: "server".to_owned(),
        pin_source: "server".to_owned(),
        stopped_at: None,
        status_word: None,
    };
    fs::write(folder.join(file.name()), serde_json::to_vec_pretty(&file).expect("JSON")).expect("a record");
    fs::write(folder.join(format!("{card_id}.lock")), "").expect("a lock");
}

/// The file of this name in the folder or below.
fn find(folder: &Path, name: &str) -> Option<std::path::PathBuf> {
    fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path())).find_map(|path| match path.is_dir() {
        true => find(&path, name),
        false => path.ends_with(name).then_some(path),
    })
}
