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
        let count = self.records.len();
        let records: Vec<Record> = self.records.into_iter().filter_map(understood).collect();
        if records.len() < count {
            tracing::info!("{} of {count} records of the card are not understood", count - records.len());
        }
        records
    }
}
