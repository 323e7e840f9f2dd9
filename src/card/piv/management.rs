//! The management key's challenge and the answer to it (SP 800-73-4 part 2 §3.2.4).

use super::{Piv, commands};
use crate::apdu::{Channel, Status, tlv};
use crate::card::challenge::Challenge;
use crate::card::error::CardError;
use crate::card::key_algorithm::KeyAlgorithm;
use crate::card::send::send_step;
use crate::card::step::StepCommand;
use crate::secret::AdminResponse;

impl Piv {
    pub(super) fn challenge_command(algorithm: KeyAlgorithm) -> StepCommand {
        StepCommand {
            name: "GENERAL AUTHENTICATE (challenge)",
            purpose: "take a challenge (Triple DES first; AES where the card says so)",
            command: commands::management_challenge(algorithm),
        }
    }

    /// The challenge with this algorithm; `None` where the management key is of another one.
    pub(super) fn challenge_with(
        &mut self,
        channel: &mut Channel<'_>,
        algorithm: KeyAlgorithm,
    ) -> Result<Option<Challenge>, CardError> {
        let response = match send_step(channel, &Self::challenge_command(algorithm)) {
            Err(CardError::Refused { status: Status::WRONG_PARAMETERS, .. }) => return Ok(None),
            result => result?,
        };
        let malformed = |source| CardError::Malformed { object: "challenge", source };
        let template = tlv::find(response.data(), 0x7C)
            .map_err(malformed)?
            .ok_or(CardError::Incomplete { object: "challenge", missing: "template 7C" })?;
        let bytes = tlv::find(template, 0x81)
            .map_err(malformed)?
            .ok_or(CardError::Incomplete { object: "challenge", missing: "object 81" })?;
        let challenge = Challenge::admin(bytes)
            .filter(|_| bytes.len() == algorithm.block())
            .ok_or(CardError::ChallengeLength { length: bytes.len(), expected: algorithm.block() })?;
        self.algorithm = Some(algorithm);
        Ok(Some(challenge))
    }

    /// The answer to the challenge that was taken last.
    ///
    /// # Errors
    /// No challenge was taken, or the answer has another length than one to it.
    pub(super) fn answer_command(&self, answer: &AdminResponse) -> Result<StepCommand, CardError> {
        let algorithm =
            self.algorithm.ok_or(CardError::Incomplete { object: "session", missing: "challenge to answer" })?;
        if answer.length() != algorithm.block() {
            return Err(CardError::AnswerLength { length: answer.length(), expected: algorithm.block() });
        }
        Ok(StepCommand {
            name: "GENERAL AUTHENTICATE (answer)",
            purpose: "answer the challenge",
            command: commands::management_answer(algorithm, answer),
        })
    }
}
