//! A card that this process works on, and the record of its running job.

use std::path::PathBuf;
use std::time::SystemTime;

use uuid::Uuid;

use super::entry::{Entry, Facts, Phase, Stage};
use super::error::JournalError;
use super::folder::{Folder, Lock, RECORD_MAX, file_name, read as read_file, relocate, replace};
use super::kept::{self, Kept};
use super::record::{JobKind, Record, Version, done, new_id};
use super::{marker, read, v1, v2};
use crate::job::effect::ProofState;

/// A card that this process works on, and nobody else.
pub struct Claim<'a> {
    folder: &'a Folder,
    card_id: Uuid,
    _lock: Lock,
}

impl<'a> Claim<'a> {
    pub(super) fn new(folder: &'a Folder, card_id: Uuid, lock: Lock) -> Self {
        Self { folder, card_id, _lock: lock }
    }

    /// The records of this card, oldest first. Nobody else changes them while the claim is held, so one look is enough.
    ///
    /// # Errors
    /// As [`super::Journal::of_card`].
    pub fn records(&self) -> Result<Vec<Record>, JournalError> {
        read::of_card(self.folder, self.card_id)
    }

    /// Those of them that are open: what earlier jobs left unsettled.
    ///
    /// # Errors
    /// As [`super::Journal::of_card`].
    pub fn unsettled(&self) -> Result<Vec<Record>, JournalError> {
        Ok(self.records()?.into_iter().filter(Record::is_open).collect())
    }

    /// The record of a job that did this request on this card, unless a later job has left the card unsettled.
    ///
    /// # Errors
    /// As [`super::Journal::of_card`].
    pub fn done(&self, request: Uuid) -> Result<Option<Record>, JournalError> {
        Ok(done(&self.records()?, request).cloned())
    }

    /// Claims a request for this process until that claim is dropped. Whose folder it is was looked at for the card.
    ///
    /// # Errors
    /// Another process has it, or the folder can't be used.
    pub fn claim_request(&self, request: Uuid) -> Result<RequestClaim<'a>, JournalError> {
        Ok(RequestClaim::new(self.folder, request, self.folder.lock_request(request)?))
    }

    /// Writes the first entry of a job; on disk when this returns, and with it what stops programs of version 1.
    ///
    /// # Errors
    /// It can't be written: then nothing may be done to the card.
    pub fn begin(&self, job: JobKind, first: Moment) -> Result<RunningJob<'a>, JournalError> {
        marker::open(self.folder, self.card_id)?;
        let home = self.folder.card(self.card_id);
        self.folder.make(&home)?;
        let first = Moment { facts: Facts { card_id: Some(self.card_id), ..first.facts }, ..first };
        RunningJob::begin(self.folder, home, job, first)
    }

    /// Goes on with a job of this card that has ended without coming to its end: what is noted from now on is added to its record.
    /// Stops programs of version 1 as [`Claim::begin`] does. Nothing is written to the record yet.
    ///
    /// # Errors
    /// The record is of version 1, which is never written anew, or of another card; or the folder can't be used.
    pub fn resume(&self, record: Record) -> Result<RunningJob<'a>, JournalError> {
        if record.version != Version::Two || record.card_id() != Some(self.card_id) {
            let reason = "no record of this card that can be gone on with";
            return Err(JournalError::Unreadable { file: file_name(&record.id), reason, source: None });
        }
        marker::open(self.folder, self.card_id)?;
        Ok(RunningJob { folder: self.folder, record, home: self.folder.card(self.card_id) })
    }

    /// Goes on with a job that had no card until now: its record comes to this card's.
    ///
    /// # Errors
    /// It can't be moved or written: then nothing may be done to the card.
    pub fn adopt(&self, job: RunningJob<'a>, first: Moment) -> Result<RunningJob<'a>, JournalError> {
        marker::open(self.folder, self.card_id)?;
        let home = self.folder.card(self.card_id);
        self.folder.make(&home)?;
        let mut job = job;
        relocate(&job.path(), &home.join(job.file_name()))?;
        job.home = home;
        job.note(Moment { facts: Facts { card_id: Some(self.card_id), ..first.facts }, ..first })?;
        Ok(job)
    }
}

/// A request that this process works on, and nobody else.
pub struct RequestClaim<'a> {
    folder: &'a Folder,
    request: Uuid,
    _lock: Lock,
}

impl<'a> RequestClaim<'a> {
    pub(super) fn new(folder: &'a Folder, request: Uuid, lock: Lock) -> Self {
        Self { folder, request, _lock: lock }
    }

    /// Writes the first entry of a job that has no card yet; on disk when this returns.
    ///
    /// # Errors
    /// It can't be written.
    pub fn begin(&self, job: JobKind, first: Moment) -> Result<RunningJob<'a>, JournalError> {
        let home = self.folder.request(self.request);
        self.folder.make(&home)?;
        let first = Moment { facts: Facts { request: Some(self.request), ..first.facts }, ..first };
        RunningJob::begin(self.folder, home, job, first)
    }
}

/// An entry that is to be written now.
#[derive(Debug, Clone)]
pub struct Moment {
    /// What the job is at.
    pub stage: Stage,
    /// How far that has come.
    pub phase: Phase,
    /// What has become of the proof.
    pub proof: ProofState,
    /// What is new.
    pub facts: Facts,
}

impl Moment {
    /// An entry with no new facts.
    #[must_use]
    pub fn new(stage: Stage, phase: Phase, proof: ProofState) -> Self {
        Self { stage, phase, proof, facts: Facts::default() }
    }

    /// The entry, as of now.
    #[must_use]
    pub fn now(self) -> Entry {
        let Self { stage, phase, proof, facts } = self;
        Entry { at: now(), stage, phase, proof, facts }
    }
}

/// The record of a running job.
pub struct RunningJob<'a> {
    folder: &'a Folder,
    record: Record,
    home: PathBuf,
}

impl<'a> RunningJob<'a> {
    fn begin(folder: &'a Folder, home: PathBuf, job: JobKind, first: Moment) -> Result<Self, JournalError> {
        let entries = vec![first.now()];
        let record = Record { version: Version::Two, id: new_id(), job, started: entries[0].at.clone(), entries };
        let job = Self { folder, record, home };
        job.write(&job.record)?;
        Ok(job)
    }

    /// The job's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.record.id
    }

    /// What has been noted so far.
    #[must_use]
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Bytes of the record's file.
    ///
    /// # Errors
    /// It is gone.
    pub fn size(&self) -> std::io::Result<usize> {
        Ok(usize::try_from(self.path().metadata()?.len()).unwrap_or(usize::MAX))
    }

    /// Adds an entry; on disk when this returns.
    ///
    /// # Errors
    /// It can't be written. The record on disk then says what it said before, and so does [`RunningJob::record`]: where the
    /// disk says less than is known, nothing that is risked later is noted as if this had been.
    pub fn note(&mut self, moment: Moment) -> Result<(), JournalError> {
        let mut record = self.record.clone();
        record.add(moment.now());
        self.write(&record)?;
        self.record = record;
        Ok(())
    }

    /// Keeps the server's answer to certificate requests beside the record, in the place of an earlier one; on disk when this
    /// returns. Gives the file's name.
    ///
    /// # Errors
    /// It can't be written, or is too long.
    pub fn keep(&self, answer: &Kept) -> Result<String, JournalError> {
        kept::keep(&self.home, &self.record.id, answer)?;
        Ok(kept::name(&self.record.id))
    }

    /// What is kept; `None`: nothing is.
    ///
    /// # Errors
    /// It can't be read.
    pub fn kept(&self) -> Result<Option<Kept>, JournalError> {
        kept::read(&self.home, &self.record.id)
    }

    /// Whether anything is kept.
    #[must_use]
    pub fn has_kept(&self) -> bool {
        kept::is_there(&self.home, &self.record.id)
    }

    /// Forgets what is kept: all of it is on the card.
    ///
    /// # Errors
    /// It can't be removed. A later turn of [`super::Journal::tidy`] does it.
    pub fn forget(&self) -> Result<(), JournalError> {
        kept::forget(&self.home, &self.record.id)
    }

    /// Marks earlier open records as settled, each in its own version.
    ///
    /// # Errors
    /// A record can't be written.
    pub fn settle(&self, earlier: &[Record]) -> Result<(), JournalError> {
        earlier.iter().try_for_each(|record| settle(self.folder, record))
    }

    /// Tells programs of version 1 how the card's last job ended, unless this job or one of `unsettled`, the card's earlier ones
    /// that are open still, is. Errors are not told: such programs then stop at this card, which does no harm.
    pub fn tell_version_one(&self, unsettled: &[Record]) {
        self.tell_version_one_of(&self.record, unsettled);
    }

    /// The same, with another job of the card told as its last: such programs know the PIN step alone.
    pub fn tell_version_one_of(&self, last: &Record, unsettled: &[Record]) {
        let Some(card_id) = self.record.card_id() else { return };
        let is_open = |record: &Record| record.version == Version::Two && record.is_open();
        if is_open(&self.record) || is_open(last) || unsettled.iter().any(is_open) {
            return;
        }
        if let Err(error) = marker::close(self.folder, card_id, last) {
            tracing::debug!("programs that know version 1 of the journal stop at this card: {error}");
        }
    }

    fn file_name(&self) -> String {
        file_name(&self.record.id)
    }

    fn path(&self) -> PathBuf {
        self.home.join(self.file_name())
    }

    fn write(&self, record: &Record) -> Result<(), JournalError> {
        let text = v2::text(record).map_err(JournalError::Encode)?;
        if text.len() as u64 > RECORD_MAX {
            return Err(JournalError::Full { id: record.id.clone() });
        }
        replace(&self.path(), &text)
    }
}

fn settle(folder: &Folder, record: &Record) -> Result<(), JournalError> {
    let Some(card_id) = record.card_id() else { return Ok(()) };
    match record.version {
        Version::One => {
            let name = format!("{card_id}_{}.json", record.id);
            let path = folder.0.join(&name);
            // Read anew: nobody else may change it while the card is claimed.
            let Ok(file) = read_file(&path).map(|text| v1::File::parse(&text)) else { return Ok(()) };
            let file = file.map_err(|reason| JournalError::Unreadable { file: name, reason, source: None })?;
            replace(&path, &serde_json::to_vec_pretty(&file.settled(now())).map_err(JournalError::Encode)?)
        }
        Version::Two => {
            let path = folder.card(card_id).join(file_name(&record.id));
            let mut record = record.clone();
            record.entries.push(Moment::new(Stage::Settled, Phase::Done, record.proof()).now());
            replace(&path, &v2::text(&record).map_err(JournalError::Encode)?)
        }
    }
}

fn now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}
