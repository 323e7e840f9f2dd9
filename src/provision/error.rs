//! How the PIN step fails: the step, the reader, what state the card is in now, why, and what to do.

use std::fmt;

use thiserror::Error;
use uuid::Uuid;

use super::binding::BindingError;
use super::fit::FitError;
use crate::apdu::{ApduError, Status};
use crate::card::CardError;
use crate::card::family::DetectError;
use crate::reader::ReaderError;
use crate::server::{ServerError, ServerProblem};

/// The steps of the job, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Open the card.
    Open,
    /// Family and card ID.
    Identify,
    /// The server's records of card and request.
    Resolve,
    /// A challenge from the card.
    Challenge,
    /// PIN and answer from the server.
    Ask,
    /// Does the PIN suit the card?
    Fit,
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
            Self::Challenge => "take a challenge from the card",
            Self::Ask => "ask the server",
            Self::Fit => "fit the PIN to the card",
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
            Self::Challenge => "challenge",
            Self::Ask => "ask",
            Self::Fit => "fit",
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
            Self::Unknown => "unknown: the card may have the new PIN or the old one",
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
    /// Why.
    #[source]
    pub cause: Cause,
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
    #[error("{left} PIN tries left, and at least {min} are wanted before one is risked")]
    FewTries {
        /// Tries left.
        left: u8,
        /// `card.min_tries_left`.
        min: u8,
    },
    /// No authority of the configuration can be used on this card.
    #[error("none of the configured authorities ({configured}) can set this card's PIN")]
    NoAuthority {
        /// Their names.
        configured: String,
    },
    /// Ctrl-C or SIGTERM.
    #[error("interrupted")]
    Interrupted,
}

/// Why the server's records don't lead to a job.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// The server does not know the card.
    #[error("the server knows no card with ID {card_id}")]
    UnknownCard {
        /// The ID asked for.
        card_id: String,
        /// The same bytes in the other order.
        other_order: String,
    },
    /// More than one record fits.
    #[error("the server has {} records of this card and no open request tells which: {}", .candidates.len(), list(.candidates))]
    AmbiguousCard {
        /// Their ids.
        candidates: Vec<Uuid>,
    },
    /// The record is another card's.
    #[error("the server's smart card {smartcard} is another card: its {what} is {theirs}, this card's is {ours}")]
    OtherCard {
        /// The record's id.
        smartcard: Uuid,
        /// `SerialNumber` or `Atr`.
        what: &'static str,
        /// The record's value.
        theirs: String,
        /// The card's.
        ours: String,
    },
    /// The record is at its end.
    #[error("the server's smart card {smartcard} is retired")]
    Retired {
        /// The record's id.
        smartcard: Uuid,
    },
    /// No request to work on.
    #[error("no approved request is bound to smart card {smartcard}")]
    NoRequest {
        /// The record's id.
        smartcard: Uuid,
    },
    /// More than one.
    #[error("{} requests are open for this card: {}", .candidates.len(), list(.candidates))]
    AmbiguousRequest {
        /// Their ids.
        candidates: Vec<Uuid>,
    },
    /// The request named is not open.
    #[error("request {request} is {status}, not Approved")]
    RequestNotOpen {
        /// Its id.
        request: Uuid,
        /// Its status.
        status: String,
    },
    /// The request named is for another card, or for none yet.
    #[error("request {request} is not bound to smart card {smartcard}")]
    RequestForOther {
        /// Its id.
        request: Uuid,
        /// The record's id.
        smartcard: Uuid,
    },
    /// Which admin key is on the card can't be told.
    #[error("it can't be told whether the card has the default or a diversified admin key: {evidence}")]
    AdminKeyUnknown {
        /// What policy, request and card status say.
        evidence: String,
    },
    /// 204 on the PIN, where the policy names the server as its maker.
    #[error("the template's policy says that the server makes the PIN ({option}), and the server has none to give (204)")]
    PinDisagreement {
        /// The policy's option.
        option: String,
    },
}

/// Why there is no secret where one is needed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SecretError {
    /// Nobody to ask.
    #[error("{what} must be supplied, and there is no terminal to ask on")]
    NoTerminal {
        /// Which secret.
        what: &'static str,
    },
    /// The two entries differ.
    #[error("the two entries of {what} differ")]
    Mismatch {
        /// Which secret.
        what: &'static str,
    },
    /// What was given is not of that kind.
    #[error("{what} is not usable: {reason}")]
    Unusable {
        /// Which secret.
        what: &'static str,
        /// Why, without the secret.
        reason: String,
    },
    /// A file, descriptor or the terminal failed.
    #[error("{what} can't be read from {origin}")]
    Unreadable {
        /// Which secret.
        what: &'static str,
        /// Where from.
        origin: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The person gave up.
    #[error("the entry of {what} was cancelled")]
    Cancelled {
        /// Which secret.
        what: &'static str,
    },
}

impl Cause {
    /// What to do next, as an imperative sentence without a full stop.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::Reader(error) => error.remedy().to_owned(),
            Self::Detect(DetectError::NoAnswer(error)) => no_answer(error),
            Self::Detect(DetectError::Unknown { .. }) => {
                "insert a card that pinwright knows (GIDS), or describe this one as a [[card.profile]] in the configuration"
                    .to_owned()
            }
            Self::Card(CardError::NoAnswer { source, .. }) => no_answer(source),
            Self::Card(error) => card_remedy(error).to_owned(),
            Self::Server(error) => error.problem.remedy(),
            Self::Resolve(error) => error.remedy(),
            Self::Fit(_) => "have the PIN policy of the profile template fitted to this kind of card".to_owned(),
            Self::Binding(_) => "insert the right card and run the command again".to_owned(),
            Self::Secret(SecretError::NoTerminal { .. }) => {
                "run the command on a terminal, or give the secret on a file descriptor (see `pinwright enroll --help`)"
                    .to_owned()
            }
            Self::Secret(_) => "run the command again".to_owned(),
            Self::FewTries { .. } => {
                "have the card unblocked by its administrator; `card.min_tries_left` sets the limit".to_owned()
            }
            Self::NoAuthority { .. } => "set `card.authority` to one that this card has".to_owned(),
            Self::Interrupted => "run the command again".to_owned(),
        }
    }

    /// The status word, where a card gave one.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        match self {
            Self::Card(error) => error.status(),
            _ => None,
        }
    }
}

fn no_answer(error: &ApduError) -> String {
    match error {
        ApduError::Reader(error) => error.remedy().to_owned(),
        ApduError::NoStatusWord { .. } | ApduError::Endless { .. } => {
            "pull the card out and insert it again; if it stays, the card or the reader is faulty".to_owned()
        }
    }
}

fn card_remedy(error: &CardError) -> &'static str {
    match error {
        CardError::UnusableId(_) | CardError::Incomplete { .. } | CardError::Malformed { .. } => {
            "have the card initialised: without a card ID of its own it can't be told from others"
        }
        CardError::Refused { command: "GENERAL AUTHENTICATE (answer)" | "EXTERNAL AUTHENTICATE", .. } => {
            "don't repeat this blindly: cards may count wrong admin answers. Find out which admin key is on the card, then \
             use `--admin-key default` or `--admin-key diversified`"
        }
        CardError::Refused { status: Status::NOTHING_SELECTED, .. } => {
            "run the command again: the card was reset or replaced"
        }
        CardError::Refused { status: Status::WRONG_LENGTH, .. } => {
            "have the PIN policy of the profile template fitted to this kind of card"
        }
        CardError::Refused { .. } => "run `pinwright inspect` to see what the card says of itself",
        CardError::ChallengeLength { .. } | CardError::AnswerLength { .. } => {
            "report this card and server: such challenges are not documented"
        }
        CardError::NotInProfile { .. } => "complete the [[card.profile]] in the configuration",
        CardError::NoAnswer { .. } => "pull the card out and insert it again",
    }
}

impl ResolveError {
    fn remedy(&self) -> String {
        match self {
            Self::UnknownCard { other_order, .. } => format!(
                "have the card registered with the server; if it holds the card as {other_order}, set `card.id_order`"
            ),
            Self::AmbiguousCard { .. } => "name one with `--smartcard`".to_owned(),
            Self::AmbiguousRequest { .. } => "name one with `--request`".to_owned(),
            Self::OtherCard { .. } => "check `--smartcard`, and that the right card is inserted".to_owned(),
            Self::Retired { .. } => "use a card that is not retired".to_owned(),
            Self::NoRequest { .. } => {
                "have a request for this card approved, or name it with `--request` if it is not your own".to_owned()
            }
            Self::RequestNotOpen { .. } => "have the request approved, then run the command again".to_owned(),
            Self::RequestForOther { .. } => "check `--request`, and that the right card is inserted".to_owned(),
            Self::AdminKeyUnknown { .. } => {
                "find out which key is on the card and say `--admin-key default` or `--admin-key diversified`; a wrong \
                 one may cost an admin try"
                    .to_owned()
            }
            Self::PinDisagreement { .. } => "have the server's administrator look at the profile template".to_owned(),
        }
    }
}

fn list(ids: &[Uuid]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Whether the server's proposed PIN was no PIN at all: a misfit, not a failure of the server.
#[must_use]
pub(crate) fn is_pin_misfit(problem: &ServerProblem) -> bool {
    matches!(problem, ServerProblem::Pin(_))
}
