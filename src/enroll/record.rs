//! An enrollment's own use of the journal: one record from the first thing that is changed until the request is completed.
//!
//! Every rerun goes on with the record. The PIN is set by a job of the PIN step, which claims card and request itself and has its
//! own record: [`EnrollLog::release`] lets it, and [`EnrollLog::claim`] reads anew what it has noted.

mod noted_request;
mod says;
#[cfg(test)]
mod tests;

use uuid::Uuid;

pub use self::noted_request::NotedRequest;
use self::noted_request::{about_to_create, noted_request};
pub use self::says::says;
use crate::card::{CardId, KeySlot};
use crate::enroll::next::JournalSays;
use crate::job::effect::{Change, ProofState};
use crate::job::journal::{
    Claim, Facts, JobKind, Journal, JournalError, Kept, Moment, Phase, Purpose, Record, RequestClaim, RunningJob,
    Stage, Version, new_id,
};
use crate::job::{Cause, past};
use crate::server::AdminKeyVersion;
use crate::server::NewRequest;

/// The journal of an enrollment. Without one, which recordings are made with, the record lives as long as this does.
pub struct EnrollLog<'a> {
    journal: Option<&'a Journal>,
    card_id: CardId,
    request: Option<RequestClaim<'a>>,
    card: Option<Claim<'a>>,
    /// The records of this card when it was claimed, this job's own not among them, oldest first.
    past: Vec<Record>,
    job: Option<Job<'a>>,
}

/// This job's record.
enum Job<'a> {
    OnDisk(RunningJob<'a>),
    /// Let go of, or only looked at: whoever claims the card meanwhile may go on with it.
    LetGo(Record),
    InMemory(Record, Option<Kept>),
}

impl Job<'_> {
    fn record(&self) -> &Record {
        match self {
            Self::OnDisk(job) => job.record(),
            Self::LetGo(record) | Self::InMemory(record, _) => record,
        }
    }
}

impl<'a> EnrollLog<'a> {
    /// The log of an enrollment on this card. Nothing is claimed and nothing found yet.
    #[must_use]
    pub fn new(journal: Option<&'a Journal>, card_id: CardId) -> Self {
        Self { journal, card_id, request: None, card: None, past: Vec::new(), job: None }
    }

    /// Claims the card and reads its records anew; does nothing while the card is claimed. A record that was let go of is gone
    /// on with unless another process has brought it to its end.
    ///
    /// # Errors
    /// Another process has the card, or its records can't be read.
    pub fn claim(&mut self) -> Result<(), JournalError> {
        let (Some(journal), None) = (self.journal, &self.card) else { return Ok(()) };
        let claim = journal.claim(self.card_id.guid())?;
        self.past = claim.records()?;
        self.card = Some(claim);
        if let Some(job) = self.job.take() {
            let id = job.record().id.clone();
            self.resume(|record| record.id == id)?;
        }
        Ok(())
    }

    /// Claims the request, once; the card comes first.
    ///
    /// # Errors
    /// Another process has it.
    pub fn claim_request(&mut self, request: Uuid) -> Result<(), JournalError> {
        if let (Some(card), None) = (&self.card, &self.request) {
            self.request = Some(card.claim_request(request)?);
        }
        Ok(())
    }

    /// Lets go of card and request, for a job of the PIN step.
    pub fn release(&mut self) {
        self.request = None;
        self.card = None;
        self.job = self.job.take().map(|job| match job {
            Job::OnDisk(job) => Job::LetGo(job.record().clone()),
            job => job,
        });
    }

    /// Finds the enrollment that an earlier process has left open on this card, to go on with its record: that for this request,
    /// else one that was cut off while it made its request; where none is asked for, the latest. Gives the record; `None`: there
    /// is none, and the first note begins one.
    ///
    /// # Errors
    /// The folder can't be used.
    pub fn find(&mut self, request: Option<Uuid>) -> Result<Option<&Record>, JournalError> {
        if self.job.is_none() {
            self.resume(|record| request.is_none() || record.request() == request)?;
        }
        if self.job.is_none() {
            self.resume(|record| record.request().is_none())?;
        }
        Ok(self.record())
    }

    /// Reads what an earlier process has noted, for a run that is only planned: nothing is claimed.
    ///
    /// # Errors
    /// The card's records can't be read.
    pub fn look(&mut self, request: Option<Uuid>) -> Result<(), JournalError> {
        let Some(journal) = self.journal else { return Ok(()) };
        self.past = journal.of_card(self.card_id.guid())?;
        let is_ours = |record: &Record| record.job == JobKind::Enroll && record.is_open();
        let of_request =
            |record: &Record| request.is_none() || record.request().is_none() || record.request() == request;
        if let Some(at) = self.past.iter().rposition(|record| is_ours(record) && of_request(record)) {
            self.job = Some(Job::LetGo(self.past.remove(at)));
        }
        Ok(())
    }

    /// Whether a job of this journal has worked on the request with this card.
    #[must_use]
    pub fn knows(&self, request: Uuid) -> bool {
        self.past.iter().any(|record| record.request() == Some(request))
    }

    /// Whether an enrollment of this journal has carried the request to its end.
    #[must_use]
    pub fn has_completed(&self, request: Uuid) -> bool {
        let is_it = |record: &Record| record.job == JobKind::Enroll && record.request() == Some(request);
        self.past.iter().any(|record| is_it(record) && record.is_done())
    }

    /// The key that the last enrollment which changed the card's admin key has left on it; unknown where that was cut off.
    #[must_use]
    pub fn admin_key_replaced(&self) -> Change {
        past::admin_key_replaced(&self.past).map_or(Change::AsBefore, |record| record.effect().admin_key)
    }

    /// Goes on without the record that was found: it stays open until a later enrollment of the card has come to its end.
    pub fn set_aside(&mut self) {
        self.request = None;
        if let Some(job) = self.job.take() {
            self.past.push(job.record().clone());
        }
    }

    /// How many key pairs have been noted.
    #[must_use]
    pub fn pairs(&self) -> usize {
        let entries = self.record().map_or(&[][..], |record| &record.entries);
        entries.iter().filter_map(|entry| entry.facts.pair).map(|pair| pair + 1).max().unwrap_or_default()
    }

    /// Takes the latest open record of an enrollment that is like this out of the past.
    fn resume(&mut self, is_it: impl Fn(&Record) -> bool) -> Result<(), JournalError> {
        let Some(card) = &self.card else { return Ok(()) };
        let is_ours = |record: &Record| record.job == JobKind::Enroll && record.is_open() && is_it(record);
        if let Some(at) = self.past.iter().rposition(is_ours) {
            self.job = Some(Job::OnDisk(card.resume(self.past.remove(at))?));
        }
        Ok(())
    }

    /// What has been noted so far.
    #[must_use]
    pub fn record(&self) -> Option<&Record> {
        self.job.as_ref().map(Job::record)
    }

    /// The other records of the card when it was claimed, oldest first.
    #[must_use]
    pub fn past(&self) -> &[Record] {
        &self.past
    }

    /// Stops a stage that would show the card an answer of the server's which it has refused before, made with the same key.
    ///
    /// # Errors
    /// [`Cause::AnswerBarred`].
    pub fn answer_may_be_shown(&self, key: AdminKeyVersion, evidence: &str) -> Result<(), Cause> {
        let own = self.record();
        let mut all: Vec<Record> = self.past.iter().chain(own).cloned().collect();
        all.sort_by(|one, other| (&one.started, &one.id).cmp(&(&other.started, &other.id)));
        past::answer_may_be_shown(&all, key, evidence)
    }

    /// The job's id.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.record().map(|record| record.id.as_str())
    }

    /// The request, once its id is known.
    #[must_use]
    pub fn request(&self) -> Option<Uuid> {
        self.record().and_then(Record::request)
    }

    /// What the request asks for.
    #[must_use]
    pub fn purpose(&self) -> Option<Purpose> {
        self.record().and_then(Record::purpose)
    }

    /// What the journal says of an enrollment with so many key pairs.
    #[must_use]
    pub fn says(&self, pairs: usize) -> JournalSays {
        let is_kept = match &self.job {
            Some(Job::OnDisk(job)) => job.has_kept(),
            Some(Job::InMemory(_, kept)) => kept.is_some(),
            Some(Job::LetGo(record)) => {
                self.journal.is_some_and(|journal| journal.kept(record).is_ok_and(|kept| kept.is_some()))
            }
            None => false,
        };
        self.record()
            .map(|record| says(record, &self.past, pairs, is_kept))
            .unwrap_or_else(|| JournalSays { pairs: vec![Default::default(); pairs], ..JournalSays::default() })
    }

    /// The slot of each key pair, as far as one was chosen.
    #[must_use]
    pub fn slots(&self, pairs: usize) -> Vec<Option<KeySlot>> {
        let slot_of = |pair| {
            let facts = self.record()?.entries.iter().rev().map(|entry| &entry.facts);
            facts.filter(|facts| facts.pair == Some(pair)).find_map(|facts| facts.slot.as_ref()?.parse().ok())
        };
        (0..pairs).map(slot_of).collect()
    }

    /// The slots that an earlier run was about to erase.
    #[must_use]
    pub fn slots_to_erase(&self) -> Vec<KeySlot> {
        let entries = self.record().map_or(&[][..], |record| &record.entries);
        let wiped = entries.iter().filter(|entry| entry.stage == Stage::Wipe);
        wiped.filter_map(|entry| entry.facts.slot.as_ref()?.parse().ok()).collect()
    }

    /// Notes a moment; on disk when this returns. The first one begins the record, and has to say which reader, card and request
    /// it is about, as far as that is known.
    ///
    /// # Errors
    /// It can't be written: what was about to be done must not be done.
    pub fn note(&mut self, moment: Moment) -> Result<(), JournalError> {
        self.claim()?;
        match (&mut self.job, &self.card) {
            (Some(Job::OnDisk(job)), _) => job.note(moment)?,
            (Some(Job::InMemory(record, _)), _) => record.add(moment.now()),
            (Some(Job::LetGo(_)) | None, Some(card)) => {
                self.job = Some(Job::OnDisk(card.begin(JobKind::Enroll, moment)?));
            }
            (Some(Job::LetGo(_)) | None, None) => {
                self.job = Some(Job::InMemory(in_memory(self.card_id, moment), None));
            }
        }
        Ok(())
    }

    /// Notes that a request is about to be made; `known` are those that the server shows already and that are like it, as
    /// [`LostRequest::alike`](crate::server::LostRequest::alike) finds them.
    ///
    /// # Errors
    /// As [`EnrollLog::note`].
    pub fn about_to_create(
        &mut self,
        request: &NewRequest<'_>,
        known: &[Uuid],
        facts: Facts,
    ) -> Result<(), JournalError> {
        self.note(about_to_create(request, known, facts))
    }

    /// The request that was to be made last, to look for it where the server's answer was lost.
    #[must_use]
    pub fn noted_request(&self) -> Option<NotedRequest> {
        noted_request(self.record()?)
    }

    /// Keeps the server's answer to these certificate requests (PKCS #10, DER), on disk when this returns. To be called before
    /// anything of the answer is read: it is given once. Gives the file's name, which the note that follows is to name.
    ///
    /// # Errors
    /// It can't be written.
    pub fn keep(&mut self, answer: &[u8], requests: &[Vec<u8>]) -> Result<Option<String>, JournalError> {
        let kept = Kept { requests: requests.to_vec(), answer: answer.to_vec() };
        match &mut self.job {
            Some(Job::OnDisk(job)) => job.keep(&kept).map(Some),
            Some(Job::InMemory(_, in_memory)) => {
                *in_memory = Some(kept);
                Ok(None)
            }
            Some(Job::LetGo(_)) | None => Ok(None),
        }
    }

    /// The answer that is kept; `None`: none is.
    ///
    /// # Errors
    /// It can't be read.
    pub fn kept(&self) -> Result<Option<Kept>, JournalError> {
        match &self.job {
            Some(Job::OnDisk(job)) => job.kept(),
            Some(Job::InMemory(_, kept)) => Ok(kept.clone()),
            Some(Job::LetGo(record)) => self.journal.map_or(Ok(None), |journal| journal.kept(record)),
            None => Ok(None),
        }
    }

    /// Notes that the card has verified the PIN that this job has set. Only where there is no journal, in which the job of the PIN
    /// step says so.
    pub fn pin_is_verified(&mut self) {
        if let Some(Job::InMemory(record, _)) = &mut self.job {
            record.add(Moment::new(Stage::Verify, Phase::Done, ProofState::Accepted).now());
        }
    }

    /// Notes that the server has completed the request, settles earlier enrollments of this card and forgets the answers that
    /// were kept. Gives the records that were settled.
    ///
    /// # Errors
    /// It can't be written. The record then says less than is true: a rerun finds the request completed.
    pub fn completed(&mut self) -> Result<Vec<Record>, JournalError> {
        if self.record().is_none_or(Record::is_done) {
            return Ok(Vec::new());
        }
        self.note(Moment::new(Stage::Completion, Phase::Done, ProofState::NotShown))?;
        self.settle_earlier()
    }

    /// Notes that the server has closed the request in another way, where nothing on the card is in doubt; a later enrollment of
    /// the card settles the others. Gives whether the record is closed.
    ///
    /// # Errors
    /// It can't be written.
    pub fn closed(&mut self) -> Result<bool, JournalError> {
        match self.record() {
            None => return Ok(true),
            Some(record) if record.in_doubt() => return Ok(false),
            Some(_) => {}
        }
        self.note(Moment::new(Stage::Settled, Phase::Done, ProofState::NotShown))?;
        self.end(Vec::new())?;
        Ok(true)
    }

    fn settle_earlier(&mut self) -> Result<Vec<Record>, JournalError> {
        let is_settled = |record: &Record| record.job == JobKind::Enroll && record.is_open();
        let earlier: Vec<Record> = self.past.iter().filter(|record| is_settled(record)).cloned().collect();
        if let Some(Job::OnDisk(job)) = &self.job {
            job.settle(&earlier)?;
        }
        self.past.retain(|record| !is_settled(record));
        self.end(earlier)
    }

    /// Forgets what was kept, and lets programs of version 1 pass where no other job is open.
    fn end(&mut self, settled: Vec<Record>) -> Result<Vec<Record>, JournalError> {
        if let Some(Job::OnDisk(job)) = &self.job {
            job.forget()?;
            let last = self.past.iter().rfind(|record| record.job == JobKind::SetPin && record.version == Version::Two);
            job.tell_version_one_of(last.unwrap_or(job.record()), &self.past);
        }
        Ok(settled)
    }
}

fn in_memory(card_id: CardId, first: Moment) -> Record {
    let first = Moment { facts: Facts { card_id: Some(card_id.guid()), ..first.facts }, ..first }.now();
    let started = first.at.clone();
    Record { version: Version::Two, id: new_id(), job: JobKind::Enroll, started, entries: vec![first] }
}
