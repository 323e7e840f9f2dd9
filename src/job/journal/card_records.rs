//! The records of one card as an agent tells them to a command of the same machine, `pinwright.agent-card/1`: no secret is in them,
//! since none is in the journal.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::entry::Entry;
use super::record::{JobKind, Record, Version, is_plain};

/// The schema of [`CardRecords`].
pub const CARD_SCHEMA: &str = "pinwright.agent-card/1";

/// What a journal holds about one card, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardRecords {
    /// [`CARD_SCHEMA`].
    pub schema: String,
    /// The card ID.
    pub card_id: Uuid,
    /// Its records. One that a program does not understand is passed over.
    records: Vec<Value>,
}

/// A record as it is told.
#[derive(Serialize, Deserialize)]
struct Told {
    id: String,
    job: JobKind,
    started: String,
    entries: Vec<Entry>,
}

impl CardRecords {
    /// Tells what a journal holds about this card.
    ///
    /// # Errors
    /// A record can't be told as JSON.
    pub fn new(card_id: Uuid, records: Vec<Record>) -> Result<Self, serde_json::Error> {
        let told =
            |Record { id, job, started, entries, .. }: Record| serde_json::to_value(Told { id, job, started, entries });
        let records = records.into_iter().map(told).collect::<Result<_, _>>()?;
        Ok(Self { schema: CARD_SCHEMA.to_owned(), card_id, records })
    }

    /// The records of this card that are understood, whatever else was told.
    #[must_use]
    pub fn of(self, card_id: Uuid) -> Vec<Record> {
        if self.schema != CARD_SCHEMA || self.card_id != card_id {
            tracing::info!("what was told of a card is of another version, or of another card");
            return Vec::new();
        }
        let understood = |told: Value| {
            let Told { id, job, started, entries } = serde_json::from_value(told).ok()?;
            let record = Record { version: Version::Two, id, job, started, entries };
            let is_sound = is_plain(&record.id) && !record.entries.is_empty() && record.card_id() == Some(card_id);
            is_sound.then_some(record)
        };
        let passed_over = || tracing::info!("a record of the card is not understood");
        self.records
            .into_iter()
            .filter_map(|told| {
                understood(told).or_else(|| {
                    passed_over();
                    None
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::job::effect::ProofState;
    use crate::job::journal::{Facts, Phase, Stage};

    const CARD: Uuid = Uuid::from_u128(1);
    const OTHER: Uuid = Uuid::from_u128(2);

    fn record(id: &str, card_id: Option<Uuid>) -> Record {
        let at = "2026-11-29T00:00:00Z".to_owned();
        let facts = Facts { card_id, ..Facts::default() };
        let entry =
            Entry { at: at.clone(), stage: Stage::Prove, phase: Phase::AboutTo, proof: ProofState::Shown, facts };
        Record { version: Version::Two, id: id.to_owned(), job: JobKind::SetPin, started: at, entries: vec![entry] }
    }

    #[test]
    fn what_is_told_of_this_card_comes_back() {
        let records = vec![record("a-1", Some(CARD)), record("b-2", Some(CARD))];
        assert_eq!(CardRecords::new(CARD, records.clone()).unwrap().of(CARD), records);
    }

    #[test]
    fn what_is_told_of_another_card_or_in_another_version_counts_for_nothing() {
        let told = || CardRecords::new(CARD, vec![record("a-1", Some(CARD))]).unwrap();
        assert!(told().of(OTHER).is_empty());
        assert!(CardRecords { schema: "pinwright.agent-card/2".to_owned(), ..told() }.of(CARD).is_empty());
    }

    #[test]
    fn only_sound_records_are_understood() {
        let sound = record("a-1", Some(CARD));
        let records = vec![
            record("../a", Some(CARD)),
            record("b-2", Some(OTHER)),
            record("c-3", None),
            Record { entries: Vec::new(), ..record("d-4", Some(CARD)) },
            sound.clone(),
        ];
        let mut told = CardRecords::new(CARD, records).unwrap();
        told.records.push(json!({ "id": "e-5" }));
        assert_eq!(told.of(CARD), [sound]);
    }
}
