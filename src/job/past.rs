//! What the records of earlier jobs on a card say of the tries of an authority.

use uuid::Uuid;

use super::authority::Authority;
use super::cause::Cause;
use super::effect::ProofState;
use super::journal::Record;
use crate::card::Proof;
use crate::server::AdminKeyVersion;

/// So many jobs in a row that were cut off while they showed the card the same proof are enough: each may have cost a try.
const CUT_OFF_MAX: usize = 3;

/// What a job has shown to the card under this authority, as far as its record says.
fn shown(record: &Record, authority: Authority) -> ProofState {
    let mut current = None;
    record.entries.iter().fold(ProofState::NotShown, |shown, entry| {
        current = entry.facts.authority.as_deref().or(current);
        if current == Some(authority.name()) && entry.proof != ProofState::NotShown { entry.proof } else { shown }
    })
}

/// The job that may have spent a try of this authority's code, where none since has been accepted with it. `past` is oldest
/// first.
pub(super) fn try_in_doubt(past: &[Record], authority: Authority) -> Option<&Record> {
    past.iter().fold(None, |doubt, record| match shown(record, authority) {
        ProofState::NotShown => doubt,
        ProofState::Shown | ProofState::Refused => Some(record),
        ProofState::Accepted => None,
    })
}

/// The job whose answer, made with the same key, the card has refused, where none since has been accepted. A record that does
/// not say which key it was stands for either. Where the answer is of a local key, that is one key. `past` is oldest first.
pub(super) fn refused_answer(past: &[Record], authority: Authority, key: Option<AdminKeyVersion>) -> Option<&Record> {
    if authority.proof() != Proof::AdminAnswer {
        return None;
    }
    let same_key = |record: &&Record| match (record.admin_key(), key) {
        (Some(theirs), Some(ours)) => theirs == ours.name(),
        _ => true,
    };
    past.iter().filter(same_key).fold(None, |refused, record| match shown(record, authority) {
        ProofState::NotShown | ProofState::Shown => refused,
        ProofState::Refused => Some(record),
        ProofState::Accepted => None,
    })
}

/// Whether a job that nobody asked for may show the card this proof for this request: not where the card has refused it to an
/// earlier one, since the same key or code would be refused again and cost another try; and not for ever where jobs are cut off
/// before the card's word is heard. `past` is oldest first.
pub(super) fn may_be_shown_unasked(past: &[Record], authority: Authority, request: Option<Uuid>) -> Result<(), Cause> {
    let what = authority.proof().what();
    let mut cut_off = Vec::new();
    for record in past.iter().rev().filter(|record| record.request() == request) {
        match shown(record, authority) {
            ProofState::NotShown => {}
            ProofState::Shown => cut_off.push(record),
            ProofState::Accepted => break,
            ProofState::Refused => {
                let word = record.status_word().unwrap_or("no status word noted").to_owned();
                return Err(Cause::RefusedBefore { what, journal: record.id.clone(), word });
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
    use crate::job::journal::{Entry, Facts, JobKind, Phase, Stage, Version};

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
}
