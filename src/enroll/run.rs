//! One run of an enrollment: ask, decide, carry out one stage, ask again.

use std::sync::atomic::{AtomicBool, Ordering};

use super::EnrollDesk;
use super::csr::Csr;
use super::facts::ServerFacts;
use super::job::{Awaiting, Ended, EnrollJob, EnrollOutcome, WrittenCertificate};
use super::known::{CardFacts, Known};
use super::next::{Next, Noted, Purpose, Why, next};
use super::record::EnrollLog;
use super::server::Server;
use crate::card::CardId;
use crate::job::binding::BindingError;
use crate::job::effect::Effect;
use crate::job::elsewhere::OtherJournal;
use crate::job::held::{HeldCard, OpenCard};
use crate::job::journal::{self, Journal, JournalError, Kept};
use crate::job::supplier::Supplier;
use crate::job::{CardIdentity, Cause, Failure, Step};
use crate::provision;
use crate::reader::Readers;
use crate::secret::Pin;
use crate::server::wire::RequestStatus;

/// How often a stage that another program's reset has interrupted is started anew.
const FRESH_STARTS: u32 = 1;

/// A run, and what it knows.
pub(super) struct Run<'a> {
    pub job: &'a EnrollJob,
    pub readers: &'a dyn Readers,
    pub server: Server<'a>,
    pub journal: Option<&'a Journal>,
    pub elsewhere: Option<&'a dyn OtherJournal>,
    pub supplier: &'a mut dyn Supplier,
    pub interrupted: &'a AtomicBool,
    pub progress: &'a mut dyn FnMut(Step),
    pub log: EnrollLog<'a>,
    pub card: CardIdentity,
    /// What this run has done to the card so far.
    pub effect: Effect,
    /// What the last hold of the card has done to it.
    pub last_hold: Effect,
    /// What the server's records say.
    pub facts: Option<ServerFacts>,
    /// A stage may have changed them since.
    pub is_stale: bool,
    /// What the card says; asked for anew where a stage has changed it.
    pub card_facts: Option<CardFacts>,
    /// The PIN that this run has set.
    pub pin: Option<Pin>,
    /// What came of the PIN step in this run.
    pub pin_outcome: Option<provision::Outcome>,
    /// Somebody has said yes.
    pub agreed: bool,
    /// What they were told would be lost.
    pub agreed_to_lose: Vec<String>,
    /// The request was made in this run.
    pub created: bool,
    /// The PIN that a person says is the card's, from before the request is made until the card is shown it.
    pub current_pin: Option<Pin>,
    /// What was erased in this run; `None`: nothing was to be, or an earlier run did it.
    pub wiped: Option<Vec<String>>,
    /// The certificate requests that the card has signed in this run, in the request's order.
    pub requests: Vec<Option<Csr>>,
    /// The server's answer to them, as it was kept.
    pub answer: Option<Kept>,
    /// The certificates that were read back, before the request was completed.
    pub written: Vec<WrittenCertificate>,
    /// Why the journal does not show what was done, where it does not.
    pub journal_failed: Option<JournalError>,
    pub step: Step,
}

impl<'a> Run<'a> {
    /// Identifies the card, claims it, and finds what an earlier run has noted.
    pub fn begin(job: &'a EnrollJob, desk: &'a mut EnrollDesk<'_>) -> Result<Self, Failure> {
        let mut run = Self::begin_to_plan(job, desk)?;
        let claimed = run.log.claim().and_then(|()| run.log.find(job.request).map(drop));
        claimed.map_err(|error| run.failure(error.into()))?;
        run.leave_what_is_not_meant();
        Ok(run)
    }

    /// The same with nothing claimed.
    pub fn begin_to_plan(job: &'a EnrollJob, desk: &'a mut EnrollDesk<'_>) -> Result<Self, Failure> {
        (desk.progress)(Step::Open);
        let open = OpenCard::open(desk.readers, &job.reader)?;
        (desk.progress)(Step::Identify);
        let card = open.identify(&job.families)?;
        let identity = card.identity().clone();
        let is_other = job.card_id.is_some_and(|wanted| wanted != identity.card_id);
        let failure = job.card_id.filter(|_| is_other).map(|wanted| card.failure(other_card(wanted, &identity)));
        if let Err(error) = card.end() {
            tracing::warn!("the card could not be let go of properly: {error}");
        }
        if let Some(failure) = failure {
            return Err(failure);
        }
        Ok(Self {
            job,
            readers: desk.readers,
            server: Server::new(desk.server, desk.interrupted),
            journal: desk.journal,
            elsewhere: desk.elsewhere,
            supplier: desk.supplier,
            interrupted: desk.interrupted,
            progress: desk.progress,
            log: EnrollLog::new(desk.journal, identity.card_id),
            card: identity,
            effect: Effect::default(),
            last_hold: Effect::default(),
            facts: None,
            is_stale: true,
            card_facts: None,
            pin: None,
            pin_outcome: None,
            agreed: false,
            agreed_to_lose: Vec::new(),
            created: false,
            current_pin: None,
            wiped: None,
            requests: Vec::new(),
            answer: None,
            written: Vec::new(),
            journal_failed: None,
            step: Step::Resolve,
        })
    }

    /// A card is retired whatever has become of its enrollment.
    pub(super) fn leave_what_is_not_meant(&mut self) {
        let is_other = |purpose| purpose != journal::Purpose::Retire;
        if self.job.purpose == Purpose::Retire && self.log.purpose().is_some_and(is_other) {
            self.log.set_aside();
        }
    }

    /// Stage after stage.
    pub fn carry_on(&mut self) -> Result<Ended, Failure> {
        loop {
            let known = self.look()?;
            let stage = next(&known.said);
            tracing::debug!(?stage, "next");
            match stage {
                Next::Stop(why) => {
                    self.close(why, &known);
                    return Err(self.stopped(why, &known));
                }
                Next::Done => {
                    // A run that was cut off after the server's answer has not noted this end.
                    self.journal_failed = self.log.completed().err().or(self.journal_failed.take());
                    return Ok(Ended::Done(Box::new(self.outcome(&known))));
                }
                Next::AwaitApproval => return self.awaits(&known),
                stage => {
                    self.agree(&known)?;
                    self.carry_out(stage, &known)?;
                }
            }
        }
    }

    /// Closes the record of a request that somebody has ended, where nothing on the card is in doubt: the next run is free to find or
    /// make another one.
    fn close(&mut self, why: Why, known: &Known) {
        let request = known.facts.request.as_ref().map(|request| request.uuid);
        if let Why::Closed(RequestStatus::Denied | RequestStatus::Canceled | RequestStatus::Failed) = why
            && request == self.log.request()
            && let Err(error) = self.log.closed()
        {
            tracing::error!("the journal could not note that the request has ended: {error}");
        }
    }

    /// Holds the card for one stage, lets go of it, and keeps what was done to it. Once more where another program has reset it before
    /// anything was shown.
    pub fn with_card<T>(
        &mut self,
        step: Step,
        mut work: impl FnMut(&mut Self, &mut HeldCard) -> Result<T, Cause>,
    ) -> Result<T, Failure> {
        let mut fresh_starts = 0;
        loop {
            match self.with_card_once(step, &mut work) {
                Err(failure) if failure.is_reset_before_write() && fresh_starts < FRESH_STARTS => {
                    fresh_starts += 1;
                    tracing::warn!("the card was reset by another program: starting the stage anew");
                }
                result => return result.map_err(|failure| self.with_what_was_done(failure)),
            }
        }
    }

    fn with_card_once<T>(
        &mut self,
        step: Step,
        work: &mut impl FnMut(&mut Self, &mut HeldCard) -> Result<T, Cause>,
    ) -> Result<T, Failure> {
        self.at(step);
        self.last_hold = Effect::default();
        let mut card = OpenCard::open(self.readers, &self.job.reader)?.identify(&self.job.families)?;
        card.at(step);
        let result = match card.identity().card_id == self.card.card_id {
            true => work(self, &mut card),
            false => Err(other_card(self.card.card_id, card.identity())),
        };
        let result = result.map_err(|cause| card.failure(cause));
        self.last_hold = card.effect();
        if result.is_ok() {
            self.effect = self.effect.then(self.last_hold);
        }
        if let Err(error) = card.end() {
            tracing::warn!("the card could not be let go of properly: {error}");
        }
        result
    }

    /// Which step comes now.
    pub fn at(&mut self, step: Step) {
        self.step = step;
        (self.progress)(step);
    }

    /// Whether somebody wants the run to stop where it does no harm: between two stages, and before a change.
    pub fn go_on(&self) -> Result<(), Cause> {
        match self.interrupted.load(Ordering::Relaxed) {
            true => Err(Cause::Interrupted),
            false => Ok(()),
        }
    }

    /// A failure outside a hold of the card.
    pub fn failure(&self, cause: Cause) -> Failure {
        let mut failure = Failure::before_any_effect(self.step, &self.job.reader, Some(self.card.card_id), cause);
        failure.effect = self.effect;
        failure.journal = self.log.id().map(str::to_owned);
        failure
    }

    /// The same for a result.
    pub fn failed<T>(&self, result: Result<T, Cause>) -> Result<T, Failure> {
        result.map_err(|cause| self.failure(cause))
    }

    /// A failure in a hold of the card, with what earlier stages of this run have done to it.
    pub fn with_what_was_done(&self, mut failure: Failure) -> Failure {
        failure.effect = self.effect.then(failure.effect);
        failure.card_id = failure.card_id.or(Some(self.card.card_id));
        failure.journal = failure.journal.or_else(|| self.log.id().map(str::to_owned));
        failure
    }

    fn awaits(&mut self, known: &Known) -> Result<Ended, Failure> {
        let Some(request) = &known.facts.request else {
            return Err(self.failure(crate::job::Stop::NoRequest.into()));
        };
        Ok(Ended::AwaitsApproval(Box::new(Awaiting {
            card: self.card.clone(),
            request: request.uuid,
            created: self.created,
            journal_id: self.log.id().map(str::to_owned),
        })))
    }

    fn outcome(&mut self, known: &Known) -> EnrollOutcome {
        let request = known.facts.request.as_ref();
        let journal = known.said.journal.clone();
        let purpose = known.said.server.request.map_or(self.job.purpose, |request| request.purpose);
        EnrollOutcome {
            card: self.card.clone(),
            purpose,
            request: request.map(|request| request.uuid).unwrap_or_default(),
            smartcard: known.facts.bound.as_ref().map(|record| record.uuid).unwrap_or_default(),
            target_user: request.and_then(|request| request.target_user),
            template: known.facts.template(),
            created: self.created,
            pin: self.pin_outcome.take(),
            admin_key_replaced: purpose != Purpose::Retire && journal.admin_key_proved,
            certificates: std::mem::take(&mut self.written),
            wiped: match self.wiped.take() {
                None if journal.wipe == Noted::Done => vec!["what it held, in an earlier run".to_owned()],
                wiped => wiped.unwrap_or_default(),
            },
            was_done_before: !self.agreed,
            journal_id: self.log.id().map(str::to_owned),
            journal_failed: self.journal_failed.take(),
        }
    }

    /// Lets go of everything.
    pub fn end(mut self, result: Result<Ended, Failure>) -> Result<Ended, Failure> {
        self.pin = None;
        self.current_pin = None;
        self.log.release();
        self.server.issuer().close_for_a_while();
        result
    }
}

fn other_card(wanted: CardId, found: &CardIdentity) -> Cause {
    BindingError::OtherCardId { before: wanted, now: found.card_id }.into()
}
