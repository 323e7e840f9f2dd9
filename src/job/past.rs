//! What the records of earlier jobs on a card say of the tries of an authority.

#[cfg(test)]
mod tests;

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
