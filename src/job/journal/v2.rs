//! Records of version 2, `v2/cards/SHARD/CARD/JOB.json` in the journal's folder; without a card yet `v2/requests/REQUEST/JOB.json`.

use serde::{Deserialize, Serialize};

use super::entry::Entry;
use super::record::{JobKind, Record, Version, is_plain};
use super::v1;

/// The schema of version 2.
pub const SCHEMA: &str = "pinwright.journal/2";

/// A record as its file has it.
#[derive(Serialize, Deserialize)]
struct File {
    schema: String,
    /// Stands for itself, so that a program that does not know this version knows whether to stop.
    open: bool,
    id: String,
    job: JobKind,
    started: String,
    entries: Vec<Entry>,
}

/// Whether a record of any later version is open: the one member that all of them keep.
#[derive(Deserialize)]
struct AnyVersion {
    schema: String,
    #[serde(default = "unless_told")]
    open: bool,
}

/// A record that does not say that it is closed may be open.
fn unless_told() -> bool {
    true
}

/// Why a file is not a record that this program understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unread {
    /// It is of a later version, and closed: nobody needs to understand it.
    Closed,
    /// It may be about something that is open.
    Because(&'static str),
}

/// Reads a file; never shows its content in an error.
pub(super) fn parse(text: &[u8]) -> Result<Record, Unread> {
    match serde_json::from_slice::<File>(text) {
        Ok(file) if file.schema == SCHEMA => record(file),
        _ => Err(unread(text)),
    }
}

/// Why a text is no record of this version.
fn unread(text: &[u8]) -> Unread {
    let Ok(version) = serde_json::from_slice::<AnyVersion>(text) else {
        return Unread::Because("not a journal record");
    };
    if version.schema != SCHEMA {
        let later = version.schema.starts_with("pinwright.journal/") && version.schema != v1::SCHEMA;
        return match (later, version.open) {
            (true, false) => Unread::Closed,
            (true, true) => Unread::Because("a journal record of another version"),
            (false, _) => Unread::Because("not a journal record"),
        };
    }
    // A later program of the same version has stages that this one does not know.
    match version.open {
        false => Unread::Closed,
        true => Unread::Because("a journal record with entries of a later program"),
    }
}

fn record(file: File) -> Result<Record, Unread> {
    if !is_plain(&file.id) {
        return Err(Unread::Because("a journal record with an unusable id"));
    }
    if file.entries.is_empty() {
        return Err(Unread::Because("a journal record without entries"));
    }
    let File { id, job, started, entries, .. } = file;
    Ok(Record { version: Version::Two, id, job, started, entries })
}

/// So long a text is set out for people; a longer one is not, to have room for more.
const SET_OUT_MAX: usize = 16 * 1024;

/// The file's content.
pub(super) fn text(record: &Record) -> Result<Vec<u8>, serde_json::Error> {
    let file = File {
        schema: SCHEMA.to_owned(),
        open: record.is_open(),
        id: record.id.clone(),
        job: record.job,
        started: record.started.clone(),
        entries: record.entries.clone(),
    };
    let text = serde_json::to_vec_pretty(&file)?;
    if text.len() > SET_OUT_MAX { serde_json::to_vec(&file) } else { Ok(text) }
}
