use super::*;
use crate::job::journal::{Entry, Facts, Version};

const REQUEST: Option<Uuid> = Some(Uuid::from_u128(1));
const OTHER: Option<Uuid> = Some(Uuid::from_u128(2));

fn entry(stage: Stage, phase: Phase, proof: ProofState, facts: Facts) -> Entry {
    Entry { at: String::new(), stage, phase, proof, facts }
}

fn record(authority: Authority, entries: &[(Stage, Phase, ProofState)], word: Option<&str>) -> Record {
    let mut entries: Vec<Entry> =
        entries.iter().map(|(stage, phase, proof)| entry(*stage, *phase, *proof, Facts::default())).collect();
    entries[0].facts = Facts {
        request: REQUEST,
        authority: Some(authority.name().to_owned()),
        status_word: word.map(str::to_owned),
        ..Facts::default()
    };
    Record { version: Version::Two, id: "1-2".to_owned(), job: JobKind::SetPin, started: String::new(), entries }
}

fn refused(authority: Authority) -> Record {
    let begun = (Stage::Prove, Phase::AboutTo, ProofState::Shown);
    record(authority, &[begun, (Stage::Prove, Phase::Refused, ProofState::Refused)], Some("6982"))
}

fn cut_off(authority: Authority) -> Record {
    record(authority, &[(Stage::Prove, Phase::AboutTo, ProofState::Shown)], None)
}

fn accepted(authority: Authority) -> Record {
    let begun = (Stage::Prove, Phase::AboutTo, ProofState::Shown);
    record(authority, &[begun, (Stage::Pin, Phase::AboutTo, ProofState::Accepted)], None)
}

fn may(past: &[Record], authority: Authority, request: Option<Uuid>) -> bool {
    may_be_shown_unasked(past, authority, request).is_ok()
}

#[test]
fn a_proof_that_was_refused_is_not_shown_again_for_the_same_request() {
    for authority in Authority::ALL {
        let past = [refused(authority)];
        assert!(!may(&past, authority, REQUEST), "{authority:?}");
        assert!(may(&past, authority, OTHER), "{authority:?}");
        assert!(try_in_doubt(&past, authority).is_some(), "{authority:?}");
    }
}

#[test]
fn a_refused_answer_is_barred_per_key_until_one_is_accepted() {
    use AdminKeyVersion::{Default as D, Diversified as V};
    let with = |mut record: Record, key: Option<AdminKeyVersion>| {
        record.entries[0].facts.admin_key = key.map(|key| key.name().to_owned());
        record
    };
    let (server, local) = (Authority::Server, Authority::AdminKey);
    let barred = |past: &[Record], authority, key| refused_answer(past, authority, key).is_some();
    let past = [with(refused(server), Some(D))];
    assert!(barred(&past, server, Some(D)) && !barred(&past, server, Some(V)) && !barred(&past, local, None));
    // Version 1 of the journal does not say which key it was.
    let past = [refused(server)];
    assert!(barred(&past, server, Some(D)) && barred(&past, server, Some(V)));
    let past = [refused(local), cut_off(local)];
    assert!(barred(&past, local, None) && !barred(&past, server, Some(D)));
    let past = [with(refused(server), Some(D)), with(accepted(server), Some(V))];
    assert!(barred(&past, server, Some(D)), "another key was accepted");
    let past = [with(refused(server), Some(D)), with(accepted(server), Some(D))];
    assert!(!barred(&past, server, Some(D)));
    // Codes have counters of their own.
    for authority in [Authority::Puk, Authority::AdminPin, Authority::ResettingCode, Authority::CurrentPin] {
        assert!(!barred(&[refused(authority)], authority, None), "{authority:?}");
    }
}

#[test]
fn another_authority_and_an_acceptance_since_forbid_nothing() {
    let past = [refused(Authority::AdminKey)];
    assert!(may(&past, Authority::Server, REQUEST) && try_in_doubt(&past, Authority::Server).is_none());
    let since = [refused(Authority::AdminKey), accepted(Authority::AdminKey)];
    assert!(may(&since, Authority::AdminKey, REQUEST) && try_in_doubt(&since, Authority::AdminKey).is_none());
    let before = [accepted(Authority::AdminKey), refused(Authority::AdminKey)];
    assert!(!may(&before, Authority::AdminKey, REQUEST));
}

#[test]
fn jobs_that_are_cut_off_end_some_time() {
    let one = || cut_off(Authority::Server);
    let early = record(Authority::Server, &[(Stage::Prove, Phase::AboutTo, ProofState::NotShown)], None);
    assert!(may(&[one(), one(), early.clone()], Authority::Server, REQUEST));
    let thrice = [one(), one(), early, one()];
    assert!(!may(&thrice, Authority::Server, REQUEST));
    assert!(may(&thrice, Authority::Server, OTHER));
}

#[test]
fn of_a_job_with_two_authorities_each_entry_counts_for_its_own() {
    let mut both = refused(Authority::AdminKey);
    let puk = Facts { authority: Some(Authority::Puk.name().to_owned()), ..Facts::default() };
    both.entries.push(entry(Stage::Pin, Phase::Done, ProofState::Accepted, puk));
    assert!(!may(std::slice::from_ref(&both), Authority::AdminKey, REQUEST));
    assert!(may(&[both], Authority::Puk, REQUEST));
}

/// A record of an enrollment: second, stage, phase, proof and key of each entry.
fn enrollment(entries: &[(u32, Stage, Phase, ProofState, AdminKeyVersion)]) -> Record {
    let entries = entries.iter().map(|(second, stage, phase, proof, key)| {
        let facts = Facts {
            request: REQUEST,
            authority: Some(Authority::Server.name().to_owned()),
            admin_key: Some(key.name().to_owned()),
            status_word: (*proof == ProofState::Refused).then(|| format!("69{second:02}")),
            ..Facts::default()
        };
        Entry { at: at(*second), ..entry(*stage, *phase, *proof, facts) }
    });
    let (id, started) = ("e-1".to_owned(), at(0));
    Record { version: Version::Two, id, job: JobKind::Enroll, started, entries: entries.collect() }
}

fn at(second: u32) -> String {
    format!("2026-01-01T00:00:{second:02}Z")
}

/// A job of the PIN step at that second, begun after every enrollment here.
fn pin_step(second: u32, record: Record, key: AdminKeyVersion) -> Record {
    let mut record = Record { id: format!("p-{second}"), started: at(second), ..record };
    record.entries.iter_mut().for_each(|entry| entry.at = at(second));
    record.entries[0].facts.admin_key = Some(key.name().to_owned());
    record
}

#[test]
fn an_enrollment_shows_more_than_once_and_between_other_jobs() {
    use AdminKeyVersion::{Default as D, Diversified as V};
    use Phase::{AboutTo, Done, Refused};
    let (prove, key) = (Stage::Prove, Stage::AdminKey);
    let (shown, yes, no) = (ProofState::Shown, ProofState::Accepted, ProofState::Refused);
    let server = Authority::Server;
    let barred = |past: &[Record], key| refused_answer(past, server, Some(key)).is_some();

    // The old key is taken, and the new one refused: each counts for itself.
    let whole = [(1, prove, AboutTo, shown, D), (1, prove, Done, yes, D), (2, key, AboutTo, yes, D)];
    let proof = [(2, key, Done, yes, D), (3, prove, AboutTo, shown, V), (3, prove, Refused, no, V)];
    let refused_at_end = enrollment(&[whole, proof].concat());
    assert!(!barred(std::slice::from_ref(&refused_at_end), D) && barred(std::slice::from_ref(&refused_at_end), V));
    assert_eq!(refusal(&refused_at_end, server, Some(V)), (at(3).as_str(), Some("6903")));

    // Refused on the first day, and a job of the PIN step was accepted since, or before.
    let late = enrollment(&[(9, prove, AboutTo, shown, D), (9, prove, Refused, no, D)]);
    for (second, bars) in [(8, true), (9, true), (10, false)] {
        let past = [late.clone(), pin_step(second, accepted(server), D)];
        assert_eq!(barred(&past, D), bars, "{second}");
    }
    // Accepted at last, after a job of the PIN step was refused, or before that.
    let late = enrollment(&[(9, prove, AboutTo, shown, D), (9, prove, Done, yes, D)]);
    for (second, bars) in [(8, false), (9, true), (10, true)] {
        let past = [late.clone(), pin_step(second, refused(server), D)];
        assert_eq!(barred(&past, D), bars, "{second}");
        assert_eq!(try_in_doubt(&past, server).is_some(), bars, "{second}");
    }
    // Refused in a stage that the proof was for, as it notes its end.
    let in_stage = enrollment(&[(9, prove, AboutTo, shown, D), (9, Stage::KeyPair, Refused, no, D)]);
    assert!(barred(std::slice::from_ref(&in_stage), D));
    // A PIN that was refused later is no answer.
    let pin = enrollment(&[
        (9, prove, AboutTo, shown, D),
        (9, prove, Done, yes, D),
        (9, Stage::KeyPair, AboutTo, yes, D),
        (9, Stage::KeyPair, Refused, no, D),
    ]);
    assert!(!barred(std::slice::from_ref(&pin), D));
    // Refused and then accepted within a second of the same record.
    let mended = enrollment(&[(9, prove, Refused, no, D), (9, prove, AboutTo, shown, D), (9, prove, Done, yes, D)]);
    assert!(!barred(&[mended], D));
}

#[test]
fn an_enrollment_that_is_cut_off_again_and_again_ends_some_time() {
    let cut_off = (1, Stage::Prove, Phase::AboutTo, ProofState::Shown, AdminKeyVersion::Default);
    let bound = (1, Stage::Bind, Phase::Done, ProofState::NotShown, AdminKeyVersion::Default);
    assert!(may(&[enrollment(&[bound, cut_off, cut_off])], Authority::Server, REQUEST));
    assert!(!may(&[enrollment(&[bound, cut_off, cut_off, cut_off])], Authority::Server, REQUEST));
}

#[test]
fn the_admin_key_is_the_one_that_an_enrollment_has_written_until_the_card_takes_the_default_one() {
    use AdminKeyVersion::{Default as D, Diversified as V};
    use Phase::{AboutTo, Done, Refused};
    let (yes, key) = (ProofState::Accepted, Stage::AdminKey);
    let replaced = |past: &[Record]| admin_key_replaced(past).map(|record| record.effect().admin_key);
    let begun = enrollment(&[(5, Stage::Prove, Done, yes, D), (5, key, AboutTo, yes, D)]);
    assert_eq!(replaced(std::slice::from_ref(&begun)), Some(Change::Unknown));
    let done = enrollment(&[(5, key, AboutTo, yes, D), (5, key, Done, yes, D), (6, Stage::Prove, Done, yes, V)]);
    assert_eq!(replaced(std::slice::from_ref(&done)), Some(Change::New { verified: true }));
    let not = enrollment(&[(5, Stage::Prove, Done, yes, D), (5, key, AboutTo, yes, D), (5, key, Refused, yes, D)]);
    assert_eq!(replaced(&[not]), None);
    // What a write that was cut off has left is told by the card.
    let mended = enrollment(&[(5, key, AboutTo, yes, D), (7, Stage::Prove, Done, yes, D)]);
    assert_eq!(replaced(&[mended]), None);
    let taken = |second, key| pin_step(second, accepted(Authority::Server), key);
    assert_eq!(replaced(&[done.clone(), taken(9, D)]), None, "somebody has reset the card");
    for since in [taken(9, V), taken(4, D)] {
        assert_eq!(replaced(&[done.clone(), since]), Some(Change::New { verified: true }));
    }
    assert_eq!(replaced(&[taken(1, D)]), None);
}
