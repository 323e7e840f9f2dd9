//! How the PIN step fails: the step, the reader, what state the card is in now, why, and what to do.

use std::fmt;

use thiserror::Error;

use super::binding::BindingError;
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
    /// What to do next, as an imperative sentence without a full stop.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::Reader(error) => error.remedy().to_owned(),
            Self::Detect(DetectError::NoAnswer(error)) => no_answer(error),
            Self::Detect(DetectError::Terminated { .. }) => {
                "have the application activated again with the card's own tool: that sets its PINs to the factory's and \
                 deletes its keys"
                    .to_owned()
            }
            Self::Detect(DetectError::Unknown { .. }) => {
                "insert a card that pinwright knows (GIDS), or describe this one as a [[card.profile]] in the configuration"
                    .to_owned()
            }
            Self::Card(CardError::NoAnswer { source, .. }) => no_answer(source),
            Self::Card(error) => card_remedy(error).to_owned(),
            Self::Server(error) => error.problem.remedy(),
            Self::Resolve(error) => error.remedy(),
            Self::Fit(_) => {
                "choose another PIN, or have the PIN policy of the profile template fitted to this kind of card".to_owned()
            }
            Self::Binding(_) => "insert the right card and run the command again".to_owned(),
            Self::Secret(SecretError::NoTerminal { .. }) => {
                "run the command on a terminal, or give the secret on a file descriptor (see `pinwright enroll --help`)"
                    .to_owned()
            }
            Self::Secret(SecretError::Unusable { .. } | SecretError::Unreadable { .. }) => {
                "check the file, credential, descriptor or entry that it comes from".to_owned()
            }
            Self::Secret(_) => "run the command again".to_owned(),
            Self::FewTries { what: "PIN", .. } => {
                "have the card unblocked by its administrator; `card.min_tries_left` sets the limit".to_owned()
            }
            Self::FewTries { .. } => {
                "use another authority; `card.min_tries_left` sets the limit, and a blocked code can't be had back".to_owned()
            }
            Self::NoAuthority { takes, .. } if takes.is_empty() => {
                "use the card maker's own tool: nothing that pinwright knows of this card sets its PIN".to_owned()
            }
            Self::NoAuthority { takes, family, .. } => {
                format!("set `card.authority` to one that this {family} card takes: {takes}")
            }
            Self::Journal(JournalError::Busy { .. }) => {
                "wait for the other process; `pinwright history` shows how far it is".to_owned()
            }
            Self::Journal(_) => {
                "set `journal.dir` to a folder that this user can write to: no card is written to without a journal"
                    .to_owned()
            }
            Self::UncertainPin { .. } => {
                "set the PIN with another authority (`server`, `admin-key`), which does not depend on the current one".to_owned()
            }
            Self::AlreadyDone { .. } => "run `pinwright enroll` to set the PIN once more".to_owned(),
            Self::UncountedTry { what, .. } => format!(
                "make sure of the {what}, then allow one more try with `--risk-uncounted`, or use another authority"
            ),
            Self::RefusedBefore { what, .. } => format!(
                "make sure of the {what} before another try is spent: then run `pinwright enroll`, or have a new request made"
            ),
            Self::CutOffBefore { .. } => {
                "see why they were cut off (reader, contact, power), and what `pinwright inspect` says is left; then run \
                 `pinwright enroll`"
                    .to_owned()
            }
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

fn because(reason: Option<&str>) -> String {
    reason.map_or_else(String::new, |reason| format!(": {reason}"))
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
        CardError::UnusableId(_)
        | CardError::Incomplete { .. }
        | CardError::Malformed { .. }
        | CardError::Refused {
            command: "GET DATA cardid" | "SELECT card ID file" | "READ BINARY card ID" | "GET DATA card ID",
            ..
        } => "have the card initialised: without a card ID of its own it can't be told from others",
        CardError::Refused { command: "GENERAL AUTHENTICATE (answer)" | "EXTERNAL AUTHENTICATE", .. } => {
            "don't repeat this blindly: cards may count wrong admin answers. Find out which admin key is on the card, then \
             say so (`--admin-key default` or `--admin-key diversified` for the server, another key file for a local one)"
        }
        CardError::Refused { status: Status::NOTHING_SELECTED, .. } => {
            "run the command again: the card was reset or replaced"
        }
        CardError::Refused { status: Status::WRONG_LENGTH, .. } => {
            "have the PIN policy of the profile template fitted to this kind of card"
        }
        CardError::Refused { command: "VERIFY" | "CHANGE REFERENCE DATA", .. } => {
            "make sure of the current PIN before it is tried again: each wrong one costs a try (`pinwright inspect`)"
        }
        CardError::Refused { command: "VERIFY (PW3)" | "RESET RETRY COUNTER (code)", .. } => {
            "don't repeat this blindly: a wrong code costs a try, and a blocked one can't be had back. Make sure of it, and \
             see what `pinwright inspect` says is left"
        }
        CardError::Wrong { .. } => {
            "make sure of it before it is tried again: each wrong one costs a try (`pinwright inspect`)"
        }
        CardError::OtherPinFormat { .. } => "switch that off with the card's own tool, or set its PIN there",
        CardError::PinLength { .. } => "check the PIN or code that was given: nothing was sent to the card",
        CardError::KeyLength { .. } => "check the key that was given: nothing was sent to the card",
        CardError::NotTaken { .. } => "set `card.authority` to one that this card has",
        CardError::Refused { .. } => "run `pinwright inspect` to see what the card says of itself",
        CardError::ChallengeLength { .. } | CardError::AnswerLength { .. } => {
            "report this card and server: such challenges are not documented"
        }
        CardError::OnlyByKey { .. } => {
            "answer with the card's own admin key: `card.authority = [\"admin-key\"]` (nothing was sent that the card counts)"
        }
        CardError::Unproven => {
            "take this card out of use: it accepted the admin key's answer without having the key, so it is not what it seems"
        }
        CardError::NoRandomness(_) => {
            "find out why the system has no randomness: without it nothing is proved to a card"
        }
        CardError::NotInProfile { .. } => "complete the [[card.profile]] in the configuration",
        CardError::NoAnswer { .. } | CardError::Garbled { .. } => "pull the card out and insert it again",
    }
}
