//! The tries left of a PIN that another program may have left verified, which hides its counter.

use super::counter::{self, Answer};
use super::discovery::Pins;
use super::{Piv, commands};
use crate::apdu::Channel;
use crate::card::Card as _;
use crate::card::error::CardError;
use crate::card::pin::Tries;
use crate::card::step::StepCommand;

/// What the card has last said of the PIN's counter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum PinCounter {
    /// Not asked yet, or answered without the metadata.
    #[default]
    Plain,
    /// Another program has left the PIN verified, so VERIFY does not tell the counter; the metadata do.
    InMetadata,
    /// The PIN is verified, and nothing tells the counter as long as it is.
    Hidden,
}

impl Piv {
    /// Asks for the PIN's counter before a try of it is risked. `challenged`: see [`ReadStep::Tries`].
    pub(super) fn pin_tries_commands(&self, challenged: bool) -> Vec<StepCommand> {
        let mut commands = vec![counter::question(self.pins.primary())];
        if self.counter != PinCounter::Plain && self.pins != Pins::GlobalFirst && self.asks_metadata(challenged) {
            commands.push(Self::metadata_command(commands::PIN));
        }
        if self.counter == PinCounter::Hidden {
            commands.extend([self.log_out_command(), counter::question(self.pins.primary())]);
        }
        commands
    }

    /// Ends the PIN's verification, and not the management key's authentication: no command ends that before the reset.
    pub(super) fn log_out_command(&self) -> StepCommand {
        StepCommand {
            name: "VERIFY (log out)",
            purpose: "end what another program has left verified",
            command: commands::log_out(self.pins.primary()),
        }
    }

    /// The tries left of the PIN; where another program has left it verified, that is ended where nothing else tells them.
    pub(super) fn tries_when_logged_out(&mut self, channel: &mut Channel<'_>) -> Result<Tries, CardError> {
        let tries = self.tries_left(channel)?;
        if self.counter != PinCounter::Hidden {
            return Ok(tries);
        }
        match self.forget(channel) {
            Ok(()) => self.tries_left(channel),
            // The card does not know the command: its counter stays hidden.
            Err(error) if error.is_mere_refusal() => Ok(tries),
            Err(error) => Err(error),
        }
    }
}

/// Tries left of a PIN that is not set now, where the card tells them. 1 command.
pub(super) fn told_tries(channel: &mut Channel<'_>, reference: u8) -> Result<Tries, CardError> {
    match counter::ask(channel, reference) {
        Ok(Answer::Left(left)) => Ok(Tries::Left { left, max: None }),
        Ok(Answer::Verified | Answer::Untold) => Ok(Tries::Untold),
        Err(error) if error.is_mere_refusal() => Ok(Tries::Untold),
        Err(error) => Err(error),
    }
}
