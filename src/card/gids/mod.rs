//! GIDS, the Generic Identity Device Specification: Windows virtual smart cards, GidsApplet and others.
//!
//! The user PIN is set by the administrator: an 8-byte challenge, a Triple DES answer, then RESET RETRY COUNTER.

pub mod commands;
pub mod master_file;

use self::master_file::Location;
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
}

impl Gids {
    /// A card that has answered the SELECT.
    #[must_use]
    pub fn new(order: IdOrder, limits: PinLimits) -> Self {
        Self { order, limits, card_id: GENERIC_PROFILE_CARD_ID }
    }

    /// Whether an answer to SELECT comes from GIDS: it has an application template with the identifier of GIDS in it (GIDS
    /// §3.1; Windows takes no card without it). A card that says `9000` to every SELECT is not one.
    #[must_use]
    pub fn is_selected(response: &Response) -> bool {
        let template = tlv::find(response.data(), 0x61).ok().flatten();
        let named = template.and_then(|template| tlv::find(template, 0x4F).ok().flatten());
        response.status().is_ok() && named.is_some_and(|aid| aid.starts_with(&commands::AID))
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

    fn challenge(&mut self, channel: &mut Channel<'_>) -> Result<Challenge, CardError> {
        send(channel, "MSE SET", &commands::set_admin_environment())?;
        let response = send(channel, "GENERAL AUTHENTICATE (challenge)", &commands::admin_challenge())?;
        let malformed = |source| CardError::Malformed { object: "challenge", source };
        let template = tlv::find(response.data(), 0x7C)
            .map_err(malformed)?
            .ok_or(CardError::Incomplete { object: "challenge", missing: "template 7C" })?;
        let challenge = tlv::find(template, 0x81)
            .map_err(malformed)?
            .ok_or(CardError::Incomplete { object: "challenge", missing: "object 81" })?;
        match challenge.len() {
            CHALLENGE_LENGTH => Ok(Challenge(challenge.to_vec())),
            length => Err(CardError::ChallengeLength { length, expected: CHALLENGE_LENGTH }),
        }
    }

    fn authorize(&mut self, channel: &mut Channel<'_>, answer: &AdminResponse) -> Result<(), CardError> {
        if answer.length() != CHALLENGE_LENGTH {
            return Err(CardError::AnswerLength { length: answer.length(), expected: CHALLENGE_LENGTH });
        }
        send(channel, "GENERAL AUTHENTICATE (answer)", &commands::admin_answer(answer)).map(drop)
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
