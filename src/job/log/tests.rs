use super::*;

use crate::job::effect::Effect;

fn ended(step: Step, pin: Change, proof: ProofState) -> (Stage, Phase, ProofState) {
    let mut failure = Failure::before_any_effect(step, "Reader", None, Cause::Interrupted);
    failure.effect = Effect { pin, proof, ..Effect::default() };
    let moment = end(&failure);
    assert_eq!(moment.facts.stopped_at.as_deref(), Some(step.name()));
    (moment.stage, moment.phase, moment.proof)
}

#[test]
fn the_last_entry_says_what_is_known_of_the_card() {
    use Change::{AsBefore, Unknown};
    use ProofState::{Accepted, NotShown, Refused, Shown};
    let new = Change::New { verified: false };
    let cases = [
        (Step::Authorize, AsBefore, Shown, (Stage::Prove, Phase::Unknown)),
        (Step::Authorize, AsBefore, Refused, (Stage::Prove, Phase::Refused)),
        (Step::Authorize, AsBefore, NotShown, (Stage::Prove, Phase::Refused)),
        (Step::SetPin, AsBefore, Accepted, (Stage::Pin, Phase::Refused)),
        (Step::SetPin, Unknown, Accepted, (Stage::Pin, Phase::Unknown)),
        (Step::SetPin, new, Accepted, (Stage::Pin, Phase::Done)),
        (Step::Verify, Unknown, Accepted, (Stage::Verify, Phase::Refused)),
        (Step::Verify, new, Accepted, (Stage::Verify, Phase::Unknown)),
    ];
    for (step, pin, proof, (stage, phase)) in cases {
        assert_eq!(ended(step, pin, proof), (stage, phase, proof), "{step:?} {pin:?} {proof:?}");
    }
}

#[test]
fn card_and_request_are_free_once_the_job_lets_go_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::new(folder.path().join("journal"), std::time::Duration::from_secs(3600));
    let card_id = CardId::new(&[7; 16], crate::card::IdOrder::Raw).unwrap();
    let request = Uuid::from_u128(1);
    let mut log = Log::new(Some(&journal), None);
    log.claim(card_id).unwrap();
    log.claim_request(Some(request)).unwrap();
    assert!(journal.claim(card_id.guid()).is_err() && journal.claim_request(request).is_err());
    log.release();
    assert!(journal.claim(card_id.guid()).is_ok() && journal.claim_request(request).is_ok());
}

/// Notes these jobs in the card's journal, all with the PUK and for one request.
fn note_jobs(journal: &Journal, card_id: CardId, jobs: &[&[(Stage, Phase, ProofState)]]) {
    let claim = journal.claim(card_id.guid()).unwrap();
    for moments in jobs {
        let mut moments = moments.iter().map(|(stage, phase, proof)| Moment::new(*stage, *phase, *proof));
        let facts = Facts {
            request: Some(Uuid::from_u128(1)),
            authority: Some(Authority::Puk.name().to_owned()),
            ..Facts::default()
        };
        let mut job = claim.begin(JobKind::SetPin, Moment { facts, ..moments.next().unwrap() }).unwrap();
        moments.for_each(|moment| job.note(moment).unwrap());
    }
}

#[test]
fn what_earlier_jobs_left_in_doubt_is_found_in_the_cards_journal() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::new(folder.path().join("journal"), std::time::Duration::from_secs(3600));
    let card_id = CardId::new(&[7; 16], crate::card::IdOrder::Raw).unwrap();
    let look = || Log::look(Some(&journal), None, card_id).unwrap();
    let shown = (Stage::Prove, Phase::AboutTo, ProofState::Shown);
    note_jobs(&journal, card_id, &[&[shown]]);
    let log = look();
    assert!(log.code_try_in_doubt(Authority::Puk).is_some() && log.code_try_in_doubt(Authority::AdminPin).is_none());
    assert!(log.pin_is_uncertain().is_none(), "a proof alone has changed no PIN");
    assert_eq!(log.open().len(), 1);
    assert!(log.knows(Uuid::from_u128(1)) && !log.knows(Uuid::from_u128(2)));

    note_jobs(&journal, card_id, &[&[shown, (Stage::Pin, Phase::AboutTo, ProofState::Shown)]]);
    let log = look();
    assert_eq!(log.pin_is_uncertain().map(|earlier| earlier.whose), Some(Whose::Own));
    assert_eq!(log.open().len(), 2);

    note_jobs(&journal, card_id, &[&[shown, (Stage::Prove, Phase::Refused, ProofState::Refused)]]);
    let unasked = look().may_be_shown_unasked(Authority::Puk, Some(Uuid::from_u128(1)));
    assert!(matches!(unasked, Err(Cause::RefusedBefore { .. })));
    assert!(look().may_be_shown_unasked(Authority::Puk, Some(Uuid::from_u128(2))).is_ok());
}

/// Notes a record of an enrollment on the card, for the request that [`note_jobs`] names.
fn note_enrollment(journal: &Journal, card_id: CardId, moments: &[(Stage, Phase, ProofState)]) -> String {
    let claim = journal.claim(card_id.guid()).unwrap();
    let mut moments = moments.iter().map(|(stage, phase, proof)| Moment::new(*stage, *phase, *proof));
    let facts = Facts {
        request: Some(Uuid::from_u128(1)),
        authority: Some(Authority::Server.name().to_owned()),
        ..Facts::default()
    };
    let mut job = claim.begin(JobKind::Enroll, Moment { facts, ..moments.next().unwrap() }).unwrap();
    moments.for_each(|moment| job.note(moment).unwrap());
    job.id().to_owned()
}

/// What an open enrollment says of PIN and proofs to a job of the PIN step beside it.
#[test]
fn an_open_enrollment_leaves_the_pin_in_no_doubt_and_its_proofs_count() {
    use ProofState::{Accepted, NotShown, Refused, Shown};
    const PROVING: (Stage, Phase, ProofState) = (Stage::Prove, Phase::AboutTo, Shown);
    let pin_done = [PROVING, (Stage::Pin, Phase::Done, Accepted), (Stage::Verify, Phase::Done, Accepted)];
    // The enrollment's record; whether its proof bars the server's answer, and may have spent a try.
    type Noted<'a> = &'a [(Stage, Phase, ProofState)];
    let cases: [(Noted<'_>, bool, bool); 5] = [
        (&[(Stage::Submission, Phase::AboutTo, NotShown)], false, false),
        (&[(Stage::KeyPair, Phase::Unknown, NotShown)], false, false),
        (&[PROVING], false, true),
        (&[(Stage::Bind, Phase::Done, NotShown), PROVING, (Stage::Prove, Phase::Refused, Refused)], true, true),
        (&[PROVING, (Stage::Prove, Phase::Done, Accepted), (Stage::AdminKey, Phase::Unknown, Accepted)], false, false),
    ];
    for (moments, bars, spends) in cases {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::new(folder.path().join("journal"), std::time::Duration::from_secs(3600));
        let card_id = CardId::new(&[7; 16], crate::card::IdOrder::Raw).unwrap();
        note_jobs(&journal, card_id, &[&pin_done]);
        note_enrollment(&journal, card_id, moments);
        let log = Log::look(Some(&journal), None, card_id).unwrap();
        assert!(log.past.iter().any(Record::is_open), "{moments:?}");
        assert!(log.open().is_empty() && log.pin_is_uncertain().is_none(), "{moments:?}");
        assert!(log.done_before(Some(Uuid::from_u128(1))).is_some(), "{moments:?}");
        assert_eq!(log.is_clear(), !bars, "{moments:?}");
        assert_eq!(log.answer_may_be_shown(Authority::Server, None, "").is_err(), bars, "{moments:?}");
        assert_eq!(log.code_try_in_doubt(Authority::Server).is_some(), spends, "{moments:?}");
    }
}

#[test]
fn the_pin_steps_good_end_settles_its_own_kind_and_keeps_version_one_off() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::new(folder.path().join("journal"), std::time::Duration::from_secs(3600));
    let card_id = CardId::new(&[7; 16], crate::card::IdOrder::Raw).unwrap();
    let enrollment = note_enrollment(&journal, card_id, &[(Stage::Submission, Phase::AboutTo, ProofState::NotShown)]);
    note_jobs(&journal, card_id, &[&[(Stage::Prove, Phase::AboutTo, ProofState::Shown)]]);
    let mut log = Log::new(Some(&journal), None);
    log.claim(card_id).unwrap();
    let first = Moment::new(Stage::Prove, Phase::AboutTo, ProofState::Shown);
    log.job = Some(log.card.as_ref().unwrap().begin(JobKind::SetPin, first).unwrap());
    let (id, settled, failed) = log.done();
    assert!(id.is_some() && settled.is_some_and(|record| record.job == JobKind::SetPin) && failed.is_none());
    let open: Vec<String> =
        journal.of_card(card_id.guid()).unwrap().into_iter().filter(Record::is_open).map(|record| record.id).collect();
    assert_eq!(open, [enrollment]);
    // What a program of version 1 finds of the card is none of its records.
    let seen = std::fs::read(journal.folder().join(format!("{}_v2.json", card_id.guid()))).unwrap();
    assert!(serde_json::from_slice::<crate::job::journal::v1::File>(&seen).is_err());
}
