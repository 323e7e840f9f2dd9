//! Descriptors that a caller opened for us: the options that name them, and what is behind them.

use thiserror::Error;

use super::descriptor::Descriptor;
use crate::cli::error::CliError;
use crate::job::secrets::Need;

/// Descriptors that a caller opened for us: no secret is ever an argument.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Descriptors {
    /// Read the new PIN from this file descriptor, where the user supplies it.
    #[arg(long, value_name = "N", value_parser = number)]
    pub pin_fd: Option<u32>,
    /// Read the card's current PIN from this file descriptor.
    #[arg(long, value_name = "N", value_parser = number)]
    pub current_pin_fd: Option<u32>,
    /// Read the local admin key (48 hex digits) from this file descriptor.
    #[arg(long, value_name = "N", value_parser = number)]
    pub admin_key_fd: Option<u32>,
    /// Read the PUK of a PIV card from this file descriptor.
    #[arg(long, value_name = "N", value_parser = number)]
    pub puk_fd: Option<u32>,
    /// Read the admin PIN (PW3) of an OpenPGP card from this file descriptor.
    #[arg(long, value_name = "N", value_parser = number)]
    pub admin_pin_fd: Option<u32>,
    /// Read the resetting code of an OpenPGP card from this file descriptor.
    #[arg(long, value_name = "N", value_parser = number)]
    pub resetting_code_fd: Option<u32>,
}

/// What was given instead of a descriptor is not told: it may be the secret.
#[derive(Debug, Error)]
#[error("the number of an open file descriptor is needed, such as 3; the secret itself is never an argument")]
struct NoNumber;

fn number(text: &str) -> Result<u32, NoNumber> {
    text.parse().map_err(|_| NoNumber)
}

const ALL_NEEDS: [Need; 6] =
    [Need::NewPin, Need::CurrentPin, Need::AdminKey, Need::Puk, Need::AdminPin, Need::ResettingCode];

impl Descriptors {
    /// Takes hold of what is behind the numbers now. One that can't be read is an error where its secret is needed.
    ///
    /// # Errors
    /// Two options name the same descriptor, or one names a terminal.
    pub fn claim(&self) -> Result<Handed, CliError> {
        let named: Vec<(Need, u32)> =
            ALL_NEEDS.into_iter().filter_map(|need| self.of(need).map(|number| (need, number))).collect();
        let shared = |at: usize, number: u32| named.iter().skip(at + 1).any(|(_, other)| *other == number);
        if named.iter().enumerate().any(|(at, (_, number))| shared(at, *number)) {
            return Err(CliError::SharedDescriptor);
        }
        let handed: Vec<_> = named.into_iter().map(|(need, number)| (need, Descriptor::claim(number))).collect();
        if handed.iter().any(|(_, descriptor)| descriptor.is_terminal()) {
            return Err(CliError::TerminalDescriptor);
        }
        Ok(Handed(handed))
    }

    fn of(&self, need: Need) -> Option<u32> {
        match need {
            Need::NewPin => self.pin_fd,
            Need::CurrentPin => self.current_pin_fd,
            Need::AdminKey => self.admin_key_fd,
            Need::Puk => self.puk_fd,
            Need::AdminPin => self.admin_pin_fd,
            Need::ResettingCode => self.resetting_code_fd,
        }
    }
}

/// What was handed over, one descriptor for each secret.
#[derive(Default)]
pub struct Handed(Vec<(Need, Descriptor)>);

impl Handed {
    /// Where this secret comes from, if a descriptor was named for it.
    pub fn of(&self, need: Need) -> Option<&Descriptor> {
        self.0.iter().find(|(other, _)| *other == need).map(|(_, descriptor)| descriptor)
    }
}

#[cfg(test)]
mod tests;
