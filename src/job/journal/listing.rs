//! The journal as JSON, `pinwright.history/1`, for the command and for the agent's control socket.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::entry::{Phase, Stage};
use super::meaning::meaning;
use super::point::Point;
use super::read::{History, Unreadable};
use super::record::{JobKind, Record};

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
    /// What the job is to do; `None` where a program tells it that does not know of enrollments, or a later one another kind.
    #[serde(default, deserialize_with = "where_known", skip_serializing_if = "Option::is_none")]
    pub job: Option<JobKind>,
    /// What the job was at last.
    #[serde(default, deserialize_with = "where_known", skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    /// How far that has come.
    #[serde(default, deserialize_with = "where_known", skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// Of an enrollment: the slot of the key pair that it has come to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<String>,
    /// Of an enrollment: the thumbprint of the certificate that it has come to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbprint: Option<String>,
}

impl Listed {
    /// What the record says, in words.
    #[must_use]
    pub fn meaning(&self) -> &'static str {
        meaning(self.job.unwrap_or(JobKind::SetPin), self.stage.zip(self.phase), self.point)
    }

    /// Whether the job has ended well.
    #[must_use]
    pub fn is_done(&self) -> bool {
        let is_completed = (self.stage, self.phase) == (Some(Stage::Completion), Some(Phase::Done));
        if self.job == Some(JobKind::Enroll) { is_completed } else { self.point == Point::Done }
    }
}

/// A name that this program knows; a later program's is as good as none.
fn where_known<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Option<T>, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(deserializer)?).ok())
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
        let last = record.entries.last();
        Self {
            job: Some(record.job),
            stage: last.map(|entry| entry.stage),
            phase: last.map(|entry| entry.phase),
            slot: text(record.slot()),
            thumbprint: text(record.thumbprint()),
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
