//! The journal as JSON, `pinwright.history/1`, for the command and for the agent's control socket.

use std::path::Path;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::read::{History, Unreadable};
use super::record::{Point, Record};

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
    pub reader: Option<String>,
    pub atr: Option<String>,
    /// `None` for a job that has no card yet.
    pub card_id: Option<Uuid>,
    /// `None` for a job whose request is bound to no card yet.
    pub smartcard: Option<Uuid>,
    pub request: Option<Uuid>,
    #[serde(default)]
    pub target_user: Option<Uuid>,
    #[serde(default)]
    pub template: Option<Uuid>,
    #[serde(default)]
    pub template_name: Option<String>,
    pub authority: Option<String>,
    pub pin_source: Option<String>,
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
    pub fn new(folder: &Path, history: History) -> Self {
        Self {
            schema: LISTING_SCHEMA.to_owned(),
            folder: folder.display().to_string(),
            records: history.records.into_iter().map(Listed::from).collect(),
            unreadable: history.unreadable.into_iter().map(Unlisted::from).collect(),
        }
    }
}

impl From<Unreadable> for Unlisted {
    fn from(file: Unreadable) -> Self {
        let reason = match file.source {
            Some(source) => format!("{}: {source}", file.reason),
            None => file.reason.to_owned(),
        };
        Self { file: file.file, reason }
    }
}

impl From<Record> for Listed {
    fn from(record: Record) -> Self {
        let text = |value: Option<&str>| value.map(str::to_owned);
        Self {
            changed: record.changed().to_owned(),
            point: record.point(),
            open: record.is_open(),
            reader: text(record.reader()),
            atr: text(record.atr()),
            card_id: record.card_id(),
            smartcard: record.smartcard(),
            request: record.request(),
            target_user: record.target_user(),
            template: record.template(),
            template_name: text(record.template_name()),
            authority: text(record.authority()),
            pin_source: text(record.pin_source()),
            stopped_at: text(record.stopped_at()),
            status_word: text(record.status_word()),
            id: record.id,
            started: record.started,
        }
    }
}
