//! Retry counters of PIN and PUK: how a card tells them, asked and in refusing a wrong value.

use super::commands;
use crate::apdu::{Channel, Command, Status};
use crate::card::{CardError, send};

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

/// Asks for the PIN's counter (SP 800-73-4 part 2 §3.2.1). Spends no try.
pub(super) fn ask(channel: &mut Channel<'_>) -> Result<Answer, CardError> {
    let command = "VERIFY (status)";
    let response =
        channel.send(&commands::verify_status()).map_err(|source| CardError::NoAnswer { command, source })?;
    match (left(response.status()), response.status()) {
        (Some(left), _) => Ok(Answer::Left(left)),
        (None, Status::OK) => Ok(Answer::Verified),
        (None, Status::WRONG) => Ok(Answer::Untold),
        (None, status) => Err(CardError::Refused { command, status }),
    }
}

/// Sends a PIN or PUK, once.
pub(super) fn offer(channel: &mut Channel<'_>, name: &'static str, command: &Command) -> Result<(), CardError> {
    match send(channel, name, command).map(drop) {
        Err(CardError::Refused { command, status }) => Err(match left_of_old(status) {
            Some(left) => CardError::Wrong { command, status, left },
            None => CardError::Refused { command, status },
        }),
        result => result,
    }
}

/// Tries left, where the word tells.
pub(super) fn left(status: Status) -> Option<u8> {
    left_of_old(status).or(status.tries_left())
}

/// `630x`: Yubico's first applets (NEO, before version 1.0.4) put the counter there, where ISO 7816-4 has a warning. Theirs, too,
/// may be `6300`; but that is other cards' word for a wrong value without its counter.
fn left_of_old(status: Status) -> Option<u8> {
    matches!(status.word(), 0x6301..=0x630F).then_some(status.sw2())
}
