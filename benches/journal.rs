//! What the journal costs an enrollment, with and without its fsyncs.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use pinwright::job::effect::ProofState;
use pinwright::job::journal::{Facts, JobKind, Journal, Moment, Phase, Stage};
use serde_json::{Value, json};
use uuid::Uuid;

use super::spread::{Spread, millis};

/// The most that the journal may cost beyond its fsyncs, in milliseconds.
const LIMIT_MS: f64 = 5.0;

/// Records in the journal of a technician's desk after 90 days, for which they are kept.
const USED: usize = 500;

/// Points that a good job notes: about to prove itself, about to write, written, done.
const POINTS: usize = 4;

/// What was measured at one place with one number of earlier records.
struct Measured {
    place: &'static str,
    records: usize,
    total_ms: Vec<f64>,
    fsync_ms: Vec<f64>,
}

/// The journal's share of a job.
pub struct Costs(Vec<Measured>);

/// Measures on the disk that holds the target folder, and in memory where there is such a place.
pub fn measure(rounds: usize) -> Costs {
    let mut measured = Vec::new();
    for (place, path) in [("on disk", env!("CARGO_TARGET_TMPDIR")), ("in memory", "/dev/shm")] {
        for records in [0, USED] {
            fs::create_dir_all(path).ok();
            if let Ok(folder) = tempfile::tempdir_in(path) {
                measured.push(Measured::new(place, folder.path(), records, rounds));
            }
        }
    }
    Costs(measured)
}

impl Measured {
    fn new(place: &'static str, folder: &Path, records: usize, rounds: usize) -> Self {
        let journal = Journal::new(folder.join("journal"), Duration::from_secs(90 * 86_400));
        for card in 0..records {
            job(&journal, Uuid::from_u128(card as u128 + 2), false);
        }
        let mut measured = Self { place, records, total_ms: Vec::new(), fsync_ms: Vec::new() };
        // The first turn makes the folder and does not count.
        for round in 0..=rounds {
            let start = Instant::now();
            let size = job(&journal, Uuid::from_u128(1), true);
            let total = start.elapsed();
            let fsync = fsyncs(folder, size);
            if round > 0 {
                measured.total_ms.push(millis(total));
                measured.fsync_ms.push(millis(fsync));
            }
        }
        measured
    }

    /// The cost beyond the fsyncs, turn by turn. It is zero where the disk was slower for the fsyncs alone.
    fn beyond(&self) -> Spread {
        Spread::of(self.total_ms.iter().zip(&self.fsync_ms).map(|(total, fsync)| (total - fsync).max(0.0)))
    }
}

/// What a job does with the journal until its result is told. Gives the size of its record.
fn job(journal: &Journal, card_id: Uuid, whole: bool) -> usize {
    let claim = journal.claim(card_id).expect("the card is free");
    let earlier = claim.unsettled().expect("the folder can be read");
    let moment = |stage, phase| Moment::new(stage, phase, ProofState::Accepted);
    let facts = Facts {
        reader: Some("Virtual 0 00 00".to_owned()),
        atr: Some("3b8d0180fba000000397425446590301c8".to_owned()),
        smartcard: Some(Uuid::from_u128(2)),
        request: Some(Uuid::from_u128(3)),
        authority: Some("server".to_owned()),
        pin_source: Some("server".to_owned()),
        ..Facts::default()
    };
    let first = Moment { facts, ..Moment::new(Stage::Prove, Phase::AboutTo, ProofState::Shown) };
    let mut running = claim.begin(JobKind::SetPin, first).expect("the record is written");
    if whole {
        running.note(moment(Stage::Pin, Phase::AboutTo)).expect("the record is written");
        running.note(moment(Stage::Pin, Phase::Done)).expect("the record is written");
    }
    running.note(moment(Stage::Verify, Phase::Done)).expect("the record is written");
    running.settle(&earlier).expect("the folder can be read");
    running.tell_version_one(&[]);
    running.size().expect("the record is there")
}

/// The time of the same fsyncs alone: of as many files of that size, and of their folder.
fn fsyncs(folder: &Path, size: usize) -> Duration {
    let mut spent = Duration::ZERO;
    for _ in 0..POINTS {
        let (new, name) = (folder.join("sample.new"), folder.join("sample"));
        let mut file = File::create(&new).expect("a file");
        file.write_all(&vec![b'x'; size]).expect("a file is written");
        let start = Instant::now();
        file.sync_all().expect("fsync");
        spent += start.elapsed();
        drop(file);
        fs::rename(&new, &name).expect("a new name");
        let start = Instant::now();
        File::open(folder).and_then(|folder| folder.sync_all()).expect("fsync");
        spent += start.elapsed();
    }
    spent
}

impl Costs {
    pub fn print(&self) {
        println!("\nthe journal of one enrollment");
        for measured in &self.0 {
            let name = format!("{}, {} records before", measured.place, measured.records);
            let spread = |values: &[f64]| Spread::of(values.iter().copied()).text(2);
            let (total, fsync) = (spread(&measured.total_ms), spread(&measured.fsync_ms));
            println!("  {name:<28} {total} ms, of which fsync {fsync} ms, beyond {} ms", measured.beyond().text(2));
        }
    }

    pub fn json(&self) -> Value {
        let one = |measured: &Measured| {
            json!({
                "place": measured.place,
                "records_before": measured.records,
                "total_ms": measured.total_ms,
                "fsync_ms": measured.fsync_ms,
                "beyond_fsync_ms": measured.beyond().json(),
            })
        };
        self.0.iter().map(one).collect::<Vec<_>>().into()
    }

    /// Fails where the median of the turns is above the limit.
    pub fn insist(&self) {
        for measured in &self.0 {
            let beyond = measured.beyond().median;
            assert!(beyond < LIMIT_MS, "the journal costs {beyond} ms beyond its fsyncs, {}", measured.place);
        }
    }
}
