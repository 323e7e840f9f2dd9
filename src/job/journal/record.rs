//! A record of the journal, whatever its version: one job, and what its entries say of the card.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::entry::{Entry, Facts, Phase, Purpose, Stage};
use super::point::Point;
use crate::job::effect::{Change, Effect, ProofState};
use crate::server::AdminKeyVersion;

/// Which format a record's file has, and keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// `pinwright.journal/1`.
    One,
    /// `pinwright.journal/2`.
    Two,
}

/// What a job is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobKind {
    /// The PIN step alone.
    SetPin,
    /// A request to its end. Programs that know nothing but the PIN step take the name for one of a later program: they stop at
    /// such a record while it is open, and pass it by once it is closed.
    #[serde(rename = "enrollment")]
    Enroll,
}

/// One job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The format of its file.
    pub version: Version,
    /// The job's id.
    pub id: String,
    /// What it is to do.
    pub job: JobKind,
    /// RFC 3339, seconds, UTC.
    pub started: String,
    /// What happened, oldest first; never empty.
    pub entries: Vec<Entry>,
}

impl Record {
    /// Adds an entry. What an enrollment has tried at the server before and was refused gives way to the next try: it has left
    /// nothing, and a record does not grow without end where a refusal stands for days.
    pub fn add(&mut self, mut entry: Entry) {
        let is_at_server =
            matches!(entry.stage, Stage::Bind | Stage::Submission | Stage::Completion | Stage::Retirement);
        let is_next_try = self.job == JobKind::Enroll && is_at_server && entry.phase == Phase::AboutTo;
        if is_next_try
            && let [.., begun, refused] = self.entries.as_slice()
            && (begun.phase, refused.phase) == (Phase::AboutTo, Phase::Refused)
            && [begun, refused].iter().all(|it| it.stage == entry.stage && it.proof == ProofState::NotShown)
        {
            entry.facts = entry.facts.beside(&refused.facts).beside(&begun.facts);
            self.entries.truncate(self.entries.len() - 2);
        }
        self.entries.push(entry);
    }

    /// The time of the last entry.
    #[must_use]
    pub fn changed(&self) -> &str {
        self.entries.last().map_or(&self.started, |entry| &entry.at)
    }

    /// The last value of a fact.
    fn fact<T>(&self, fact: impl Fn(&Facts) -> Option<&T>) -> Option<&T> {
        self.entries.iter().rev().find_map(|entry| fact(&entry.facts))
    }

    /// The reader's name.
    #[must_use]
    pub fn reader(&self) -> Option<&str> {
        self.fact(|facts| facts.reader.as_ref()).map(String::as_str)
    }

    /// The card's ATR in lower-case hex.
    #[must_use]
    pub fn atr(&self) -> Option<&str> {
        self.fact(|facts| facts.atr.as_ref()).map(String::as_str)
    }

    /// The card ID; `None` for a job that has no card yet.
    #[must_use]
    pub fn card_id(&self) -> Option<Uuid> {
        self.fact(|facts| facts.card_id.as_ref()).copied()
    }

    /// The request worked on.
    #[must_use]
    pub fn request(&self) -> Option<Uuid> {
        self.fact(|facts| facts.request.as_ref()).copied()
    }

    /// For whom the request is, where the server said.
    #[must_use]
    pub fn target_user(&self) -> Option<Uuid> {
        self.fact(|facts| facts.target_user.as_ref()).copied()
    }

    /// The profile template of the server's card object.
    #[must_use]
    pub fn template(&self) -> Option<Uuid> {
        self.fact(|facts| facts.template.as_ref()).copied()
    }

    /// That template's name, where the server was asked for it.
    #[must_use]
    pub fn template_name(&self) -> Option<&str> {
        self.fact(|facts| facts.template_name.as_ref()).map(String::as_str)
    }

    /// The server's card object; `None` for a job whose request is bound to no card yet.
    #[must_use]
    pub fn smartcard(&self) -> Option<Uuid> {
        self.fact(|facts| facts.smartcard.as_ref()).copied()
    }

    /// How the right to write was proved.
    #[must_use]
    pub fn authority(&self) -> Option<&str> {
        self.fact(|facts| facts.authority.as_ref()).map(String::as_str)
    }

    /// Which admin key the answer was made with.
    #[must_use]
    pub fn admin_key(&self) -> Option<&str> {
        self.fact(|facts| facts.admin_key.as_ref()).map(String::as_str)
    }

    /// Who made the PIN.
    #[must_use]
    pub fn pin_source(&self) -> Option<&str> {
        self.fact(|facts| facts.pin_source.as_ref()).map(String::as_str)
    }

    /// What the request asks for.
    #[must_use]
    pub fn purpose(&self) -> Option<Purpose> {
        self.fact(|facts| facts.purpose.as_ref()).copied()
    }

    /// The slot of the key pair that the job has come to.
    #[must_use]
    pub fn slot(&self) -> Option<&str> {
        self.fact(|facts| facts.slot.as_ref()).map(String::as_str)
    }

    /// The thumbprint of the certificate that the job has come to.
    #[must_use]
    pub fn thumbprint(&self) -> Option<&str> {
        self.fact(|facts| facts.thumbprint.as_ref()).map(String::as_str)
    }

    /// The step at which the job stopped, where it did not end well.
    #[must_use]
    pub fn stopped_at(&self) -> Option<&str> {
        self.end_fact(|facts| facts.stopped_at.as_ref())
    }

    /// The status word with which the card refused that step.
    #[must_use]
    pub fn status_word(&self) -> Option<&str> {
        self.end_fact(|facts| facts.status_word.as_ref())
    }

    /// A fact about the job's end: an enrollment that has stopped and was gone on with has not ended there.
    fn end_fact(&self, fact: impl Fn(&Facts) -> Option<&String>) -> Option<&str> {
        match self.job {
            JobKind::SetPin => self.fact(fact).map(String::as_str),
            JobKind::Enroll => fact(&self.entries.last()?.facts).map(String::as_str),
        }
    }

    /// What was shown to the card last, as far as the record says.
    #[must_use]
    pub fn proof(&self) -> ProofState {
        self.entries.last().map_or(ProofState::NotShown, |entry| entry.proof)
    }

    /// What the job has done to the card, as far as the record says: where the process was killed, the worst that can be.
    #[must_use]
    pub fn effect(&self) -> Effect {
        let mut effect = Effect::default();
        for (index, entry) in self.entries.iter().enumerate() {
            let undone = entry.phase == Phase::AboutTo && self.was_refused(index, entry);
            // The entry that says so comes later and tells what has become of the proof, too.
            if !undone {
                effect = after(effect, entry);
            }
        }
        effect
    }

    /// Whether the record needs another job or a person.
    #[must_use]
    pub fn is_open(&self) -> bool {
        let Some(last) = self.entries.last() else { return true };
        match (self.job, last.stage, last.phase) {
            (_, Stage::Settled, _) | (JobKind::Enroll, Stage::Completion, Phase::Done) => false,
            // Its request and its card are two places where something may be left.
            (JobKind::Enroll, ..) => self.has_left_something(),
            (JobKind::SetPin, _, Phase::AboutTo) => true,
            (JobKind::SetPin, stage, Phase::Done) if stage != Stage::Verify => true,
            (JobKind::SetPin, ..) => self.in_doubt(),
        }
    }

    /// Whether anything that was begun was not refused.
    fn has_left_something(&self) -> bool {
        self.entries.iter().enumerate().any(|(index, entry)| match entry.phase {
            Phase::AboutTo => !self.was_refused(index, entry),
            Phase::Done | Phase::Unknown => true,
            Phase::Refused => false,
        })
    }

    /// Whether what was begun at this entry was refused, so that it has changed nothing.
    fn was_refused(&self, index: usize, entry: &Entry) -> bool {
        let next = self.entries.iter().skip(index + 1).find(|next| next.stage == entry.stage);
        next.is_some_and(|next| next.phase == Phase::Refused)
    }

    /// Whether the job has ended well.
    #[must_use]
    pub fn is_done(&self) -> bool {
        let last = self.entries.last().map(|entry| (entry.stage, entry.phase));
        match self.job {
            JobKind::SetPin => self.point() == Point::Done,
            JobKind::Enroll => last == Some((Stage::Completion, Phase::Done)),
        }
    }

    /// Whether something on the card may be other than its holder knows.
    #[must_use]
    pub fn in_doubt(&self) -> bool {
        let Effect { proof: _, pin, admin_key, key_slot, certificate, contents } = self.effect();
        self.point() != Point::Resolved
            && [pin, admin_key, key_slot, certificate, contents].iter().any(|it| it.needs_attention())
    }

    /// How far the job has taken the PIN, in one word.
    #[must_use]
    pub fn point(&self) -> Point {
        let Some(last) = self.entries.last() else { return Point::Authorizing };
        let pin = self.effect().pin;
        match (last.stage, last.phase, pin) {
            (Stage::Settled, ..) => Point::Resolved,
            (Stage::Pin, Phase::AboutTo, _) => Point::Setting,
            (Stage::Pin, Phase::Done, _) => Point::Set,
            (_, _, Change::New { verified: true }) => Point::Done,
            (_, _, Change::New { verified: false } | Change::Unknown) => Point::Unclear,
            // An enrollment has its PIN set by a job of the PIN step, which has a record of its own.
            _ if self.job == JobKind::Enroll && last.proof != ProofState::Shown => Point::Untouched,
            (_, Phase::AboutTo | Phase::Done, Change::AsBefore) => Point::Authorizing,
            (_, Phase::Refused | Phase::Unknown, Change::AsBefore) => Point::Untouched,
        }
    }
}

/// What an entry adds to what was done to the card before it.
fn after(before: Effect, entry: &Entry) -> Effect {
    let mut effect = Effect { proof: entry.proof, ..before };
    let written = |before| match entry.phase {
        Phase::AboutTo | Phase::Unknown => Change::Unknown,
        Phase::Done => Change::New { verified: false },
        Phase::Refused => before,
    };
    match entry.stage {
        Stage::Pin => effect.pin = written(effect.pin),
        Stage::AdminKey => effect.admin_key = written(effect.admin_key),
        Stage::KeyPair => effect.key_slot = written(effect.key_slot),
        Stage::Certificate => effect.certificate = written(effect.certificate),
        Stage::Wipe => {
            effect.contents = match entry.phase {
                Phase::Done => Change::New { verified: true },
                Phase::AboutTo | Phase::Unknown | Phase::Refused => written(effect.contents),
            }
        }
        Stage::Verify => match entry.phase {
            Phase::Done => effect.pin = Change::New { verified: true },
            Phase::Refused => effect.pin = Change::Unknown,
            Phase::AboutTo | Phase::Unknown => {}
        },
        Stage::Completion if entry.phase == Phase::Done => {
            for thing in [&mut effect.admin_key, &mut effect.key_slot, &mut effect.certificate] {
                if let Change::New { verified } = thing {
                    *verified = true;
                }
            }
        }
        Stage::Prove if entry.phase == Phase::Done => effect.admin_key = proved(effect.admin_key, entry),
        Stage::Request
        | Stage::Bind
        | Stage::Prove
        | Stage::Submission
        | Stage::Completion
        | Stage::Retirement
        | Stage::Settled => {}
    }
    effect
}

/// What is known of the admin key once the card has taken an answer: which key that was made with is on it, also after a write
/// whose end is not known.
fn proved(admin_key: Change, entry: &Entry) -> Change {
    let is_of = |key: AdminKeyVersion| entry.facts.admin_key.as_deref() == Some(key.name());
    match admin_key {
        Change::New { .. } | Change::Unknown if is_of(AdminKeyVersion::Diversified) => Change::New { verified: true },
        Change::Unknown if is_of(AdminKeyVersion::Default) => Change::AsBefore,
        Change::AsBefore | Change::New { .. } | Change::Unknown => admin_key,
    }
}

/// Of unsettled records the one that says most: the latest that leaves something on the card in doubt, else the latest. A
/// later job that stopped before it wrote anything has settled nothing.
#[must_use]
pub fn most_doubtful(unsettled: &[Record]) -> Option<&Record> {
    unsettled.iter().rfind(|record| record.in_doubt()).or(unsettled.last())
}

/// Of one card's records the one of a job of the PIN step that did this request, unless any of such a job is unsettled: then
/// the card has to be done again to be sure of its PIN. An enrollment that is under way leaves that in no doubt.
#[must_use]
pub fn done(records: &[Record], request: Uuid) -> Option<&Record> {
    let mut of_pin = records.iter().filter(|record| record.job == JobKind::SetPin);
    if of_pin.clone().any(Record::is_open) {
        return None;
    }
    of_pin.rfind(|record| record.is_done() && record.request() == Some(request))
}

/// A new job's id: sortable by time, unique by chance.
#[must_use]
pub fn new_id() -> String {
    let millis = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
    format!("{millis:x}-{:08x}", fastrand::u32(..))
}

/// Whether an id can be part of a file's name.
pub(super) fn is_plain(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(stage: Stage, phase: Phase) -> Entry {
        Entry { at: String::new(), stage, phase, proof: ProofState::Accepted, facts: Facts::default() }
    }

    #[test]
    fn facts_are_found_in_whatever_entry_they_stand() {
        let [user, template] = [Uuid::from_u128(4), Uuid::from_u128(5)];
        let facts = Facts {
            target_user: Some(user),
            template: Some(template),
            template_name: Some("Contoso card".to_owned()),
            ..Facts::default()
        };
        let entries = vec![Entry { facts, ..entry(Stage::Prove, Phase::AboutTo) }, entry(Stage::Pin, Phase::Done)];
        let (id, started) = ("1-2".to_owned(), String::new());
        let record = Record { version: Version::Two, id, job: JobKind::SetPin, started, entries };
        assert_eq!((record.target_user(), record.template()), (Some(user), Some(template)));
        assert_eq!(record.template_name(), Some("Contoso card"));
    }

    #[test]
    fn what_the_server_has_completed_is_proved() {
        let before = Effect {
            admin_key: Change::New { verified: false },
            certificate: Change::New { verified: false },
            ..Effect::default()
        };
        let completed = |phase| after(before, &entry(Stage::Completion, phase));
        let verified = Change::New { verified: true };
        assert_eq!((completed(Phase::Done).admin_key, completed(Phase::Done).certificate), (verified, verified));
        assert_eq!(completed(Phase::Done).key_slot, Change::AsBefore);
        for phase in [Phase::AboutTo, Phase::Refused, Phase::Unknown] {
            assert_eq!(completed(phase).admin_key, before.admin_key);
        }
    }

    #[test]
    fn an_id_is_letters_digits_and_hyphens() {
        assert!(is_plain("19a1b2c3d4e-0f0f0f0f") && is_plain("A"));
        for id in ["", "a/b", "..", "a b", "\u{e4}", "a\0"] {
            assert!(!is_plain(id), "{id:?}");
        }
    }
}
