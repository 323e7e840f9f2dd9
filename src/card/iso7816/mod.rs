//! A generic ISO 7816-4 card, with its references from a [`Profile`].
//!
//! The administrator proves himself with GET CHALLENGE and EXTERNAL AUTHENTICATE, then RESET RETRY COUNTER sets the PIN; or
//! RESET RETRY COUNTER takes an unblocking code; or the current PIN is replaced by CHANGE REFERENCE DATA. A profile says which
//! of these its card has.

mod card_id;
pub mod commands;

use super::Card;
use super::challenge::{Challenge, ChallengeUse};
use super::credential::Credential;
use super::error::CardError;
use super::id::CardId;
use super::pin::{PinLimits, Tries};
use super::profile::{Admin, Meaning, Profile, ResetWith};
use super::proof::{Family, Proof};
use super::send::send_step;
use super::step::{ReadStep, RiskyStep, StepCommand};
use crate::apdu::{Channel, Response, Status};
use crate::secret::{AdminResponse, Code, Pin, SecretBytes};

/// The file ended before the length that was asked for. That is no fault where the whole file was wanted.
const END_OF_FILE: Status = Status::new(0x6282);

/// A card described by a profile, its application selected where the profile names one.
#[derive(Debug)]
pub struct Iso7816 {
    profile: Profile,
}

impl Iso7816 {
    /// A card that matched `profile`.
    #[must_use]
    pub fn new(profile: Profile) -> Self {
        Self { profile }
    }

    fn admin(&self) -> Result<Admin, CardError> {
        self.profile
            .admin
            .ok_or_else(|| CardError::NotInProfile { profile: self.profile.name.clone(), missing: "admin table" })
    }

    /// A secret as the card takes it: as it is, or filled up with the profile's byte.
    fn block(&self, secret: &[u8]) -> SecretBytes {
        let padding = self.profile.pin.padding.map(|byte| (byte, self.profile.pin.padded_length));
        let length = padding.map_or(secret.len(), |(_, length)| length.max(secret.len()));
        let mut block = SecretBytes::with_capacity(length);
        let mut fits = block.append(secret);
        if let Some((byte, _)) = padding {
            fits &= block.append(&vec![byte; length - secret.len()]);
        }
        debug_assert!(fits, "the buffer is made for the padded secret");
        block
    }

    /// Two secrets for one command, each as the card takes it.
    fn both(&self, first: &[u8], second: &[u8]) -> SecretBytes {
        let (first, second) = (self.block(first), self.block(second));
        let mut both = SecretBytes::with_capacity(first.len() + second.len());
        let fits = both.append(first.expose()) && both.append(second.expose());
        debug_assert!(fits, "the buffer is made for both");
        both
    }

    fn challenge_command(admin: &Admin) -> StepCommand {
        StepCommand {
            name: "GET CHALLENGE",
            purpose: "take the challenge",
            command: commands::get_challenge(admin.challenge_p1, admin.challenge_p2, admin.challenge_le()),
        }
    }

    fn answer_command(&self, answer: &AdminResponse) -> Result<StepCommand, CardError> {
        let admin = self.admin()?;
        let expected = admin.challenge_length();
        if answer.length() != expected {
            return Err(CardError::AnswerLength { length: answer.length(), expected });
        }
        Ok(StepCommand {
            name: "EXTERNAL AUTHENTICATE",
            purpose: "answer the challenge",
            command: commands::external_authenticate(admin.algorithm, admin.reference, answer),
        })
    }

    fn verify_command(&self, purpose: &'static str, pin: &Pin) -> StepCommand {
        let command = commands::verify(self.profile.pin.of_verify(), self.block(pin.expose()));
        StepCommand { name: "VERIFY", purpose, command }
    }

    fn tries_command(&self) -> StepCommand {
        StepCommand {
            name: "VERIFY (status)",
            purpose: "read the tries left",
            command: commands::verify_status(self.profile.pin.of_verify()),
        }
    }

    /// The last of the commands that read the card ID: its file is still the current one.
    fn confirm_command(&self) -> Option<StepCommand> {
        card_id::read_commands(&self.profile.card_id).pop()
    }

    fn read_id(
        &self,
        channel: &mut Channel<'_>,
        commands: impl IntoIterator<Item = StepCommand>,
    ) -> Result<CardId, CardError> {
        let mut answer = None;
        for command in commands {
            answer = Some(read(channel, &command)?);
        }
        let answer = answer.ok_or(CardError::Incomplete { object: "profile", missing: "place of the card ID" })?;
        card_id::find(&self.profile.card_id, answer.data())
    }

    fn ask_tries(&self, channel: &mut Channel<'_>) -> Result<Tries, CardError> {
        let StepCommand { name, command, .. } = self.tries_command();
        let response = channel.send(&command).map_err(|source| CardError::NoAnswer { command: name, source })?;
        let status = response.status();
        match (self.profile.status_words.meaning(status), status.tries_left()) {
            (Some(Meaning::Blocked), _) => Ok(Tries::Left { left: 0, max: None }),
            (_, Some(left)) => Ok(Tries::Left { left, max: None }),
            (Some(Meaning::WrongPin), None) => Ok(Tries::Untold),
            // Verified, or no verification needed: the counter isn't told.
            (None, None) if [Status::OK, Status::WRONG].contains(&status) => Ok(Tries::Untold),
            (None, None) => Err(CardError::Refused { command: name, status }),
        }
    }

    /// Sends a command with a PIN in it, once. A refusal without a counter is followed by the question for it, which costs no
    /// try. **Costs a PIN try when the PIN is wrong.**
    fn send_pin(&self, channel: &mut Channel<'_>, command: &StepCommand) -> Result<(), CardError> {
        let (command, status) = match send_step(channel, command) {
            Err(CardError::Refused { command, status }) => (command, status),
            result => return result.map(drop),
        };
        match self.profile.status_words.meaning(status) {
            Some(Meaning::Blocked) => Err(CardError::Wrong { command, status, left: 0 }),
            reading if status == Status::WRONG || reading.is_some() => match self.tries(channel) {
                Ok(Tries::Left { left, .. }) => Err(CardError::Wrong { command, status, left }),
                // The refusal stands without its counter, also where the card was pulled before it could be asked.
                Ok(Tries::Untold) | Err(_) => Err(CardError::Refused { command, status }),
            },
            _ => Err(CardError::Refused { command, status }),
        }
    }

    fn tries(&self, channel: &mut Channel<'_>) -> Result<Tries, CardError> {
        if self.profile.pin.status_query { self.ask_tries(channel) } else { Ok(Tries::Untold) }
    }
}

impl Card for Iso7816 {
    fn family(&self) -> Family {
        Family::Iso7816
    }

    fn title(&self) -> String {
        title(&self.profile)
    }

    fn limits(&self) -> PinLimits {
        self.profile.limits()
    }

    fn extended_length(&self) -> bool {
        self.profile.extended_length
    }

    fn takes(&self, proof: Proof) -> bool {
        let has = match proof {
            Proof::AdminAnswer => self.profile.has_administrator(),
            Proof::Puk => self.profile.set_pin.with == ResetWith::UnblockingCode,
            Proof::CurrentPin => self.profile.pin.change,
            Proof::AdminPin | Proof::ResettingCode => false,
        };
        has && self.family().takes(proof)
    }

    fn why_not(&self, proof: Proof) -> Option<&'static str> {
        match (proof, self.profile.set_pin.with) {
            (Proof::AdminAnswer, ResetWith::UnblockingCode) => {
                Some("its card profile sets the PIN with an unblocking code")
            }
            (Proof::AdminAnswer, ResetWith::NewPin) if self.profile.admin.is_none() => {
                Some("its card profile has no administrator (`admin`)")
            }
            _ => None,
        }
    }

    fn identify(&mut self, channel: &mut Channel<'_>) -> Result<CardId, CardError> {
        self.read_id(channel, card_id::read_commands(&self.profile.card_id))
    }

    fn has_own_id(&self) -> bool {
        !self.profile.card_id.repeat
    }

    fn confirm(&mut self, channel: &mut Channel<'_>) -> Result<CardId, CardError> {
        self.read_id(channel, self.confirm_command())
    }

    fn tries_left(&mut self, channel: &mut Channel<'_>) -> Result<Tries, CardError> {
        self.tries(channel)
    }

    fn code_lengths(&self, proof: Proof) -> Option<(usize, usize)> {
        let pin = &self.profile.pin;
        let most = match proof {
            Proof::Puk => pin.padding.map_or(Code::MAX, |_| pin.padded_length),
            // A longer one would fill more than its block, and the new PIN would begin too late.
            Proof::CurrentPin => pin.max,
            Proof::AdminAnswer | Proof::AdminPin | Proof::ResettingCode => return None,
        };
        self.takes(proof).then_some((1, most))
    }

    fn challenge_use(&self) -> Option<ChallengeUse> {
        let admin = self.profile.admin.filter(|_| self.profile.has_administrator())?;
        Some(ChallengeUse::Administrator { answer: admin.challenge_length() })
    }

    fn challenge_survives_reading(&self) -> bool {
        // ISO 7816-4 §7.5.3: the challenge is valid at least for the next command, and on many cards for no other.
        false
    }

    fn challenge_may_be_early(&self) -> bool {
        self.profile.admin.is_some_and(|admin| admin.early_challenge)
    }

    fn challenge(&mut self, channel: &mut Channel<'_>) -> Result<Challenge, CardError> {
        let admin = self.admin()?;
        let response = send_step(channel, &Self::challenge_command(&admin))?;
        let (length, expected) = (response.data().len(), admin.challenge_length());
        Challenge::admin(response.data())
            .filter(|_| length == expected)
            .ok_or(CardError::ChallengeLength { length, expected })
    }

    fn read_commands(&self, step: ReadStep) -> Vec<StepCommand> {
        match step {
            ReadStep::Challenge => self.profile.admin.iter().map(Self::challenge_command).collect(),
            ReadStep::Tries { proof: Proof::CurrentPin, .. } if self.profile.pin.status_query => {
                vec![self.tries_command()]
            }
            ReadStep::Tries { .. } => Vec::new(),
            ReadStep::CardId => self.confirm_command().into_iter().collect(),
        }
    }

    fn risky_commands(&self, step: &RiskyStep<'_>) -> Result<Vec<StepCommand>, CardError> {
        let reset = self.profile.set_pin_reference();
        let command = match step {
            RiskyStep::Authorize(Credential::Answer(answer)) => self.answer_command(answer)?,
            // Without filling the change tells the two PINs apart by the length of the card's own. The beginning of the right PIN
            // would pass for it there, and set a PIN that nobody meant, so the current one is verified by itself first.
            RiskyStep::Authorize(Credential::CurrentPin(current)) if self.profile.pin.padding.is_none() => {
                self.verify_command("verify the current PIN", current)
            }
            RiskyStep::Authorize(Credential::CurrentPin(_)) => return Ok(Vec::new()),
            // The code goes with the new PIN.
            RiskyStep::Authorize(Credential::Puk(_)) if self.takes(Proof::Puk) => return Ok(Vec::new()),
            RiskyStep::SetPin(Credential::Answer(_), new) => StepCommand {
                name: "RESET RETRY COUNTER",
                purpose: "set the PIN",
                command: commands::reset_retry_counter(reset, self.block(new.expose())),
            },
            RiskyStep::SetPin(Credential::Puk(code), new) if self.takes(Proof::Puk) => StepCommand {
                name: "RESET RETRY COUNTER (code)",
                purpose: "set the PIN with the unblocking code",
                command: commands::reset_with_code(reset, self.both(code.expose(), new.expose())),
            },
            RiskyStep::SetPin(Credential::CurrentPin(current), new) => StepCommand {
                name: "CHANGE REFERENCE DATA",
                purpose: "change the PIN",
                command: commands::change_reference_data(
                    self.profile.pin.reference,
                    self.both(current.expose(), new.expose()),
                ),
            },
            RiskyStep::Verify(pin) => self.verify_command("verify the PIN", pin),
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
        match step {
            RiskyStep::Authorize(Credential::CurrentPin(_))
            | RiskyStep::SetPin(Credential::CurrentPin(_), _)
            | RiskyStep::Verify(_) => self.send_pin(channel, command),
            RiskyStep::Authorize(_) | RiskyStep::SetPin(..) => send_step(channel, command).map(drop),
        }
    }

    fn forget(&mut self, _channel: &mut Channel<'_>) -> Result<(), CardError> {
        // ISO 7816-4 leaves it to the card whether VERIFY with P1 = FF logs out; the reset at the end always does.
        Ok(())
    }
}

/// As [`send_step`], and takes a file that ends before the length that was asked for.
fn read(channel: &mut Channel<'_>, step: &StepCommand) -> Result<Response, CardError> {
    let command = step.name;
    let response = channel.send(&step.command).map_err(|source| CardError::NoAnswer { command, source })?;
    match response.status() {
        Status::OK => Ok(response),
        END_OF_FILE if !response.data().is_empty() => Ok(response),
        status => Err(CardError::Refused { command, status }),
    }
}

/// The application in words.
pub(super) fn title(profile: &Profile) -> String {
    format!("ISO 7816-4, profile {:?}", profile.name)
}

#[cfg(test)]
mod tests;
