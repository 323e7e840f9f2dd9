//! The OpenPGP card, application version 2.0 to 3.4: Nitrokey, YubiKey, ZeitControl, Gnuk.
//!
//! The user PIN is PW1. The administrator sets it with his own password (PW3, VERIFY and then RESET RETRY COUNTER) or with the
//! resetting code; or the current PW1 is changed. There is no admin key: a challenge binds to no authentication.

mod change;
pub mod commands;
pub mod data;
#[cfg(test)]
mod tests;

use self::data::{Aid, ApplicationData, PwStatus};
use super::challenge::{AdminChallenge, Challenge, ChallengeUse};
use super::credential::Credential;
use super::error::CardError;
use super::id::{CardId, IdOrder};
use super::pin::{PinCharacters, PinLimits, SecretReport, Tries};
use super::proof::{Family, Proof};
use super::send::send_step;
use super::step::{ReadStep, RiskyStep, StepCommand};
use super::{Card, CodeChange};
use crate::apdu::{Channel, Command, Response, Status, tlv};
use crate::secret::{Code, Pin, SecretBytes};

/// Fewest characters of PW1 (§4.3).
const PW1_MIN: usize = 6;

/// Fewest bytes of PW3 and of the resetting code (§4.3).
const CODE_MIN: usize = 8;

/// Bytes of the challenge: as many as an admin challenge has on other cards.
const CHALLENGE_LENGTH: usize = 8;

/// The reference of PW1 in VERIFY. 82 proves the PIN as well as 81 does (there is one PW1 with one counter), and leaves the
/// signature key closed.
const PROVE_PW1: u8 = commands::PW1_OTHER;

/// An OpenPGP card whose application is selected.
#[derive(Debug)]
pub struct OpenPgp {
    order: IdOrder,
    /// The application related data that were read to make sure of the application: the first identification takes them.
    identification: Option<Vec<u8>>,
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
        Self { order, identification: None, data: None, tried: false, plain_passwords: false }
    }

    /// A card that has answered the SELECT and [`identification`].
    #[must_use]
    pub fn identified_by(order: IdOrder, answer: &Response) -> Self {
        Self { identification: Some(answer.data().to_vec()), ..Self::new(order) }
    }

    /// Whether an answer to SELECT may come from OpenPGP. Some cards answer `9000` without data, as cards do that know nothing of
    /// the application ([`OpenPgp::is_identification`] tells them apart). Others answer with file control information in one of
    /// several templates, and their application identifier must stand in it.
    #[must_use]
    pub fn is_selected(response: &Response) -> bool {
        response.status().is_ok() && (response.data().is_empty() || has_aid(response.data()))
    }

    /// Whether an answer to [`identification`] comes from OpenPGP.
    #[must_use]
    pub fn is_identification(response: &Response) -> bool {
        response.status().is_ok() && has_aid(response.data())
    }

    fn data(&self) -> Result<&ApplicationData, CardError> {
        self.data.as_ref().ok_or(CardError::Incomplete { object: "session", missing: "identified card" })
    }

    /// Lengths and counters: those of the identification, read anew where a password was tried since.
    fn status(&mut self, channel: &mut Channel<'_>) -> Result<PwStatus, CardError> {
        if !self.tried {
            return Ok(self.data()?.status);
        }
        let command = get_data("GET DATA PW status", "read the tries left", commands::PW_STATUS);
        let response = send_step(channel, &command)?;
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

    /// Refuses a card that wants its passwords derived or in blocks: it would count every plain one as wrong.
    fn insist_on_plain_passwords(&mut self, channel: &mut Channel<'_>, proof: Proof) -> Result<(), CardError> {
        let data = *self.data()?;
        let [pw1, code, pw3] = data.status.pin_block;
        // The new PIN is a PW1, whatever proves the right to set it.
        if pw1 || (code && proof == Proof::ResettingCode) || (pw3 && proof == Proof::AdminPin) {
            return Err(CardError::OtherPinFormat { format: "as PIN blocks of format 2" });
        }
        if data.capabilities.kdf && !self.plain_passwords {
            let derived = match send_step(channel, &kdf_command()) {
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

    /// Sends a password, once. A card that refuses it without its counter (`6982` on many, `6300`) is asked for it. **Costs a try
    /// of the password when it is wrong.**
    fn send_password(
        &mut self,
        channel: &mut Channel<'_>,
        command: &StepCommand,
        left: fn(&PwStatus) -> Tries,
    ) -> Result<(), CardError> {
        self.tried = true;
        match send_step(channel, command) {
            Err(CardError::Refused { command, status: status @ (Status::WRONG | Status::SECURITY_STATUS) }) => {
                match self.status(channel).map(|now| left(&now)) {
                    Ok(Tries::Left { left, .. }) => Err(CardError::Wrong { command, status, left }),
                    // The refusal stands without its counter, also where the card was pulled before it could be asked.
                    Ok(Tries::Untold) | Err(_) => Err(CardError::Refused { command, status }),
                }
            }
            result => result.map(drop),
        }
    }
}

impl Card for OpenPgp {
    fn family(&self) -> Family {
        Family::OpenPgp
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
        self.family().takes(proof) && (proof != Proof::ResettingCode || has_code())
    }

    fn why_not(&self, proof: Proof) -> Option<&'static str> {
        match proof {
            Proof::AdminAnswer => self.family().no_admin_answer(),
            Proof::ResettingCode if !self.takes(proof) => Some("its resetting code is not set, or blocked"),
            Proof::ResettingCode | Proof::Puk | Proof::AdminPin | Proof::CurrentPin => None,
        }
    }

    fn identify(&mut self, channel: &mut Channel<'_>) -> Result<CardId, CardError> {
        // One command for who the card is, how long its passwords may be and how many tries they have left.
        let data = match self.identification.take() {
            Some(told) => ApplicationData::parse(&told)?,
            None => {
                let (name, purpose) = ("GET DATA application related data", "identify the card");
                let command = StepCommand { name, purpose, command: identification() };
                ApplicationData::parse(send_step(channel, &command)?.data())?
            }
        };
        self.data = Some(data);
        self.tried = false;
        Ok(data.aid.card_id(self.order)?)
    }

    fn confirm(&mut self, channel: &mut Channel<'_>) -> Result<CardId, CardError> {
        let response = send_step(channel, &confirm_command())?;
        let value = tlv::find(response.data(), 0x4F).ok().flatten().unwrap_or(response.data());
        let aid = Aid::parse(value)
            .ok_or(CardError::Incomplete { object: "application identifier", missing: "serial number" })?;
        Ok(aid.card_id(self.order)?)
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
        // Only a try would tell which of them are still the factory's.
        let report = |name, tries| SecretReport { name, tries, factory: None };
        Ok(vec![
            report("pin", status.pw1()),
            report("resetting-code", status.resetting_code()),
            report("admin-pin", status.pw3()),
        ])
    }

    fn challenge_use(&self) -> Option<ChallengeUse> {
        // The card is asked also where its capabilities don't announce it: they are wrong on cards in the field, and a refusal
        // costs nothing.
        Some(ChallengeUse::Random)
    }

    fn challenge_survives_reading(&self) -> bool {
        // Nothing answers it, so nothing can spoil it.
        true
    }

    fn challenge(&mut self, channel: &mut Channel<'_>) -> Result<Challenge, CardError> {
        let response = send_step(channel, &challenge_command())?;
        match <[u8; CHALLENGE_LENGTH]>::try_from(response.data()) {
            Ok(bytes) => Ok(Challenge::Admin(AdminChallenge::Eight(bytes))),
            Err(_) => Err(CardError::ChallengeLength { length: response.data().len(), expected: CHALLENGE_LENGTH }),
        }
    }

    fn read_commands(&self, step: ReadStep) -> Vec<StepCommand> {
        match step {
            ReadStep::Challenge => vec![challenge_command()],
            // The counters were read by the identification.
            ReadStep::Tries { .. } if self.data.is_some_and(|data| data.capabilities.kdf) => vec![kdf_command()],
            ReadStep::Tries { .. } => Vec::new(),
            ReadStep::CardId => vec![confirm_command()],
        }
    }

    fn risky_commands(&self, step: &RiskyStep<'_>) -> Result<Vec<StepCommand>, CardError> {
        let command = match step {
            RiskyStep::Authorize(Credential::AdminPin(code)) => verify_pw3(code),
            // The code goes with the new PIN.
            RiskyStep::Authorize(Credential::ResettingCode(_)) => return Ok(Vec::new()),
            // The change tells the two PINs apart by the length of the card's own. The beginning of the right PIN would pass for
            // it there, and set a PIN that nobody meant, so the current one is verified by itself first.
            RiskyStep::Authorize(Credential::CurrentPin(current)) => verify_pw1("verify the current PIN", current),
            RiskyStep::SetPin(Credential::AdminPin(_), new) => StepCommand {
                name: "RESET RETRY COUNTER",
                purpose: "set the PIN",
                command: commands::reset_retry_counter(SecretBytes::copy_of(new.expose())),
            },
            RiskyStep::SetPin(Credential::ResettingCode(code), new) => StepCommand {
                name: "RESET RETRY COUNTER (code)",
                purpose: "set the PIN with the resetting code",
                command: commands::reset_with_code(joined(code.expose(), new.expose())),
            },
            RiskyStep::SetPin(Credential::CurrentPin(current), new) => StepCommand {
                name: "CHANGE REFERENCE DATA",
                purpose: "change the PIN",
                command: commands::change_reference_data(commands::PW1, joined(current.expose(), new.expose())),
            },
            RiskyStep::Verify(pin) => verify_pw1("verify the PIN", pin),
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
            RiskyStep::SetPin(Credential::AdminPin(_), _) => {
                // Carries no password that could be wrong: `6982` says that PW3 is not verified.
                self.tried = true;
                send_step(channel, command).map(drop)
            }
            RiskyStep::Authorize(Credential::AdminPin(_)) => self.send_password(channel, command, PwStatus::pw3),
            RiskyStep::SetPin(Credential::ResettingCode(_), _) => {
                self.send_password(channel, command, PwStatus::resetting_code)
            }
            RiskyStep::Authorize(_) | RiskyStep::SetPin(..) | RiskyStep::Verify(_) => {
                self.send_password(channel, command, PwStatus::pw1)
            }
        }
    }

    fn forget(&mut self, channel: &mut Channel<'_>) -> Result<(), CardError> {
        for reference in [PROVE_PW1, commands::PW3] {
            let (name, purpose) = ("VERIFY (log out)", "end what was verified");
            send_step(channel, &StepCommand { name, purpose, command: commands::log_out(reference) })?;
        }
        Ok(())
    }

    fn code_change(&mut self) -> Option<&mut dyn CodeChange> {
        Some(self)
    }
}

/// The command that tells who the card is: GET DATA of the application related data.
#[must_use]
pub fn identification() -> Command {
    commands::get_data(commands::APPLICATION_RELATED_DATA)
}

fn get_data(name: &'static str, purpose: &'static str, tag: u16) -> StepCommand {
    StepCommand { name, purpose, command: commands::get_data(tag) }
}

fn confirm_command() -> StepCommand {
    get_data("GET DATA application identifier", "confirm the card ID", commands::FULL_AID)
}

fn kdf_command() -> StepCommand {
    get_data("GET DATA KDF-DO", "make sure that passwords are sent as they are", commands::KDF)
}

fn challenge_command() -> StepCommand {
    StepCommand {
        name: "GET CHALLENGE",
        purpose: "take a challenge for the server's call",
        command: commands::get_challenge(CHALLENGE_LENGTH),
    }
}

fn verify_pw1(purpose: &'static str, pin: &Pin) -> StepCommand {
    let command = commands::verify(PROVE_PW1, SecretBytes::copy_of(pin.expose()));
    StepCommand { name: "VERIFY", purpose, command }
}

fn verify_pw3(code: &Code) -> StepCommand {
    let command = commands::verify(commands::PW3, SecretBytes::copy_of(code.expose()));
    StepCommand { name: "VERIFY (PW3)", purpose: "verify the admin PIN (PW3)", command }
}

fn has_aid(data: &[u8]) -> bool {
    data.windows(commands::AID.len()).any(|window| window == commands::AID)
}

/// Two passwords without a separator.
fn joined(first: &[u8], second: &[u8]) -> SecretBytes {
    let mut both = SecretBytes::with_capacity(first.len() + second.len());
    let fits = both.append(first) && both.append(second);
    debug_assert!(fits, "the buffer is made for both");
    both
}
