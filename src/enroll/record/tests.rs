use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::card::IdOrder;
use crate::enroll::next::{KeyHash, Noted, NotedPair};
use crate::job::journal::Point;
use crate::server::AdminKeyVersion;

mod crashes;
mod lost_requests;

const REQUEST: Uuid = Uuid::from_u128(0xA9);
const OTHER: Uuid = Uuid::from_u128(0xAA);

fn card_id() -> CardId {
    CardId::new(&[7; 16], IdOrder::Raw).unwrap()
}

fn journal() -> (TempDir, Journal) {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::new(folder.path().join("journal"), Duration::from_secs(3600));
    (folder, journal)
}

fn moment(stage: Stage, phase: Phase) -> Moment {
    Moment::new(stage, phase, ProofState::NotShown)
}

fn with(stage: Stage, phase: Phase, facts: Facts) -> Moment {
    Moment { facts, ..moment(stage, phase) }
}

/// The key of this pair, of this generation.
fn key(pair: usize, generation: u8) -> KeyHash {
    [u8::try_from(pair).unwrap() * 16 + generation; 32]
}

fn of_pair(stage: Stage, phase: Phase, pair: usize) -> Moment {
    let slot = Some(["9a", "ksc01"][pair].to_owned());
    with(stage, phase, Facts { pair: Some(pair), slot, ..Facts::default() })
}

fn generated(pair: usize, generation: u8) -> Moment {
    let mut moment = of_pair(Stage::KeyPair, Phase::Done, pair);
    moment.facts.key_made = Some(key(pair, generation));
    moment
}

fn proof(phase: Phase, proof: ProofState, admin_key: AdminKeyVersion) -> Moment {
    let facts = Facts {
        authority: Some("server".to_owned()),
        admin_key: Some(admin_key.name().to_owned()),
        ..Facts::default()
    };
    Moment { facts, ..Moment::new(Stage::Prove, phase, proof) }
}

/// A log that has claimed the card and gone on with what it found.
fn log<'a>(journal: &'a Journal, request: Option<Uuid>) -> EnrollLog<'a> {
    let mut log = EnrollLog::new(Some(journal), card_id());
    log.claim().unwrap();
    log.find(request).unwrap();
    log
}

fn bound(request: Uuid) -> Moment {
    with(Stage::Bind, Phase::Done, Facts { request: Some(request), ..Facts::default() })
}

/// A job of the PIN step on the card, as another process notes it: up to here.
fn pin_step(journal: &Journal, request: Uuid, moments: &[(Stage, Phase)]) {
    let claim = journal.claim(card_id().guid()).unwrap();
    let first = with(Stage::Prove, Phase::AboutTo, Facts { request: Some(request), ..Facts::default() });
    let mut job = claim.begin(JobKind::SetPin, Moment { proof: ProofState::Shown, ..first }).unwrap();
    let settled = claim.unsettled().unwrap();
    for (stage, phase) in moments {
        job.note(Moment::new(*stage, *phase, ProofState::Accepted)).unwrap();
    }
    if job.record().point() == Point::Done {
        let of_pin: Vec<Record> =
            settled.into_iter().filter(|record| record.job == JobKind::SetPin && record.id != job.id()).collect();
        job.settle(&of_pin).unwrap();
    }
}

const PIN_DONE: [(Stage, Phase); 2] = [(Stage::Pin, Phase::AboutTo), (Stage::Verify, Phase::Done)];

fn record(moments: impl IntoIterator<Item = Moment>) -> Record {
    let mut moments = moments.into_iter();
    let mut record = in_memory(card_id(), moments.next().unwrap());
    moments.for_each(|moment| record.add(moment.now()));
    record
}

#[test]
fn what_was_begun_is_told_as_begun_until_its_end_is_known() {
    use Phase::{AboutTo, Done, Refused, Unknown};
    let cases: [(&[Phase], Noted); 9] = [
        (&[AboutTo], Noted::Begun),
        (&[AboutTo, Done], Noted::Done),
        (&[AboutTo, Unknown], Noted::Begun),
        (&[AboutTo, Refused], Noted::Nothing),
        // A look has found what a lost call has done.
        (&[AboutTo, Unknown, Done], Noted::Done),
        // The second try was refused, and of the first nobody knows.
        (&[AboutTo, AboutTo, Refused], Noted::Begun),
        (&[AboutTo, Unknown, AboutTo, Refused], Noted::Begun),
        (&[AboutTo, Refused, AboutTo], Noted::Begun),
        (&[AboutTo, Done, AboutTo, Refused], Noted::Done),
    ];
    for (phases, expected) in cases {
        let of = |stage| says(&record(phases.iter().map(|phase| of_pair(stage, *phase, 0))), &[], 2, false);
        let told = format!("{phases:?}");
        assert_eq!(of(Stage::Request).request, expected, "{told}");
        assert_eq!(of(Stage::Bind).bind, expected, "{told}");
        assert_eq!(of(Stage::AdminKey).admin_key, expected, "{told}");
        assert_eq!(of(Stage::Submission).submission, expected, "{told}");
        assert_eq!(of(Stage::Wipe).wipe, expected, "{told}");
        assert_eq!(of(Stage::Retirement).retirement, expected, "{told}");
        let generation = of(Stage::KeyPair).pairs;
        assert_eq!(generation.iter().map(|pair| pair.generation).collect::<Vec<_>>(), [expected, Noted::Nothing]);
        let certificate = of(Stage::Certificate).pairs;
        assert_eq!(certificate.iter().map(|pair| pair.certificate).collect::<Vec<_>>(), [expected, Noted::Nothing]);
    }
}

#[test]
fn a_key_pair_has_the_key_before_and_the_key_made_of_its_own_last_generation() {
    let begun = |pair, before| {
        let mut moment = of_pair(Stage::KeyPair, Phase::AboutTo, pair);
        moment.facts.key_before = before;
        moment
    };
    let told = |moments: Vec<Moment>| says(&record(moments), &[], 2, false).pairs;
    let pair = |generation, before, made| NotedPair { generation, before, made, ..NotedPair::default() };
    let first = vec![begun(0, None), generated(0, 1), begun(1, Some(key(1, 0)))];
    assert_eq!(
        told(first.clone()),
        [pair(Noted::Done, None, Some(key(0, 1))), pair(Noted::Begun, Some(key(1, 0)), None)]
    );
    // Made anew, and the slot was cleared before that: nothing of the first attempt is taken for the second.
    let again = [begun(1, None), generated(1, 2), begun(0, Some(key(0, 1)))];
    assert_eq!(
        told([first.clone(), again.to_vec()].concat()),
        [pair(Noted::Begun, Some(key(0, 1)), Some(key(0, 1))), pair(Noted::Done, None, Some(key(1, 2)))]
    );
    // Refused: the slot has what it had.
    let refused = [begun(0, Some(key(0, 1))), of_pair(Stage::KeyPair, Phase::Refused, 0)];
    assert_eq!(told([first, refused.to_vec()].concat())[0], pair(Noted::Done, None, Some(key(0, 1))));
}

#[test]
fn a_proof_tells_which_admin_key_is_on_the_card() {
    use AdminKeyVersion::{Default as D, Diversified as V};
    use Phase::{AboutTo, Done, Refused, Unknown};
    let key = |phase| Moment::new(Stage::AdminKey, phase, ProofState::Accepted);
    let proved = |version| proof(Done, ProofState::Accepted, version);
    let cases = [
        (vec![proved(D)], Noted::Nothing, false),
        (vec![proved(V)], Noted::Nothing, false),
        (vec![proved(D), key(AboutTo), key(Done)], Noted::Done, false),
        (vec![key(AboutTo), key(Done), proof(AboutTo, ProofState::Shown, V)], Noted::Done, false),
        (vec![key(AboutTo), key(Done), proof(Refused, ProofState::Refused, V)], Noted::Done, false),
        (vec![key(AboutTo), key(Done), proved(V)], Noted::Done, true),
        // What a person says of a write that was cut off is true once the card has taken a proof.
        (vec![key(AboutTo), proved(V)], Noted::Done, true),
        (vec![key(AboutTo), key(Unknown), proved(V)], Noted::Done, true),
        (vec![key(AboutTo), proof(Refused, ProofState::Refused, V)], Noted::Begun, false),
        (vec![key(AboutTo), proved(D)], Noted::Nothing, false),
        (vec![key(AboutTo), proved(D), key(AboutTo)], Noted::Begun, false),
        (vec![key(AboutTo), proved(D), key(AboutTo), key(Refused)], Noted::Nothing, false),
        (vec![key(AboutTo), key(Done), proved(V), key(AboutTo)], Noted::Begun, false),
    ];
    for (moments, noted, is_proved) in cases {
        let told = format!("{moments:?}");
        let said = says(&record(moments), &[], 0, false);
        assert_eq!((said.admin_key, said.admin_key_proved), (noted, is_proved), "{told}");
    }
}

#[test]
fn the_pin_is_verified_by_a_job_of_the_pin_step_for_this_request() {
    let (_folder, journal) = journal();
    let is_verified = || log(&journal, Some(REQUEST)).says(0).pin_verified;
    pin_step(&journal, OTHER, &PIN_DONE);
    let mut first = log(&journal, Some(REQUEST));
    first.note(bound(REQUEST)).unwrap();
    drop(first);
    assert!(!is_verified(), "it was another request's");
    pin_step(&journal, REQUEST, &[]);
    assert!(!is_verified());
    pin_step(&journal, REQUEST, &PIN_DONE);
    assert!(is_verified());
    // A later job was cut off while it set another PIN.
    pin_step(&journal, OTHER, &[(Stage::Pin, Phase::AboutTo)]);
    assert!(!is_verified());
    pin_step(&journal, OTHER, &PIN_DONE);
    assert!(is_verified(), "the card has verified the last one, too");
    // One that has changed nothing leaves nothing in doubt.
    pin_step(&journal, OTHER, &[(Stage::Prove, Phase::Refused)]);
    assert!(is_verified());
}

#[test]
fn a_pin_that_was_set_before_the_enrollment_began_counts() {
    let (_folder, journal) = journal();
    pin_step(&journal, REQUEST, &PIN_DONE);
    let mut log = log(&journal, Some(REQUEST));
    log.note(bound(REQUEST)).unwrap();
    assert!(log.says(0).pin_verified);
}

#[test]
fn a_job_of_the_pin_step_works_between_release_and_claim() {
    let (_folder, journal) = journal();
    let mut log = log(&journal, Some(REQUEST));
    log.claim_request(REQUEST).unwrap();
    log.note(bound(REQUEST)).unwrap();
    let id = log.id().unwrap().to_owned();
    assert!(journal.claim(card_id().guid()).is_err() && journal.claim_request(REQUEST).is_err());
    log.release();
    assert!(journal.claim_request(REQUEST).is_ok());
    pin_step(&journal, REQUEST, &PIN_DONE);
    assert!(!log.says(1).pin_verified, "it was not looked at yet");
    log.claim().unwrap();
    assert_eq!((log.id(), log.says(1).pin_verified, log.past().len()), (Some(id.as_str()), true, 1));
    assert!(journal.claim(card_id().guid()).is_err());
    // Every note needs the claim, and takes it.
    log.release();
    log.note(of_pair(Stage::KeyPair, Phase::AboutTo, 0)).unwrap();
    assert!(journal.claim(card_id().guid()).is_err());
    assert_eq!(log.slots(2), [Some("9a".parse().unwrap()), None]);
    let records = journal.of_card(card_id().guid()).unwrap();
    assert_eq!(records.iter().filter(|record| record.job == JobKind::Enroll).count(), 1);
}

#[test]
fn what_another_process_has_brought_to_its_end_meanwhile_is_not_gone_on_with() {
    let (_folder, journal) = journal();
    let mut one = log(&journal, Some(REQUEST));
    one.note(bound(REQUEST)).unwrap();
    one.release();
    let mut other = log(&journal, Some(REQUEST));
    assert_eq!(other.id(), one.id());
    other.completed().unwrap();
    drop(other);
    one.claim().unwrap();
    assert!(one.id().is_none() && one.find(Some(REQUEST)).unwrap().is_none());
    assert!(one.past()[0].is_done());
    assert!(one.completed().unwrap().is_empty(), "there is nothing to complete");
}

#[test]
fn an_open_enrollment_is_found_by_its_request() {
    let (_folder, journal) = journal();
    let begin = |first: Moment| {
        let mut log = EnrollLog::new(Some(&journal), card_id());
        log.note(first).unwrap();
        log.id().unwrap().to_owned()
    };
    let found = |request| log(&journal, request).id().map(str::to_owned);
    assert_eq!(found(None), None);
    let one = begin(bound(REQUEST));
    let other = begin(bound(OTHER));
    assert_eq!(found(Some(REQUEST)), Some(one));
    assert_eq!((found(Some(OTHER)), found(None)), (Some(other.clone()), Some(other)));
    assert_eq!(found(Some(Uuid::nil())), None, "it is another request's record");
    // A request whose making was cut off may be the one.
    let lost = begin(moment(Stage::Request, Phase::AboutTo));
    assert_eq!((found(Some(Uuid::nil())), found(None)), (Some(lost.clone()), Some(lost)));
    // Jobs of the PIN step are none, whatever they left open.
    pin_step(&journal, Uuid::from_u128(5), &[]);
    assert_ne!(log(&journal, Some(Uuid::from_u128(5))).request(), Some(Uuid::from_u128(5)));
}

#[test]
fn a_completed_enrollment_settles_its_own_kind_and_forgets_what_was_kept() {
    let (_folder, journal) = journal();
    let mut earlier = log(&journal, Some(OTHER));
    earlier.note(bound(OTHER)).unwrap();
    earlier.note(moment(Stage::Submission, Phase::AboutTo)).unwrap();
    earlier.keep(b"[1]", &[]).unwrap();
    drop(earlier);
    pin_step(&journal, REQUEST, &[(Stage::Pin, Phase::AboutTo)]);
    let mut enrollment = log(&journal, Some(REQUEST));
    enrollment.note(bound(REQUEST)).unwrap();
    enrollment.note(moment(Stage::Submission, Phase::AboutTo)).unwrap();
    enrollment.keep(b"[2]", &[]).unwrap();
    let settled = enrollment.completed().unwrap();
    assert_eq!(settled.iter().map(Record::request).collect::<Vec<_>>(), [Some(OTHER)]);
    assert_eq!(enrollment.kept().unwrap(), None);
    drop(enrollment);
    let records = journal.of_card(card_id().guid()).unwrap();
    let open: Vec<_> = records.iter().filter(|record| record.is_open()).map(|record| record.job).collect();
    assert_eq!(open, [JobKind::SetPin]);
    journal.tidy(card_id().guid());
    let left = walk(journal.folder()).into_iter().filter(|path| path.extension().is_some_and(|it| it == "kept"));
    assert_eq!(left.count(), 0);
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[test]
fn a_request_that_the_server_has_closed_closes_what_has_left_nothing_in_doubt() {
    let (_folder, journal) = journal();
    let mut log = log(&journal, Some(REQUEST));
    assert!(log.closed().unwrap());
    log.note(bound(REQUEST)).unwrap();
    log.note(of_pair(Stage::KeyPair, Phase::AboutTo, 0)).unwrap();
    assert!(!log.closed().unwrap() && log.record().unwrap().is_open());
    log.note(of_pair(Stage::KeyPair, Phase::Refused, 0)).unwrap();
    assert!(log.closed().unwrap() && !log.record().unwrap().is_open());
}

#[test]
fn without_a_journal_the_record_lives_as_long_as_the_log() {
    let mut log = EnrollLog::new(None, card_id());
    log.claim().unwrap();
    assert!(log.find(None).unwrap().is_none() && log.keep(b"[]", &[]).unwrap().is_none());
    log.note(bound(REQUEST)).unwrap();
    log.claim_request(REQUEST).unwrap();
    log.note(moment(Stage::Submission, Phase::AboutTo)).unwrap();
    log.keep(b"[1]", &[vec![3]]).unwrap();
    log.release();
    log.pin_is_verified();
    let said = log.says(1);
    assert_eq!((said.bind, said.submission, said.pin_verified), (Noted::Done, Noted::Done, true));
    assert_eq!(log.kept().unwrap(), Some(Kept { requests: vec![vec![3]], answer: b"[1]".to_vec() }));
    assert_eq!((log.request(), log.completed().unwrap().len()), (Some(REQUEST), 0));
    assert!(log.record().unwrap().is_done());
}
