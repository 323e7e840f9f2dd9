//! A new admin PIN (PW3) for an OpenPGP card.

use super::data::PwStatus;
use super::{OpenPgp, commands, joined, verify_pw3};
use crate::apdu::Channel;
use crate::card::error::CardError;
use crate::card::proof::Proof;
use crate::card::step::StepCommand;
use crate::card::{Card, CodeChange};
use crate::secret::Code;

impl CodeChange for OpenPgp {
    fn code(&self) -> Proof {
        Proof::AdminPin
    }

    /// The card tells the two apart by the length of its own PW3, so `current` is verified by itself first: its beginning
    /// would pass for it otherwise.
    fn change_code(&mut self, channel: &mut Channel<'_>, current: &Code, new: &Code) -> Result<(), CardError> {
        if let Some((min, max)) =
            self.code_lengths(Proof::AdminPin).filter(|(min, max)| !(*min..=*max).contains(&new.length()))
        {
            return Err(CardError::PinLength { length: new.length(), min, max });
        }
        self.send_password(channel, &verify_pw3(current), PwStatus::pw3)?;
        let command = StepCommand {
            name: "CHANGE REFERENCE DATA (PW3)",
            purpose: "change the admin PIN (PW3)",
            command: commands::change_reference_data(commands::PW3, joined(current.expose(), new.expose())),
        };
        self.send_password(channel, &command, PwStatus::pw3)
    }
}
