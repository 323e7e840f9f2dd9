//! A process that is killed between any two notes, and what the next one finds.

use super::*;

const REQUESTS: [&[u8]; 2] = [b"first", b"second"];

/// Something that an enrollment does, in the order in which it does it.
#[derive(Debug, Clone)]
enum Deed {
    Note(Box<Moment>),
    /// A job of the PIN step sets the PIN.
    SetPin,
    Keep,
    Complete,
}

fn deeds() -> Vec<Deed> {
    use AdminKeyVersion::{Default as D, Diversified as V};
    use Phase::{AboutTo, Done};
    let key = |phase| Moment::new(Stage::AdminKey, phase, ProofState::Accepted);
    let made = with(Stage::Request, Done, Facts { request: Some(REQUEST), ..Facts::default() });
    let kept = with(Stage::Submission, Done, Facts { kept: Some("x".to_owned()), ..Facts::default() });
    let before = [
        moment(Stage::Request, AboutTo),
        made,
        moment(Stage::Bind, AboutTo),
        moment(Stage::Bind, Done),
        proof(AboutTo, ProofState::Shown, D),
        proof(Done, ProofState::Accepted, D),
        key(AboutTo),
        key(Done),
        proof(AboutTo, ProofState::Shown, V),
        proof(Done, ProofState::Accepted, V),
    ];
    let pairs = (0..2).flat_map(|pair| [of_pair(Stage::KeyPair, AboutTo, pair), generated(pair, 1)]);
    let written = (0..2).flat_map(|pair| [AboutTo, Done].map(|phase| of_pair(Stage::Certificate, phase, pair)));
    let notes = |moments: Vec<Moment>| moments.into_iter().map(Box::new).map(Deed::Note).collect::<Vec<_>>();
    [
        notes(before.to_vec()),
        vec![Deed::SetPin],
        notes(pairs.collect()),
        notes(vec![moment(Stage::Submission, AboutTo)]),
        vec![Deed::Keep],
        notes(vec![kept]),
        notes(written.collect()),
        notes(vec![moment(Stage::Completion, AboutTo)]),
        vec![Deed::Complete],
    ]
    .concat()
}

fn carry_out(journal: &Journal, log: &mut EnrollLog<'_>, deed: &Deed) {
    match deed {
        Deed::Note(moment) => log.note(Moment::clone(moment)).unwrap(),
        Deed::SetPin => {
            log.release();
            pin_step(journal, REQUEST, &PIN_DONE);
            log.claim().unwrap();
        }
        Deed::Keep => {
            let requests: Vec<Vec<u8>> = REQUESTS.iter().map(|request| request.to_vec()).collect();
            log.keep(b"[{}]", &requests).unwrap();
        }
        Deed::Complete => drop(log.completed().unwrap()),
    }
}

/// What has to be told after these deeds: each thing as begun as soon as it may have been done.
fn expected(deeds: &[Deed]) -> JournalSays {
    let mut says = JournalSays { pairs: vec![NotedPair::default(); 2], ..JournalSays::default() };
    for deed in deeds {
        match deed {
            Deed::Note(moment) => {
                let noted = if moment.phase == Phase::AboutTo { Noted::Begun } else { Noted::Done };
                let pair = moment.facts.pair;
                match moment.stage {
                    Stage::Request => says.request = noted,
                    Stage::Bind => says.bind = noted,
                    Stage::AdminKey => says.admin_key = noted,
                    Stage::Prove => says.admin_key_proved = (says.admin_key, noted) == (Noted::Done, Noted::Done),
                    Stage::KeyPair => {
                        says.pairs[pair.unwrap()].generation = noted;
                        says.pairs[pair.unwrap()].made = moment.facts.key_made;
                    }
                    Stage::Submission => says.submission = noted,
                    Stage::Certificate => says.pairs[pair.unwrap()].certificate = noted,
                    Stage::Completion => {}
                    other => panic!("{other:?}"),
                }
            }
            Deed::SetPin => says.pin_verified = true,
            Deed::Keep => says.submission = Noted::Done,
            Deed::Complete => {}
        }
    }
    says
}

#[test]
fn killed_between_any_two_notes_what_may_have_been_done_is_told_as_begun() {
    let deeds = deeds();
    for cut in 0..deeds.len() {
        let (_folder, journal) = journal();
        let (before, after) = deeds.split_at(cut);
        let mut killed = log(&journal, None);
        before.iter().for_each(|deed| carry_out(&journal, &mut killed, deed));
        drop(killed);

        let mut again = log(&journal, None);
        let last = before.last();
        assert_eq!(again.says(2), expected(before), "{cut}: {last:?}");
        assert_eq!(again.record().is_some(), cut > 0, "{cut}: {last:?}");
        let has_kept = before.iter().any(|deed| matches!(deed, Deed::Keep));
        let kept = again.kept().unwrap();
        assert_eq!(kept.is_some(), has_kept, "{cut}: {last:?}");
        assert!(kept.is_none_or(|kept| kept.requests == REQUESTS && kept.answer == b"[{}]"));
        let open = || journal.history().unwrap().records.iter().filter(|record| record.is_open()).count();
        assert_eq!(open(), usize::from(cut > 0), "{cut}: {last:?}");

        // The second process brings the same record to its end.
        after.iter().for_each(|deed| carry_out(&journal, &mut again, deed));
        drop(again);
        let records = journal.history().unwrap().records;
        let of_kind = |job| records.iter().filter(|record| record.job == job).count();
        assert_eq!((of_kind(JobKind::Enroll), of_kind(JobKind::SetPin), open()), (1, 1, 0), "{cut}: {last:?}");
        assert!(records.iter().all(Record::is_done), "{cut}: {last:?}");
    }
}

/// Killed after each: the record still says what all of them have left.
#[test]
fn killed_again_and_again_nothing_that_was_begun_is_forgotten() {
    let deeds = deeds();
    let (_folder, journal) = journal();
    // All but the end, after which there is no record to go on with.
    for (index, deed) in deeds[..deeds.len() - 1].iter().enumerate() {
        let mut process = log(&journal, None);
        carry_out(&journal, &mut process, deed);
        drop(process);
        assert_eq!(log(&journal, None).says(2), expected(&deeds[..=index]), "{index}");
    }
}
