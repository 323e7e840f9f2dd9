//! The journal's folder in every state that a file system can bring it into: a job is done or refused, and nothing is risked
//! on a card of which no record could be kept.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pinwright::exit::Exit;
use pinwright::job::Cause;
use pinwright::job::effect::ProofState;
use pinwright::job::journal::v1::{File as Record, SCHEMA};
use pinwright::job::journal::{JobKind, Journal, JournalError, Moment, Phase, Point, Stage, new_id};
use support::provisioning::{CARD_A, InsertedCard, JobSetup, Kind, Person, guid, told};
use support::sample::Sample;
use uuid::Uuid;

use crate::case_journal::{CaseJournal, KEEP, fast_folder, files_below};

pub fn record(card_id: Uuid, point: Point) -> Record {
    Record {
        schema: SCHEMA.to_owned(),
        id: new_id(),
        started: "2026-01-01T00:00:00Z".to_owned(),
        changed: "2026-01-01T00:00:00Z".to_owned(),
        point,
        reader: "Desk 1".to_owned(),
        atr: "3b80".to_owned(),
        card_id,
        smartcard: Uuid::from_u128(2),
        request: None,
        authority: "server".to_owned(),
        pin_source: "server".to_owned(),
        stopped_at: None,
        status_word: None,
    }
}

pub fn put(folder: &Path, record: &Record) -> PathBuf {
    fs::create_dir_all(folder).unwrap();
    let path = folder.join(format!("{}_{}.json", record.card_id, record.id));
    fs::write(&path, serde_json::to_vec(record).unwrap()).unwrap();
    path
}

/// Refused before anything is risked, in words that name the folder.
fn refused(setup: &mut JobSetup, case: &str) {
    let inserted = InsertedCard::new(Kind::Gids);
    let failure = setup.run(&inserted, &mut Person::default()).failed_untouched(case);
    let Cause::Journal(JournalError::Io { path, .. }) = &*failure.cause else { panic!("{case}: {}", told(&failure)) };
    assert!(told(&failure).contains(&path.display().to_string()), "{case}");
    assert!(failure.cause.remedy().contains("journal.dir"), "{case}");
    assert_eq!(Exit::from(&failure), Exit::Usage, "{case}");
    inserted.assert_not_risked(case);
}

/// What only Unix has: a link into nothing, and a folder of the kernel's.
#[cfg(unix)]
fn odd_folders(folder: &Path) -> Vec<PathBuf> {
    let dangling = folder.join("dangling");
    std::os::unix::fs::symlink(folder.join("nowhere"), &dangling).unwrap();
    vec![dangling, PathBuf::from("/proc/pinwright")]
}

#[cfg(not(unix))]
fn odd_folders(_: &Path) -> Vec<PathBuf> {
    Vec::new()
}

#[test]
fn a_folder_that_is_none() {
    let mut setup = JobSetup::new(Kind::Gids, "server");
    let folder = fast_folder();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    for path in [file.clone(), file.join("below")].into_iter().chain(odd_folders(folder.path())) {
        setup.journal = Some(Journal::new(path.clone(), KEEP));
        refused(&mut setup, &path.display().to_string());
    }
    assert!(setup.server.requests().is_empty(), "the server hears of no job that can't be journaled");
}

#[test]
#[cfg(unix)]
fn a_folder_behind_a_link_is_one() {
    let mut setup = JobSetup::new(Kind::Gids, "server");
    let folder = fast_folder();
    let (real, link) = (folder.path().join("real"), folder.path().join("link"));
    fs::create_dir(&real).unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    setup.journal = Some(Journal::new(link, KEEP));
    setup.run(&InsertedCard::new(Kind::Gids), &mut Person::default()).ok("a link");
    let history = Journal::new(real, KEEP).history().unwrap();
    assert_eq!(history.records.len(), 1);
}

/// What only Unix has in a folder: a link to itself, and a pipe. How many there are.
#[cfg(unix)]
fn odd_files(folder: &Path) -> usize {
    std::os::unix::fs::symlink("loop.json", folder.join("loop.json")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(folder.join("pipe.json")).status().unwrap().success());
    2
}

#[cfg(not(unix))]
fn odd_files(_: &Path) -> usize {
    0
}

#[test]
fn what_is_no_record_is_named_and_blocks_nothing() {
    let mut setup = JobSetup::new(Kind::Gids, "server");
    let case_journal = CaseJournal::of(&mut setup);
    let folder = setup.journal.clone().unwrap().folder().to_owned();
    fs::create_dir_all(&folder).unwrap();
    let newer = format!("{{\"schema\":\"pinwright.journal/2\",\"id\":\"newer\",\"card_id\":\"{}\"}}", guid(CARD_A));
    let mut later = serde_json::to_value(record(guid(CARD_A), Point::Unclear)).unwrap();
    later["schema"] = "pinwright.journal/9".into();
    let foreign = serde_json::to_vec(&record(guid(CARD_A), Point::Setting)).unwrap();
    let files: [(&str, &[u8]); 8] = [
        ("empty.json", b""),
        ("garbage.json", b"\xFF\x00\xC3("),
        ("half.json", &foreign[..foreign.len() / 2]),
        ("deep.json", &[b'['; 10_000]),
        ("newer.json", newer.as_bytes()),
        ("later.json", &serde_json::to_vec(&later).unwrap()),
        ("renamed.json", &foreign),
        ("evil.json", b"{\"schema\":\"pinwright.journal/1\",\"id\":\"../../etc/passwd\"}"),
    ];
    for (name, bytes) in files {
        fs::write(folder.join(name), bytes).unwrap();
    }
    File::create(folder.join("huge.json")).unwrap().set_len(1 << 40).unwrap();
    fs::create_dir(folder.join("folder.json")).unwrap();
    let unreadable = 10 + odd_files(&folder);
    fs::write(folder.join("notes.txt"), "not looked at").unwrap();

    let inserted = InsertedCard::new(Kind::Gids);
    let outcome = setup.run(&inserted, &mut Person::default()).ok("among strangers");
    assert!(outcome.journal_failed.is_none() && outcome.settled.is_none());
    let text = case_journal.history(false);
    let json: serde_json::Value = serde_json::from_str(case_journal.history(true).lines().next().unwrap()).unwrap();
    let named = json["unreadable"].as_array().unwrap();
    assert_eq!((named.len(), json["records"].as_array().unwrap().len()), (unreadable, 1), "{json:#}");
    for file in named {
        let name = file["file"].as_str().unwrap();
        assert!(text.contains(&format!("warning: {name} in ")), "{name}: {text}");
        assert!(folder.join(name).symlink_metadata().is_ok(), "{name} is still there");
    }
    assert!(!text.contains("passwd") && !text.contains("notes"), "{text}");
    let reasons: Vec<&str> = named.iter().filter_map(|file| file["reason"].as_str()).collect();
    assert_eq!(reasons.iter().filter(|reason| reason.contains("another version")).count(), 1, "{reasons:?}");
}

#[test]
fn a_clock_that_jumps_back_hides_nothing() {
    let mut setup = JobSetup::new(Kind::Gids, "server");
    let case_journal = CaseJournal::of(&mut setup);
    let folder = setup.journal.clone().unwrap().folder().to_owned();
    let future = |point| Record {
        started: "2199-01-01T00:00:00Z".to_owned(),
        changed: "2199-01-01T00:00:00Z".to_owned(),
        ..record(guid(CARD_A), point)
    };
    let (doubt, done) = (future(Point::Unclear), future(Point::Done));
    let broken = Record { started: "yesterday".to_owned(), changed: String::new(), ..future(Point::Setting) };
    for record in [&doubt, &done, &broken] {
        put(&folder, record);
    }
    let inserted = InsertedCard::new(Kind::Gids);
    let outcome = setup.run(&inserted, &mut Person::default()).ok("a clock");
    assert!(outcome.journal_failed.is_none() && outcome.settled.is_some());
    assert!(case_journal.open().is_empty(), "both are settled");
    assert_eq!(case_journal.records().len(), 4, "what seems to come from the future is not old");
}

#[test]
fn settled_records_are_kept_as_long_as_configured() {
    let mut setup = JobSetup::new(Kind::Gids, "server");
    let case_journal = CaseJournal::of(&mut setup);
    let folder = setup.journal.clone().unwrap().folder().to_owned();
    let aged = |card: u128, point, days: u64| {
        let then = std::time::SystemTime::now() - Duration::from_secs(days * 86_400);
        let time = humantime::format_rfc3339_seconds(then).to_string();
        let record = Record { started: time.clone(), changed: time, ..record(Uuid::from_u128(card), point) };
        // A record is as old as its file.
        File::options().write(true).open(put(&folder, &record)).unwrap().set_modified(then).unwrap();
        record.id
    };
    let kept = [
        aged(1, Point::Done, 89),
        aged(1, Point::Untouched, 89),
        aged(1, Point::Unclear, 900),
        aged(2, Point::Setting, 900),
    ];
    let gone = [aged(1, Point::Done, 91), aged(2, Point::Untouched, 91), aged(3, Point::Resolved, 91)];
    let outcome = setup.run(&InsertedCard::new(Kind::Gids), &mut Person::default()).ok("prune");
    assert_eq!(
        case_journal.records().len(),
        kept.len() + gone.len() + 1,
        "nothing is removed before the result is told"
    );
    // Each turn lasts 50 ms at most, and begins at another card.
    for _ in 0..200 {
        setup.journal.as_ref().unwrap().tidy(outcome.card.card_id.guid());
        if case_journal.records().len() <= kept.len() + 1 {
            break;
        }
    }
    let left: Vec<String> = case_journal.records().into_iter().map(|record| record.id).collect();
    assert!(kept.iter().all(|id| left.contains(id)) && !gone.iter().any(|id| left.contains(id)), "{left:?}");
    assert_eq!(left.len(), kept.len() + 1);
}

#[cfg(unix)]
fn assert_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, mode, "{}", path.display());
}

/// Rights are lists of accounts there: what a folder hands on is `src/os`'s own test.
#[cfg(not(unix))]
fn assert_mode(path: &Path, _: u32) {
    path.metadata().unwrap();
}

#[test]
fn nobody_else_can_read_what_a_job_leaves() {
    let mut setup = JobSetup::new(Kind::Gids, "server");
    let case_journal = CaseJournal::of(&mut setup);
    setup.run(&InsertedCard::new(Kind::Gids), &mut Person::default()).ok("modes");
    let folder = setup.journal.clone().unwrap().folder().to_owned();
    assert_mode(&folder, 0o700);
    let mut files: Vec<String> = Vec::new();
    for path in files_below(&folder) {
        assert_mode(&path, 0o600);
        for above in path.ancestors().skip(1).take_while(|above| above.starts_with(&folder)) {
            assert_mode(above, 0o700);
        }
        files.push(path.extension().unwrap().to_string_lossy().into_owned());
    }
    files.sort();
    let expected = ["json", "json", "lock", "lock"];
    assert_eq!(files, expected, "a record, what version 1 finds, two claims, nothing half-written");
    assert_eq!(case_journal.records().len(), 1);
}

#[test]
fn a_history_that_is_read_while_jobs_write_is_never_torn() {
    let folder = fast_folder();
    let journal = Journal::new(folder.path().join("journal"), Duration::ZERO);
    let (over, jobs) = (AtomicBool::new(false), Sample::from(0).of(150));
    let reads = std::thread::scope(|scope| {
        let writers: Vec<_> = (1..=2_u128)
            .map(|card| {
                let journal = &journal;
                scope.spawn(move || {
                    let claim = journal.claim(Uuid::from_u128(card)).unwrap();
                    for _ in 0..jobs {
                        let moment = |stage, phase| Moment::new(stage, phase, ProofState::Accepted);
                        let mut job = claim.begin(JobKind::SetPin, moment(Stage::Prove, Phase::AboutTo)).unwrap();
                        job.note(moment(Stage::Pin, Phase::AboutTo)).unwrap();
                        job.note(moment(Stage::Pin, Phase::Done)).unwrap();
                        job.note(moment(Stage::Verify, Phase::Done)).unwrap();
                        job.tell_version_one(&[]);
                        // Removes what both have closed: the other may be faster.
                        journal.tidy(Uuid::from_u128(card));
                    }
                })
            })
            .collect();
        let reader = scope.spawn(|| {
            let mut reads = 0;
            while !over.load(Ordering::Relaxed) {
                let history = journal.history().unwrap();
                assert!(history.unreadable.is_empty(), "{:?}", history.unreadable);
                reads += 1;
            }
            reads
        });
        // The reader has to end also where a writer has failed.
        let written: Vec<_> = writers.into_iter().map(|writer| writer.join()).collect();
        over.store(true, Ordering::Relaxed);
        written.into_iter().for_each(Result::unwrap);
        reader.join().unwrap()
    });
    println!("{reads} histories read while {} records were written, none torn", 2 * 4 * jobs);
}
