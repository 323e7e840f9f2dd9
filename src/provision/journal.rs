//! The journal: what a job was about to do to a card, on disk before it does it.
//!
//! One record per job, `ID.json` in the journal's folder, replaced as a whole (written beside, fsynced, renamed, folder
//! fsynced), mode 0600. A process that is killed leaves a record that says how far the card was taken; the next job on
//! that card finds it. A record holds no secret: no PIN, no key, no challenge and no answer.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

/// The version of the records that this program writes, and the only one that it reads.
pub const SCHEMA: &str = "pinwright.journal/1";

/// The largest record that is read: those written have some 500 bytes.
const RECORD_MAX: u64 = 16 * 1024;

/// A record is written in less: what is older was left half-written by a crash.
const HALF_WRITTEN_MAX: Duration = Duration::from_secs(600);

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
    /// The job's id: the file's name without its ending.
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
}

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

    /// Claims a card for this process until the claim is dropped.
    ///
    /// # Errors
    /// Another process has it, or the folder can't be used.
    pub fn claim(&self, card_id: Uuid) -> Result<Claim<'_>, JournalError> {
        self.prepare()?;
        let path = self.folder.join(format!("{card_id}.lock"));
        let io = |source| JournalError::Io { path: path.clone(), source };
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
        let (records, mut unreadable) = self.read(None)?;
        unreadable.sort_by(|a, b| a.file.cmp(&b.file));
        Ok(History { records, unreadable })
    }

    /// Records, oldest first, and what is none. With a card, files that don't name it are not looked into.
    fn read(&self, card_id: Option<Uuid>) -> Result<(Vec<Record>, Vec<Unreadable>), JournalError> {
        let (mut records, mut unreadable) = (Vec::new(), Vec::new());
        let name = card_id.map(|card_id| card_id.to_string());
        for path in self.files("json")? {
            match read(&path, name.as_deref()) {
                Ok(Some(record)) => records.push(record),
                // Another card's, or another process has pruned it since the folder was listed.
                Ok(None) => {}
                Err(reason) => {
                    let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                    unreadable.push(Unreadable { file, reason });
                }
            }
        }
        records.sort_by(|a, b| (&a.started, &a.id).cmp(&(&b.started, &b.id)));
        Ok((records, unreadable))
    }

    fn files(&self, extension: &str) -> Result<Vec<PathBuf>, JournalError> {
        let io = |source| JournalError::Io { path: self.folder.clone(), source };
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(io)?,
        };
        let mut files = Vec::new();
        for entry in entries {
            let path = entry.map_err(io)?.path();
            if path.extension().is_some_and(|found| found == extension) {
                files.push(path);
            }
        }
        Ok(files)
    }

    /// Removes settled records that are older than the journal keeps, and what a crash left half-written. Open records
    /// are never removed. Only files that were not touched for that long are looked into.
    fn prune(&self) -> Result<(), JournalError> {
        let io = |source| JournalError::Io { path: self.folder.clone(), source };
        for path in self.files("json")? {
            if !untouched_for(&path, self.keep) {
                continue;
            }
            if let Ok(Some(record)) = read(&path, None) {
                let changed = humantime::parse_rfc3339(&record.changed).ok();
                let age = changed.and_then(|changed| SystemTime::now().duration_since(changed).ok());
                if !record.point.is_open() && age.is_some_and(|age| age > self.keep) {
                    remove(&path).map_err(io)?;
                }
            }
        }
        for path in self.files("new")? {
            if untouched_for(&path, HALF_WRITTEN_MAX) {
                remove(&path).map_err(io)?;
            }
        }
        Ok(())
    }

    fn file(&self, id: &str) -> PathBuf {
        self.folder.join(format!("{id}.json"))
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
        let path = self.file(&record.id);
        let io = |source| JournalError::Io { path: path.clone(), source };
        let text = serde_json::to_vec_pretty(record).map_err(JournalError::Encode)?;
        let beside = self.folder.join(format!("{}.new", record.id));
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
    /// The open records of this card, oldest first: what earlier jobs left unsettled. Nobody else changes them while the
    /// claim is held, so one look is enough.
    ///
    /// # Errors
    /// The folder can't be read.
    pub fn unsettled(&self) -> Result<Vec<Record>, JournalError> {
        let (records, _) = self.journal.read(Some(self.card_id))?;
        Ok(records.into_iter().filter(|record| record.card_id == self.card_id && record.point.is_open()).collect())
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
    pub fn reach(&mut self, point: Point, stopped_at: Option<&str>) -> Result<(), JournalError> {
        self.record.point = point;
        self.record.changed = now();
        self.record.stopped_at = stopped_at.map(str::to_owned);
        self.journal.write(&self.record)
    }

    /// Marks this card's earlier open records ([`Claim::unsettled`]) as settled and prunes old ones.
    ///
    /// # Errors
    /// A record can't be written or removed.
    pub fn settle(&self, earlier: &[Record]) -> Result<(), JournalError> {
        for record in earlier {
            let settled = Record { point: Point::Resolved, changed: now(), ..record.clone() };
            self.journal.write(&settled)?;
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

fn untouched_for(path: &Path, time: Duration) -> bool {
    let age = || path.metadata().ok()?.modified().ok()?.elapsed().ok();
    age().is_some_and(|age| age > time)
}

/// `None` where the file is gone, or does not hold that name of a card.
fn read(path: &Path, card: Option<&str>) -> Result<Option<Record>, &'static str> {
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
    // Most records are of other cards: this is what keeps a long history cheap.
    if card.is_some_and(|card| !text.windows(card.len()).any(|part| part == card.as_bytes())) {
        return Ok(None);
    }
    let record = parse(&text)?;
    // A record under another name would be settled under its own and stay open here.
    if path.file_stem().is_none_or(|stem| *stem != *record.id) {
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
mod tests {
    use super::*;

    fn record(card_id: u128) -> Record {
        Record {
            schema: String::new(),
            id: new_id(),
            started: String::new(),
            changed: String::new(),
            point: Point::Authorizing,
            reader: "Desk 1".to_owned(),
            atr: "3b80".to_owned(),
            card_id: Uuid::from_u128(card_id),
            smartcard: Uuid::from_u128(2),
            request: None,
            authority: "server".to_owned(),
            pin_source: "server".to_owned(),
            stopped_at: None,
        }
    }

    fn journal() -> (tempfile::TempDir, Journal) {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::new(folder.path().join("state/pinwright"), Duration::from_secs(3600));
        (folder, journal)
    }

    #[test]
    fn a_record_is_on_disk_private_and_found_again() {
        use std::os::unix::fs::PermissionsExt;
        let (_folder, journal) = journal();
        assert!(journal.history().unwrap().records.is_empty());
        let claim = journal.claim(Uuid::from_u128(1)).unwrap();
        let mut entry = claim.begin(record(1)).unwrap();
        entry.reach(Point::Setting, None).unwrap();
        let path = journal.file(entry.id());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(journal.folder()).unwrap().permissions().mode() & 0o777, 0o700);
        let found = claim.unsettled().unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].point, Point::Setting);
        assert_eq!(journal.claim(Uuid::from_u128(3)).unwrap().unsettled().unwrap(), []);
    }

    #[test]
    fn the_second_process_on_a_card_is_told() {
        let (_folder, journal) = journal();
        let claim = journal.claim(Uuid::from_u128(1)).unwrap();
        assert!(matches!(journal.claim(Uuid::from_u128(1)), Err(JournalError::Busy { .. })));
        assert!(journal.claim(Uuid::from_u128(2)).is_ok());
        drop(claim);
        assert!(journal.claim(Uuid::from_u128(1)).is_ok());
    }

    #[test]
    fn a_good_end_settles_what_came_before_and_only_for_its_card() {
        let (_folder, journal) = journal();
        let claim = journal.claim(Uuid::from_u128(1)).unwrap();
        drop(claim.begin(record(1)).unwrap());
        let other = journal.claim(Uuid::from_u128(9)).unwrap();
        drop(other.begin(record(9)).unwrap());
        let earlier = claim.unsettled().unwrap();
        let mut entry = claim.begin(record(1)).unwrap();
        entry.reach(Point::Done, None).unwrap();
        entry.settle(&earlier).unwrap();
        let points: Vec<Point> = journal.history().unwrap().records.iter().map(|record| record.point).collect();
        assert_eq!(points.iter().filter(|point| **point == Point::Resolved).count(), 1);
        assert_eq!(points.iter().filter(|point| point.is_open()).count(), 1);
        assert_eq!(other.unsettled().unwrap().len(), 1);
    }

    #[test]
    fn a_doubt_is_not_hidden_by_a_later_job_that_wrote_nothing() {
        let (_folder, journal) = journal();
        let claim = journal.claim(Uuid::from_u128(1)).unwrap();
        let begin = |id: &str, point| {
            let record = Record { id: id.to_owned(), ..record(1) };
            let mut entry = claim.begin(record).unwrap();
            entry.reach(point, None).unwrap();
        };
        begin("a", Point::Authorizing);
        let found = || most_doubtful(&claim.unsettled().unwrap()).unwrap().id.clone();
        assert_eq!(found(), "a");
        begin("b", Point::Setting);
        begin("c", Point::Unclear);
        begin("d", Point::Untouched);
        begin("e", Point::Authorizing);
        assert_eq!(found(), "c");
    }

    #[test]
    fn what_a_crash_left_half_written_goes_after_a_while() {
        let (_folder, journal) = journal();
        let claim = journal.claim(Uuid::from_u128(1)).unwrap();
        let entry = claim.begin(record(1)).unwrap();
        let (old, young) = (journal.folder().join("old.new"), journal.folder().join("young.new"));
        fs::write(&young, "{").unwrap();
        let file = File::create(&old).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(86_400)).unwrap();
        entry.settle(&[]).unwrap();
        assert!(!old.exists() && young.exists(), "another process may be writing the young one");
    }

    #[test]
    fn old_settled_records_go_and_open_ones_stay() {
        let (_folder, journal) = journal();
        let claim = journal.claim(Uuid::from_u128(1)).unwrap();
        let mut old = record(1);
        SCHEMA.clone_into(&mut old.schema);
        old.started = "2020-01-01T00:00:00Z".to_owned();
        old.changed.clone_from(&old.started);
        let open = Record { id: "open-1".to_owned(), card_id: Uuid::from_u128(7), ..old.clone() };
        let old_id = old.id.clone();
        journal.write(&Record { point: Point::Done, ..old }).unwrap();
        journal.write(&open).unwrap();
        for id in ["open-1", &old_id] {
            let long_ago = SystemTime::now() - Duration::from_secs(86_400);
            File::open(journal.file(id)).unwrap().set_modified(long_ago).unwrap();
        }
        let entry = claim.begin(record(1)).unwrap();
        entry.settle(&[]).unwrap();
        let ids: Vec<String> = journal.history().unwrap().records.into_iter().map(|record| record.id).collect();
        assert_eq!(ids, ["open-1".to_owned(), entry.id().to_owned()]);
    }

    #[test]
    fn what_is_no_record_is_named_and_survived() {
        let (_folder, journal) = journal();
        drop(journal.claim(Uuid::from_u128(1)).unwrap());
        for (name, text) in [("a.json", "{"), ("b.json", "{\"schema\":\"pinwright.journal/2\"}"), ("c.json", "\u{0}")] {
            fs::write(journal.folder().join(name), text).unwrap();
        }
        fs::write(journal.folder().join("d.json"), vec![b'x'; 20_000]).unwrap();
        let history = journal.history().unwrap();
        assert_eq!((history.records.len(), history.unreadable.len()), (0, 4));
    }
}
