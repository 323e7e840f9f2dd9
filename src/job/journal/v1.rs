//! Records of version 1, `CARD_JOB.json` in the journal's folder: read for ever, settled in their own format, and never
//! written anew. They tell by the names of steps what was shown to the card; this file is the only one that still knows how.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::entry::{Entry, Facts, Phase, Stage};
use super::point::Point;
use super::record::{JobKind, Record, Version, is_plain};
use crate::job::authority::Authority;
use crate::job::effect::ProofState;

/// The schema of version 1.
pub const SCHEMA: &str = "pinwright.journal/1";

/// A record as its file has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// [`SCHEMA`].
    pub schema: String,
    /// The job's id.
    pub id: String,
    /// RFC 3339, seconds, UTC.
    pub started: String,
    /// The same, of the last change.
    pub changed: String,
    /// How far it has come.
    pub point: Point,
    /// The reader's name.
    pub reader: String,
    /// The card's ATR in lower-case hex.
    pub atr: String,
    /// The card ID.
    pub card_id: Uuid,
    /// The server's card object.
    pub smartcard: Uuid,
    /// The request worked on.
    pub request: Option<Uuid>,
    /// How the right to set the PIN is proved.
    pub authority: String,
    /// Who made the PIN: `server` or `user`.
    pub pin_source: String,
    /// The step at which it stopped, where it did not end well.
    pub stopped_at: Option<String>,
    /// The status word with which the card refused that step, in hex, where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_word: Option<String>,
}

impl File {
    /// Reads a file; never shows its content in an error.
    pub(super) fn parse(text: &[u8]) -> Result<Self, &'static str> {
        let file: Self = serde_json::from_slice(text).map_err(|_| "not a journal record")?;
        if file.schema != SCHEMA {
            return Err("a journal record of another version");
        }
        if !is_plain(&file.id) {
            return Err("a journal record with an unusable id");
        }
        Ok(file)
    }

    /// The file's name.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}_{}.json", self.card_id, self.id)
    }

    /// What the file says, in entries.
    #[must_use]
    pub fn record(&self) -> Record {
        let mut entries = vec![self.entry(&self.started, Stage::Prove, Phase::AboutTo, self.shown_first())];
        entries[0].facts = self.facts();
        let proof = self.proof();
        let mut add = |stage, phase| entries.push(self.entry(&self.changed, stage, phase, proof));
        match self.point {
            Point::Authorizing => {}
            Point::Setting => add(Stage::Pin, Phase::AboutTo),
            Point::Set => add(Stage::Pin, Phase::Done),
            Point::Done => {
                add(Stage::Pin, Phase::Done);
                add(Stage::Verify, Phase::Done);
            }
            Point::Untouched => {
                add(self.stage(), if proof == ProofState::Shown { self.lost() } else { Phase::Refused })
            }
            Point::Unclear if self.stage() == Stage::Verify => {
                add(Stage::Pin, Phase::Done);
                add(Stage::Verify, if self.status_word.is_some() { Phase::Refused } else { Phase::Unknown });
            }
            Point::Unclear => add(Stage::Pin, Phase::Unknown),
            Point::Resolved => add(Stage::Settled, Phase::Done),
        }
        let (id, started) = (self.id.clone(), self.started.clone());
        if let Some(last) = entries.last_mut() {
            last.at.clone_from(&self.changed);
        }
        Record { version: Version::One, id, job: JobKind::SetPin, started, entries }
    }

    /// The same job as settled by a later one.
    pub(super) fn settled(self, now: String) -> Self {
        Self { point: Point::Resolved, changed: now, ..self }
    }

    fn entry(&self, at: &str, stage: Stage, phase: Phase, proof: ProofState) -> Entry {
        Entry { at: at.to_owned(), stage, phase, proof, facts: Facts::default() }
    }

    fn facts(&self) -> Facts {
        Facts {
            reader: Some(self.reader.clone()),
            atr: Some(self.atr.clone()),
            card_id: Some(self.card_id),
            request: self.request,
            smartcard: Some(self.smartcard),
            authority: Some(self.authority.clone()),
            pin_source: Some(self.pin_source.clone()),
            stopped_at: self.stopped_at.clone(),
            status_word: self.status_word.clone(),
            ..Facts::default()
        }
    }

    /// Whether proof and new PIN go to the card in one command.
    fn with_pin(&self) -> bool {
        Authority::named(&self.authority).is_some_and(|authority| authority.proof().goes_with_the_pin())
    }

    /// What a job of this authority shows before the PIN is written.
    fn shown_first(&self) -> ProofState {
        if self.with_pin() { ProofState::NotShown } else { ProofState::Shown }
    }

    /// What was shown in the end.
    fn proof(&self) -> ProofState {
        let with_pin = self.with_pin();
        let refused = self.status_word.is_some();
        match (self.point, self.stopped_at.as_deref()) {
            (Point::Done | Point::Set, _) | (_, Some("verify")) => ProofState::Accepted,
            // A card that tells a current PIN by its length is shown it by itself first.
            (_, Some("authorize")) if refused => ProofState::Refused,
            (_, Some("set-pin")) if refused && with_pin => ProofState::Refused,
            (_, Some("set-pin")) if with_pin => ProofState::Shown,
            (_, Some("set-pin")) => ProofState::Accepted,
            (_, Some("authorize")) if !with_pin => ProofState::Shown,
            (_, Some(_)) => ProofState::NotShown,
            (Point::Authorizing, None) => self.shown_first(),
            (Point::Setting, None) if !with_pin => ProofState::Accepted,
            (_, None) => ProofState::Shown,
        }
    }

    fn stage(&self) -> Stage {
        match self.stopped_at.as_deref() {
            Some("verify") => Stage::Verify,
            Some("set-pin") => Stage::Pin,
            _ => Stage::Prove,
        }
    }

    /// An answer that got lost leaves it open whether the proof was taken, but a PIN that was not touched is not touched.
    fn lost(&self) -> Phase {
        if self.stage() == Stage::Prove { Phase::Unknown } else { Phase::Refused }
    }
}

#[cfg(test)]
mod files;

#[cfg(test)]
mod tests {
    use super::*;

    fn file(authority: Authority, point: Point, stopped_at: Option<&str>, word: Option<&str>) -> File {
        File {
            schema: SCHEMA.to_owned(),
            id: "1-2".to_owned(),
            started: "2026-11-01T10:00:00Z".to_owned(),
            changed: "2026-11-01T10:00:01Z".to_owned(),
            point,
            reader: "Reader".to_owned(),
            atr: "3b80".to_owned(),
            card_id: Uuid::from_u128(7),
            smartcard: Uuid::from_u128(8),
            request: Some(Uuid::from_u128(9)),
            authority: authority.name().to_owned(),
            pin_source: "server".to_owned(),
            stopped_at: stopped_at.map(str::to_owned),
            status_word: word.map(str::to_owned),
        }
    }

    #[test]
    fn every_point_is_read_as_what_it_was() {
        let points = [
            (Point::Authorizing, None, true, false),
            (Point::Setting, None, true, true),
            (Point::Set, None, true, true),
            (Point::Done, None, false, false),
            (Point::Untouched, Some("authorize"), false, false),
            (Point::Untouched, Some("set-pin"), false, false),
            (Point::Unclear, Some("set-pin"), true, true),
            (Point::Unclear, Some("verify"), true, true),
            (Point::Resolved, None, false, false),
            (Point::Resolved, Some("verify"), false, false),
        ];
        for authority in Authority::ALL {
            for (point, stopped_at, open, doubt) in points {
                for word in [None, Some("6982")] {
                    let file = file(authority, point, stopped_at, word);
                    let record = file.record();
                    let case = format!("{authority:?} {point:?} {stopped_at:?} {word:?}: {record:?}");
                    assert_eq!(record.point(), point, "{case}");
                    assert_eq!((record.is_open(), record.in_doubt()), (open, doubt), "{case}");
                    assert_eq!(record.stopped_at(), stopped_at, "{case}");
                    assert_eq!(record.status_word(), word, "{case}");
                    assert_eq!((&record.started, record.changed()), (&file.started, file.changed.as_str()), "{case}");
                    assert_eq!(record.request(), file.request, "{case}");
                    assert_eq!((record.atr(), record.pin_source()), (Some("3b80"), Some("server")), "{case}");
                }
            }
        }
    }

    #[test]
    fn a_job_is_settled_at_its_time_and_otherwise_as_it_was() {
        let before = file(Authority::Puk, Point::Setting, None, None);
        let after = file(Authority::Puk, Point::Setting, None, None).settled("2026-11-02T10:00:00Z".to_owned());
        let record = after.record();
        assert_eq!((record.point(), record.changed()), (Point::Resolved, "2026-11-02T10:00:00Z"));
        assert_eq!((record.started, after.name()), (before.started.clone(), before.name()));
    }

    #[test]
    fn what_was_shown_is_read_off_authority_and_step() {
        use Authority::{AdminKey, AdminPin, CurrentPin, Puk, ResettingCode, Server};
        use ProofState::{Accepted, NotShown, Refused, Shown};
        let untouched = Point::Untouched;
        let cases = [
            (Server, untouched, Some("authorize"), Some("6982"), Refused),
            (AdminKey, untouched, Some("authorize"), None, Shown),
            (AdminKey, untouched, Some("set-pin"), Some("6A80"), Accepted),
            (AdminPin, Point::Authorizing, None, None, Shown),
            (AdminPin, Point::Setting, None, None, Accepted),
            (Puk, Point::Authorizing, None, None, NotShown),
            (Puk, Point::Setting, None, None, Shown),
            (Puk, untouched, Some("set-pin"), Some("63C2"), Refused),
            (ResettingCode, untouched, Some("set-pin"), None, Shown),
            (CurrentPin, untouched, Some("authorize"), Some("63C2"), Refused),
            (CurrentPin, untouched, Some("authorize"), None, NotShown),
            (Puk, Point::Unclear, Some("verify"), None, Accepted),
            (Puk, Point::Unclear, Some("set-pin"), Some("6F00"), Refused),
            (Server, untouched, Some("bind"), None, NotShown),
            (Server, Point::Done, None, None, Accepted),
        ];
        for (authority, point, stopped_at, word, proof) in cases {
            let record = file(authority, point, stopped_at, word).record();
            assert_eq!(record.proof(), proof, "{authority:?} {point:?} {stopped_at:?} {word:?}");
        }
    }

    #[test]
    fn where_a_job_stopped_and_how_is_its_last_entry() {
        let (untouched, unclear) = (Point::Untouched, Point::Unclear);
        let cases = [
            (untouched, "authorize", Some("6982"), Stage::Prove, Phase::Refused),
            (untouched, "authorize", None, Stage::Prove, Phase::Unknown),
            (untouched, "set-pin", Some("6A80"), Stage::Pin, Phase::Refused),
            (unclear, "set-pin", None, Stage::Pin, Phase::Unknown),
            (unclear, "verify", Some("63C2"), Stage::Verify, Phase::Refused),
            (unclear, "verify", None, Stage::Verify, Phase::Unknown),
        ];
        for (point, stopped_at, word, stage, phase) in cases {
            let record = file(Authority::Server, point, Some(stopped_at), word).record();
            let last = record.entries.last().unwrap();
            assert_eq!((last.stage, last.phase), (stage, phase), "{point:?} {stopped_at} {word:?}");
            // The PIN was set before it was to be verified.
            let was_set = record.entries.iter().any(|entry| (entry.stage, entry.phase) == (Stage::Pin, Phase::Done));
            assert_eq!(was_set, stopped_at == "verify");
        }
    }
}
