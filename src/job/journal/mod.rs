//! The journal: what a job was about to do to a card, on disk before it does it.
//!
//! One file per job, replaced as a whole (written beside, fsynced, renamed, folder fsynced), mode 0600. A process that is killed
//! leaves a record that says how far the card was taken; the next job on that card finds it. A record holds no secret: no PIN,
//! no key, no challenge and no answer. What is found for one card does not depend on how many others there are.

mod claim;
mod entry;
mod error;
mod folder;
mod listing;
mod marker;
mod names;
mod prune;
mod record;
#[cfg(test)]
mod tests;
pub mod v1;
mod v2;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use uuid::Uuid;

pub use self::claim::{Claim, Moment, RequestClaim, RunningJob};
pub use self::entry::{Entry, Facts, Phase, Stage};
pub use self::error::{JournalError, LockOf};
use self::folder::{Folder, ReadError};
pub use self::listing::{LISTING_SCHEMA, Listed, Listing, Unlisted};
pub use self::record::{JobKind, Point, Record, Version, done, most_doubtful, new_id};
use self::v2::Unread;
use crate::os::files::private_options;

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

/// The journal's folder.
#[derive(Debug, Clone)]
pub struct Journal {
    folder: Folder,
    keep: Duration,
}

impl Journal {
    /// A journal in `folder`, whose settled records are kept for `keep`. Nothing is written yet.
    #[must_use]
    pub fn new(folder: PathBuf, keep: Duration) -> Self {
        Self { folder: Folder(folder), keep }
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder.0
    }

    /// Whether a record could be written: makes the folder, and a file in it that goes again.
    ///
    /// # Errors
    /// The folder can't be made or written to, or others can write to it.
    pub fn probe(&self) -> Result<(), JournalError> {
        self.folder.make_own()?;
        // Named as a half-written record, which is what it is to whoever finds it after a crash.
        let path = self.folder.0.join(format!("probe-{}.new", std::process::id()));
        let made = private_options().write(true).create(true).truncate(true).open(&path);
        made.and_then(|_| folder::remove(&path)).map_err(JournalError::io(&path))
    }

    /// Claims a card for this process until the claim is dropped. Programs of version 1 are kept off too.
    ///
    /// # Errors
    /// Another process has it, or the folder can't be used.
    pub fn claim(&self, card_id: Uuid) -> Result<Claim<'_>, JournalError> {
        Ok(Claim::new(self, card_id, self.folder.lock_card(card_id)?))
    }

    /// Claims a request for this process until the claim is dropped. A job that has a card claims that first.
    ///
    /// # Errors
    /// Another process has it, or the folder can't be used.
    pub fn claim_request(&self, request: Uuid) -> Result<RequestClaim<'_>, JournalError> {
        Ok(RequestClaim::new(self, request, self.folder.lock_request(request)?))
    }

    /// All records, oldest first. A folder that isn't there is an empty journal.
    ///
    /// # Errors
    /// A folder can't be read.
    pub fn history(&self) -> Result<History, JournalError> {
        let mut files = folder::list(&self.folder.0, "json")?;
        files.retain(|path| !path.file_name().is_some_and(|name| marker::is_name(&name.to_string_lossy())));
        for shard in 0..=folder::SHARDS {
            for card in folder::entries(&self.folder.shard(shard))? {
                files.extend(folder::list(&card, "json")?);
            }
        }
        for request in folder::entries(&self.folder.requests())?.iter().filter(|path| path.extension().is_none()) {
            files.extend(folder::list(request, "json")?);
        }
        Ok(self.read_all(&files))
    }

    /// The records of one card, oldest first, and the files that are none. Costs the same however many other cards there are.
    ///
    /// # Errors
    /// A folder can't be read.
    pub fn history_of(&self, card_id: Uuid) -> Result<History, JournalError> {
        Ok(self.read_all(&self.files_of(card_id)?))
    }

    /// The records of one card, oldest first.
    ///
    /// # Errors
    /// A folder can't be read, or one of the card's records can't that may be open.
    pub fn of_card(&self, card_id: Uuid) -> Result<Vec<Record>, JournalError> {
        let mut records = Vec::new();
        for path in self.files_of(card_id)? {
            match self.read(&path) {
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

    /// Removes closed records that are older than the journal keeps, for 50 ms at most: to be called when the result of a job on
    /// this card is told.
    pub fn tidy(&self, card_id: Uuid) {
        if let Err(error) = prune::tidy(self, card_id, prune::TIME) {
            tracing::warn!("old records of the journal could not be removed: {error}");
        }
    }

    /// The files of one card's records, of both versions.
    fn files_of(&self, card_id: Uuid) -> Result<Vec<PathBuf>, JournalError> {
        let (names, _) = names::of_card(&self.folder, card_id)?;
        let mut files: Vec<PathBuf> = names.iter().map(|name| self.folder.0.join(name)).collect();
        files.extend(folder::list(&self.folder.card(card_id), "json")?);
        Ok(files)
    }

    fn read_all(&self, files: &[PathBuf]) -> History {
        let mut history = History::default();
        for path in files {
            match self.read(path) {
                Ok(record) => history.records.extend(record),
                Err(unreadable) => history.unreadable.push(unreadable),
            }
        }
        sort(&mut history.records);
        history.unreadable.sort_by(|a, b| a.file.cmp(&b.file));
        history
    }

    /// `None` where another process has removed or moved the file since it was listed.
    fn read(&self, path: &Path) -> Result<Option<Record>, Unreadable> {
        let unreadable = |reason, source, closed| {
            let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            Unreadable { file, reason, source, closed }
        };
        let text = match folder::read(path) {
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
}

/// A record of any version that this program knows, and the end that the path of its file must have. Never shows its content in
/// an error.
fn parse(text: &[u8]) -> Result<(Record, PathBuf), Unread> {
    match v1::File::parse(text) {
        Ok(file) => Ok((file.record(), file.name().into())),
        Err(reason) => match v2::parse(text) {
            Ok(record) => {
                let of = record.card_id().or(record.request()).unwrap_or_default().to_string();
                let name = Path::new(&of).join(claim::file_name(&record));
                Ok((record, name))
            }
            Err(Unread::Because("not a journal record")) => Err(Unread::Because(reason)),
            Err(unread) => Err(unread),
        },
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
