//! What a record says of its job, in words that follow "a job on this card" or stand alone.

use super::entry::{Phase, Stage};
use super::point::Point;
use super::record::{JobKind, Record};

impl Record {
    /// What the record says, in words.
    #[must_use]
    pub fn meaning(&self) -> &'static str {
        let last = self.entries.last().map(|entry| (entry.stage, entry.phase));
        meaning(self.job, last, self.point())
    }
}

/// What a job has come to whose last entry is this, in words.
pub(super) fn meaning(job: JobKind, last: Option<(Stage, Phase)>, point: Point) -> &'static str {
    match (job, last) {
        (JobKind::Enroll, Some((stage, phase))) => enrollment(stage, phase).unwrap_or(point.meaning()),
        (JobKind::Enroll, None) | (JobKind::SetPin, _) => point.meaning(),
    }
}

/// The same of an enrollment; `None` where it is at its PIN, of which the PIN step's words are true.
fn enrollment(stage: Stage, phase: Phase) -> Option<&'static str> {
    use Phase::{AboutTo, Done, Refused, Unknown};
    Some(match (stage, phase) {
        (Stage::Pin | Stage::Verify | Stage::Settled, _) => return None,
        (Stage::Request, AboutTo | Unknown) => "stopped while making its request: the server has it, or not",
        (Stage::Request, Done) => {
            "has made its request, and goes on once that is approved and the command is run again"
        }
        (Stage::Request, Refused) => "stopped at its request, which the server refused",
        (Stage::Bind, AboutTo | Unknown) => {
            "stopped while binding the card to its request: the server has done it, or not"
        }
        (Stage::Bind, Done) => "stopped after binding the card to its request",
        (Stage::Bind, Refused) => "stopped at the binding of the card, which the server refused",
        (Stage::Prove, AboutTo | Unknown) => "stopped while proving itself to the card: a try may have been spent",
        (Stage::Prove, Done) => "stopped after the card had taken its proof",
        (Stage::Prove, Refused) => "stopped while proving itself to the card, without the card having taken the proof",
        (Stage::AdminKey, AboutTo | Unknown) => {
            "stopped while replacing the admin key: the card has the old key or the new one"
        }
        (Stage::AdminKey, Done) => "stopped after replacing the admin key: the card has not proved the new one",
        (Stage::AdminKey, Refused) => "stopped at the admin key, which is as it was",
        (Stage::KeyPair, AboutTo | Unknown) => {
            "stopped while the card generated a key pair: its slot has what it had, or the new key"
        }
        (Stage::KeyPair, Done) => "stopped after the card had generated a key pair",
        (Stage::KeyPair, Refused) => "stopped at a key pair, which the card did not generate",
        (Stage::Submission, AboutTo | Unknown) => {
            "stopped while handing in the certificate requests: the authority may have issued certificates"
        }
        (Stage::Submission, Done) => {
            "stopped after certificates were issued, which are kept and not all on the card yet"
        }
        (Stage::Submission, Refused) => "stopped at the certificate requests, which the server refused",
        (Stage::Certificate, AboutTo | Unknown) => {
            "stopped while writing a certificate: the card has it, a part of it, or what it had"
        }
        (Stage::Certificate, Done) => "stopped after writing a certificate",
        (Stage::Certificate, Refused) => "stopped at a certificate, which was not written",
        (Stage::Wipe, AboutTo | Unknown) => {
            "stopped while erasing what the card holds: some of its keys and certificates may be left"
        }
        (Stage::Wipe, Done) => "stopped after erasing what the card held",
        (Stage::Wipe, Refused) => "stopped at the erasing of what the card holds, which is as it was",
        (Stage::Retirement, AboutTo | Unknown) => "stopped while retiring the card: the server has done it, or not",
        (Stage::Retirement, Done) => "stopped after retiring the card",
        (Stage::Retirement, Refused) => "stopped at the retirement of the card, which the server refused",
        (Stage::Completion, AboutTo | Unknown) => {
            "stopped while completing its request: the server has done it, or not"
        }
        (Stage::Completion, Done) => "has completed its request",
        (Stage::Completion, Refused) => "stopped at the completion of its request, which the server refused",
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const STAGES: [Stage; 10] = [
        Stage::Request,
        Stage::Bind,
        Stage::Prove,
        Stage::AdminKey,
        Stage::KeyPair,
        Stage::Submission,
        Stage::Certificate,
        Stage::Wipe,
        Stage::Retirement,
        Stage::Completion,
    ];

    #[test]
    fn an_enrollment_is_told_in_words_of_its_own() {
        let of = |stage, phase| meaning(JobKind::Enroll, Some((stage, phase)), Point::Untouched);
        let mut told = BTreeSet::new();
        for stage in STAGES {
            for phase in [Phase::AboutTo, Phase::Done, Phase::Refused] {
                let words = of(stage, phase);
                assert!(!words.contains("PIN") && told.insert(words), "{words}");
            }
            assert_eq!(of(stage, Phase::Unknown), of(stage, Phase::AboutTo), "either may have been done");
        }
    }

    #[test]
    fn what_is_about_the_pin_has_the_words_of_the_pin_step() {
        for (stage, point) in
            [(Stage::Verify, Point::Done), (Stage::Pin, Point::Setting), (Stage::Settled, Point::Resolved)]
        {
            for job in [JobKind::Enroll, JobKind::SetPin] {
                assert_eq!(meaning(job, Some((stage, Phase::Done)), point), point.meaning());
            }
        }
        let bound = Some((Stage::Bind, Phase::Done));
        assert_eq!(meaning(JobKind::SetPin, bound, Point::Untouched), Point::Untouched.meaning());
    }
}
