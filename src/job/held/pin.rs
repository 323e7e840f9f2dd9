//! A held card's PIN: setting and verifying it, with what is known of it afterwards.

use super::{HeldCard, is_of_a_recording};
use crate::card::{CardError, Credential, PinJob as _};
use crate::job::cause::Cause;
use crate::job::effect::{Change, ProofState};
use crate::secret::Pin;

impl HeldCard {
    /// Sets the PIN. **Costs a try of a PUK, resetting code or current PIN that is wrong:** they are shown in the same command.
    ///
    /// # Errors
    /// The card's refusal, or no answer: [`Failure::effect`](crate::job::Failure::effect) then says what is known of the PIN.
    pub fn set_pin(&mut self, credential: &Credential<'_>, pin: &Pin) -> Result<(), Cause> {
        self.reset_at_end = true;
        self.pin_is_verified = false;
        let before = self.effect.proof;
        if credential.proof().goes_with_the_pin() {
            self.effect.proof = ProofState::Shown;
        }
        let result = self.with_card(|card, channel| card.set_pin(channel, credential, pin));
        self.written(before, &result);
        result
    }

    /// Has the card verify the new PIN. **A PIN that the card does not have costs a try of it.**
    ///
    /// # Errors
    /// The card's refusal, or no answer.
    pub fn verify(&mut self, pin: &Pin) -> Result<(), Cause> {
        let result = self.with_card(|card, channel| card.verify_pin(channel, pin));
        match &result {
            Ok(()) => self.effect.pin = Change::New { verified: true },
            // The card said that it set the PIN, and now that this is not its PIN: one of the two is not true.
            Err(cause) if cause.status().is_some() => self.effect.pin = Change::Unknown,
            Err(_) => {}
        }
        result
    }

    /// Shows the card the PIN that this process has set. **A PIN that the card does not have costs a try of it.**
    ///
    /// # Errors
    /// The card's refusal, or no answer. Refused, nobody knows the card's PIN any more.
    pub fn verify_known(&mut self, pin: &Pin) -> Result<(), Cause> {
        self.reset_at_end = true;
        self.pin_is_verified = false;
        let result = self.with_card(|card, channel| card.verify_pin(channel, pin));
        match &result {
            Ok(()) => self.pin_is_verified = true,
            Err(cause) if cause.status().is_some() => self.effect.pin = Change::Unknown,
            Err(_) => {}
        }
        result
    }

    /// Shows the card a PIN that a person says is its PIN. **A wrong one costs a try.**
    ///
    /// # Errors
    /// The card's refusal, or no answer; its PIN is as it was.
    pub fn show_pin(&mut self, pin: &Pin) -> Result<(), Cause> {
        self.reset_at_end = true;
        self.pin_is_verified = false;
        self.effect.proof = ProofState::Shown;
        let result = self.with_card(|card, channel| card.verify_pin(channel, pin));
        self.effect.proof = match &result {
            Ok(()) => ProofState::Accepted,
            Err(cause) if cause.status().is_some() => ProofState::Refused,
            Err(_) => ProofState::Shown,
        };
        self.pin_is_verified = result.is_ok();
        result
    }

    /// As [`HeldCard::verify_known`], and nothing where the card has verified it already in this transaction.
    ///
    /// # Errors
    /// As [`HeldCard::verify_known`].
    pub fn keep_verified(&mut self, pin: &Pin) -> Result<(), Cause> {
        if self.pin_is_verified { Ok(()) } else { self.verify_known(pin) }
    }

    /// The state after a write: a refusal leaves the PIN as it was, where its status word says so; no answer says nothing.
    fn written(&mut self, before: ProofState, result: &Result<(), Cause>) {
        let with_proof = self.effect.proof != before;
        match result {
            Ok(()) => {
                self.effect.proof = ProofState::Accepted;
                self.effect.pin = Change::New { verified: false };
            }
            Err(cause) if never_sent(cause) => self.effect.proof = before,
            Err(cause) => {
                let refused = match cause.status() {
                    // Whatever word it was told in.
                    Some(_) if matches!(cause, Cause::Card(CardError::Wrong { .. })) => true,
                    Some(status) => status.leaves_card_unchanged(),
                    None => is_of_a_recording(cause),
                };
                if !refused {
                    self.effect.pin = Change::Unknown;
                } else if with_proof {
                    self.effect.proof = ProofState::Refused;
                }
            }
        }
    }
}

/// The command was not sent: its content could not be right.
fn never_sent(cause: &Cause) -> bool {
    matches!(
        cause,
        Cause::Card(CardError::PinLength { .. } | CardError::NotTaken { .. } | CardError::AnswerLength { .. })
    )
}
