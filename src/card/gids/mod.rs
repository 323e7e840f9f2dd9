//! GIDS, the Generic Identity Device Specification: Windows virtual smart cards, GidsApplet and others.
//!
//! The user PIN is set by the administrator: an 8-byte challenge, a Triple DES answer, then RESET RETRY COUNTER. A card that
//! refuses that challenge is asked for mutual authentication, which a local admin key alone can answer.

pub mod commands;
pub mod master_file;
pub mod mutual;

use self::master_file::Location;
use self::mutual::{NONCE, NONCES, TOKEN};
use super::{
    Card, CardError, CardId, CardPlan, Challenge, IdOrder, PinCharacters, PinLimits, Proof, Tries, send, stand_in_pin,
};
use crate::apdu::{Channel, Response, Status, tlv};
use crate::secret::{AdminResponse, Pin};

const MASTER_FILE: Location = Location { file: 0xA000, object: 0xDF1F };

/// Where the Microsoft generic profile keeps the card ID: taken when a card has no readable master file.
const GENERIC_PROFILE_CARD_ID: Location = Location { file: 0xA012, object: 0xDF20 };

const PIN_STATUS: Location = Location { file: 0x3FFF, object: 0x7F71 };

const CHALLENGE_LENGTH: usize = 8;

const CHALLENGE: &str = "GENERAL AUTHENTICATE (challenge)";
const ANSWER: &str = "GENERAL AUTHENTICATE (answer)";

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
    /// R2 and R1 of a mutual authentication that waits for its token.
    nonces: Option<[u8; NONCES]>,
    random: fn(&mut [u8]) -> Result<(), getrandom::Error>,
}

impl Gids {
    /// A card that has answered the SELECT.
    #[must_use]
    pub fn new(order: IdOrder, limits: PinLimits) -> Self {
        Self { order, limits, card_id: GENERIC_PROFILE_CARD_ID, nonces: None, random: getrandom::fill }
    }

    /// Whether an answer to SELECT comes from GIDS: it has an application template with the identifier of GIDS in it (GIDS
    /// §3.1; Windows takes no card without it). A card that says `9000` to every SELECT is not one.
    #[must_use]
    pub fn is_selected(response: &Response) -> bool {
        let template = tlv::find(response.data(), 0x61).ok().flatten();
        let named = template.and_then(|template| tlv::find(template, 0x4F).ok().flatten());
        response.status().is_ok() && named.is_some_and(|aid| aid.starts_with(&commands::AID))
    }

    /// The long challenge of a card that refuses the short one: R2 of the card and R1 of ours.
    fn mutual_challenge(&mut self, channel: &mut Channel<'_>) -> Result<Challenge, CardError> {
        let mut host = [0; NONCE];
        (self.random)(&mut host).map_err(CardError::NoRandomness)?;
        let response = send(channel, "GENERAL AUTHENTICATE (mutual)", &commands::mutual_challenge(&host))?;
        let card = in_template(&response, "challenge", 0x81)?;
        let nonces = <[u8; NONCES]>::try_from([card.as_slice(), &host].concat())
            .map_err(|_| CardError::ChallengeLength { length: card.len(), expected: NONCE })?;
        self.nonces = Some(nonces);
        Ok(Challenge(nonces.to_vec()))
    }

    fn read_id(&self, channel: &mut Channel<'_>) -> Result<CardId, CardError> {
        let response = send(channel, "GET DATA cardid", &commands::get_data(self.card_id.file, self.card_id.object))?;
        let value = tlv::find(response.data(), self.card_id.object)
            .map_err(|source| CardError::Malformed { object: "cardid", source })?
            .ok_or(CardError::Incomplete { object: "cardid file", missing: "card ID" })?;
        Ok(CardId::new(value, self.order)?)
    }
}

impl Card for Gids {
    fn family(&self) -> &'static str {
        "gids"
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
            }
            None => self.card_id = GENERIC_PROFILE_CARD_ID,
        }
        self.read_id(channel)
    }

    fn confirm(&mut self, channel: &mut Channel<'_>) -> Result<CardId, CardError> {
        self.read_id(channel)
    }

    fn challenge_survives_reading(&self) -> bool {
        true
    }

    fn has_admin_challenge(&self) -> bool {
        true
    }

    fn tries_left(&mut self, channel: &mut Channel<'_>) -> Result<Tries, CardError> {
        let response = send(channel, "GET DATA PIN status", &commands::get_data(PIN_STATUS.file, PIN_STATUS.object))?;
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

    fn challenge(&mut self, channel: &mut Channel<'_>) -> Result<Challenge, CardError> {
        self.nonces = None;
        send(channel, "MSE SET", &commands::set_admin_environment())?;
        let challenge = match send(channel, CHALLENGE, &commands::admin_challenge()) {
            Ok(response) => in_template(&response, "challenge", 0x81)?,
            Err(CardError::Refused { status, .. }) if refuses_short(status) => return self.mutual_challenge(channel),
            Err(error) => return Err(error),
        };
        match challenge.len() {
            CHALLENGE_LENGTH => Ok(Challenge(challenge)),
            length => Err(CardError::ChallengeLength { length, expected: CHALLENGE_LENGTH }),
        }
    }

    fn authorize(&mut self, channel: &mut Channel<'_>, answer: &AdminResponse) -> Result<(), CardError> {
        if let Some(nonces) = self.nonces.take() {
            return authorize_mutually(channel, &nonces, answer);
        }
        if answer.length() != CHALLENGE_LENGTH {
            return Err(CardError::AnswerLength { length: answer.length(), expected: CHALLENGE_LENGTH });
        }
        send(channel, ANSWER, &commands::admin_answer(answer)).map(drop)
    }

    fn set_pin(&mut self, channel: &mut Channel<'_>, pin: &Pin) -> Result<(), CardError> {
        send(channel, "RESET RETRY COUNTER", &commands::reset_retry_counter(pin)).map(drop)
    }

    fn splits_by_length(&self) -> bool {
        true
    }

    fn change_pin(&mut self, channel: &mut Channel<'_>, current: &Pin, new: &Pin) -> Result<(), CardError> {
        send(channel, "CHANGE REFERENCE DATA", &commands::change_reference_data(current, new)).map(drop)
    }

    fn verify_pin(&mut self, channel: &mut Channel<'_>, pin: &Pin) -> Result<(), CardError> {
        send(channel, "VERIFY", &commands::verify(pin)).map(drop)
    }

    fn forget(&mut self, channel: &mut Channel<'_>) -> Result<(), CardError> {
        send(channel, "VERIFY (deauthenticate)", &commands::deauthenticate()).map(drop)
    }

    fn certificate_files(&mut self, channel: &mut Channel<'_>) -> Result<Vec<String>, CardError> {
        Ok(read_master_file(channel)?.map(|table| master_file::certificates(&table)).unwrap_or_default())
    }

    fn plan(&self, proof: Proof) -> CardPlan {
        let stand_in = stand_in_pin(self.limits);
        let mut plan = CardPlan::default();
        plan.before("choose the admin key", commands::set_admin_environment());
        plan.before("take the challenge", commands::admin_challenge());
        let confirm = commands::get_data(self.card_id.file, self.card_id.object);
        match proof {
            Proof::AdminAnswer => {
                plan.after("confirm the card ID", confirm);
                plan.after("answer the challenge", commands::admin_answer(&AdminResponse::new(&[0; CHALLENGE_LENGTH])));
                plan.after("set the PIN", commands::reset_retry_counter(&stand_in));
            }
            Proof::CurrentPin => {
                plan.after("read the tries left", commands::get_data(PIN_STATUS.file, PIN_STATUS.object));
                plan.after("confirm the card ID", confirm);
                plan.after("verify the current PIN", commands::verify(&stand_in));
                plan.after("change the PIN", commands::change_reference_data(&stand_in, &stand_in));
            }
            // What `takes` has refused.
            Proof::Puk | Proof::AdminPin | Proof::ResettingCode => {}
        }
        plan.after("verify the PIN", commands::verify(&stand_in));
        plan
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
        Status::new(0x6984),
        Status::new(0x6A86),
    ]
    .contains(&status)
}

/// Sends the token, and insists on the card's own: a card that does without is not the one that the key belongs to.
fn authorize_mutually(
    channel: &mut Channel<'_>,
    nonces: &[u8; NONCES],
    answer: &AdminResponse,
) -> Result<(), CardError> {
    let Some(key) = answer.key() else { return Err(CardError::OnlyByKey { length: TOKEN }) };
    if answer.length() != TOKEN {
        return Err(CardError::AnswerLength { length: answer.length(), expected: TOKEN });
    }
    let response = send(channel, ANSWER, &commands::mutual_answer(answer))?;
    let token = in_template(&response, "proof", 0x82)?;
    if mutual::proves(key, nonces, &token)? { Ok(()) } else { Err(CardError::Unproven) }
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
        // 6986 is no refusal of this file: nothing is selected (any more).
        Err(CardError::Refused { status, .. }) if status != Status::NOTHING_SELECTED => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
