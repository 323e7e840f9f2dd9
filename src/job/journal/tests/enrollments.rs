//! Records of enrollments: what is open, what older programs make of them, and what is kept beside them.

use super::*;

fn moment(stage: Stage, phase: Phase) -> Moment {
    Moment::new(stage, phase, ProofState::NotShown)
}

fn enroll<'a>(claim: &Claim<'a>, moments: &[(Stage, Phase)]) -> RunningJob<'a> {
    let facts = Facts { request: Some(REQUEST), ..Facts::default() };
    let mut moments = moments.iter().map(|(stage, phase)| moment(*stage, *phase));
    let first = Moment { facts, ..moments.next().unwrap() };
    let mut job = claim.begin(JobKind::Enroll, first).unwrap();
    moments.for_each(|moment| job.note(moment).unwrap());
    job
}

#[test]
fn an_enrollment_is_open_as_long_as_it_has_left_something() {
    use Phase::{AboutTo, Done, Refused, Unknown};
    use Stage::{Bind, Completion, KeyPair, Prove, Request, Settled};
    let cases: [(&[(Stage, Phase)], bool); 10] = [
        (&[(Request, AboutTo)], true),
        (&[(Request, AboutTo), (Request, Refused)], false),
        (&[(Request, AboutTo), (Request, Done)], true),
        // The binding was refused: the request is still there.
        (&[(Request, AboutTo), (Request, Done), (Bind, AboutTo), (Bind, Refused)], true),
        (&[(Bind, AboutTo), (Bind, Refused)], false),
        (&[(Bind, AboutTo), (Bind, AboutTo), (Bind, Refused)], true),
        (&[(Prove, AboutTo), (Prove, Refused)], false),
        (&[(KeyPair, Unknown), (Completion, AboutTo)], true),
        (&[(KeyPair, AboutTo), (KeyPair, Done), (Completion, Done)], false),
        (&[(KeyPair, AboutTo), (Settled, Done)], false),
    ];
    let (_folder, journal) = journal();
    let claim = journal.claim(CARD).unwrap();
    for (moments, is_open) in cases {
        let job = enroll(&claim, moments);
        assert_eq!(job.record().is_open(), is_open, "{moments:?}");
        let text = fs::read_to_string(file_of(&journal, CARD, &job)).unwrap();
        assert!(text.contains(&format!("\"open\": {is_open}")), "{text}");
    }
}

/// As a program of before enrollments reads it: by the names that it knows.
#[test]
fn a_program_that_knows_the_pin_step_alone_stops_at_what_is_open() {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum OldJob {
        SetPin,
        Enroll,
    }
    #[derive(serde::Deserialize)]
    struct Old {
        #[allow(dead_code, reason = "only whether it can be read is asked")]
        job: OldJob,
    }
    let (_folder, journal) = journal();
    let claim = journal.claim(CARD).unwrap();
    let text = |job: &RunningJob<'_>| fs::read(file_of(&journal, CARD, job)).unwrap();
    assert!(serde_json::from_slice::<Old>(&text(&run(&claim, []))).is_ok());
    let known = [OldJob::SetPin, OldJob::Enroll];
    assert_eq!(known.len(), 2);
    for (phase, is_open) in [(Phase::AboutTo, true), (Phase::Done, false)] {
        let text = text(&enroll(&claim, &[(Stage::Completion, phase)]));
        assert!(serde_json::from_slice::<Old>(&text).is_err(), "so it asks whether it is open");
        let file: serde_json::Value = serde_json::from_slice(&text).unwrap();
        assert_eq!((&file["open"], &file["schema"]), (&is_open.into(), &v2::SCHEMA.into()));
    }
}

#[test]
fn programs_of_version_one_stop_at_an_open_enrollment() {
    let (_folder, journal) = journal();
    let claim = journal.claim(CARD).unwrap();
    let passes = || v1::File::parse(&fs::read(journal.folder().join(marker::name(CARD))).unwrap()).is_ok();
    let mut job = enroll(&claim, &[(Stage::Bind, Phase::Done)]);
    job.tell_version_one(&[]);
    assert!(!passes());
    let pin = run(&claim, [setting(), verified()]);
    pin.tell_version_one(&claim.records().unwrap());
    assert!(!passes(), "the enrollment goes on");
    drop(pin);
    fs::remove_file(journal.folder().join(marker::name(CARD))).unwrap();
    drop(job);
    job = claim.resume(claim.unsettled().unwrap().remove(0)).unwrap();
    assert!(!passes(), "and so it does for who goes on with it");
    job.note(moment(Stage::Completion, Phase::Done)).unwrap();
    let records = claim.records().unwrap();
    job.tell_version_one_of(records.last().unwrap(), &records);
    let told = v1::File::parse(&fs::read(journal.folder().join(marker::name(CARD))).unwrap()).unwrap();
    assert_eq!((told.point, told.request), (Point::Done, Some(REQUEST)), "it is told of the PIN");
}

#[test]
fn a_record_of_version_one_or_of_another_card_is_not_gone_on_with() {
    let (_folder, journal) = journal();
    version_one(&journal, CARD, "a-1", Point::Setting);
    let claim = journal.claim(CARD).unwrap();
    let other = journal.claim(OTHER).unwrap();
    let theirs = enroll(&other, &[(Stage::Bind, Phase::Done)]).record().clone();
    for record in [claim.records().unwrap().remove(0), theirs.clone()] {
        assert!(matches!(claim.resume(record), Err(JournalError::Unreadable { .. })));
    }
    let mut job = other.resume(theirs.clone()).unwrap();
    job.note(moment(Stage::Bind, Phase::Unknown)).unwrap();
    let records = other.records().unwrap();
    assert_eq!((records.len(), records[0].id == theirs.id, records[0].entries.len()), (1, true, 2));
}

#[test]
fn a_try_that_was_refused_gives_way_to_the_next_and_its_facts_stay() {
    let (_folder, journal) = journal();
    let claim = journal.claim(CARD).unwrap();
    let mut job = enroll(&claim, &[(Stage::Bind, Phase::AboutTo), (Stage::Bind, Phase::Refused)]);
    for _ in 0..20 {
        job.note(moment(Stage::Bind, Phase::AboutTo)).unwrap();
        let words = Facts { stopped_at: Some("bind".to_owned()), ..Facts::default() };
        job.note(Moment { facts: words, ..moment(Stage::Bind, Phase::Refused) }).unwrap();
    }
    let record = claim.records().unwrap().remove(0);
    assert_eq!((record.entries.len(), record.request(), record.stopped_at()), (2, Some(REQUEST), Some("bind")));
    job.note(moment(Stage::Bind, Phase::AboutTo)).unwrap();
    assert_eq!(
        (job.record().entries.len(), job.record().request(), job.record().stopped_at()),
        (1, Some(REQUEST), None)
    );
    // What may have been done stays, and so does what was shown to the card.
    job.note(moment(Stage::Bind, Phase::Unknown)).unwrap();
    job.note(moment(Stage::Bind, Phase::AboutTo)).unwrap();
    assert_eq!(job.record().entries.len(), 3);
    let mut job = claim.begin(JobKind::Enroll, proving()).unwrap();
    for again in [refused(), proving(), refused(), proving()] {
        job.note(again).unwrap();
    }
    assert_eq!(job.record().entries.len(), 5);
}

#[test]
fn a_record_that_has_no_room_left_says_so_and_stays_readable() {
    let (_folder, journal) = journal();
    let claim = journal.claim(CARD).unwrap();
    let mut job = enroll(&claim, &[(Stage::KeyPair, Phase::AboutTo)]);
    let long = || {
        let facts = Facts { comment: Some("x".repeat(2048)), ..Facts::default() };
        Moment { facts, ..moment(Stage::KeyPair, Phase::Unknown) }
    };
    let mut noted = 0;
    let error = loop {
        match job.note(long()) {
            Ok(()) => noted += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(&error, JournalError::Full { id } if id == job.id()), "{error}");
    assert_eq!(claim.records().unwrap()[0].entries.len(), noted + 1);
    // 64 KiB, of which each entry has taken little more than its facts.
    assert!((25..=31).contains(&noted), "{noted}");
}

#[test]
fn the_hash_of_a_key_is_hex_text_and_another_text_is_no_record() {
    let (_folder, journal) = journal();
    let claim = journal.claim(CARD).unwrap();
    let facts = Facts { pair: Some(1), key_before: Some([0xAB; 32]), key_made: None, ..Facts::default() };
    let job = claim.begin(JobKind::Enroll, Moment { facts, ..moment(Stage::KeyPair, Phase::AboutTo) }).unwrap();
    let path = file_of(&journal, CARD, &job);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(&format!("\"key_before\": \"{}\"", "ab".repeat(32))) && !text.contains("key_made"), "{text}");
    assert_eq!(claim.records().unwrap()[0].entries, job.record().entries);
    for wrong in ["", "ab", &"ab".repeat(33), &"zz".repeat(32)] {
        fs::write(&path, text.replace(&"ab".repeat(32), wrong)).unwrap();
        assert!(matches!(claim.records(), Err(JournalError::Unreadable { .. })), "{wrong}");
    }
}

#[test]
fn an_answer_is_kept_beside_the_record_private_and_whole() {
    let (_folder, journal) = journal();
    let claim = journal.claim(CARD).unwrap();
    let job = enroll(&claim, &[(Stage::Submission, Phase::AboutTo)]);
    assert!(job.kept().unwrap().is_none() && !job.has_kept());
    let kept = Kept { requests: vec![vec![0x30, 0], vec![]], answer: vec![0xFF; 1024 * 1024] };
    let name = job.keep(&kept).unwrap();
    let path = file_of(&journal, CARD, &job).with_file_name(&name);
    assert!(crate::os::testing::mode_of(&path).is_none_or(|mode| mode == 0o600));
    assert_eq!((job.kept().unwrap(), journal.kept(job.record()).unwrap()), (Some(kept.clone()), Some(kept.clone())));
    // It is no record, and the longest answer fits.
    assert_eq!((claim.records().unwrap().len(), journal.history().unwrap().unreadable.len()), (1, 0));
    let longer = Kept { answer: vec![0; 2 * 1024 * 1024], ..kept.clone() };
    assert!(matches!(job.keep(&longer), Err(JournalError::Io { .. })));
    assert_eq!(job.kept().unwrap(), Some(kept), "what was kept is still there");
    for broken in ["", "{}", r#"{"schema":"pinwright.kept-answer/1","requests":[],"answer":"CANARY!"}"#] {
        fs::write(&path, broken).unwrap();
        let error = job.kept().unwrap_err();
        assert!(matches!(&error, JournalError::Unreadable { file, .. } if *file == name), "{error:?}");
        assert!(!format!("{error:?}").contains("CANARY"));
    }
    job.forget().unwrap();
    job.forget().unwrap();
    assert!(!job.has_kept());
}

#[test]
fn what_is_kept_for_a_job_that_has_ended_goes() {
    let (_folder, journal) = journal();
    let claim = journal.claim(CARD).unwrap();
    let kept = Kept { requests: vec![], answer: b"[]".to_vec() };
    let mut ended = enroll(&claim, &[(Stage::Submission, Phase::AboutTo)]);
    let open = enroll(&claim, &[(Stage::Submission, Phase::AboutTo)]);
    ended.keep(&kept).unwrap();
    open.keep(&kept).unwrap();
    journal.tidy(CARD);
    assert!(ended.has_kept() && open.has_kept());
    ended.note(moment(Stage::Completion, Phase::Done)).unwrap();
    journal.tidy(CARD);
    assert!(!ended.has_kept() && open.has_kept());
    // One that can't be read may be the one that needs it.
    fs::write(file_of(&journal, CARD, &open), "{").unwrap();
    journal.tidy(CARD);
    assert!(open.has_kept());
}

#[test]
fn the_record_that_says_which_admin_key_is_on_the_card_stays() {
    let (_folder, journal) = journal();
    let claim = journal.claim(CARD).unwrap();
    let ended = |stage| {
        let job = enroll(&claim, &[(stage, Phase::AboutTo), (stage, Phase::Done), (Stage::Completion, Phase::Done)]);
        age(&file_of(&journal, CARD, &job), 400);
        job.id().to_owned()
    };
    let [old, kept, gone] = [Stage::AdminKey, Stage::AdminKey, Stage::Bind].map(ended);
    journal.tidy(CARD);
    let left: Vec<String> = claim.records().unwrap().into_iter().map(|record| record.id).collect();
    assert_eq!(left, [kept], "{old} {gone}");
}
