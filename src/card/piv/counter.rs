//! Retry counters of PIN and PUK: how a card tells them, asked and in refusing a wrong value.

use super::commands;
use crate::apdu::{Channel, Status};
use crate::card::error::CardError;
use crate::card::send::send_step;
use crate::card::step::StepCommand;

/// What VERIFY without data is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// So many tries are left.
    Left(u8),
    /// Verified already: the word has no room for a counter.
    Verified,
    /// Not verified, and no counter told.
    Untold,
}

/// Asks for a PIN's counter (SP 800-73-4 part 2 §3.2.1). Spends no try.
pub(super) fn question(reference: u8) -> StepCommand {
    StepCommand { name: "VERIFY (status)", purpose: "read the tries left", command: commands::verify_status(reference) }
}

/// Sends [`question`] and reads its answer. Spends no try.
///
/// # Errors
/// A status word that says nothing of a counter, or no answer.
pub(super) fn ask(channel: &mut Channel<'_>, reference: u8) -> Result<Answer, CardError> {
    let StepCommand { name, command, .. } = question(reference);
    let response = channel.send(&command).map_err(|source| CardError::NoAnswer { command: name, source })?;
    match (left(response.status()), response.status()) {
        (Some(left), _) => Ok(Answer::Left(left)),
        (None, Status::OK) => Ok(Answer::Verified),
        (None, Status::WRONG) => Ok(Answer::Untold),
        (None, status) => Err(CardError::Refused { command: name, status }),
    }
}

/// Sends a PIN or PUK, once. **Costs a try of it when it is wrong.**
///
/// # Errors
/// The card's refusal, with the tries left where its word tells them in a way of PIV cards only; no answer.
pub(super) fn send_code(channel: &mut Channel<'_>, command: &StepCommand) -> Result<(), CardError> {
    match send_step(channel, command).map(drop) {
        Err(CardError::Refused { command, status }) => Err(match left_of_old(status) {
            Some(left) => CardError::Wrong { command, status, left },
            None => CardError::Refused { command, status },
        }),
        result => result,
    }
}

/// As [`send_code`], for CHANGE REFERENCE DATA of PIN or PUK: where the card refuses the old value without its counter (`6300`),
/// the PIN's is asked for. The PUK's can't be.
///
/// # Errors
/// As [`send_code`].
pub(super) fn change(channel: &mut Channel<'_>, reference: u8, command: &StepCommand) -> Result<(), CardError> {
    match send_code(channel, command) {
        Err(CardError::Refused { command, status: Status::WRONG }) if reference != commands::PUK => {
            Err(match ask(channel, reference) {
                Ok(Answer::Left(left)) => CardError::Wrong { command, status: Status::WRONG, left },
                // The refusal stands without its counter, also where the card was pulled before it could be asked.
                Ok(Answer::Verified | Answer::Untold) | Err(_) => CardError::Refused { command, status: Status::WRONG },
            })
        }
        result => result,
    }
}

/// Tries left, where the word tells.
pub(super) fn left(status: Status) -> Option<u8> {
    left_of_old(status).or(status.tries_left())
}

/// `630x`: Yubico's first applets (NEO, before version 1.0.4) put the counter into the last digit, where ISO 7816-4 has a warning.
/// `6300` is left out, since other cards say with it that a value was wrong and do not tell its counter.
fn left_of_old(status: Status) -> Option<u8> {
    matches!(status.word(), 0x6301..=0x630F).then_some(status.sw2())
}
