//! How a job fails: the step, the reader, what state the card is in now, and why.

use thiserror::Error;

use super::cause::Cause;
use super::effect::{CardState, Effect};
use super::secrets::SecretError;
use super::step::Step;
use crate::apdu::{ApduError, Status};
use crate::card::family::DetectError;
use crate::card::{CardError, CardId};
use crate::reader::ReaderError;

/// A job that did not succeed.
#[derive(Debug, Error)]
#[error("could not {}", .step.phrase())]
pub struct Failure {
    /// Where it stopped.
    pub step: Step,
    /// The reader.
    pub reader: String,
    /// The card ID, once it was read.
    pub card_id: Option<CardId>,
    /// What was done to the card.
    pub effect: Effect,
    /// The job's id in the journal, once it has one.
    pub journal: Option<String>,
    /// Why.
    #[source]
    pub cause: Box<Cause>,
}

impl Failure {
    /// A failure before anything was shown to a card or changed on it.
    #[must_use]
    pub fn before_any_effect(step: Step, reader: &str, card_id: Option<CardId>, cause: Cause) -> Self {
        Self {
            step,
            reader: reader.to_owned(),
            card_id,
            effect: Effect::default(),
            journal: None,
            cause: Box::new(cause),
        }
    }

    /// What state the card is in now.
    #[must_use]
    pub fn card_state(&self) -> CardState {
        self.effect.card_state()
    }

    /// Whether a person said no, or gave up, before anything was shown to the card or changed on it.
    #[must_use]
    pub fn is_declined(&self) -> bool {
        let no = matches!(self.cause.as_ref(), Cause::Secret(SecretError::Declined | SecretError::Cancelled { .. }));
        no && self.effect.is_none()
    }

    /// Whether another program reset the card before it was shown a proof or a PIN: then nothing stands against a fresh start.
    #[must_use]
    pub fn is_reset_before_write(&self) -> bool {
        let reset = match self.cause.as_ref() {
            Cause::Reader(ReaderError::CardReset { .. })
            | Cause::Card(CardError::NoAnswer { source: ApduError::Reader(ReaderError::CardReset { .. }), .. })
            | Cause::Detect(DetectError::NoAnswer(ApduError::Reader(ReaderError::CardReset { .. }))) => true,
            // An identified card has had an application selected: another program has reset it since.
            cause => cause.status() == Some(Status::NOTHING_SELECTED) && self.card_id.is_some(),
        };
        reset && self.effect.is_none()
    }
}
