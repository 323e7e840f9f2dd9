//! Which card this is. A PIV card has no field that is named card ID, so the first of these that holds anything is taken:
//!
//! 1. the GUID of the CHUID (tag `34`), 16 bytes, as they stand (RFC 9562, SP 800-73-4 part 1 §3.1.2);
//! 2. the card identifier of the CCC (tag `F0`): the last 16 of its 21 bytes, which are manufacturer (1), card type (1) and the
//!    card's own number (14); the five before them are the same on every card;
//! 3. the serial number of a card with Yubico's extensions: its four bytes, big-endian, four times over.
//!
//! Missing, empty, all `00` and all `FF` hold nothing; nor does a CCC that may not be read here (behind a contactless reader). A
//! card with none of the three has no card ID. The GUID's text has the bytes in their order on the card.

use super::commands;
use crate::apdu::{Channel, Response, Status, tlv};
use crate::card::error::CardError;
use crate::card::id::{CardId, IdError, IdOrder};
use crate::card::send::{send, send_step};
use crate::card::step::StepCommand;

/// A serial number that every card with Nitrokey's application answers: it tells none from another.
const SHARED_SERIAL: [u8; 4] = [0x00, 0x52, 0xF7, 0x43];

/// Bytes of a CCC card identifier.
const CCC_IDENTIFIER: usize = 21;

/// Where the card's ID was found, and is read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The CHUID's GUID.
    Chuid,
    /// The CCC's card identifier.
    Ccc,
    /// Yubico's serial number.
    Serial,
}

impl Source {
    /// The command that reads it.
    pub(super) fn command(self) -> StepCommand {
        let (name, command) = match self {
            Self::Chuid => ("GET DATA CHUID", commands::get_data(commands::CHUID)),
            Self::Ccc => ("GET DATA CCC", commands::get_data(commands::CCC)),
            Self::Serial => ("GET SERIAL", commands::get_serial()),
        };
        StepCommand { name, purpose: "confirm the card ID", command }
    }

    fn read(self, response: &Response) -> Result<Option<CardId>, CardError> {
        match self {
            Self::Chuid => from_chuid(response.data()),
            Self::Ccc => from_ccc(response.data()),
            Self::Serial => Ok(from_serial(response.data())),
        }
    }

    /// Reads the ID at this place; `None` where the card has nothing there. 1 command.
    ///
    /// # Errors
    /// Any other refusal, no answer, or an object that can't be read.
    pub(super) fn ask(self, channel: &mut Channel<'_>) -> Result<Option<CardId>, CardError> {
        match send_step(channel, &self.command()) {
            Ok(response) => self.read(&response),
            Err(CardError::Refused { status, .. }) if status.is_absent() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Finds the ID, 1 to 4 commands.
///
/// # Errors
/// No place has one, or one can't be read.
pub(super) fn find(channel: &mut Channel<'_>) -> Result<(Source, CardId), CardError> {
    let id = Source::Chuid.ask(channel)?;
    find_after(id, channel)
}

/// As [`find`], with what the CHUID has told. 0 to 3 commands.
///
/// # Errors
/// As [`find`].
pub(super) fn find_after(chuid: Option<CardId>, channel: &mut Channel<'_>) -> Result<(Source, CardId), CardError> {
    if let Some(id) = chuid {
        return Ok((Source::Chuid, id));
    }
    let unreadable = match Source::Ccc.ask(channel) {
        Ok(Some(id)) => return Ok((Source::Ccc, id)),
        Ok(None) => None,
        Err(error) if error.status() == Some(Status::SECURITY_STATUS) => Some(error),
        Err(error) => return Err(error),
    };
    // GET SERIAL means nothing, or something else, to cards that don't know Yubico's extensions.
    if version(channel)?.is_some()
        && let Some(id) = Source::Serial.ask(channel)?
    {
        return Ok((Source::Serial, id));
    }
    Err(unreadable.unwrap_or(CardError::Incomplete { object: "CHUID, CCC and serial number", missing: "card ID" }))
}

/// The version of Yubico's extensions; `None` on a card without them. 1 command.
///
/// # Errors
/// No answer, or a card that has nothing selected any more.
pub(super) fn version(channel: &mut Channel<'_>) -> Result<Option<[u8; 3]>, CardError> {
    match send(channel, "GET VERSION", &commands::get_version()) {
        Ok(response) => Ok(response.data().try_into().ok()),
        Err(CardError::Refused { status, .. }) if status != Status::NOTHING_SELECTED => Ok(None),
        Err(error) => Err(error),
    }
}

/// The GUID of a CHUID data object (`53` around `34`).
///
/// # Errors
/// Not BER-TLV, or a GUID that has neither 16 bytes nor none.
pub fn from_chuid(object: &[u8]) -> Result<Option<CardId>, CardError> {
    let malformed = |source| CardError::Malformed { object: "CHUID", source };
    let Some(chuid) = tlv::find(object, 0x53).map_err(malformed)? else { return Ok(None) };
    match tlv::find(chuid, 0x34).map_err(malformed)? {
        None | Some([]) => Ok(None),
        Some(guid) => id_of(guid),
    }
}

/// The card identifier of a CCC data object (`53` around `F0`).
///
/// # Errors
/// Not BER-TLV.
pub fn from_ccc(object: &[u8]) -> Result<Option<CardId>, CardError> {
    let malformed = |source| CardError::Malformed { object: "CCC", source };
    let Some(ccc) = tlv::find(object, 0x53).map_err(malformed)? else { return Ok(None) };
    let Some(identifier) = tlv::find(ccc, 0xF0).map_err(malformed)? else { return Ok(None) };
    let [_, _, _, _, _, unique @ ..] = identifier else { return Ok(None) };
    // The card's own number must tell it, not the manufacturer before it.
    let number = unique.get(2..).unwrap_or_default();
    if identifier.len() != CCC_IDENTIFIER || is_blank(number) {
        return Ok(None);
    }
    id_of(unique)
}

/// A serial number of four bytes.
#[must_use]
pub fn from_serial(data: &[u8]) -> Option<CardId> {
    let serial: [u8; 4] = data.try_into().ok()?;
    if is_blank(&serial) || serial == SHARED_SERIAL {
        return None;
    }
    CardId::new(&serial.repeat(4), IdOrder::Raw).ok()
}

fn id_of(bytes: &[u8]) -> Result<Option<CardId>, CardError> {
    match CardId::new(bytes, IdOrder::Raw) {
        Ok(id) => Ok(Some(id)),
        Err(IdError::Zero | IdError::Erased) => Ok(None),
        Err(error @ IdError::Length(_)) => Err(error.into()),
    }
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0x00) || bytes.iter().all(|byte| *byte == 0xFF)
}
