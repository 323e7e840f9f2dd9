//! Reading records: all, or one card's, whatever their version.

use std::io;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::error::JournalError;
use super::folder::{Folder, ReadError, entries, file_name, list, read as read_file};
use super::record::Record;
use super::v2::Unread;
use super::{marker, names, v1, v2};

/// A file in the journal's folder that is no record of a version that this program knows.
#[derive(Debug)]
pub struct Unreadable {
    /// The file's name.
    pub file: String,
    /// Why, without its content.
    pub reason: &'static str,
    /// What the system says, where it was the system.
    pub source: Option<io::Error>,
    /// It is a record of a later version that says of itself that it is closed: no job needs to understand it.
    pub closed: bool,
}

/// What the journal's folder holds, oldest first.
#[derive(Debug, Default)]
pub struct History {
    /// The records.
    pub records: Vec<Record>,
    /// Files that are none.
    pub unreadable: Vec<Unreadable>,
}

/// All records, oldest first. A folder that isn't there is an empty journal.
///
/// # Errors
/// A folder can't be read.
pub(super) fn history(folder: &Folder) -> Result<History, JournalError> {
    let mut files = list(&folder.0, "json")?;
    files.retain(|path| !path.file_name().is_some_and(|name| marker::is_name(&name.to_string_lossy())));
    for shard in entries(&folder.cards())? {
        for card in entries(&shard)? {
            files.extend(list(&card, "json")?);
        }
    }
    for request in entries(&folder.requests())?.iter().filter(|path| path.extension().is_none()) {
        files.extend(list(request, "json")?);
    }
    Ok(read_all(&files))
}

/// The records of one card, oldest first, and the files that are none. Costs the same however many other cards there are.
///
/// # Errors
/// A folder can't be read.
pub(super) fn history_of(folder: &Folder, card_id: Uuid) -> Result<History, JournalError> {
    Ok(read_all(&files_of(folder, card_id)?))
}

/// The records of one card, oldest first.
///
/// # Errors
/// A folder can't be read, or one of the card's records can't that may be open.
pub(super) fn of_card(folder: &Folder, card_id: Uuid) -> Result<Vec<Record>, JournalError> {
    let mut records = Vec::new();
    for path in files_of(folder, card_id)? {
        match read(&path) {
            Ok(record) => records.extend(record),
            Err(unreadable) if unreadable.closed => {}
            Err(Unreadable { file, reason, source, .. }) => {
                return Err(JournalError::Unreadable { file, reason, source });
            }
        }
    }
    sort(&mut records);
    Ok(records)
}

/// The files of one card's records, of both versions.
pub(super) fn files_of(folder: &Folder, card_id: Uuid) -> Result<Vec<PathBuf>, JournalError> {
    let (names, _) = names::of_card(folder, card_id)?;
    let mut files: Vec<PathBuf> = names.iter().map(|name| folder.0.join(name)).collect();
    files.extend(list(&folder.card(card_id), "json")?);
    Ok(files)
}

fn read_all(files: &[PathBuf]) -> History {
    let mut history = History::default();
    for path in files {
        match read(path) {
            Ok(record) => history.records.extend(record),
            Err(unreadable) => history.unreadable.push(unreadable),
        }
    }
    sort(&mut history.records);
    history.unreadable.sort_by(|a, b| a.file.cmp(&b.file));
    history
}

/// `None` where another process has removed or moved the file since it was listed.
fn read(path: &Path) -> Result<Option<Record>, Unreadable> {
    let unreadable = |reason, source, closed| {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Unreadable { file, reason, source, closed }
    };
    let text = match read_file(path) {
        Ok(text) => text,
        Err(ReadError::Gone) => return Ok(None),
        Err(ReadError::NoRecord(reason)) => return Err(unreadable(reason, None, false)),
        Err(ReadError::Io(source)) => return Err(unreadable("can't be read", Some(source), false)),
    };
    let (record, name) = parse(&text).map_err(|unread| match unread {
        Unread::Closed => unreadable("a closed journal record of another version", None, true),
        Unread::Because(reason) => unreadable(reason, None, false),
    })?;
    // A record under another name would be settled under its own and stay open here.
    if !path.ends_with(&name) {
        return Err(unreadable("a journal record under another name", None, false));
    }
    Ok(Some(record))
}

/// A record of any version that this program knows, and the end that the path of its file must have. Never shows its content in
/// an error.
fn parse(text: &[u8]) -> Result<(Record, PathBuf), Unread> {
    match v2::parse(text) {
        Ok(record) => {
            let of = record.card_id().or(record.request()).unwrap_or_default().to_string();
            let name = Path::new(&of).join(file_name(&record.id));
            Ok((record, name))
        }
        Err(Unread::Because("not a journal record")) => match v1::File::parse(text) {
            Ok(file) => Ok((file.record(), file.name().into())),
            Err(reason) => Err(Unread::Because(reason)),
        },
        Err(unread) => Err(unread),
    }
}

/// For fuzzers: a record and its file's name, and the same after it was written in version 2 and read again.
#[cfg(feature = "fuzzing")]
pub(crate) fn read_and_rewrite(text: &[u8]) -> Result<[(Record, PathBuf); 2], &'static str> {
    let words = |unread| match unread {
        Unread::Closed => "closed",
        Unread::Because(reason) => reason,
    };
    let (record, name) = parse(text).map_err(words)?;
    let written = v2::text(&record).map_err(|_| "not written")?;
    Ok([(record, name), parse(&written).map_err(words)?])
}

fn sort(records: &mut [Record]) {
    records.sort_by(|a, b| (&a.started, &a.id).cmp(&(&b.started, &b.id)));
}
