//! How the PIN step fails: the step, the reader, what state the card is in now, why, and what to do.

mod remedy;

use std::fmt;

use thiserror::Error;

use super::binding::BindingError;
use super::challenge::Unanswerable;
use super::fit::FitError;
use super::journal::JournalError;
use super::records::ResolveError;
use super::supplier::SecretError;
use crate::apdu::{ApduError, Status};
use crate::card::CardError;
use crate::card::family::DetectError;
use crate::reader::ReaderError;
use crate::server::ServerError;

/// The steps of the job, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Open the card.
    Open,
    /// Family and card ID.
    Identify,
    /// The server's records of card and request.
    Resolve,
    /// Secrets that the server does not give.
    Supply,
    /// A challenge from the card.
    Challenge,
    /// PIN and answer from the server.
    Ask,
    /// Does the PIN suit the card?
    Fit,
    /// A person's yes, where one is asked.
    Consent,
    /// Is it still the same card?
    Bind,
    /// Prove ourselves to the card.
    Authorize,
    /// Set the PIN.
    SetPin,
    /// Have the card verify it.
    Verify,
}

impl Step {
    /// What the step does, as a phrase.
    #[must_use]
    pub fn phrase(self) -> &'static str {
        match self {
            Self::Open => "open the card",
            Self::Identify => "identify the card",
            Self::Resolve => "find the card and its request at the server",
            Self::Supply => "get a secret that the server does not give",
            Self::Challenge => "take a challenge from the card",
            Self::Ask => "ask the server",
            Self::Fit => "fit the PIN to the card",
            Self::Consent => "get the go-ahead",
            Self::Bind => "make sure that it is the same card",
            Self::Authorize => "prove ourselves to the card",
            Self::SetPin => "set the PIN",
            Self::Verify => "verify the PIN",
        }
    }

    /// The name used in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Identify => "identify",
            Self::Resolve => "resolve",
            Self::Supply => "supply",
            Self::Challenge => "challenge",
            Self::Ask => "ask",
            Self::Fit => "fit",
            Self::Consent => "consent",
            Self::Bind => "bind",
            Self::Authorize => "authorize",
            Self::SetPin => "set-pin",
            Self::Verify => "verify",
        }
    }
}

/// What is known of the card's PIN after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CardState {
    /// As before: nothing was written.
    Untouched,
    /// As before, but the card has refused an authentication and may have counted it.
    TrySpent,
    /// The new PIN was set, and not verified.
    PinSet,
    /// Set or not: the card's answer to the write did not arrive.
    Unknown,
}

impl CardState {
    /// The name used in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Untouched => "untouched",
            Self::TrySpent => "untouched-try-spent",
            Self::PinSet => "pin-set-not-verified",
            Self::Unknown => "unknown",
        }
    }

    /// Whether somebody has to look at the card.
    #[must_use]
    pub fn needs_attention(self) -> bool {
        matches!(self, Self::PinSet | Self::Unknown)
    }
}

impl fmt::Display for CardState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Untouched => "untouched: its PIN is as it was",
            Self::TrySpent => "its PIN is as it was; the refused authentication may have cost a try",
            Self::PinSet => "the new PIN was set, but the card has not verified it",
            Self::Unknown => "unknown: the card may have the new PIN or the old one (or another, where it set one and then refused it)",
        })
    }
}

/// A PIN step that did not succeed.
#[derive(Debug, Error)]
#[error("could not {}", .step.phrase())]
pub struct Failure {
    /// Where it stopped.
    pub step: Step,
    /// The reader, once one was chosen.
    pub reader: Option<String>,
    /// The card ID, once it was read.
    pub card_id: Option<String>,
    /// What state the card is in now.
    pub card: CardState,
    /// The job's id in the journal, once it has one.
    pub journal: Option<String>,
    /// Why.
    #[source]
    pub cause: Box<Cause>,
}

impl Failure {
    /// Whether another program reset the card before it was sent an answer or a PIN: then nothing stands against a fresh start.
    #[must_use]
    pub fn is_reset_before_write(&self) -> bool {
        let reset = match self.cause.as_ref() {
            Cause::Reader(ReaderError::CardReset { .. })
            | Cause::Card(CardError::NoAnswer { source: ApduError::Reader(ReaderError::CardReset { .. }), .. })
            | Cause::Detect(DetectError::NoAnswer(ApduError::Reader(ReaderError::CardReset { .. }))) => true,
            // Nothing is selected any more, although it was.
            cause => cause.status() == Some(Status::NOTHING_SELECTED) && self.step > Step::Identify,
        };
        reset && self.card == CardState::Untouched && self.step < Step::Authorize
    }
}

/// Why a step failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Cause {
    /// The reader.
    #[error(transparent)]
    Reader(#[from] ReaderError),
    /// No known family.
    #[error(transparent)]
    Detect(#[from] DetectError),
    /// The card.
    #[error(transparent)]
    Card(#[from] CardError),
    /// The card's challenge is one that the server can't answer.
    #[error(transparent)]
    Unanswerable(#[from] Unanswerable),
    /// The server.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The server's records don't lead to a job.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// The PIN does not suit the card.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// Another card.
    #[error(transparent)]
    Binding(#[from] BindingError),
    /// A person or a source of secrets did not give one.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// Too few tries to risk one.
    #[error("the {what} has {left} tries left, and at least {min} are wanted before one is risked")]
    FewTries {
        /// Of what.
        what: &'static str,
        /// Tries left.
        left: u8,
        /// `card.min_tries_left`.
        min: u8,
    },
    /// No authority of the configuration can be used on this card.
    #[error("none of the configured authorities ({configured}) can set this card's PIN{}", because(*.reason))]
    NoAuthority {
        /// Their names.
        configured: String,
        /// The card's family.
        family: &'static str,
        /// The authorities that the family takes.
        takes: String,
        /// Why the family's challenge is none of them.
        reason: Option<&'static str>,
    },
    /// The journal can't be kept, or another process has the card.
    #[error(transparent)]
    Journal(JournalError),
    /// An earlier job may have changed the PIN, and too few tries are left to find out.
    #[error("the card's current PIN is not known for sure: an earlier job ({journal}) {meaning}")]
    UncertainPin {
        /// The earlier job's id.
        journal: String,
        /// What its record says.
        meaning: &'static str,
        /// The authorities that this card takes beside the current PIN.
        others: String,
    },
    /// An earlier job has done this request on this card.
    #[error("request {request} was done on this card already (journal {journal})")]
    AlreadyDone {
        /// The request.
        request: uuid::Uuid,
        /// The earlier job's id.
        journal: String,
    },
    /// The card keeps the counter of a code to itself, and an earlier job may have spent one of its tries.
    #[error("how many tries the {what} has left can't be asked, and an earlier job ({journal}) may have spent one")]
    UncountedTry {
        /// Of what.
        what: &'static str,
        /// The earlier job's id.
        journal: String,
    },
    /// The card has refused the same to an earlier job for the same request, and nobody has asked for another try.
    #[error("the card refused the {what} to an earlier job for the same request ({journal}: {word})")]
    RefusedBefore {
        /// What was shown to it.
        what: &'static str,
        /// The earlier job's id.
        journal: String,
        /// The card's status word, in hex.
        word: String,
    },
    /// Jobs for the same request are cut off again and again while they prove themselves to the card.
    #[error("{times} jobs for the same request were cut off while they showed the card the {what}, at last {journal}")]
    CutOffBefore {
        /// What was shown to it.
        what: &'static str,
        /// The last job's id.
        journal: String,
        /// How many.
        times: usize,
    },
    /// Ctrl-C or SIGTERM.
    #[error("interrupted")]
    Interrupted,
}

impl Cause {
    /// The status word, where a card gave one.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        match self {
            Self::Card(error) => error.status(),
            _ => None,
        }
    }
}

fn because(reason: Option<&str>) -> String {
    reason.map_or_else(String::new, |reason| format!(": {reason}"))
}
