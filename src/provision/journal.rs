//! The journal: what a job was about to do to a card, on disk before it does it.
//!
//! One record per job, `CARD_JOB.json` in the journal's folder, replaced as a whole (written beside, fsynced, renamed, folder
//! fsynced), mode 0600. A process that is killed leaves a record that says how far the card was taken; the next job on
//! that card finds it. A record holds no secret: no PIN, no key, no challenge and no answer.

mod listing;
mod record;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use thiserror::Error;
use uuid::Uuid;

pub use self::listing::{LISTING_SCHEMA, Listed, Listing, Unlisted};
pub(crate) use self::record::parse;
use self::record::stem;
pub use self::record::{Point, Record, SCHEMA, new_id};

/// The largest record that is read: those written have some 500 bytes.
const RECORD_MAX: u64 = 16 * 1024;

/// A record is written in less: what is older was left half-written by a crash.
const HALF_WRITTEN_MAX: Duration = Duration::from_secs(600);

/// Why the journal can't be kept. Without one no card is written to.
#[derive(Debug, Error)]
pub enum JournalError {
    /// No folder is configured and none can be derived.
    #[error("there is no place for the journal")]
    NoFolder,
    /// A file or folder fails.
    #[error("the journal can't be kept in {}", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A record that can't be written as JSON.
    #[error("a journal record can't be written")]
    Encode(#[source] serde_json::Error),
    /// A record of the card in question that can't be read: nobody knows what it forbids.
    #[error("the journal's record {file} of this card is {reason}")]
    Unreadable {
        /// The file's name.
        file: String,
        /// Why, without its content.
        reason: &'static str,
    },
    /// Another process works on this card.
    #[error("another pinwright process works on card {card_id}")]
    Busy {
        /// The card.
        card_id: Uuid,
    },
}

/// A file in the journal's folder that is no record of this version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// The file's name.
    pub file: String,
    /// Why, without its content.
    pub reason: &'static str,
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
    folder: PathBuf,
    keep: Duration,
}

impl Journal {
    /// A journal in `folder`, whose settled records are kept for `keep`. Nothing is written yet.
    #[must_use]
    pub fn new(folder: PathBuf, keep: Duration) -> Self {
        Self { folder, keep }
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether a record could be written: makes the folder, and a file in it that goes again.
    ///
    /// # Errors
    /// The folder can't be made or written to.
    pub fn probe(&self) -> Result<(), JournalError> {
        self.prepare()?;
        // Named as a half-written record, which is what it is to whoever finds it after a crash.
        let path = self.folder.join(format!("probe-{}.new", std::process::id()));
        let made = private().write(true).create(true).truncate(true).open(&path).and_then(|_| remove(&path));
        made.map_err(|source| JournalError::Io { path, source })
    }

    /// Claims a card for this process until the claim is dropped.
    ///
    /// # Errors
    /// Another process has it, or the folder can't be used.
    pub fn claim(&self, card_id: Uuid) -> Result<Claim<'_>, JournalError> {
        self.prepare()?;
        let path = self.folder.join(format!("{card_id}.lock"));
        let io = |source| JournalError::Io { path: path.clone(), source };
        if fs::metadata(&path).is_ok_and(|found| !found.is_file()) {
            // Opening one might wait for ever.
            return Err(io(io::Error::other("it is no regular file")));
        }
        let file = private().write(true).create(true).truncate(false).open(&path).map_err(io)?;
        match file.try_lock() {
            Ok(()) => Ok(Claim { journal: self, card_id, lock: file }),
            Err(TryLockError::WouldBlock) => Err(JournalError::Busy { card_id }),
            Err(TryLockError::Error(source)) => Err(io(source)),
        }
    }

    /// All records, oldest first. A folder that isn't there is an empty journal.
    ///
    /// # Errors
    /// The folder can't be read.
    pub fn history(&self) -> Result<History, JournalError> {
        self.read_where(|_| true)
    }

    /// The records whose files are chosen: a journal of years is not read as a whole for one card.
    fn read_where(&self, chosen: impl Fn(&Path) -> bool) -> Result<History, JournalError> {
        let io = |source| JournalError::Io { path: self.folder.clone(), source };
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(History::default()),
            entries => entries.map_err(io)?,
        };
        let mut history = History::default();
        for entry in entries {
            let path = entry.map_err(io)?.path();
            if path.extension().is_none_or(|extension| extension != "json") || !chosen(&path) {
                continue;
            }
            match read(&path) {
                Ok(Some(record)) => history.records.push(record),
                // Another process has pruned it since the folder was listed.
                Ok(None) => {}
                Err(reason) => {
                    let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                    history.unreadable.push(Unreadable { file, reason });
                }
            }
        }
        history.records.sort_by(|a, b| (&a.started, &a.id).cmp(&(&b.started, &b.id)));
        history.unreadable.sort_by(|a, b| a.file.cmp(&b.file));
        Ok(history)
    }

    /// The records of one card, oldest first.
    ///
    /// # Errors
    /// The folder can't be read, or one of the card's records can't.
    pub fn of_card(&self, card_id: Uuid) -> Result<Vec<Record>, JournalError> {
        let prefix = format!("{card_id}_");
        let of_card = |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix));
        let History { records, unreadable } = self.read_where(of_card)?;
        match unreadable.into_iter().next() {
            Some(Unreadable { file, reason }) => Err(JournalError::Unreadable { file, reason }),
            None => Ok(records),
        }
    }

    /// Removes settled records that are older than the journal keeps, and what a crash left half-written. Open records
    /// are never removed.
    fn prune(&self) -> Result<(), JournalError> {
        let io = |source| JournalError::Io { path: self.folder.clone(), source };
        let age = |path: &Path| path.metadata().ok()?.modified().ok()?.elapsed().ok();
        let old = |path: &Path| age(path).is_some_and(|age| age > self.keep);
        for record in self.read_where(old)?.records.into_iter().filter(|record| !record.point.is_open()) {
            remove(&self.file(&record)).map_err(io)?;
        }
        for entry in fs::read_dir(&self.folder).map_err(io)? {
            let path = entry.map_err(io)?.path();
            let half_written = path.extension().is_some_and(|extension| extension == "new");
            if half_written && age(&path).is_some_and(|age| age > HALF_WRITTEN_MAX) {
                remove(&path).map_err(io)?;
            }
        }
        Ok(())
    }

    fn file(&self, record: &Record) -> PathBuf {
        self.folder.join(format!("{}.json", stem(record)))
    }

    fn prepare(&self) -> Result<(), JournalError> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&self.folder).map_err(|source| JournalError::Io { path: self.folder.clone(), source })
    }

    /// Replaces a record as a whole: after a crash there is the old one or the new one, and never half of either.
    fn write(&self, record: &Record) -> Result<(), JournalError> {
        let path = self.file(record);
        let io = |source| JournalError::Io { path: path.clone(), source };
        let text = serde_json::to_vec_pretty(record).map_err(JournalError::Encode)?;
        let beside = self.folder.join(format!("{}.new", stem(record)));
        let mut file = private().write(true).create(true).truncate(true).open(&beside).map_err(io)?;
        file.write_all(&text).map_err(io)?;
        file.sync_all().map_err(io)?;
        drop(file);
        fs::rename(&beside, &path).map_err(io)?;
        // The new name itself must survive a power cut.
        #[cfg(unix)]
        File::open(&self.folder).and_then(|folder| folder.sync_all()).map_err(io)?;
        Ok(())
    }
}

/// A card that this process works on, and nobody else.
pub struct Claim<'a> {
    journal: &'a Journal,
    card_id: Uuid,
    lock: File,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        // Closing the file is not enough: a child that is just being started by another thread has it open until it becomes
        // another program. Where this fails the close is what is left.
        drop(self.lock.unlock());
    }
}

impl<'a> Claim<'a> {
    /// The records of this card, oldest first. Nobody else changes them while the claim is held, so one look is enough.
    ///
    /// # Errors
    /// The folder can't be read.
    pub fn records(&self) -> Result<Vec<Record>, JournalError> {
        self.journal.of_card(self.card_id)
    }

    /// Those of them that are open: what earlier jobs left unsettled.
    ///
    /// # Errors
    /// The folder can't be read.
    pub fn unsettled(&self) -> Result<Vec<Record>, JournalError> {
        Ok(self.records()?.into_iter().filter(|record| record.point.is_open()).collect())
    }

    /// The record of a job that did this request on this card, unless a later job has left the card unsettled.
    ///
    /// # Errors
    /// The folder can't be read.
    pub fn done(&self, request: Uuid) -> Result<Option<Record>, JournalError> {
        Ok(done(&self.records()?, request).cloned())
    }

    /// Writes the first record of a job.
    ///
    /// # Errors
    /// It can't be written: then nothing may be done to the card.
    pub fn begin(&self, mut record: Record) -> Result<Entry<'a>, JournalError> {
        SCHEMA.clone_into(&mut record.schema);
        record.started = now();
        record.changed.clone_from(&record.started);
        self.journal.write(&record)?;
        Ok(Entry { journal: self.journal, record })
    }
}

/// The record of a running job.
pub struct Entry<'a> {
    journal: &'a Journal,
    record: Record,
}

impl Entry<'_> {
    /// The job's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.record.id
    }

    /// How far the job has come.
    #[must_use]
    pub fn point(&self) -> Point {
        self.record.point
    }

    /// Notes how far the job has come, on disk when this returns.
    ///
    /// # Errors
    /// It can't be written.
    pub fn reach(&mut self, point: Point) -> Result<(), JournalError> {
        self.record.point = point;
        self.record.changed = now();
        self.journal.write(&self.record)
    }

    /// Notes at which step the job stopped, and with which status word the card refused it, where it did.
    ///
    /// # Errors
    /// It can't be written.
    pub fn stop(&mut self, point: Point, step: &str, status_word: Option<String>) -> Result<(), JournalError> {
        self.record.stopped_at = Some(step.to_owned());
        self.record.status_word = status_word;
        self.reach(point)
    }

    /// Marks earlier open records as settled and prunes old ones.
    ///
    /// # Errors
    /// A record can't be written or removed.
    pub fn settle(&self, earlier: &[Record]) -> Result<(), JournalError> {
        for record in earlier {
            self.journal.write(&Record { point: Point::Resolved, changed: now(), ..record.clone() })?;
        }
        self.journal.prune()
    }
}

/// Of unsettled records the one that says most: the latest that leaves the PIN in doubt, else the latest. A later job that
/// stopped before it wrote anything has settled nothing.
#[must_use]
pub fn most_doubtful(unsettled: &[Record]) -> Option<&Record> {
    unsettled.iter().rfind(|record| record.point != Point::Authorizing).or(unsettled.last())
}

/// Of one card's records the one of a job that did this request, unless any record is unsettled: then the card has to be done
/// again to be sure of its PIN.
#[must_use]
pub fn done(records: &[Record], request: Uuid) -> Option<&Record> {
    if records.iter().any(|record| record.point.is_open()) {
        return None;
    }
    records.iter().rfind(|record| record.point == Point::Done && record.request == Some(request))
}

/// `None` where the file is gone.
fn read(path: &Path) -> Result<Option<Record>, &'static str> {
    let mut text = Vec::new();
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => return Err("no file"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(_) => return Err("can't be opened"),
    }
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(|_| "can't be opened")?,
    };
    file.take(RECORD_MAX + 1).read_to_end(&mut text).map_err(|_| "can't be read")?;
    if text.len() as u64 > RECORD_MAX {
        return Err("too large for a journal record");
    }
    let record = parse(&text)?;
    // A record under another name would be settled under its own and stay open here.
    if path.file_stem().is_none_or(|name| *name != *stem(&record)) {
        return Err("a journal record under another name");
    }
    Ok(Some(record))
}

/// Removes a file that another process may be removing as well.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}

#[cfg(test)]
mod tests;
