//! What the record of an enrollment says of each thing that is done once: a pure function of records.

use crate::enroll::next::{JournalSays, Noted, NotedPair};
use crate::job::effect::Change;
use crate::job::journal::{Entry, JobKind, Phase, Point, Record, Stage};

/// What an enrollment's record says. `past` are the other records of the card, `pairs` is how many key pairs the server wants,
/// and `is_kept` whether an answer to the certificate requests is kept beside the record.
#[must_use]
pub fn says(record: &Record, past: &[Record], pairs: usize, is_kept: bool) -> JournalSays {
    let (admin_key, admin_key_proved) = match record.effect().admin_key {
        Change::AsBefore => (Noted::Nothing, false),
        Change::Unknown => (Noted::Begun, false),
        Change::New { verified } => (Noted::Done, verified),
    };
    let submission = match noted(record, Stage::Submission, None).now {
        // The process ended between keeping the answer and noting that.
        Noted::Begun if is_kept => Noted::Done,
        noted => noted,
    };
    JournalSays {
        request: noted(record, Stage::Request, None).now,
        bind: noted(record, Stage::Bind, None).now,
        admin_key,
        admin_key_proved,
        pin_verified: pin_is_verified(record, past),
        pairs: (0..pairs).map(|pair| noted_pair(record, pair)).collect(),
        submission,
        wipe: noted(record, Stage::Wipe, None).now,
        retirement: noted(record, Stage::Retirement, None).now,
        completion: noted(record, Stage::Completion, None).now,
    }
}

/// What has become of one thing, and the entries that say so.
#[derive(Clone, Copy, Default)]
struct Progress<'a> {
    now: Noted,
    /// The last one before it was to be done.
    begun: Option<&'a Entry>,
    /// The last one after it was done.
    done: Option<&'a Entry>,
}

/// A refusal takes back what was begun, and nothing that may have been done before that.
fn noted<'a>(record: &'a Record, stage: Stage, pair: Option<usize>) -> Progress<'a> {
    let is_of_pair = |entry: &&Entry| pair.is_none() || entry.facts.pair.is_none() || entry.facts.pair == pair;
    let mut before = Progress::default();
    let mut progress = Progress::default();
    for entry in record.entries.iter().filter(|entry| entry.stage == stage).filter(is_of_pair) {
        match entry.phase {
            Phase::AboutTo => {
                before = progress;
                progress = Progress { now: Noted::Begun, begun: Some(entry), ..progress };
            }
            Phase::Done => progress = Progress { now: Noted::Done, done: Some(entry), ..progress },
            Phase::Unknown => progress.now = Noted::Begun,
            Phase::Refused => progress = before,
        }
        if entry.phase != Phase::AboutTo {
            before = progress;
        }
    }
    progress
}

fn noted_pair(record: &Record, pair: usize) -> NotedPair {
    let generation = noted(record, Stage::KeyPair, Some(pair));
    NotedPair {
        generation: generation.now,
        before: generation.begun.and_then(|entry| entry.facts.key_before),
        container: generation.begun.and_then(|entry| entry.facts.container.clone()),
        made: generation.done.and_then(|entry| entry.facts.key_made),
        certificate: noted(record, Stage::Certificate, Some(pair)).now,
    }
}

/// Whether the card has verified this job's PIN, and no job of the PIN step has left another in doubt since.
fn pin_is_verified(record: &Record, past: &[Record]) -> bool {
    let in_this = record.entries.iter().rfind(|entry| matches!(entry.stage, Stage::Pin | Stage::Verify));
    let of_pin = || past.iter().filter(|other| other.job == JobKind::SetPin);
    let open_since = |at: &str| of_pin().any(|other| other.is_open() && other.changed() >= at);
    if let Some(last) = in_this
        && (last.stage, last.phase) == (Stage::Verify, Phase::Done)
    {
        return !open_since(&last.at);
    }
    let of_request = |other: &&Record| record.request().is_some() && other.request() == record.request();
    let done = of_pin().filter(of_request).rfind(|other| other.point() == Point::Done);
    done.is_some_and(|done| !of_pin().any(|other| other.is_open() && begun(other) > begun(done)))
}

fn begun(record: &Record) -> (&str, &str) {
    (&record.started, &record.id)
}
