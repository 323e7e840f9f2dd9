//! One job's use of the journal: claim card and request, note each stage before it is entered, settle what came before.

use uuid::Uuid;

use super::authority::Authority;
use super::cause::Cause;
use super::effect::{Change, ProofState};
use super::elsewhere::{AgentsRecords, Earlier, OtherJournal, Whose, begun};
use super::failure::Failure;
use super::given::PinSource;
use super::identity::CardIdentity;
use super::issuer::Assignment;
use super::journal::{
    Claim, Facts, JobKind, Journal, JournalError, Moment, Phase, Record, RequestClaim, RunningJob, Stage, done,
    most_doubtful,
};
use super::past;
use super::step::Step;
use crate::card::CardId;
use crate::server::AdminKeyVersion;

/// The journal of a running job; all calls do nothing where there is none.
pub struct Log<'a> {
    journal: Option<&'a Journal>,
    request: Option<RequestClaim<'a>>,
    card: Option<Claim<'a>>,
    /// All records of this card, settled ones too, oldest first.
    past: Vec<Record>,
    elsewhere: Option<&'a dyn OtherJournal>,
    /// What that one has told of the card.
    agents: AgentsRecords,
    job: Option<RunningJob<'a>>,
}

/// What a job is about to prove, and for what.
#[derive(Debug, Clone, Copy)]
pub struct Intent<'a> {
    /// The card.
    pub card: &'a CardIdentity,
    /// The server's records of it.
    pub assignment: &'a Assignment,
    /// How the right to write is proved.
    pub authority: Authority,
    /// Which admin key the server's answer was made with.
    pub admin_key: Option<AdminKeyVersion>,
    /// Who made the PIN.
    pub pin_source: PinSource,
    /// Whether a proof is shown before anything is written.
    pub shows_first: bool,
}

impl<'a> Log<'a> {
    /// The log of a job that has not begun. What the journal elsewhere knows of the card adds caution.
    #[must_use]
    pub fn new(journal: Option<&'a Journal>, elsewhere: Option<&'a dyn OtherJournal>) -> Self {
        let (past, agents) = (Vec::new(), AgentsRecords::default());
        Self { journal, request: None, card: None, past, elsewhere, agents, job: None }
    }

    /// The same for a job that is only planned: nothing is claimed, and nothing will be written.
    ///
    /// # Errors
    /// The card's records can't be read.
    pub fn look(
        journal: Option<&'a Journal>,
        elsewhere: Option<&'a dyn OtherJournal>,
        card_id: CardId,
    ) -> Result<Self, JournalError> {
        let past = journal.map_or(Ok(Vec::new()), |journal| journal.of_card(card_id.guid()))?;
        let mut log = Self { past, ..Self::new(None, elsewhere) };
        log.look_elsewhere(card_id);
        Ok(log)
    }

    fn look_elsewhere(&mut self, card_id: CardId) {
        let Some(elsewhere) = self.elsewhere else { return };
        self.agents = AgentsRecords::new(elsewhere.records(card_id), &self.past);
        if let Some(earlier) = most_doubtful(&self.agents.open()) {
            let meaning = earlier.meaning();
            tracing::warn!(journal = %earlier.id, "by the agent's journal an earlier job on this card {meaning}");
        }
    }

    /// Claims the card, once, and looks for what an earlier job left unsettled on it; elsewhere in each hold of the card, since
    /// nothing keeps an agent off while a person thinks.
    ///
    /// # Errors
    /// Another process has it, or its records can't be read.
    pub fn claim(&mut self, card_id: CardId) -> Result<(), JournalError> {
        let Some(journal) = self.journal else { return Ok(()) };
        if self.card.is_some() {
            self.look_elsewhere(card_id);
            return Ok(());
        }
        let claim = journal.claim(card_id.guid())?;
        self.past = claim.records()?;
        if let Some(earlier) = most_doubtful(&self.open()) {
            tracing::warn!(journal = %earlier.id, "an earlier job on this card {}", earlier.meaning());
        }
        self.card = Some(claim);
        self.look_elsewhere(card_id);
        Ok(())
    }

    /// Claims the request, once; the card comes first.
    ///
    /// # Errors
    /// Another process has it.
    pub fn claim_request(&mut self, request: Option<Uuid>) -> Result<(), JournalError> {
        let (Some(card), Some(request), None) = (&self.card, request, &self.request) else { return Ok(()) };
        self.request = Some(card.claim_request(request)?);
        Ok(())
    }

    /// The job that has carried this request to its good end. Asked under the claim: of two jobs on one card the second finds
    /// what the first has done.
    #[must_use]
    pub fn done_before(&self, request: Option<Uuid>) -> Option<Earlier<'_>> {
        let request = request?;
        // What a job of our own has left open is settled by another one, whatever the agent has done before.
        let agents = || if self.open().is_empty() { self.agents.done(request) } else { None };
        done(&self.past, request).map(Earlier::own).or_else(agents)
    }

    /// Whether the agent's journal has a job that may have changed the card's PIN since this one was done.
    #[must_use]
    pub fn is_doubted_by_agent(&self, done: Earlier<'_>) -> bool {
        let later = |doubt: Earlier<'_>| begun(doubt.record) > begun(done.record);
        done.whose == Whose::Own && self.agents.pin_is_uncertain().is_some_and(later)
    }

    /// Whether a job of this journal has worked on the request with this card.
    #[must_use]
    pub fn knows(&self, request: Uuid) -> bool {
        self.past.iter().any(|record| record.request() == Some(request))
    }

    /// The ATRs that the card has shown to earlier jobs, the latest first.
    pub fn known_atrs(&self) -> impl Iterator<Item = &str> {
        self.past.iter().rev().filter_map(Record::atr)
    }

    /// Whether the card is claimed.
    #[must_use]
    pub fn has_claim(&self) -> bool {
        self.card.is_some()
    }

    /// Whether no earlier job of the PIN step has left anything in doubt on the card, by either journal, and no job of any kind
    /// the server's answer.
    #[must_use]
    pub fn is_clear(&self) -> bool {
        let server = Authority::Server;
        self.open().is_empty()
            && self.agents.open().is_empty()
            && past::refused_answer(&self.past, server, None).is_none()
            && self.agents.refused_answer(server, None).is_none()
    }

    /// Lets go of card and request.
    pub fn release(&mut self) {
        self.request = None;
        self.card = None;
    }

    /// Whether the card's PIN may be another one than its holder knows.
    #[must_use]
    pub fn pin_is_uncertain(&self) -> Option<Earlier<'_>> {
        let own = self.of_pin().rfind(|record| record.is_open() && record.effect().pin.needs_attention());
        own.map(Earlier::own).or_else(|| self.agents.pin_is_uncertain())
    }

    /// The job that may have spent a try of this authority's code, where none since has been accepted with it.
    #[must_use]
    pub fn code_try_in_doubt(&self, authority: Authority) -> Option<Earlier<'_>> {
        let own = past::try_in_doubt(&self.past, authority);
        own.map(Earlier::own).or_else(|| self.agents.try_in_doubt(authority))
    }

    /// Stops a job that nobody asked for where an earlier one shows that it would spend a try in vain.
    ///
    /// # Errors
    /// [`Cause::RefusedBefore`] or [`Cause::CutOffBefore`].
    pub fn may_be_shown_unasked(&self, authority: Authority, request: Option<Uuid>) -> Result<(), Cause> {
        past::may_be_shown_unasked(&self.past, authority, request)
    }

    /// Stops a job that would show the card an answer which it has refused before, whatever the request was. Asked before an
    /// answer is fetched or a key read.
    ///
    /// # Errors
    /// [`Cause::AnswerBarred`].
    pub fn answer_may_be_shown(
        &self,
        authority: Authority,
        key: Option<AdminKeyVersion>,
        evidence: &str,
    ) -> Result<(), Cause> {
        let own = past::refused_answer(&self.past, authority, key).map(Earlier::own);
        let Some(earlier) = own.or_else(|| self.agents.refused_answer(authority, key)) else { return Ok(()) };
        Err(past::barred(earlier.record, earlier.named(), authority, key, evidence))
    }

    /// The enrollment that has replaced the card's admin key, or may have, as far as the journals say.
    #[must_use]
    pub fn admin_key_replaced(&self) -> Option<Earlier<'_>> {
        past::admin_key_replaced(&self.past).map(Earlier::own).or_else(|| self.agents.admin_key_replaced())
    }

    /// The first entry, on disk before the card is asked for anything that it may count or change.
    ///
    /// # Errors
    /// It can't be written: the job must stop.
    pub fn begin(&mut self, intent: &Intent<'_>) -> Result<(), JournalError> {
        let Some(claim) = &self.card else { return Ok(()) };
        let proof = if intent.shows_first { ProofState::Shown } else { ProofState::NotShown };
        let facts = Facts {
            reader: Some(intent.card.reader.clone()),
            atr: Some(intent.card.atr.to_string()),
            request: intent.assignment.request,
            smartcard: Some(intent.assignment.smartcard),
            target_user: intent.assignment.target_user,
            template: intent.assignment.template,
            template_name: intent.assignment.template_name.clone(),
            authority: Some(intent.authority.name().to_owned()),
            admin_key: intent.admin_key.map(|key| key.name().to_owned()),
            pin_source: Some(intent.pin_source.name().to_owned()),
            ..Facts::default()
        };
        let first = Moment { facts, ..Moment::new(Stage::Prove, Phase::AboutTo, proof) };
        self.job = Some(claim.begin(JobKind::SetPin, first)?);
        Ok(())
    }

    /// Notes that the PIN is about to be set, and that a proof which goes to the card with it is about to be shown.
    ///
    /// # Errors
    /// It can't be written: the job must stop.
    pub fn about_to_set_pin(&mut self, authority: Authority) -> Result<(), JournalError> {
        let with_pin = authority.proof().goes_with_the_pin();
        let proof = if with_pin { ProofState::Shown } else { ProofState::Accepted };
        self.note(Moment::new(Stage::Pin, Phase::AboutTo, proof))
    }

    /// Notes that the card said that it set the PIN.
    ///
    /// # Errors
    /// It can't be written: the record then says that the PIN is the old one or the new one.
    pub fn pin_is_set(&mut self) -> Result<(), JournalError> {
        self.note(Moment::new(Stage::Pin, Phase::Done, ProofState::Accepted))
    }

    /// Notes the good end and settles earlier jobs of the PIN step on this card; an enrollment goes on after it. Gives the job's id, the record that was settled and said
    /// most, and why the journal does not show this end, where it does not.
    pub fn done(&mut self) -> (Option<String>, Option<Record>, Option<JournalError>) {
        let (earlier, others) = (self.open(), self.enrollments());
        let Some(job) = self.job.as_mut() else { return (None, None, None) };
        let noted = job.note(Moment::new(Stage::Verify, Phase::Done, ProofState::Accepted));
        let settled = noted.and_then(|()| job.settle(&earlier));
        if settled.is_ok() {
            job.tell_version_one(&others);
        }
        (Some(job.id().to_owned()), most_doubtful(&earlier).cloned(), settled.err())
    }

    /// Notes where and how the job stopped; the failure then names the record.
    #[must_use]
    pub fn stopped(&mut self, mut failure: Failure) -> Failure {
        let Some(mut job) = self.job.take() else { return failure };
        failure.journal = Some(job.id().to_owned());
        match job.note(end(&failure)) {
            Ok(()) => job.tell_version_one(&self.past),
            // The record on disk says less than is known now, and nothing that is wrong.
            Err(error) => tracing::error!("the journal could not note the end of the job: {error}"),
        }
        failure
    }

    /// The records of jobs of the PIN step. An enrollment settles its own, and its PIN is set by such a job.
    fn of_pin(&self) -> impl DoubleEndedIterator<Item = &Record> {
        self.past.iter().filter(|record| record.job == JobKind::SetPin)
    }

    fn open(&self) -> Vec<Record> {
        self.of_pin().filter(|record| record.is_open()).cloned().collect()
    }

    /// The enrollments, which programs of version 1 stop at while they are open.
    fn enrollments(&self) -> Vec<Record> {
        self.past.iter().filter(|record| record.job == JobKind::Enroll).cloned().collect()
    }

    fn note(&mut self, moment: Moment) -> Result<(), JournalError> {
        self.job.as_mut().map_or(Ok(()), |job| job.note(moment))
    }
}

/// The last entry of a job that failed: what is known of the card then.
fn end(failure: &Failure) -> Moment {
    let effect = failure.effect;
    let (stage, phase) = match (failure.step, effect.pin) {
        (Step::Verify, Change::Unknown) => (Stage::Verify, Phase::Refused),
        (Step::Verify, _) => (Stage::Verify, Phase::Unknown),
        (_, Change::Unknown) => (Stage::Pin, Phase::Unknown),
        (_, Change::New { .. }) => (Stage::Pin, Phase::Done),
        (Step::SetPin, Change::AsBefore) => (Stage::Pin, Phase::Refused),
        (_, Change::AsBefore) if effect.proof == ProofState::Shown => (Stage::Prove, Phase::Unknown),
        (_, Change::AsBefore) => (Stage::Prove, Phase::Refused),
    };
    let facts = Facts {
        stopped_at: Some(failure.step.name().to_owned()),
        status_word: failure.cause.status().map(|status| format!("{:04X}", status.word())),
        ..Facts::default()
    };
    Moment { facts, ..Moment::new(stage, phase, effect.proof) }
}

#[cfg(test)]
mod tests;
