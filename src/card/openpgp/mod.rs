//! The OpenPGP card, application version 2.0 to 3.4: Nitrokey, YubiKey, ZeitControl, Gnuk.
//!
//! The user PIN is PW1. The administrator sets it with his own password (PW3, VERIFY and then RESET RETRY COUNTER) or with the
//! resetting code; or the current PW1 is changed. There is no admin key: a challenge binds to no authentication.

pub mod commands;
pub mod data;
#[cfg(test)]
mod tests;

use self::data::{Aid, ApplicationData, PwStatus};
use super::proof::family_takes;
use super::{
    Card, CardError, CardId, CardPlan, Challenge, IdOrder, PinCharacters, PinLimits, Proof, SecretReport, Tries, send,
    stand_in_pin,
};
use crate::apdu::{Channel, Command, Response, Status, tlv};
use crate::secret::{AdminResponse, Code, Pin, SecretBytes};

/// Fewest characters of PW1 (§4.3).
const PW1_MIN: usize = 6;

/// Fewest bytes of PW3 and of the resetting code (§4.3).
const CODE_MIN: usize = 8;

/// Bytes of the challenge that the server's call wants: as many as an admin challenge has on other cards.
const CHALLENGE_LENGTH: usize = 8;

/// VERIFY of PW1 asks for it with 82: as good a proof as 81 (one PW1, one counter), without opening the signature key.
const PROVE_PW1: u8 = commands::PW1_OTHER;

/// An OpenPGP card whose application is selected.
#[derive(Debug)]
pub struct OpenPgp {
    order: IdOrder,
    /// The application related data, as they were read to make sure of the application; for the first identification.
    told: Option<Vec<u8>>,
    data: Option<ApplicationData>,
    /// A password was tried since the counters were read.
    tried: bool,
    /// The card has said that passwords are sent as they are.
    plain_passwords: bool,
}

impl OpenPgp {
    /// A card that has answered the SELECT; `order` is how its ID becomes GUID text.
    #[must_use]
    pub fn new(order: IdOrder) -> Self {
        Self { order, told: None, data: None, tried: false, plain_passwords: false }
    }

    /// The same, with its answer to [`identification`].
    #[must_use]
    pub fn told(order: IdOrder, answer: &Response) -> Self {
        Self { told: Some(answer.data().to_vec()), ..Self::new(order) }
    }

    /// Whether an answer to SELECT may come from OpenPGP. Cards answer `9000` without data, as cards that know nothing of the
    /// application do, too ([`OpenPgp::says_so`] then tells), or with file control information in one of several templates, in
    /// which their application identifier must stand.
    #[must_use]
    pub fn is_selected(response: &Response) -> bool {
        response.status().is_ok() && (response.data().is_empty() || names_itself(response.data()))
    }

    /// Whether an answer to [`identification`] comes from OpenPGP.
    #[must_use]
    pub fn says_so(response: &Response) -> bool {
        response.status().is_ok() && names_itself(response.data())
    }

    fn data(&self) -> Result<&ApplicationData, CardError> {
        self.data.as_ref().ok_or(CardError::Incomplete { object: "session", missing: "identified card" })
    }

    /// Lengths and counters: those of the identification, read anew where a password was tried since.
    fn status(&mut self, channel: &mut Channel<'_>) -> Result<PwStatus, CardError> {
        if !self.tried {
            return Ok(self.data()?.status);
        }
        let response = send(channel, "GET DATA PW status", &commands::get_data(commands::PW_STATUS))?;
        let missing = CardError::Incomplete { object: "PW status bytes", missing: "counters" };
        // A primitive object is its value; some cards give the tag as well.
        let value = tlv::find(response.data(), 0xC4).ok().flatten().unwrap_or(response.data());
        let status = PwStatus::parse(value).ok_or(missing)?;
        if let Some(data) = &mut self.data {
            data.status = status;
        }
        self.tried = false;
        Ok(status)
    }

    /// A card that wants derived passwords would take every plain one for a wrong one.
    fn insist_on_plain_passwords(&mut self, channel: &mut Channel<'_>, proof: Proof) -> Result<(), CardError> {
        let data = *self.data()?;
        let [pw1, code, pw3] = data.status.pin_block;
        // The new PIN is a PW1, whatever proves the right to set it.
        if pw1 || (code && proof == Proof::ResettingCode) || (pw3 && proof == Proof::AdminPin) {
            return Err(CardError::OtherPinFormat { format: "as PIN blocks of format 2" });
        }
        if data.capabilities.kdf && !self.plain_passwords {
            let derived = match send(channel, "GET DATA KDF-DO", &commands::get_data(commands::KDF)) {
                Ok(response) => data::derives_passwords(response.data())?,
                Err(CardError::Refused { status, .. }) if status.is_absent() => false,
                Err(error) => return Err(error),
            };
            if derived {
                return Err(CardError::OtherPinFormat { format: "derived by a key derivation function (KDF-DO)" });
            }
        }
        self.plain_passwords = true;
        Ok(())
    }

    /// Sends a password. A card that refuses it without its counter (`6982` on many, `6300`) is asked for it.
    fn risk(
        &mut self,
        channel: &mut Channel<'_>,
        name: &'static str,
        command: &Command,
        left: fn(&PwStatus) -> Tries,
    ) -> Result<(), CardError> {
        self.tried = true;
        match send(channel, name, command) {
            Err(CardError::Refused { command, status: status @ (Status::WRONG | Status::SECURITY_STATUS) }) => {
                // The refusal is what counts, also where the card is pulled now.
                match self.status(channel).map(|now| left(&now)) {
                    Ok(Tries::Left { left, .. }) => Err(CardError::Wrong { command, status, left }),
                    Ok(Tries::Untold) | Err(_) => Err(CardError::Refused { command, status }),
                }
            }
            result => result.map(drop),
        }
    }

    /// Replaces PW3. **Costs a try of it when `current` is wrong.**
    ///
    /// The card tells the two apart by the length of its own PW3, so `current` is verified by itself first: its beginning
    /// would pass for it otherwise.
    ///
    /// # Errors
    /// The card's refusal; a length that this card's PW3 can't have.
    pub fn change_admin_pin(&mut self, channel: &mut Channel<'_>, current: &Code, new: &Code) -> Result<(), CardError> {
        if let Some((min, max)) =
            self.code_lengths(Proof::AdminPin).filter(|(min, max)| !(*min..=*max).contains(&new.length()))
        {
            return Err(CardError::PinLength { length: new.length(), min, max });
        }
        self.authorize_with_code(channel, current)?;
        let command = commands::change_reference_data(commands::PW3, joined(current.expose(), new.expose()));
        self.risk(channel, "CHANGE REFERENCE DATA (PW3)", &command, PwStatus::pw3)
    }
}

impl Card for OpenPgp {
    fn family(&self) -> &'static str {
        "openpgp"
    }

    fn title(&self) -> String {
        match &self.data {
            Some(ApplicationData { aid: Aid { version: [major, minor], .. }, .. }) => {
                format!("OpenPGP card {major:x}.{minor:x}")
            }
            None => "OpenPGP card".to_owned(),
        }
    }

    fn limits(&self) -> PinLimits {
        let max = self.data.map_or(Pin::MAX, |data| {
            let [pw1, _, _] = data.status.max;
            usize::from(pw1)
        });
        PinLimits { min: PW1_MIN, max, characters: PinCharacters::Ascii }
    }

    fn takes(&self, proof: Proof) -> bool {
        let has_code = || self.data.is_none_or(|data| data.status.has_resetting_code());
        family_takes(self.family(), proof) && (proof != Proof::ResettingCode || has_code())
    }

    fn identify(&mut self, channel: &mut Channel<'_>) -> Result<CardId, CardError> {
        // One command for who the card is, how long its passwords may be and how many tries they have left.
        let data = match self.told.take() {
            Some(told) => ApplicationData::parse(&told)?,
            None => {
                let response = send(channel, "GET DATA application related data", &identification())?;
                ApplicationData::parse(response.data())?
            }
        };
        self.data = Some(data);
        self.tried = false;
        Ok(data.aid.card_id(self.order)?)
    }

    fn confirm(&mut self, channel: &mut Channel<'_>) -> Result<CardId, CardError> {
        let response = send(channel, "GET DATA application identifier", &commands::get_data(commands::FULL_AID))?;
        let value = tlv::find(response.data(), 0x4F).ok().flatten().unwrap_or(response.data());
        let aid = Aid::parse(value)
            .ok_or(CardError::Incomplete { object: "application identifier", missing: "serial number" })?;
        Ok(aid.card_id(self.order)?)
    }

    fn challenge_survives_reading(&self) -> bool {
        // Nothing answers it.
        true
    }

    fn has_admin_challenge(&self) -> bool {
        false
    }

    fn gives_challenge(&self) -> bool {
        // Also where the capabilities don't announce it: they are wrong on cards in the field, and a refusal costs nothing.
        true
    }

    fn tries_left(&mut self, channel: &mut Channel<'_>) -> Result<Tries, CardError> {
        Ok(self.status(channel)?.pw1())
    }

    fn proof_tries_left(&mut self, channel: &mut Channel<'_>, proof: Proof) -> Result<Tries, CardError> {
        self.insist_on_plain_passwords(channel, proof)?;
        let status = self.status(channel)?;
        Ok(match proof {
            Proof::CurrentPin => status.pw1(),
            Proof::AdminPin => status.pw3(),
            Proof::ResettingCode => status.resetting_code(),
            Proof::AdminAnswer | Proof::Puk => Tries::Untold,
        })
    }

    fn code_lengths(&self, proof: Proof) -> Option<(usize, usize)> {
        let [pw1, code, pw3] = self.data.as_ref()?.status.max.map(usize::from);
        match proof {
            Proof::CurrentPin => Some((PW1_MIN, pw1)),
            Proof::AdminPin => Some((CODE_MIN, pw3)),
            Proof::ResettingCode => Some((CODE_MIN, code)),
            Proof::AdminAnswer | Proof::Puk => None,
        }
    }

    fn secrets(&mut self, channel: &mut Channel<'_>) -> Result<Vec<SecretReport>, CardError> {
        let status = self.status(channel)?;
        // Which of them are the factory's only a try would tell.
        let report = |name, tries| SecretReport { name, tries, factory: None };
        Ok(vec![
            report("pin", status.pw1()),
            report("resetting-code", status.resetting_code()),
            report("admin-pin", status.pw3()),
        ])
    }

    fn challenge(&mut self, channel: &mut Channel<'_>) -> Result<Challenge, CardError> {
        let response = send(channel, "GET CHALLENGE", &commands::get_challenge(CHALLENGE_LENGTH))?;
        match response.data().len() {
            CHALLENGE_LENGTH => Ok(Challenge(response.data().to_vec())),
            length => Err(CardError::ChallengeLength { length, expected: CHALLENGE_LENGTH }),
        }
    }

    fn authorize(&mut self, _channel: &mut Channel<'_>, _answer: &AdminResponse) -> Result<(), CardError> {
        Err(CardError::NotTaken { family: self.family(), proof: Proof::AdminAnswer })
    }

    fn authorize_with_code(&mut self, channel: &mut Channel<'_>, code: &Code) -> Result<(), CardError> {
        let command = commands::verify(commands::PW3, SecretBytes::copy_of(code.expose()));
        self.risk(channel, "VERIFY (PW3)", &command, PwStatus::pw3)
    }

    fn reset_with_code(
        &mut self,
        channel: &mut Channel<'_>,
        proof: Proof,
        code: &Code,
        new: &Pin,
    ) -> Result<(), CardError> {
        if proof != Proof::ResettingCode {
            return Err(CardError::NotTaken { family: self.family(), proof });
        }
        let command = commands::reset_with_code(joined(code.expose(), new.expose()));
        self.risk(channel, "RESET RETRY COUNTER (code)", &command, PwStatus::resetting_code)
    }

    fn set_pin(&mut self, channel: &mut Channel<'_>, pin: &Pin) -> Result<(), CardError> {
        let command = commands::reset_retry_counter(SecretBytes::copy_of(pin.expose()));
        self.tried = true;
        send(channel, "RESET RETRY COUNTER", &command).map(drop)
    }

    fn splits_by_length(&self) -> bool {
        true
    }

    fn change_pin(&mut self, channel: &mut Channel<'_>, current: &Pin, new: &Pin) -> Result<(), CardError> {
        let command = commands::change_reference_data(commands::PW1, joined(current.expose(), new.expose()));
        self.risk(channel, "CHANGE REFERENCE DATA", &command, PwStatus::pw1)
    }

    fn verify_pin(&mut self, channel: &mut Channel<'_>, pin: &Pin) -> Result<(), CardError> {
        let command = commands::verify(PROVE_PW1, SecretBytes::copy_of(pin.expose()));
        self.risk(channel, "VERIFY", &command, PwStatus::pw1)
    }

    fn forget(&mut self, channel: &mut Channel<'_>) -> Result<(), CardError> {
        send(channel, "VERIFY (log out)", &commands::log_out(PROVE_PW1))?;
        send(channel, "VERIFY (log out)", &commands::log_out(commands::PW3)).map(drop)
    }

    fn certificate_files(&mut self, _channel: &mut Channel<'_>) -> Result<Vec<String>, CardError> {
        // One object for certificates and no table of them.
        Ok(Vec::new())
    }

    fn plan(&self, proof: Proof) -> CardPlan {
        let mut plan = CardPlan::default();
        let pin = stand_in_pin(self.limits());
        let plain = |pin: &Pin| SecretBytes::copy_of(pin.expose());
        let code = Code::zeros(CODE_MIN);
        plan.before("take a challenge for the server's call", commands::get_challenge(CHALLENGE_LENGTH));
        if self.data.is_some_and(|data| data.capabilities.kdf) {
            plan.after("make sure that passwords are sent as they are", commands::get_data(commands::KDF));
        }
        plan.after("confirm the card ID", commands::get_data(commands::FULL_AID));
        match proof {
            Proof::AdminPin => {
                let code = SecretBytes::copy_of(code.expose());
                plan.after("verify the admin PIN (PW3)", commands::verify(commands::PW3, code));
                plan.after("set the PIN", commands::reset_retry_counter(plain(&pin)));
            }
            Proof::ResettingCode => {
                let both = joined(code.expose(), pin.expose());
                plan.after("set the PIN with the resetting code", commands::reset_with_code(both));
            }
            Proof::CurrentPin => {
                plan.after("verify the current PIN", commands::verify(PROVE_PW1, plain(&pin)));
                let both = joined(pin.expose(), pin.expose());
                plan.after("change the PIN", commands::change_reference_data(commands::PW1, both));
            }
            // What `takes` has refused.
            Proof::AdminAnswer | Proof::Puk => {}
        }
        plan.after("verify the PIN", commands::verify(PROVE_PW1, plain(&pin)));
        plan
    }
}

/// The command that tells who the card is: GET DATA of the application related data.
#[must_use]
pub fn identification() -> Command {
    commands::get_data(commands::APPLICATION_RELATED_DATA)
}

fn names_itself(data: &[u8]) -> bool {
    data.windows(commands::AID.len()).any(|window| window == commands::AID)
}

/// Two passwords without a separator.
fn joined(first: &[u8], second: &[u8]) -> SecretBytes {
    let mut both = SecretBytes::with_capacity(first.len() + second.len());
    let fits = both.append(first) && both.append(second);
    debug_assert!(fits, "the buffer is made for both");
    both
}
