//! GIDS, the Generic Identity Device Specification: Windows virtual smart cards, GidsApplet and others.
//!
//! The user PIN is set by the administrator: an 8-byte challenge, a Triple DES answer, then RESET RETRY COUNTER. A card that
//! refuses that challenge is asked for mutual authentication, which a local admin key alone can answer.

mod admin_key;
pub mod cardcf;
mod certificates;
pub mod cmapfile;
pub mod commands;
pub mod compressed;
pub mod keymap;
mod keys;
pub mod master_file;
mod tables;

use self::master_file::Location;
use self::tables::TableLocations;
use super::admin_key::mutual::{self, TOKEN};
use super::challenge::{Challenge, ChallengeUse, NONCE, Nonces};
use super::credential::Credential;
use super::error::CardError;
use super::id::{CardId, IdOrder};
use super::pin::{PinCharacters, PinLimits, Tries};
use super::proof::{Family, Proof};
use super::send::{send, send_step};
use super::step::{ReadStep, RiskyStep, StepCommand};
use super::{AdminKeyChange, Card, CertificateFiles, Certificates, Keys};
use crate::apdu::{Channel, Response, Status, tlv};
use crate::secret::AdminResponse;

const MASTER_FILE: Location = Location { file: 0xA000, object: 0xDF1F };

/// Where the Microsoft generic profile keeps the card ID: taken when a card has no readable master file.
const GENERIC_PROFILE_CARD_ID: Location = Location { file: 0xA012, object: 0xDF20 };

const PIN_STATUS: Location = Location { file: 0x3FFF, object: 0x7F71 };

const CHALLENGE_LENGTH: usize = 8;

/// Limits of GidsApplet, the implementation that was measured.
pub const APPLET_LIMITS: PinLimits = PinLimits { min: 4, max: 16, characters: PinCharacters::Ascii };

/// Limits of the Windows virtual smart card: up to 127 characters; how few is a policy of its own that only the card knows.
pub const VIRTUAL_CARD_LIMITS: PinLimits = PinLimits { min: 4, max: 127, characters: PinCharacters::Ascii };

/// A GIDS card whose application is selected.
#[derive(Debug)]
pub struct Gids {
    order: IdOrder,
    limits: PinLimits,
    card_id: Location,
    tables: TableLocations,
    /// The random numbers of a mutual authentication whose token was not sent yet.
    nonces: Option<Nonces>,
    random: fn(&mut [u8]) -> Result<(), getrandom::Error>,
}

impl Gids {
    /// A card that has answered the SELECT.
    #[must_use]
    pub fn new(order: IdOrder, limits: PinLimits) -> Self {
        Self {
            order,
            limits,
            card_id: GENERIC_PROFILE_CARD_ID,
            tables: TableLocations::GENERIC_PROFILE,
            nonces: None,
            random: getrandom::fill,
        }
    }

    /// Whether an answer to SELECT comes from GIDS: it has an application template with the identifier of GIDS in it (GIDS
    /// §3.1; Windows takes no card without it). A card that says `9000` to every SELECT is not one.
    #[must_use]
    pub fn is_selected(response: &Response) -> bool {
        let template = tlv::find(response.data(), 0x61).ok().flatten();
        let named = template.and_then(|template| tlv::find(template, 0x4F).ok().flatten());
        response.status().is_ok() && named.is_some_and(|aid| aid.starts_with(&commands::AID))
    }

    /// The two commands that take the short challenge.
    fn challenge_commands() -> [StepCommand; 2] {
        [
            StepCommand {
                name: "MSE SET",
                purpose: "choose the admin key",
                command: commands::set_admin_environment(),
            },
            StepCommand {
                name: "GENERAL AUTHENTICATE (challenge)",
                purpose: "take the challenge",
                command: commands::admin_challenge(),
            },
        ]
    }

    /// The long challenge of a card that refuses the short one.
    fn mutual_challenge(&mut self, channel: &mut Channel<'_>) -> Result<Challenge, CardError> {
        let mut host = [0; NONCE];
        (self.random)(&mut host).map_err(CardError::NoRandomness)?;
        let response = send(channel, "GENERAL AUTHENTICATE (mutual)", &commands::mutual_challenge(&host))?;
        let card = in_template(&response, "challenge", 0x81)?;
        let card = <[u8; NONCE]>::try_from(card.as_slice())
            .map_err(|_| CardError::ChallengeLength { length: card.len(), expected: NONCE })?;
        let nonces = Nonces { card, host };
        self.nonces = Some(nonces);
        Ok(Challenge::Mutual(nonces))
    }

    /// The answer to the challenge that was taken last.
    fn answer_command(&self, answer: &AdminResponse) -> Result<StepCommand, CardError> {
        let fits = |expected| match answer.length() {
            length if length == expected => Ok(()),
            length => Err(CardError::AnswerLength { length, expected }),
        };
        let command = match (&self.nonces, answer.key()) {
            (None, _) => fits(CHALLENGE_LENGTH).map(|()| commands::admin_answer(answer))?,
            // The card's own proof could not be checked.
            (Some(_), None) => return Err(CardError::OnlyByKey { length: TOKEN }),
            (Some(_), Some(_)) => fits(TOKEN).map(|()| commands::mutual_answer(answer))?,
        };
        Ok(StepCommand { name: "GENERAL AUTHENTICATE (answer)", purpose: "answer the challenge", command })
    }

    fn pin_status_command() -> StepCommand {
        StepCommand {
            name: "GET DATA PIN status",
            purpose: "read the tries left",
            command: commands::get_data(PIN_STATUS.file, PIN_STATUS.object),
        }
    }

    fn card_id_command(&self) -> StepCommand {
        StepCommand {
            name: "GET DATA cardid",
            purpose: "confirm the card ID",
            command: commands::get_data(self.card_id.file, self.card_id.object),
        }
    }
}

impl Card for Gids {
    fn family(&self) -> Family {
        Family::Gids
    }

    fn title(&self) -> String {
        "GIDS".to_owned()
    }

    fn limits(&self) -> PinLimits {
        self.limits
    }

    fn identify(&mut self, channel: &mut Channel<'_>) -> Result<CardId, CardError> {
        match read_master_file(channel)? {
            Some(table) => {
                self.card_id = master_file::locate(&table, master_file::CARD_ID)
                    .ok_or(CardError::Incomplete { object: "master file", missing: "cardid record" })?;
                self.tables = TableLocations::in_master_file(&table);
            }
            None => self.card_id = GENERIC_PROFILE_CARD_ID,
        }
        self.confirm(channel)
    }

    fn has_own_id(&self) -> bool {
        true
    }

    fn confirm(&mut self, channel: &mut Channel<'_>) -> Result<CardId, CardError> {
        let response = send_step(channel, &self.card_id_command())?;
        let value = tlv::find(response.data(), self.card_id.object)
            .map_err(|source| CardError::Malformed { object: "cardid", source })?
            .ok_or(CardError::Incomplete { object: "cardid file", missing: "card ID" })?;
        Ok(CardId::new(value, self.order)?)
    }

    fn tries_left(&mut self, channel: &mut Channel<'_>) -> Result<Tries, CardError> {
        let response = send_step(channel, &Self::pin_status_command())?;
        let malformed = |source| CardError::Malformed { object: "PIN status", source };
        let template = tlv::find(response.data(), PIN_STATUS.object)
            .map_err(malformed)?
            .ok_or(CardError::Incomplete { object: "PIN status", missing: "template 7F71" })?;
        // Older cards use 9F17 for the tries left.
        let left = tlv::find(template, 0x97).map_err(malformed)?.or(tlv::find(template, 0x9F17).map_err(malformed)?);
        let max = tlv::find(template, 0x93).map_err(malformed)?;
        match (left, max) {
            (Some([left]), max) => Ok(Tries::Left { left: *left, max: max.and_then(|value| value.first().copied()) }),
            _ => Err(CardError::Incomplete { object: "PIN status", missing: "tries left" }),
        }
    }

    fn code_lengths(&self, proof: Proof) -> Option<(usize, usize)> {
        (proof == Proof::CurrentPin).then_some((1, self.limits.max))
    }

    fn challenge_use(&self) -> Option<ChallengeUse> {
        Some(ChallengeUse::Administrator { answer: CHALLENGE_LENGTH })
    }

    fn challenge_survives_reading(&self) -> bool {
        true
    }

    fn challenge_may_be_early(&self) -> bool {
        true
    }

    fn challenge(&mut self, channel: &mut Channel<'_>) -> Result<Challenge, CardError> {
        self.nonces = None;
        let [environment, challenge] = Self::challenge_commands();
        send_step(channel, &environment)?;
        let challenge = match send_step(channel, &challenge) {
            Ok(response) => in_template(&response, "challenge", 0x81)?,
            Err(CardError::Refused { status, .. }) if refuses_short(status) => return self.mutual_challenge(channel),
            Err(error) => return Err(error),
        };
        Challenge::admin(&challenge)
            .filter(|_| challenge.len() == CHALLENGE_LENGTH)
            .ok_or(CardError::ChallengeLength { length: challenge.len(), expected: CHALLENGE_LENGTH })
    }

    fn read_commands(&self, step: ReadStep) -> Vec<StepCommand> {
        match step {
            ReadStep::Challenge => Self::challenge_commands().into(),
            ReadStep::Tries { proof: Proof::CurrentPin, .. } => vec![Self::pin_status_command()],
            // The card does not tell how many wrong answers it takes.
            ReadStep::Tries { .. } => Vec::new(),
            ReadStep::CardId => vec![self.card_id_command()],
        }
    }

    fn risky_commands(&self, step: &RiskyStep<'_>) -> Result<Vec<StepCommand>, CardError> {
        let command = match step {
            RiskyStep::Authorize(Credential::Answer(answer)) => self.answer_command(answer)?,
            // The change tells the two PINs apart by the length of the card's own. The beginning of the right PIN would pass for
            // it there, and set a PIN that nobody meant, so the current one is verified by itself first.
            RiskyStep::Authorize(Credential::CurrentPin(current)) => {
                StepCommand { name: "VERIFY", purpose: "verify the current PIN", command: commands::verify(current) }
            }
            RiskyStep::SetPin(Credential::Answer(_), new) => StepCommand {
                name: "RESET RETRY COUNTER",
                purpose: "set the PIN",
                command: commands::reset_retry_counter(new),
            },
            RiskyStep::SetPin(Credential::CurrentPin(current), new) => StepCommand {
                name: "CHANGE REFERENCE DATA",
                purpose: "change the PIN",
                command: commands::change_reference_data(current, new),
            },
            RiskyStep::Verify(pin) => {
                StepCommand { name: "VERIFY", purpose: "verify the PIN", command: commands::verify(pin) }
            }
            RiskyStep::Authorize(other) | RiskyStep::SetPin(other, _) => {
                return Err(CardError::NotTaken { family: self.family(), proof: other.proof() });
            }
        };
        Ok(vec![command])
    }

    fn send_risky(
        &mut self,
        channel: &mut Channel<'_>,
        step: &RiskyStep<'_>,
        command: &StepCommand,
    ) -> Result<(), CardError> {
        let RiskyStep::Authorize(Credential::Answer(answer)) = step else {
            return send_step(channel, command).map(drop);
        };
        // The challenge serves once, whatever the card makes of the answer.
        let nonces = self.nonces.take();
        let response = send_step(channel, command)?;
        match (nonces, answer.key()) {
            (Some(nonces), Some(key)) => {
                let token = in_template(&response, "proof", 0x82)?;
                // A card that takes the answer and can't prove itself is not the one that the key belongs to.
                if mutual::proves(key, &nonces, &token)? { Ok(()) } else { Err(CardError::Unproven) }
            }
            _ => Ok(()),
        }
    }

    fn forget(&mut self, channel: &mut Channel<'_>) -> Result<(), CardError> {
        send(channel, "VERIFY (deauthenticate)", &commands::deauthenticate()).map(drop)
    }

    fn admin_key_change(&mut self) -> Option<&mut dyn AdminKeyChange> {
        Some(self)
    }

    fn certificate_files(&mut self) -> Option<&mut dyn CertificateFiles> {
        Some(self)
    }

    fn keys(&mut self) -> Option<&mut dyn Keys> {
        Some(self)
    }

    fn certificates(&mut self) -> Option<&mut dyn Certificates> {
        Some(self)
    }
}

impl CertificateFiles for Gids {
    fn names(&mut self, channel: &mut Channel<'_>) -> Result<Vec<String>, CardError> {
        Ok(read_master_file(channel)?.map(|table| master_file::certificates(&table)).unwrap_or_default())
    }
}

/// Whether a refusal may mean that the card knows the long challenge only. A locked key, a missing right or a lost selection
/// does not.
fn refuses_short(status: Status) -> bool {
    [
        Status::WRONG_LENGTH,
        Status::WRONG_DATA,
        Status::FUNCTION_NOT_SUPPORTED,
        Status::CONDITIONS,
        Status::DATA_INVALID,
        Status::new(0x6A86),
    ]
    .contains(&status)
}

/// An object of the dynamic authentication template `7C`.
fn in_template(response: &Response, object: &'static str, tag: u32) -> Result<Vec<u8>, CardError> {
    let malformed = |source| CardError::Malformed { object, source };
    let missing = |missing| CardError::Incomplete { object, missing };
    let template = tlv::find(response.data(), 0x7C).map_err(malformed)?.ok_or(missing("template 7C"))?;
    let value = tlv::find(template, tag).map_err(malformed)?;
    Ok(value.ok_or(missing(if tag == 0x81 { "object 81" } else { "object 82" }))?.to_vec())
}

/// The master file's table; `None` on a card that has none to show.
fn read_master_file(channel: &mut Channel<'_>) -> Result<Option<Vec<u8>>, CardError> {
    match send(channel, "GET DATA master file", &commands::get_data(MASTER_FILE.file, MASTER_FILE.object)) {
        Ok(response) => tlv::find(response.data(), MASTER_FILE.object)
            .map_err(|source| CardError::Malformed { object: "master file", source })?
            .map(|table| Some(table.to_vec()))
            .ok_or(CardError::Incomplete { object: "master file", missing: "table" }),
        // `6986` says nothing of this file: the card has no application selected any more, and would refuse everything.
        Err(CardError::Refused { status, .. }) if status != Status::NOTHING_SELECTED => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod key_tests;
#[cfg(test)]
mod tests;
