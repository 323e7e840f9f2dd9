//! Why a step of a job fails.

use thiserror::Error;

use super::binding::BindingError;
use super::challenge::Unanswerable;
use super::consent::{DoneBefore, Doubt};
use super::fit::FitError;
use super::journal::JournalError;
use super::records::ResolveError;
use super::secrets::SecretError;
use super::stage_error::{CsrError, StageError};
use super::stop::Stop;
use crate::apdu::Status;
use crate::card::family::DetectError;
use crate::card::{CardError, Family};
use crate::reader::ReaderError;
use crate::server::{AdminKeyVersion, ServerError};

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
        family: Family,
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
    #[error("{0}")]
    AlreadyDone(DoneBefore),
    /// An earlier job has done this request on this card, and something speaks against leaving it at that.
    #[error("{done}, but {doubt}")]
    DoneInDoubt {
        /// The earlier job.
        done: DoneBefore,
        /// What speaks against it.
        doubt: Doubt,
    },
    /// The card keeps the counter of a code to itself, and an earlier job may have spent one of its tries.
    #[error("how many tries the {what} has left can't be asked, and an earlier job ({journal}) may have spent one")]
    UncountedTry {
        /// Of what.
        what: &'static str,
        /// The earlier job's id.
        journal: String,
    },
    /// The card does not know the question for the counter, and nobody has said that a try may be risked all the same.
    #[error("the card refuses to tell how many tries the {what} has left: it answered {status}")]
    CounterRefused {
        /// Of what.
        what: &'static str,
        /// The status word.
        status: Status,
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
    /// The card has refused an answer that was made with the same key to an earlier job, whatever the request.
    #[error("the card refused the admin answer{} to an earlier job ({journal}, {at}: {word}){}", made_with(*.key), since(.evidence))]
    AnswerBarred {
        /// Which key the server was told to answer with; `None` for a local one.
        key: Option<AdminKeyVersion>,
        /// The earlier job's id.
        journal: String,
        /// When it stopped, RFC 3339.
        at: String,
        /// The card's status word, in hex.
        word: String,
        /// What says that the card has this key, as a clause; empty for a local one.
        evidence: String,
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
    /// An enrollment can't go on by itself.
    #[error(transparent)]
    Stop(#[from] Stop),
    /// A stage of an enrollment that works on the card.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// Ctrl-C or SIGTERM.
    #[error("interrupted")]
    Interrupted,
}

impl Cause {
    /// The status word, where a card gave one.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        match self {
            Self::Card(error)
            | Self::Stage(StageError::AdminKeyUnproven(error) | StageError::Request(CsrError::Card(error))) => {
                error.status()
            }
            _ => None,
        }
    }
}

fn made_with(key: Option<AdminKeyVersion>) -> String {
    key.map_or(" made with the local admin key".to_owned(), |key| format!(" made with the {} admin key", key.name()))
}

fn since(evidence: &str) -> String {
    if evidence.is_empty() { String::new() } else { format!(", although {evidence}") }
}

fn because(reason: Option<&str>) -> String {
    reason.map_or_else(String::new, |reason| format!(": {reason}"))
}

impl From<JournalError> for Cause {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}
