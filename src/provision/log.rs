//! One job's use of the journal: claim the card, note each point before it is passed, settle what came before.

use super::error::{CardState, Cause, Failure};
use super::issuer::Assignment;
use super::journal::{Claim, Entry, Journal, JournalError, Point, Record, most_doubtful, new_id};
use super::session::CardFacts;
use super::{Authority, Outcome, PinSource, past};
use crate::card::CardId;

/// The journal of a running job; all calls do nothing where there is none.
pub(super) struct Log<'a> {
    journal: Option<&'a Journal>,
    claim: Option<Claim<'a>>,
    earlier: Vec<Record>,
    /// All records of this card, settled ones too.
    past: Vec<Record>,
    entry: Option<Entry<'a>>,
}

impl<'a> Log<'a> {
    pub fn new(journal: Option<&'a Journal>) -> Self {
        Self { journal, claim: None, earlier: Vec::new(), past: Vec::new(), entry: None }
    }

    /// Claims the card, once, and looks for what an earlier job left unsettled on it.
    pub fn claim(&mut self, card_id: CardId) -> Result<(), JournalError> {
        let (Some(journal), None) = (self.journal, &self.claim) else { return Ok(()) };
        let claim = journal.claim(card_id.guid())?;
        self.past = claim.records()?;
        self.earlier = self.past.iter().filter(|record| record.point.is_open()).cloned().collect();
        if let Some(earlier) = most_doubtful(&self.earlier) {
            tracing::warn!(journal = %earlier.id, "an earlier job on this card {}", earlier.point.meaning());
        }
        self.claim = Some(claim);
        Ok(())
    }

    /// Stops a job whose request an earlier one has carried to its good end. Asked under the claim: of two jobs on one card
    /// the second finds what the first has done.
    pub fn not_done_yet(&self, assignment: &Assignment) -> Result<(), Cause> {
        let (Some(claim), Some(request)) = (&self.claim, assignment.request) else { return Ok(()) };
        match claim.done(request)? {
            Some(record) => Err(Cause::AlreadyDone { request, journal: record.id }),
            None => Ok(()),
        }
    }

    /// Lets go of the claim.
    pub fn release(&mut self) {
        self.claim = None;
    }

    /// Whether the card's PIN may be another one than its holder knows.
    pub fn pin_is_uncertain(&self) -> Option<&Record> {
        most_doubtful(&self.earlier).filter(|record| record.point != Point::Authorizing)
    }

    /// The job that may have spent a try of this authority's code, where none since has been accepted with it.
    pub fn code_try_in_doubt(&self, authority: Authority) -> Option<&Record> {
        past::try_in_doubt(&self.past, authority)
    }

    /// Stops a job that nobody asked for where an earlier one shows that it would spend a try in vain.
    pub fn may_be_shown_unasked(&self, authority: Authority, assignment: &Assignment) -> Result<(), Cause> {
        past::may_be_shown_unasked(&self.past, authority, assignment.request)
    }

    /// The first record, on disk before the card is asked for anything that it may count or change.
    pub fn begin(
        &mut self,
        card: &CardFacts,
        card_id: CardId,
        assignment: &Assignment,
        authority: Authority,
        pin_source: PinSource,
    ) -> Result<(), JournalError> {
        let Some(claim) = &self.claim else { return Ok(()) };
        let record = Record {
            schema: String::new(),
            id: new_id(),
            started: String::new(),
            changed: String::new(),
            point: Point::Authorizing,
            reader: card.reader.clone(),
            atr: card.atr.clone(),
            card_id: card_id.guid(),
            smartcard: assignment.smartcard,
            request: assignment.request,
            authority: authority.name().to_owned(),
            pin_source: pin_source.name().to_owned(),
            stopped_at: None,
            status_word: None,
        };
        self.entry = Some(claim.begin(record)?);
        Ok(())
    }

    /// Notes a point before it is passed. An error stops the job where nothing was written yet.
    pub fn reach(&mut self, point: Point) -> Result<(), JournalError> {
        self.entry.as_mut().map_or(Ok(()), |entry| entry.reach(point))
    }

    /// Notes the good end and settles earlier records of this card.
    pub fn done(&mut self, outcome: &mut Outcome) {
        let Some(entry) = self.entry.as_mut() else { return };
        outcome.journal_id = Some(entry.id().to_owned());
        outcome.settled = most_doubtful(&self.earlier).cloned();
        let settled = entry.reach(Point::Done).and_then(|()| entry.settle(&self.earlier));
        if let Err(error) = settled {
            outcome.journal_failed = Some(error.to_string());
        }
    }

    /// Notes where and how the job stopped; the failure then names the record.
    pub fn stopped(&mut self, mut failure: Failure) -> Failure {
        let Some(mut entry) = self.entry.take() else { return failure };
        let point = match failure.card {
            CardState::Untouched | CardState::TrySpent => Point::Untouched,
            CardState::PinSet | CardState::Unknown => Point::Unclear,
        };
        failure.journal = Some(entry.id().to_owned());
        let word = failure.cause.status().map(|status| format!("{:04X}", status.word()));
        if let Err(error) = entry.stop(point, failure.step.name(), word) {
            // The record on disk says less than is known now, and nothing that is wrong.
            tracing::error!("the journal could not note the end of the job: {error}");
        }
        failure
    }
}

impl From<JournalError> for Cause {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}
