//! What a job's thread tells the loop: how far it has come, and how it ended.

use std::fmt;

use uuid::Uuid;

use super::jobs::Others;
use super::report::Phase;
use super::verdict::{self, Next, Verdict};
use crate::card::CardId;
use crate::enroll::job::EnrollOutcome;
use crate::job::{CardIdentity, CardState, Cause, Failure, Step};
use crate::provision::Outcome;

/// A message from the thread that works on a reader's card.
#[derive(Debug)]
pub struct JobReport {
    /// The reader.
    pub reader: String,
    /// The insertion that it is about: what an earlier one's job says does not concern the card there now.
    pub insertion: u64,
    /// What has happened.
    pub event: JobEvent,
}

/// What has happened in a job.
#[derive(Debug)]
pub enum JobEvent {
    /// It has come to a step.
    Step(Step),
    /// It has found out which card it is.
    Identified(CardIdentity),
    /// It has found the open request.
    Found(Uuid),
    /// It has looked among the requests of others.
    LookedAtAll(Others),
    /// It has ended.
    Ended(Box<Ending>),
}

/// How a job ended.
#[derive(Debug)]
pub struct Ending {
    /// What becomes of the reader, and what comes next.
    pub verdict: Verdict,
    /// Whether the server has answered.
    pub server_answered: bool,
    /// Why, and what to do.
    pub reason: Option<String>,
    /// The step at which it stopped, the card's state, and the exit code of a command that ends so.
    pub stopped: Option<(Step, CardState, u8)>,
    /// The job's id in the journal.
    pub journal: Option<String>,
    /// The card whose job is done.
    pub card_id: Option<CardId>,
}

impl Ending {
    /// An ending without a failure of a step.
    pub(super) fn plain(phase: Phase, next: Next, reason: impl Into<Option<String>>) -> Self {
        Self {
            verdict: Verdict { phase, next },
            server_answered: false,
            reason: reason.into(),
            stopped: None,
            journal: None,
            card_id: None,
        }
    }

    /// The PIN is set and verified; what could not be finished beside that is the reason.
    pub(super) fn done(outcome: Outcome) -> Self {
        let warnings = [outcome.reset_failed.map(unreset), outcome.journal_failed.map(unnoted)];
        let warnings: Vec<String> = warnings.into_iter().flatten().collect();
        Self {
            server_answered: true,
            journal: outcome.journal_id,
            card_id: Some(outcome.card.card_id),
            ..Self::plain(Phase::Done, Next::Never, (!warnings.is_empty()).then(|| warnings.join("; ")))
        }
    }

    /// The request is carried out; what could not be finished beside that is the reason.
    pub(super) fn enrolled(outcome: EnrollOutcome) -> Self {
        let is_new = !outcome.was_done_before;
        let before = (!is_new).then(|| format!("request {} was completed already", outcome.request));
        let unreset = outcome.pin.and_then(|pin| pin.reset_failed).map(unreset);
        let unnoted = outcome.journal_failed.map(unnoted);
        let reasons: Vec<String> = [before, unreset, unnoted].into_iter().flatten().collect();
        let phase = if is_new { Phase::Done } else { Phase::AlreadyDone };
        Self {
            server_answered: true,
            journal: outcome.journal_id,
            card_id: Some(outcome.card.card_id),
            ..Self::plain(phase, Next::Never, (!reasons.is_empty()).then(|| reasons.join("; ")))
        }
    }

    /// A job that stopped at a step.
    pub(super) fn failed(failure: Failure) -> Self {
        Self {
            // Only a server that has answered leaves nothing to do but to stop.
            server_answered: failure.step.follows_the_servers_secrets()
                || matches!(failure.cause.as_ref(), Cause::Stop(_)),
            stopped: Some((failure.step, failure.card_state(), verdict::exit(&failure))),
            ..Self::plain(Phase::Failed, Next::Never, verdict::reason(&failure)).judged(verdict::judge(&failure))
        }
        .noted(failure.journal)
    }

    fn judged(self, verdict: Verdict) -> Self {
        Self { verdict, ..self }
    }

    /// The same with the id of a journal record.
    pub(super) fn noted(self, journal: Option<String>) -> Self {
        Self { journal, ..self }
    }
}

fn unreset(error: impl fmt::Display) -> String {
    format!("the card could not be reset ({error}): pull it out, it may still be unlocked")
}

fn unnoted(error: impl fmt::Display) -> String {
    format!("the journal does not show that the card is done ({error})")
}
