//! A generic ISO 7816-4 card, with its references from a [`Profile`].
//!
//! The administrator proves himself with GET CHALLENGE and EXTERNAL AUTHENTICATE, then RESET RETRY COUNTER sets the PIN; or
//! the current PIN is replaced by CHANGE REFERENCE DATA.

pub mod commands;

use super::profile::{Admin, Profile};
use super::proof::family_takes;
use super::{Card, CardError, CardId, CardPlan, Challenge, PinLimits, Proof, Tries, send, stand_in_pin};
use crate::apdu::{Channel, Command, Status, tlv};
use crate::secret::{AdminResponse, Pin, SecretBytes};

/// Bytes of a card ID.
const ID_LENGTH: usize = 16;

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

    /// The PIN as the card wants it: as it is, or filled up.
    fn block(&self, pin: &Pin) -> SecretBytes {
        let padding = self.profile.pin.padding.map(|byte| (byte, self.profile.pin.padded_length));
        let length = padding.map_or(pin.length(), |(_, length)| length.max(pin.length()));
        let mut block = SecretBytes::with_capacity(length);
        let mut fits = block.append(pin.expose());
        if let Some((byte, _)) = padding {
            fits &= block.append(&vec![byte; length - pin.length()]);
        }
        debug_assert!(fits, "the buffer is made for the padded PIN");
        block
    }

    fn old_and_new(&self, current: &Pin, new: &Pin) -> Command {
        let (current, new) = (self.block(current), self.block(new));
        let mut both = SecretBytes::with_capacity(current.len() + new.len());
        let fits = both.append(current.expose()) && both.append(new.expose());
        debug_assert!(fits, "the buffer is made for both PINs");
        commands::change_reference_data(self.profile.pin.reference, both)
    }

    /// The commands that read the card ID: a file or a data object.
    fn id_commands(&self) -> Vec<(&'static str, Command)> {
        match (&self.profile.card_id.file, &self.profile.card_id.data_object) {
            (Some(file), _) => {
                let identifier = [file.0.first().copied().unwrap_or(0), file.0.get(1).copied().unwrap_or(0)];
                vec![
                    ("SELECT card ID file", commands::select_file(identifier)),
                    ("READ BINARY card ID", commands::read_binary(ID_LENGTH)),
                ]
            }
            (None, Some(tag)) => vec![("GET DATA card ID", commands::get_data(number(&tag.0)))],
            (None, None) => Vec::new(),
        }
    }

    /// The last of [`Self::id_commands`]: the file that it reads is still the current one.
    fn confirm_command(&self) -> Option<(&'static str, Command)> {
        self.id_commands().pop()
    }

    fn read_id(
        &self,
        channel: &mut Channel<'_>,
        commands: impl IntoIterator<Item = (&'static str, Command)>,
    ) -> Result<CardId, CardError> {
        let mut answer = None;
        for (name, command) in commands {
            answer = Some(send(channel, name, &command)?);
        }
        let answer = answer.ok_or(CardError::Incomplete { object: "profile", missing: "place of the card ID" })?;
        let data = answer.data();
        // Some cards give the whole data object, most its value.
        let wrapped = self.profile.card_id.data_object.as_ref().and_then(|tag| {
            let tag = u32::from(number(&tag.0));
            (data.len() > ID_LENGTH).then(|| tlv::find(data, tag).ok().flatten()).flatten()
        });
        Ok(CardId::new(wrapped.unwrap_or(data), self.profile.card_id.order)?)
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
        family_takes(self.family(), proof) && (proof != Proof::AdminAnswer || self.profile.admin.is_some())
    }

    fn identify(&mut self, channel: &mut Channel<'_>) -> Result<CardId, CardError> {
        self.read_id(channel, self.id_commands())
    }

    fn confirm(&mut self, channel: &mut Channel<'_>) -> Result<CardId, CardError> {
        self.read_id(channel, self.confirm_command())
    }

    fn challenge_survives_reading(&self) -> bool {
        // ISO 7816-4 §7.5.3: the challenge is valid at least for the next command, and on many cards for no other.
        false
    }

    fn has_admin_challenge(&self) -> bool {
        self.profile.admin.is_some()
    }

    fn tries_left(&mut self, channel: &mut Channel<'_>) -> Result<Tries, CardError> {
        if !self.profile.pin.status_query {
            return Ok(Tries::Untold);
        }
        let command = commands::verify_status(self.profile.pin.reference);
        let name = "VERIFY (status)";
        let response = channel.send(&command).map_err(|source| CardError::NoAnswer { command: name, source })?;
        match (response.status(), response.status().tries_left()) {
            (_, Some(left)) => Ok(Tries::Left { left, max: None }),
            // Verified, or no verification needed: the counter isn't told.
            (Status::OK | Status::WRONG, None) => Ok(Tries::Untold),
            (status, None) => Err(CardError::Refused { command: name, status }),
        }
    }

    fn challenge(&mut self, channel: &mut Channel<'_>) -> Result<Challenge, CardError> {
        let admin = self.admin()?;
        let command = commands::get_challenge(admin.challenge_p1, admin.challenge_length);
        let response = send(channel, "GET CHALLENGE", &command)?;
        let expected = usize::from(admin.challenge_length);
        match response.data().len() {
            length if length == expected => Ok(Challenge(response.data().to_vec())),
            length => Err(CardError::ChallengeLength { length, expected }),
        }
    }

    fn authorize(&mut self, channel: &mut Channel<'_>, answer: &AdminResponse) -> Result<(), CardError> {
        let admin = self.admin()?;
        let expected = usize::from(admin.challenge_length);
        if answer.length() != expected {
            return Err(CardError::AnswerLength { length: answer.length(), expected });
        }
        let command = commands::external_authenticate(admin.algorithm, admin.reference, answer);
        send(channel, "EXTERNAL AUTHENTICATE", &command).map(drop)
    }

    fn set_pin(&mut self, channel: &mut Channel<'_>, pin: &Pin) -> Result<(), CardError> {
        let command = commands::reset_retry_counter(self.profile.pin.reference, self.block(pin));
        send(channel, "RESET RETRY COUNTER", &command).map(drop)
    }

    fn splits_by_length(&self) -> bool {
        self.profile.pin.padding.is_none()
    }

    fn change_pin(&mut self, channel: &mut Channel<'_>, current: &Pin, new: &Pin) -> Result<(), CardError> {
        send(channel, "CHANGE REFERENCE DATA", &self.old_and_new(current, new)).map(drop)
    }

    fn verify_pin(&mut self, channel: &mut Channel<'_>, pin: &Pin) -> Result<(), CardError> {
        send(channel, "VERIFY", &commands::verify(self.profile.pin.reference, self.block(pin))).map(drop)
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
        let reference = self.profile.pin.reference;
        let mut plan = CardPlan::default();
        if let Some(admin) = self.profile.admin {
            plan.before("take the challenge", commands::get_challenge(admin.challenge_p1, admin.challenge_length));
        }
        match (proof, self.profile.admin) {
            (Proof::AdminAnswer, Some(admin)) => {
                let zeros = AdminResponse::new(&vec![0; usize::from(admin.challenge_length)]);
                plan.after(
                    "answer the challenge",
                    commands::external_authenticate(admin.algorithm, admin.reference, &zeros),
                );
                if let Some((_, command)) = self.confirm_command() {
                    plan.after("confirm the card ID", command);
                }
                plan.after("set the PIN", commands::reset_retry_counter(reference, self.block(&stand_in)));
            }
            // What `takes` has refused.
            (Proof::AdminAnswer, None) | (Proof::Puk | Proof::AdminPin | Proof::ResettingCode, _) => {}
            (Proof::CurrentPin, _) => {
                if self.profile.pin.status_query {
                    plan.after("read the tries left", commands::verify_status(reference));
                }
                if let Some((_, command)) = self.confirm_command() {
                    plan.after("confirm the card ID", command);
                }
                if self.splits_by_length() {
                    plan.after("verify the current PIN", commands::verify(reference, self.block(&stand_in)));
                }
                plan.after("change the PIN", self.old_and_new(&stand_in, &stand_in));
            }
        }
        plan.after("verify the PIN", commands::verify(reference, self.block(&stand_in)));
        plan
    }
}

/// The application in words.
pub(super) fn title(profile: &Profile) -> String {
    format!("ISO 7816-4, profile {:?}", profile.name)
}

/// A tag of one or two bytes.
fn number(tag: &[u8]) -> u16 {
    tag.iter().fold(0, |number, byte| number << 8 | u16::from(*byte))
}
