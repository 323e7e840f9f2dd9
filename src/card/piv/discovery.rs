//! The Discovery object (SP 800-73-4 part 1 §3.3.2): which PIN of a PIV card is the primary one, where it has two.

use serde::{Deserialize, Serialize};

use super::commands;
use crate::apdu::{Channel, tlv};
use crate::card::error::CardError;
use crate::card::send::send_step;
use crate::card::step::StepCommand;

/// The object's name in errors.
pub(crate) const OBJECT: &str = "Discovery object";

/// Which PIN is set on a PIV card.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PivPin {
    /// The one that the card's Discovery object prefers; the application's where it has none.
    #[default]
    Discovery,
    /// The application's (80), whatever the card prefers: the Discovery object is not read.
    Application,
}

/// The PINs that the Discovery object names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Pins {
    /// The application's alone.
    #[default]
    Application,
    /// Both, and the application's is preferred.
    ApplicationFirst,
    /// Both, and the Global PIN is preferred.
    GlobalFirst,
}

impl Pins {
    /// The reference of the PIN that is preferred.
    #[must_use]
    pub fn primary(self) -> u8 {
        match self {
            Self::Application | Self::ApplicationFirst => commands::PIN,
            Self::GlobalFirst => commands::GLOBAL_PIN,
        }
    }

    /// Reads the object. 1 command.
    ///
    /// # Errors
    /// An object that can't be read, a refusal that does not say that there is none, no answer.
    pub(super) fn ask(channel: &mut Channel<'_>) -> Result<Self, CardError> {
        match send_step(channel, &command()) {
            Ok(response) if response.data().is_empty() => Ok(Self::Application),
            Ok(response) => Self::parse(response.data()),
            Err(CardError::Refused { status, .. }) if status.is_absent() => Ok(Self::Application),
            Err(error) => Err(error),
        }
    }

    /// The PIN usage policy (`5F2F`): bit 6 of the first byte says that there is a Global PIN, `20` in the second that it is the
    /// primary one.
    ///
    /// # Errors
    /// Not BER-TLV, or without a policy of two bytes.
    pub fn parse(object: &[u8]) -> Result<Self, CardError> {
        let malformed = |source| CardError::Malformed { object: OBJECT, source };
        let incomplete = |missing| CardError::Incomplete { object: OBJECT, missing };
        let template = tlv::find(object, 0x7E).map_err(malformed)?.ok_or(incomplete("template 7E"))?;
        let policy = tlv::find(template, 0x5F2F).map_err(malformed)?.ok_or(incomplete("PIN usage policy"))?;
        match policy {
            [has, _] if has & 0x20 == 0 => Ok(Self::Application),
            [_, 0x20] => Ok(Self::GlobalFirst),
            [_, 0x10] => Ok(Self::ApplicationFirst),
            _ => Err(incomplete("PIN usage policy that says which PIN is the primary one")),
        }
    }
}

fn command() -> StepCommand {
    StepCommand {
        name: "GET DATA Discovery",
        purpose: "ask which PIN is the primary one",
        command: commands::get_data(commands::DISCOVERY),
    }
}
