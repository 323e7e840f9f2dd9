//! Certificates of a PIV card: one data object for each key (SP 800-73-4 part 1 §4.3).

use super::certificate_object::{self, Content};
use super::keys::{piv_slot, says_absent};
use super::{Piv, commands};
use crate::apdu::Channel;
use crate::card::Certificates;
use crate::card::error::CardError;
use crate::card::key_slot::{KeySlot, PivSlot};
use crate::card::send::{send, send_writing};

const OBJECT: &str = "certificate object";
const PUT: &str = "PUT DATA certificate";
/// The longest certificate: object and certificate have lengths of two bytes.
const LENGTH_MAX: usize = 65_000;

impl Piv {
    fn certificate_object(channel: &mut Channel<'_>, slot: KeySlot) -> Result<Content, CardError> {
        let command = commands::get_data(&commands::certificate(piv_slot(slot)?));
        match send(channel, "GET DATA certificate", &command) {
            Ok(response) => certificate_object::content(response.data())
                .map_err(|source| CardError::Malformed { object: OBJECT, source }),
            Err(error) if says_absent(&error) => Ok(Content::Empty),
            Err(error) => Err(error),
        }
    }

    /// Whether the slot has a certificate, or something that stands where one belongs.
    pub(super) fn has_certificate(&self, channel: &mut Channel<'_>, slot: KeySlot) -> Result<bool, CardError> {
        match Self::certificate_object(channel, slot) {
            Ok(content) => Ok(content != Content::Empty),
            Err(CardError::Malformed { .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }
}

impl Certificates for Piv {
    fn list(&mut self, channel: &mut Channel<'_>) -> Result<Vec<KeySlot>, CardError> {
        let mut slots = Vec::new();
        for slot in PivSlot::ALL.map(KeySlot::Piv) {
            if self.has_certificate(channel, slot)? {
                slots.push(slot);
            }
        }
        Ok(slots)
    }

    fn read(&mut self, channel: &mut Channel<'_>, slot: KeySlot) -> Result<Option<Vec<u8>>, CardError> {
        match Self::certificate_object(channel, slot)? {
            Content::Empty => Ok(None),
            Content::Certificate(certificate) => Ok(Some(certificate)),
            Content::Unknown => Err(CardError::UnknownForm { object: OBJECT }),
        }
    }

    fn write(&mut self, channel: &mut Channel<'_>, slot: KeySlot, certificate: &[u8]) -> Result<(), CardError> {
        let slot = piv_slot(slot)?;
        let length = certificate.len();
        if length > LENGTH_MAX {
            return Err(CardError::TooLong { object: "certificate", length, max: LENGTH_MAX });
        }
        send_writing(channel, PUT, &commands::put_certificate(slot, &certificate_object::object(certificate))).map(drop)
    }

    fn remove(&mut self, channel: &mut Channel<'_>, slot: KeySlot) -> Result<(), CardError> {
        let command = commands::put_certificate(piv_slot(slot)?, &[0x53, 0x00]);
        send_writing(channel, PUT, &command).map(drop)
    }
}
