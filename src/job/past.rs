//! What the records of earlier jobs on a card say of the tries of an authority.

use uuid::Uuid;

use super::authority::Authority;
use super::cause::Cause;
use super::effect::{Change, ProofState};
use super::journal::{JobKind, Phase, Record, Stage};
use crate::card::Proof;
use crate::server::AdminKeyVersion;

/// So many jobs in a row that were cut off while they showed the card the same proof are enough: each may have cost a try.
const CUT_OFF_MAX: usize = 3;

/// A time that a job has shown the card the proof of an authority.
#[derive(Debug, Clone, Copy)]
struct Showing<'a> {
    record: &'a Record,
    /// What became of it.
    proof: ProofState,
    /// Which admin key the answer was made with, where the record says.
    key: Option<&'a str>,
    at: &'a str,
    /// With what the card has refused it.
    word: Option<&'a str>,
}

impl Showing<'_> {
    fn is_of_key(&self, key: Option<AdminKeyVersion>) -> bool {
        match (self.key, key) {
            (Some(theirs), Some(ours)) => theirs == ours.name(),
            _ => true,
        }
    }
}

/// When the proofs of an authority were shown, in that order. `past` is oldest first.
///
/// A job of the PIN step shows one. An enrollment is gone on with for days and shows more, between which such jobs lie; where
/// the times are the same, what adds caution counts as the later one.
fn showings(past: &[Record], authority: Authority) -> Vec<Showing<'_>> {
    let of_kind = |job| past.iter().filter(move |record| record.job == job);
    let mut all: Vec<Showing<'_>> =
        of_kind(JobKind::SetPin).filter_map(|record| of_pin_step(record, authority)).collect();
    let mut others: Vec<Showing<'_>> =
        of_kind(JobKind::Enroll).flat_map(|record| of_enrollment(record, authority)).collect();
    others.sort_by_key(|showing| showing.at);
    let mut earliest = 0;
    for showing in others {
        let at = match showing.proof {
            ProofState::Accepted => all.iter().position(|other| other.at >= showing.at).unwrap_or(all.len()),
            _ => all.iter().rposition(|other| other.at <= showing.at).map_or(0, |last| last + 1),
        };
        let at = at.max(earliest);
        all.insert(at, showing);
        earliest = at + 1;
    }
    all
}

/// What a job of the PIN step has shown in the end.
fn of_pin_step(record: &Record, authority: Authority) -> Option<Showing<'_>> {
    let mut current = None;
    let proof = record.entries.iter().fold(ProofState::NotShown, |shown, entry| {
        current = entry.facts.authority.as_deref().or(current);
        if current == Some(authority.name()) && entry.proof != ProofState::NotShown { entry.proof } else { shown }
    });
    let last = record.entries.iter().rfind(|entry| entry.stage != Stage::Settled);
    let at = last.map_or(record.started.as_str(), |entry| entry.at.as_str());
    let (key, word) = (record.admin_key(), record.status_word());
    (proof != ProofState::NotShown).then_some(Showing { record, proof, key, at, word })
}

/// What an enrollment has shown each time. That it is about to gives way to what the card said, which may be noted of the stage
/// that the proof was for.
fn of_enrollment(record: &Record, authority: Authority) -> Vec<Showing<'_>> {
    let (mut current, mut key, mut is_begun) = (None, None, false);
    let mut shown: Vec<Showing<'_>> = Vec::new();
    for entry in &record.entries {
        current = entry.facts.authority.as_deref().or(current);
        key = entry.facts.admin_key.as_deref().or(key);
        let is_end = is_begun && entry.phase != Phase::AboutTo;
        let is_at_proof = is_end || matches!(entry.stage, Stage::Prove | Stage::AdminKey);
        if !is_at_proof || entry.proof == ProofState::NotShown || current != Some(authority.name()) {
            continue;
        }
        if is_end {
            shown.pop();
        }
        is_begun = entry.phase == Phase::AboutTo && entry.proof == ProofState::Shown;
        let word = entry.facts.status_word.as_deref();
        shown.push(Showing { record, proof: entry.proof, key, at: &entry.at, word });
    }
    shown
}

/// The latest enrollment that has replaced the card's admin key, or may have, where no answer with the default one was taken
/// since. `past` is oldest first.
pub fn admin_key_replaced(past: &[Record]) -> Option<&Record> {
    let is_it = |record: &&Record| record.job == JobKind::Enroll && record.effect().admin_key != Change::AsBefore;
    let written = |record: &Record| {
        let last = record.entries.iter().rfind(|entry| entry.stage == Stage::AdminKey);
        last.map(|entry| entry.at.clone()).unwrap_or_default()
    };
    let last = past.iter().filter(is_it).max_by_key(|record| written(record))?;
    let since = written(last);
    let is_default_again = |showing: &Showing<'_>| {
        let is_default = showing.key == Some(AdminKeyVersion::Default.name());
        is_default && showing.proof == ProofState::Accepted && showing.at > since.as_str()
    };
    (!showings(past, Authority::Server).iter().any(is_default_again)).then_some(last)
}

/// The job that may have spent a try of this authority's code, where none since has been accepted with it. `past` is oldest
/// first.
pub(super) fn try_in_doubt(past: &[Record], authority: Authority) -> Option<&Record> {
    showings(past, authority).into_iter().fold(None, |doubt, showing| match showing.proof {
        ProofState::NotShown => doubt,
        ProofState::Shown | ProofState::Refused => Some(showing.record),
        ProofState::Accepted => None,
    })
}

/// The job whose answer, made with the same key, the card has refused, where none since has been accepted. A record that does
/// not say which key it was stands for either. Where the answer is of a local key, that is one key. `past` is oldest first.
pub(super) fn refused_answer(past: &[Record], authority: Authority, key: Option<AdminKeyVersion>) -> Option<&Record> {
    if authority.proof() != Proof::AdminAnswer {
        return None;
    }
    let same_key = showings(past, authority).into_iter().filter(|showing| showing.is_of_key(key));
    same_key.fold(None, |refused, showing| match showing.proof {
        ProofState::NotShown | ProofState::Shown => refused,
        ProofState::Refused => Some(showing.record),
        ProofState::Accepted => None,
    })
}

/// When the card has refused an answer of this job, made with that key, the last time, and with which status word.
pub(super) fn refusal(record: &Record, authority: Authority, key: Option<AdminKeyVersion>) -> (&str, Option<&str>) {
    let is_it = |showing: &Showing<'_>| showing.is_of_key(key) && showing.proof == ProofState::Refused;
    let last = showings(std::slice::from_ref(record), authority).into_iter().rfind(is_it);
    last.map_or((record.changed(), record.status_word()), |showing| (showing.at, showing.word))
}

/// Why an answer is not shown that the card has refused to this job; `journal` names it.
pub(super) fn barred(
    record: &Record,
    journal: String,
    authority: Authority,
    key: Option<AdminKeyVersion>,
    evidence: &str,
) -> Cause {
    let (at, word) = refusal(record, authority, key);
    Cause::AnswerBarred {
        key,
        journal,
        at: at.to_owned(),
        word: word.unwrap_or("no status word noted").to_owned(),
        evidence: if key.is_some() { evidence.to_owned() } else { String::new() },
    }
}

/// Stops a stage that would show the card an answer of the server's which it has refused before, made with the same key. `past` is oldest
/// first.
///
/// # Errors
/// [`Cause::AnswerBarred`].
pub fn answer_may_be_shown(past: &[Record], key: AdminKeyVersion, evidence: &str) -> Result<(), Cause> {
    match refused_answer(past, Authority::Server, Some(key)) {
        Some(record) => Err(barred(record, record.id.clone(), Authority::Server, Some(key), evidence)),
        None => Ok(()),
    }
}

/// Whether a job that nobody asked for may show the card this proof for this request: not where the card has refused it to an
/// earlier one, since the same key or code would be refused again and cost another try; and not for ever where jobs are cut off
/// before the card's word is heard. `past` is oldest first.
pub(super) fn may_be_shown_unasked(past: &[Record], authority: Authority, request: Option<Uuid>) -> Result<(), Cause> {
    let what = authority.proof().what();
    let mut cut_off = Vec::new();
    for showing in showings(past, authority).iter().rev().filter(|showing| showing.record.request() == request) {
        match showing.proof {
            ProofState::NotShown => {}
            ProofState::Shown => cut_off.push(showing.record),
            ProofState::Accepted => break,
            ProofState::Refused => {
                let word = showing.word.unwrap_or("no status word noted").to_owned();
                return Err(Cause::RefusedBefore { what, journal: showing.record.id.clone(), word });
            }
        }
    }
    match cut_off.first() {
        Some(last) if cut_off.len() >= CUT_OFF_MAX => {
            Err(Cause::CutOffBefore { what, journal: last.id.clone(), times: cut_off.len() })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
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
}
