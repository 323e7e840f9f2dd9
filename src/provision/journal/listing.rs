//! The journal as JSON, `pinwright.history/1`, for the command and for the agent's control socket.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{History, Journal, Point, Record};

/// The schema of [`Listing`].
pub const LISTING_SCHEMA: &str = "pinwright.history/1";

/// What the journal's folder holds, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// [`LISTING_SCHEMA`].
    pub schema: String,
    /// The folder.
    pub folder: String,
    /// The records.
    pub records: Vec<Listed>,
    /// Files that are none.
    pub unreadable: Vec<Unlisted>,
}

/// One record; see [`Record`] for what the fields say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the record's own fields")]
pub struct Listed {
    pub id: String,
    pub started: String,
    pub changed: String,
    pub point: Point,
    /// Whether it needs another job or a person.
    pub open: bool,
    pub reader: String,
    pub atr: String,
    pub card_id: Uuid,
    pub smartcard: Uuid,
    pub request: Option<Uuid>,
    pub authority: String,
    pub pin_source: String,
    pub stopped_at: Option<String>,
    #[serde(default)]
    pub status_word: Option<String>,
}

/// A file that is no record of this version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unlisted {
    /// The file's name.
    pub file: String,
    /// Why, without its content.
    pub reason: String,
}

impl Listing {
    /// What a look into the journal's folder found.
    #[must_use]
    pub fn new(journal: &Journal, history: History) -> Self {
        Self {
            schema: LISTING_SCHEMA.to_owned(),
            folder: journal.folder().display().to_string(),
            records: history.records.into_iter().map(Listed::from).collect(),
            unreadable: history
                .unreadable
                .into_iter()
                .map(|file| Unlisted { file: file.file, reason: file.reason.to_owned() })
                .collect(),
        }
    }
}

impl From<Record> for Listed {
    fn from(record: Record) -> Self {
        Self {
            id: record.id,
            started: record.started,
            changed: record.changed,
            point: record.point,
            open: record.point.is_open(),
            reader: record.reader,
            atr: record.atr,
            card_id: record.card_id,
            smartcard: record.smartcard,
            request: record.request,
            authority: record.authority,
            pin_source: record.pin_source,
            stopped_at: record.stopped_at,
            status_word: record.status_word,
        }
    }
}
