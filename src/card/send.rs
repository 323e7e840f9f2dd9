//! Sending one command of a family, and what counts as its success.

use super::error::CardError;
use super::step::StepCommand;
use crate::apdu::{Channel, Command, Response, Status};

/// Sends a command and insists on `9000`. A command that carries a secret is sent once; whether that costs a try is the
/// command's own matter.
///
/// # Errors
/// The card refused, answered a secret with both data and a refusal, or gave no answer.
pub(super) fn send(channel: &mut Channel<'_>, name: &'static str, command: &Command) -> Result<Response, CardError> {
    let response = channel.send(command).map_err(|source| CardError::NoAnswer { command: name, source })?;
    match response.status() {
        Status::OK => Ok(response),
        // A refusal has no data (ISO 7816-3 §12.1), so this answer does not tell whether a command that may write was carried out.
        status if command.is_secret() && !response.data().is_empty() => {
            Err(CardError::Garbled { command: name, status })
        }
        status => Err(CardError::Refused { command: name, status }),
    }
}

/// As [`send`], for a command that needs memory of the card.
///
/// # Errors
/// As [`send`]; the card has no room left.
pub(super) fn send_writing(
    channel: &mut Channel<'_>,
    name: &'static str,
    command: &Command,
) -> Result<Response, CardError> {
    send(channel, name, command).map_err(|error| match error {
        CardError::Refused { command, status: status @ Status::NO_SPACE } => CardError::Full { command, status },
        error => error,
    })
}

/// As [`send`], for a command of a step.
///
/// # Errors
/// As [`send`].
pub(super) fn send_step(channel: &mut Channel<'_>, step: &StepCommand) -> Result<Response, CardError> {
    send(channel, step.name, &step.command)
}
