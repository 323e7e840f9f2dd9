//! A record of the journal: what it says, and how it is read and named.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The version of the records that this program writes, and the only one that it reads.
pub const SCHEMA: &str = "pinwright.journal/1";

/// How far a job has taken its card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Point {
    /// About to authenticate: nothing was written. Found after a crash: an admin or PIN try may have been spent.
    Authorizing,
    /// About to set the PIN. Found after a crash: the card has the old PIN or the new one.
    Setting,
    /// The card said that it set the PIN. Found after a crash: it has the new one, not verified.
    Set,
    /// Set and verified.
    Done,
    /// Ended without having changed the PIN.
    Untouched,
    /// Ended, and it is not known which PIN the card has; or it is, and the card did not verify it.
    Unclear,
    /// A later job on the same card has ended well.
    Resolved,
}

impl Point {
    /// Whether a record at this point needs another job or a person.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Authorizing | Self::Setting | Self::Set | Self::Unclear)
    }

    /// What the record says of the card.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Authorizing => {
                "stopped while proving itself to the card: the PIN is as it was, a try may have been spent"
            }
            Self::Setting => "stopped while setting the PIN: the card has the old PIN or the new one",
            Self::Set => "stopped after setting the PIN: the card has the new PIN, not verified",
            Self::Done => "the PIN was set and verified",
            Self::Untouched => "ended with the PIN as it was",
            Self::Unclear => "ended without knowing which PIN the card has",
            Self::Resolved => "settled by a later job on the same card",
        }
    }

    /// The name in records and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Authorizing => "authorizing",
            Self::Setting => "setting",
            Self::Set => "set",
            Self::Done => "done",
            Self::Untouched => "untouched",
            Self::Unclear => "unclear",
            Self::Resolved => "resolved",
        }
    }
}

/// One job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
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

/// A new job's id: sortable by time, unique by chance.
#[must_use]
pub fn new_id() -> String {
    let millis = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
    format!("{millis:x}-{:08x}", fastrand::u32(..))
}

/// Reads a record; never shows its content in an error.
pub(crate) fn parse(text: &[u8]) -> Result<Record, &'static str> {
    let record: Record = serde_json::from_slice(text).map_err(|_| "not a journal record")?;
    if record.schema != SCHEMA {
        return Err("a journal record of another version");
    }
    let plain = |id: &str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !plain(&record.id) {
        return Err("a journal record with an unusable id");
    }
    Ok(record)
}

/// A record's file name without its ending: the card first, so that one card's records are found by name.
pub(super) fn stem(record: &Record) -> String {
    format!("{}_{}", record.card_id, record.id)
}
