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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::card::IdOrder;
    use crate::job::effect::ProofState;

    const OPERATION: &str = "a command";

    fn reset() -> ReaderError {
        ReaderError::CardReset { reader: "Reader".to_owned(), operation: OPERATION }
    }

    fn failed(card_id: Option<CardId>, cause: impl Into<Cause>) -> Failure {
        Failure::before_any_effect(Step::Authorize, "Reader", card_id, cause.into())
    }

    #[test]
    fn a_reset_by_another_program_is_one_before_anything_was_shown() {
        let lost = || CardError::NoAnswer { command: "GENERAL AUTHENTICATE", source: ApduError::Reader(reset()) };
        assert!(failed(None, reset()).is_reset_before_write() && failed(None, lost()).is_reset_before_write());
        let mut shown = failed(None, lost());
        shown.effect.proof = ProofState::Shown;
        assert!(!shown.is_reset_before_write());
        assert!(!failed(None, Cause::Interrupted).is_reset_before_write());
    }

    #[test]
    fn a_card_without_its_application_was_reset_only_if_it_had_one() {
        let deselected = || CardError::Refused { command: "GET DATA", status: Status::NOTHING_SELECTED };
        let card_id = CardId::new(&[7; 16], IdOrder::Raw).ok();
        assert!(card_id.is_some() && failed(card_id, deselected()).is_reset_before_write());
        assert!(!failed(None, deselected()).is_reset_before_write());
    }
}
