//! A generic ISO 7816-4 card, with its references from a [`Profile`].
//!
//! The administrator proves himself with GET CHALLENGE and EXTERNAL AUTHENTICATE, then RESET RETRY COUNTER sets the PIN; or
//! RESET RETRY COUNTER takes an unblocking code; or the current PIN is replaced by CHANGE REFERENCE DATA. A profile says which
//! of these its card has.

mod card_id;
pub mod commands;

use super::profile::{Admin, Profile, Reading, ResetWith};
use super::proof::{self, family_takes};
use super::{Card, CardError, CardId, CardPlan, Challenge, PinLimits, Proof, Tries, send, stand_in_pin};
use crate::apdu::{Channel, Command, Response, Status};
use crate::secret::{AdminResponse, Code, Pin, SecretBytes};

/// The command that asks for the tries left.
const STATUS_QUERY: &str = "VERIFY (status)";

/// The end of the file came before all that was asked for: no fault where the whole file was wanted.
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

    /// A secret as the card wants it: as it is, or filled up.
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

    /// Two secrets in one command, each as the card wants it.
    fn both(&self, first: &[u8], second: &[u8]) -> SecretBytes {
        let (first, second) = (self.block(first), self.block(second));
        let mut both = SecretBytes::with_capacity(first.len() + second.len());
        let fits = both.append(first.expose()) && both.append(second.expose());
        debug_assert!(fits, "the buffer is made for both");
        both
    }

    fn change(&self, current: &Pin, new: &Pin) -> Command {
        commands::change_reference_data(self.profile.pin.reference, self.both(current.expose(), new.expose()))
    }

    fn reset_by_code(&self, code: &Code, new: &Pin) -> Command {
        commands::reset_with_code(self.profile.set_pin_reference(), self.both(code.expose(), new.expose()))
    }

    fn verify(&self, pin: &Pin) -> Command {
        commands::verify(self.profile.pin.of_verify(), self.block(pin.expose()))
    }

    fn get_challenge(admin: &Admin) -> Command {
        commands::get_challenge(admin.challenge_p1, admin.challenge_p2, admin.challenge_le())
    }

    /// The last of the commands that read the card ID.
    fn confirm_command(&self) -> Option<(&'static str, Command)> {
        card_id::reading(&self.profile.card_id).pop()
    }

    fn read_id(
        &self,
        channel: &mut Channel<'_>,
        commands: impl IntoIterator<Item = (&'static str, Command)>,
    ) -> Result<CardId, CardError> {
        let mut answer = None;
        for (command, frame) in commands {
            answer = Some(read(channel, command, &frame)?);
        }
        let answer = answer.ok_or(CardError::Incomplete { object: "profile", missing: "place of the card ID" })?;
        card_id::find(&self.profile.card_id, answer.data())
    }

    fn ask_tries(&self, channel: &mut Channel<'_>) -> Result<Tries, CardError> {
        let command = commands::verify_status(self.profile.pin.of_verify());
        let response =
            channel.send(&command).map_err(|source| CardError::NoAnswer { command: STATUS_QUERY, source })?;
        let status = response.status();
        match (self.profile.status_words.reading(status), status.tries_left()) {
            (Some(Reading::Blocked), _) => Ok(Tries::Left { left: 0, max: None }),
            (_, Some(left)) => Ok(Tries::Left { left, max: None }),
            (Some(Reading::WrongPin), None) => Ok(Tries::Untold),
            // Verified, or no verification needed: the counter isn't told.
            (None, None) if [Status::OK, Status::WRONG].contains(&status) => Ok(Tries::Untold),
            (None, None) => Err(CardError::Refused { command: STATUS_QUERY, status }),
        }
    }

    /// Sends a command with a PIN in it. A refusal without a counter is followed by the question for it, which costs no try;
    /// the PIN is not sent again.
    fn send_pin(&self, channel: &mut Channel<'_>, command: &'static str, frame: &Command) -> Result<(), CardError> {
        let refused = match send(channel, command, frame) {
            Err(CardError::Refused { status, .. }) => status,
            result => return result.map(drop),
        };
        match self.profile.status_words.reading(refused) {
            Some(Reading::Blocked) => Err(CardError::Wrong { command, status: refused, left: 0 }),
            reading if refused == Status::WRONG || reading.is_some() => match self.tries_left(channel) {
                Ok(Tries::Left { left, .. }) => Err(CardError::Wrong { command, status: refused, left }),
                // The refusal is what counts, and the counter stays unknown.
                Ok(Tries::Untold) | Err(_) => Err(CardError::Refused { command, status: refused }),
            },
            _ => Err(CardError::Refused { command, status: refused }),
        }
    }

    fn tries_left(&self, channel: &mut Channel<'_>) -> Result<Tries, CardError> {
        if self.profile.pin.status_query { self.ask_tries(channel) } else { Ok(Tries::Untold) }
    }
}

impl Card for Iso7816 {
    fn family(&self) -> &'static str {
        "iso7816"
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
        has && family_takes(self.family(), proof)
    }

    fn no_admin_answer(&self) -> Option<&'static str> {
        match self.profile.set_pin.with {
            ResetWith::UnblockingCode => Some("its card profile sets the PIN with an unblocking code"),
            ResetWith::NewPin if self.profile.admin.is_none() => {
                Some("its card profile has no administrator (`admin`)")
            }
            ResetWith::NewPin => proof::of_family(self.family()).and_then(|row| row.no_admin_answer),
        }
    }

    fn identify(&mut self, channel: &mut Channel<'_>) -> Result<CardId, CardError> {
        self.read_id(channel, card_id::reading(&self.profile.card_id))
    }

    fn confirm(&mut self, channel: &mut Channel<'_>) -> Result<CardId, CardError> {
        self.read_id(channel, self.confirm_command())
    }

    fn challenge_survives_reading(&self) -> bool {
        // ISO 7816-4 §7.5.3: the challenge is valid at least for the next command, and on many cards for no other.
        false
    }

    fn has_admin_challenge(&self) -> bool {
        self.profile.has_administrator()
    }

    fn tries_left(&mut self, channel: &mut Channel<'_>) -> Result<Tries, CardError> {
        Self::tries_left(self, channel)
    }

    fn code_lengths(&self, proof: Proof) -> Option<(usize, usize)> {
        let pin = &self.profile.pin;
        let most = match proof {
            Proof::Puk => pin.padding.map_or(Code::MAX, |_| pin.padded_length),
            // A longer one would shift the new PIN's block.
            Proof::CurrentPin => pin.max,
            Proof::AdminAnswer | Proof::AdminPin | Proof::ResettingCode => return None,
        };
        self.takes(proof).then_some((1, most))
    }

    fn challenge(&mut self, channel: &mut Channel<'_>) -> Result<Challenge, CardError> {
        let admin = self.admin()?;
        let response = send(channel, "GET CHALLENGE", &Self::get_challenge(&admin))?;
        let expected = admin.challenge_length();
        match response.data().len() {
            length if length == expected => Ok(Challenge(response.data().to_vec())),
            length => Err(CardError::ChallengeLength { length, expected }),
        }
    }

    fn authorize(&mut self, channel: &mut Channel<'_>, answer: &AdminResponse) -> Result<(), CardError> {
        let admin = self.admin()?;
        let expected = admin.challenge_length();
        if answer.length() != expected {
            return Err(CardError::AnswerLength { length: answer.length(), expected });
        }
        let command = commands::external_authenticate(admin.algorithm, admin.reference, answer);
        send(channel, "EXTERNAL AUTHENTICATE", &command).map(drop)
    }

    fn reset_with_code(
        &mut self,
        channel: &mut Channel<'_>,
        proof: Proof,
        code: &Code,
        new: &Pin,
    ) -> Result<(), CardError> {
        if !self.takes(proof) || proof != Proof::Puk {
            return Err(CardError::NotTaken { family: self.family(), proof });
        }
        send(channel, "RESET RETRY COUNTER (code)", &self.reset_by_code(code, new)).map(drop)
    }

    fn set_pin(&mut self, channel: &mut Channel<'_>, pin: &Pin) -> Result<(), CardError> {
        let command = commands::reset_retry_counter(self.profile.set_pin_reference(), self.block(pin.expose()));
        send(channel, "RESET RETRY COUNTER", &command).map(drop)
    }

    fn splits_by_length(&self) -> bool {
        self.profile.pin.padding.is_none()
    }

    fn change_pin(&mut self, channel: &mut Channel<'_>, current: &Pin, new: &Pin) -> Result<(), CardError> {
        self.send_pin(channel, "CHANGE REFERENCE DATA", &self.change(current, new))
    }

    fn verify_pin(&mut self, channel: &mut Channel<'_>, pin: &Pin) -> Result<(), CardError> {
        self.send_pin(channel, "VERIFY", &self.verify(pin))
    }

    fn forget(&mut self, _channel: &mut Channel<'_>) -> Result<(), CardError> {
        // ISO 7816-4 leaves it to the card whether VERIFY with P1 = FF logs out; the reset at the end always does.
        Ok(())
    }

    fn certificate_files(&mut self, _channel: &mut Channel<'_>) -> Result<Vec<String>, CardError> {
        // ISO 7816-4 has no table of certificates; ISO 7816-15 cards are not described by a profile.
        Ok(Vec::new())
    }

    fn plan(&self, proof: Proof) -> CardPlan {
        let stand_in = stand_in_pin(self.limits());
        let mut plan = CardPlan::default();
        if let Some(admin) = &self.profile.admin {
            plan.before("take the challenge", Self::get_challenge(admin));
        }
        let confirm = self.confirm_command().map(|(_, command)| command);
        match (proof, &self.profile.admin) {
            (Proof::AdminAnswer, Some(admin)) => {
                let zeros = AdminResponse::new(&vec![0; admin.challenge_length()]);
                plan.after(
                    "answer the challenge",
                    commands::external_authenticate(admin.algorithm, admin.reference, &zeros),
                );
                if let Some(command) = confirm {
                    plan.after("confirm the card ID", command);
                }
                let block = self.block(stand_in.expose());
                plan.after("set the PIN", commands::reset_retry_counter(self.profile.set_pin_reference(), block));
            }
            (Proof::Puk, _) => {
                if let Some(command) = confirm {
                    plan.after("confirm the card ID", command);
                }
                plan.after("set the PIN with the unblocking code", self.reset_by_code(&Code::zeros(8), &stand_in));
            }
            // What `takes` has refused.
            (Proof::AdminAnswer, None) | (Proof::AdminPin | Proof::ResettingCode, _) => {}
            (Proof::CurrentPin, _) => {
                if self.profile.pin.status_query {
                    plan.after("read the tries left", commands::verify_status(self.profile.pin.of_verify()));
                }
                if let Some(command) = confirm {
                    plan.after("confirm the card ID", command);
                }
                if self.splits_by_length() {
                    plan.after("verify the current PIN", self.verify(&stand_in));
                }
                plan.after("change the PIN", self.change(&stand_in, &stand_in));
            }
        }
        plan.after("verify the PIN", self.verify(&stand_in));
        plan
    }
}

/// As [`send`], and takes a file that ends early for what it is.
fn read(channel: &mut Channel<'_>, name: &'static str, command: &Command) -> Result<Response, CardError> {
    let response = channel.send(command).map_err(|source| CardError::NoAnswer { command: name, source })?;
    match response.status() {
        Status::OK => Ok(response),
        END_OF_FILE if !response.data().is_empty() => Ok(response),
        status => Err(CardError::Refused { command: name, status }),
    }
}

/// The application in words.
pub(super) fn title(profile: &Profile) -> String {
    format!("ISO 7816-4, profile {:?}", profile.name)
}

#[cfg(test)]
mod tests;
