use std::fs::{self, File};
use std::time::SystemTime;

use super::*;
use crate::job::effect::ProofState;

mod enrollments;

const CARD: Uuid = Uuid::from_u128(1);
const OTHER: Uuid = Uuid::from_u128(2);
const REQUEST: Uuid = Uuid::from_u128(3);

fn journal() -> (tempfile::TempDir, Journal) {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::new(folder.path().join("state/pinwright"), Duration::from_secs(3600));
    (folder, journal)
}

fn proving() -> Moment {
    let facts = Facts { authority: Some("server".to_owned()), request: Some(REQUEST), ..Facts::default() };
    Moment { facts, ..Moment::new(Stage::Prove, Phase::AboutTo, ProofState::Shown) }
}

fn setting() -> Moment {
    Moment::new(Stage::Pin, Phase::AboutTo, ProofState::Accepted)
}

fn verified() -> Moment {
    Moment::new(Stage::Verify, Phase::Done, ProofState::Accepted)
}

fn refused() -> Moment {
    Moment::new(Stage::Prove, Phase::Refused, ProofState::Refused)
}

/// A job on the card that passes these moments.
fn run<'a>(claim: &Claim<'a>, moments: impl IntoIterator<Item = Moment>) -> RunningJob<'a> {
    let mut job = claim.begin(JobKind::SetPin, proving()).unwrap();
    for moment in moments {
        job.note(moment).unwrap();
    }
    job
}

/// A file of version 1 as 03ed169 has written it.
fn version_one(journal: &Journal, card_id: Uuid, id: &str, point: Point) -> PathBuf {
    let file = v1::File {
        schema: v1::SCHEMA.to_owned(),
        id: id.to_owned(),
        started: "2026-01-01T00:00:00Z".to_owned(),
        changed: "2026-01-01T00:00:01Z".to_owned(),
        point,
        reader: "Reader 1".to_owned(),
        atr: "3b80".to_owned(),
        card_id,
        smartcard: Uuid::from_u128(9),
        request: Some(REQUEST),
        authority: "server".to_owned(),
        pin_source: "server".to_owned(),
        stopped_at: None,
        status_word: None,
    };
    fs::create_dir_all(journal.folder()).unwrap();
    let path = journal.folder().join(file.name());
    fs::write(&path, serde_json::to_vec_pretty(&file).unwrap()).unwrap();
    path
}

fn age(path: &Path, days: u64) {
    let file = File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(days * 86_400)).unwrap();
}

/// The only record's file.
fn file_of(journal: &Journal, card_id: Uuid, job: &RunningJob<'_>) -> PathBuf {
    journal.folder.card(card_id).join(format!("{}.json", job.id()))
}

#[test]
fn a_record_is_on_disk_private_and_found_again() {
    let (_folder, journal) = journal();
    assert!(journal.history().unwrap().records.is_empty());
    let claim = journal.claim(CARD).unwrap();
    let job = run(&claim, [setting()]);
    let has_mode = |path: &Path, mode| crate::os::testing::mode_of(path).is_none_or(|found| found == mode);
    let path = file_of(&journal, CARD, &job);
    assert!(has_mode(&path, 0o600));
    for folder in path.ancestors().skip(1).take_while(|path| path.starts_with(journal.folder())) {
        assert!(has_mode(folder, 0o700), "{}", folder.display());
    }
    let found = claim.unsettled().unwrap();
    assert_eq!(found.iter().map(Record::point).collect::<Vec<_>>(), [Point::Setting]);
    assert_eq!((found[0].card_id(), found[0].request()), (Some(CARD), Some(REQUEST)));
    assert_eq!(journal.claim(OTHER).unwrap().unsettled().unwrap(), []);
    assert_eq!(journal.history().unwrap().records, journal.history_of(CARD).unwrap().records);
}

#[test]
fn the_second_process_on_a_card_or_a_request_is_told() {
    let (_folder, journal) = journal();
    let claims = (journal.claim(CARD).unwrap(), journal.claim_request(REQUEST).unwrap());
    assert!(matches!(journal.claim(CARD), Err(JournalError::Busy { of: LockOf::Card(CARD) })));
    assert!(matches!(journal.claim_request(REQUEST), Err(JournalError::Busy { of: LockOf::Request(REQUEST) })));
    assert!(journal.claim(OTHER).is_ok() && journal.claim_request(OTHER).is_ok());
    drop(claims);
    assert!(journal.claim(CARD).is_ok() && journal.claim_request(REQUEST).is_ok());
}

#[test]
fn a_good_end_settles_what_came_before_and_only_for_its_card() {
    let (_folder, journal) = journal();
    let old = version_one(&journal, CARD, "a-1", Point::Setting);
    let claim = journal.claim(CARD).unwrap();
    drop(run(&claim, []));
    let other = journal.claim(OTHER).unwrap();
    drop(run(&other, []));
    let earlier = claim.unsettled().unwrap();
    assert_eq!(earlier.len(), 2);
    let job = run(&claim, [setting(), verified()]);
    job.settle(&earlier).unwrap();
    let points: Vec<Point> = claim.records().unwrap().iter().map(Record::point).collect();
    assert_eq!(points, [Point::Resolved, Point::Resolved, Point::Done]);
    assert_eq!(other.unsettled().unwrap().len(), 1);
    // Settled in its own version, where a program of that version looks for it.
    let file = v1::File::parse(&fs::read(old).unwrap()).unwrap();
    assert_eq!((file.point, file.schema.as_str()), (Point::Resolved, "pinwright.journal/1"));
}

#[test]
fn a_doubt_is_not_hidden_by_a_later_job_that_wrote_nothing() {
    let (_folder, journal) = journal();
    let claim = journal.claim(CARD).unwrap();
    let most = || most_doubtful(&claim.unsettled().unwrap()).unwrap().id.clone();
    let first = run(&claim, []);
    assert_eq!(most(), first.id());
    let unknown = Moment::new(Stage::Pin, Phase::Unknown, ProofState::Accepted);
    let doubt = run(&claim, [setting(), unknown]);
    drop(run(&claim, [refused()]));
    drop(run(&claim, []));
    assert_eq!(most(), doubt.id());
}

#[test]
fn what_was_begun_and_refused_has_changed_nothing() {
    let (_folder, journal) = journal();
    let claim = journal.claim(CARD).unwrap();
    let not_set = Moment::new(Stage::Pin, Phase::Refused, ProofState::Accepted);
    let job = run(&claim, [setting(), not_set.clone()]);
    assert_eq!((job.record().point(), job.record().is_open()), (Point::Untouched, false));
    // Unless an earlier attempt of the same job left it in doubt.
    let unknown = Moment::new(Stage::Pin, Phase::Unknown, ProofState::Accepted);
    let job = run(&claim, [setting(), unknown, setting(), not_set]);
    assert_eq!((job.record().point(), job.record().is_open()), (Point::Unclear, true));
}

#[test]
fn a_job_without_a_card_is_kept_with_its_request_until_it_has_one() {
    let (_folder, journal) = journal();
    let request = journal.claim_request(REQUEST).unwrap();
    let waiting = Moment::new(Stage::Request, Phase::Done, ProofState::NotShown);
    let job = request.begin(JobKind::Enroll, waiting).unwrap();
    let id = job.id().to_owned();
    let only = |journal: &Journal| {
        let records = journal.history().unwrap().records;
        assert_eq!(records.len(), 1);
        records.into_iter().next().unwrap()
    };
    let record = only(&journal);
    assert_eq!((record.id.as_str(), record.card_id(), record.smartcard()), (id.as_str(), None, None));
    assert!(record.is_open() && !record.in_doubt());
    assert!(journal.of_card(CARD).unwrap().is_empty());

    let claim = journal.claim(CARD).unwrap();
    let bound = Moment::new(Stage::Bind, Phase::Done, ProofState::NotShown);
    let job = claim.adopt(job, bound).unwrap();
    assert_eq!(only(&journal), *job.record());
    assert_eq!(journal.of_card(CARD).unwrap(), [job.record().clone()]);
    assert_eq!((job.record().card_id(), job.record().request()), (Some(CARD), Some(REQUEST)));
}

#[test]
fn programs_of_version_one_stop_at_what_is_open_and_learn_of_what_is_closed() {
    let (_folder, journal) = journal();
    let claim = journal.claim(CARD).unwrap();
    let seen = || fs::read(journal.folder().join(marker::name(CARD))).unwrap();
    let mut job = run(&claim, []);
    assert!(v1::File::parse(&seen()).is_err());
    job.tell_version_one(&[]);
    assert!(v1::File::parse(&seen()).is_err(), "it is open");
    let words =
        Facts { stopped_at: Some("authorize".to_owned()), status_word: Some("6982".to_owned()), ..Facts::default() };
    job.note(Moment { facts: words, ..refused() }).unwrap();
    job.tell_version_one(&[]);
    let told = v1::File::parse(&seen()).unwrap();
    assert_eq!(
        (told.point, told.status_word.as_deref(), told.request),
        (Point::Untouched, Some("6982"), Some(REQUEST))
    );
    assert_eq!(told.name(), marker::name(CARD));
    assert_eq!(told.record().proof(), ProofState::Refused);

    let job = run(&claim, [setting()]);
    assert!(v1::File::parse(&seen()).is_err());
    job.tell_version_one(&[]);
    // A later job's good end tells nothing as long as this one is not settled.
    let done = run(&claim, [setting(), verified()]);
    done.tell_version_one(&claim.unsettled().unwrap());
    assert!(v1::File::parse(&seen()).is_err());
    done.settle(&[job.record().clone()]).unwrap();
    done.tell_version_one(&claim.unsettled().unwrap());
    assert_eq!(v1::File::parse(&seen()).unwrap().point, Point::Done);
    assert_eq!(journal.history().unwrap().unreadable.len(), 0, "the file is no record of ours");
}

#[test]
fn an_open_record_of_a_later_version_stops_and_a_closed_one_does_not() {
    let (_folder, journal) = journal();
    let claim = journal.claim(CARD).unwrap();
    let home = journal.folder.card(CARD);
    fs::create_dir_all(&home).unwrap();
    let cases = [
        (r#"{"schema":"pinwright.journal/3","open":true}"#, false),
        (r#"{"schema":"pinwright.journal/3","open":false}"#, true),
        (r#"{"schema":"pinwright.journal/3"}"#, false),
        (r#"{"schema":"pinwright.journal/2","open":true,"id":"1","job":"dance","started":"","entries":[]}"#, false),
        (r#"{"schema":"pinwright.journal/2","open":false,"id":"1","job":"dance","started":"","entries":[]}"#, true),
        (
            r#"{"schema":"pinwright.journal/2","open":false,"id":"../1","job":"set-pin","started":"","entries":[]}"#,
            false,
        ),
        (r#"{"schema":"somebody.else/1","open":false}"#, false),
        ("{", false),
    ];
    for (text, passes) in cases {
        for path in [home.join("1.json"), journal.folder().join(format!("{CARD}_1.json"))] {
            fs::write(&path, text).unwrap();
            let records = claim.records();
            assert_eq!(records.is_ok(), passes, "{} {text}: {records:?}", path.display());
            assert_eq!(journal.history().unwrap().unreadable.len(), 1, "the history names it");
            assert!(journal.of_card(OTHER).unwrap().is_empty());
            fs::remove_file(path).unwrap();
        }
    }
}

#[test]
fn what_a_crash_left_half_written_goes_after_a_while() {
    let (_folder, journal) = journal();
    let claim = journal.claim(CARD).unwrap();
    drop(run(&claim, [refused()]));
    for folder in [journal.folder().to_owned(), journal.folder.card(CARD)] {
        let (old, young) = (folder.join("old.new"), folder.join("young.new"));
        fs::write(&young, "{").unwrap();
        fs::write(&old, "{").unwrap();
        age(&old, 1);
        age(&file_of(&journal, CARD, &run(&claim, [refused()])), 1);
        prune::tidy(&journal.folder, journal.keep, CARD, Duration::from_secs(60)).unwrap();
        assert!(!old.exists() && young.exists(), "another process may be writing the young one");
    }
}

#[test]
fn old_closed_records_go_but_for_those_that_forbid_something() {
    let (_folder, journal) = journal();
    let claim = journal.claim(CARD).unwrap();
    let aged = |moments: Vec<Moment>| {
        let job = run(&claim, moments);
        age(&file_of(&journal, CARD, &job), 400);
        job.id().to_owned()
    };
    let done = || vec![setting(), verified()];
    let gone = [aged(done()), aged(vec![refused()])];
    let kept = [aged(vec![refused()]), aged(vec![setting()]), aged(done())];
    let untouched = aged(vec![Moment::new(Stage::Prove, Phase::Refused, ProofState::NotShown)]);
    // Of another card, which has no job now, in both versions.
    let other = journal.claim(OTHER).unwrap();
    let others: Vec<String> = [done(), done()]
        .map(|moments| {
            let job = run(&other, moments);
            age(&file_of(&journal, OTHER, &job), 400);
            job.id().to_owned()
        })
        .into();
    let third = Uuid::from_u128(7);
    for (id, point) in [("a-1", Point::Resolved), ("b-2", Point::Done), ("c-3", Point::Unclear)] {
        age(&version_one(&journal, third, id, point), 400);
    }
    prune::tidy(&journal.folder, journal.keep, CARD, Duration::from_secs(60)).unwrap();
    let left: Vec<String> = journal.history().unwrap().records.into_iter().map(|record| record.id).collect();
    let is_left = |id: &String| left.contains(id);
    assert!(kept.iter().all(is_left) && !gone.iter().any(is_left) && !is_left(&untouched), "{left:?}");
    assert!(!is_left(&others[0]) && is_left(&others[1]), "{left:?}");
    assert!(!is_left(&"a-1".to_owned()) && is_left(&"b-2".to_owned()) && is_left(&"c-3".to_owned()), "{left:?}");
}

#[test]
fn what_is_no_record_is_named_and_survived() {
    let (_folder, journal) = journal();
    drop(journal.claim(CARD).unwrap());
    for (name, text) in [("a.json", "{"), ("b.json", "{\"schema\":\"pinwright.journal/2\"}"), ("c.json", "\u{0}")] {
        fs::write(journal.folder().join(name), text).unwrap();
    }
    fs::write(journal.folder().join("d.json"), vec![b'x'; 70_000]).unwrap();
    let history = journal.history().unwrap();
    assert_eq!((history.records.len(), history.unreadable.len()), (0, 4));
}

#[test]
fn a_record_of_the_card_that_can_not_be_read_is_no_absence() {
    let (_folder, journal) = journal();
    let claim = journal.claim(CARD).unwrap();
    let job = run(&claim, []);
    let path = file_of(&journal, CARD, &job);
    let text = fs::read(&path).unwrap();
    fs::write(&path, &text[..text.len() / 2]).unwrap();
    let error = claim.records().unwrap_err();
    assert!(matches!(&error, JournalError::Unreadable { file, .. } if file.contains(job.id())), "{error}");
    // Another card is none of its business.
    assert!(journal.of_card(OTHER).unwrap().is_empty());
}

#[test]
fn what_does_not_fit_under_its_name_is_no_record() {
    let (_folder, journal) = journal();
    let claim = journal.claim(CARD).unwrap();
    let path = file_of(&journal, CARD, &run(&claim, []));
    fs::rename(&path, path.with_file_name("other.json")).unwrap();
    assert!(matches!(claim.records(), Err(JournalError::Unreadable { .. })));
    // A record of another card in this card's folder would be settled there and stay open here.
    let folder = journal.folder.card(OTHER);
    fs::create_dir_all(&folder).unwrap();
    fs::rename(path.with_file_name("other.json"), folder.join(path.file_name().unwrap())).unwrap();
    assert!(matches!(journal.of_card(OTHER), Err(JournalError::Unreadable { .. })));
}

#[test]
fn a_folder_that_others_can_write_to_is_refused_behind_a_link_too() {
    let (base, journal) = journal();
    journal.probe().unwrap();
    let folder = journal.folder().to_owned();
    if !crate::os::testing::open_to_others(&folder, true) {
        return;
    }
    for refused in [journal.probe(), journal.claim(CARD).map(drop), journal.claim_request(REQUEST).map(drop)] {
        assert!(matches!(&refused, Err(JournalError::Exposed { path, .. }) if *path == folder), "{refused:?}");
        // Another folder would not mend this one.
        assert!(refused.unwrap_err().remedy().contains("chmod"));
    }
    crate::os::testing::open_to_others(&folder, false);
    journal.probe().unwrap();
    let elsewhere = base.path().join("elsewhere");
    fs::rename(&folder, &elsewhere).unwrap();
    crate::os::testing::make_link(&elsewhere, &folder);
    crate::os::testing::open_to_others(&elsewhere, true);
    assert!(matches!(journal.claim(CARD).map(drop), Err(JournalError::Exposed { .. })));
    // Nothing was written through the link.
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
    crate::os::testing::open_to_others(&elsewhere, false);
    assert!(journal.claim(CARD).is_ok());
}

#[test]
fn a_record_of_a_later_version_is_none_though_it_looks_like_one() {
    let (_folder, journal) = journal();
    let claim = journal.claim(CARD).unwrap();
    let job = run(&claim, [setting(), verified()]);
    let path = file_of(&journal, CARD, &job);
    assert_eq!(job.size().unwrap(), fs::read(&path).unwrap().len());
    assert_eq!(claim.done(REQUEST).unwrap().map(|record| record.id), Some(job.id().to_owned()));
    assert_eq!(claim.done(OTHER).unwrap(), None);
    let later = fs::read_to_string(&path).unwrap().replace(v2::SCHEMA, "pinwright.journal/3");
    assert!(matches!(v2::parse(later.as_bytes()), Err(v2::Unread::Closed)));
}

#[test]
fn what_is_too_old_goes_when_the_result_is_told() {
    let (_folder, journal) = journal();
    let claim = journal.claim(CARD).unwrap();
    let jobs = [run(&claim, [setting(), verified()]), run(&claim, [setting(), verified()])];
    let files = jobs.map(|job| file_of(&journal, CARD, &job));
    files.iter().for_each(|file| age(file, 400));
    journal.tidy(CARD);
    assert_eq!(files.map(|file| file.exists()), [false, true], "the newest done record stays");
}
