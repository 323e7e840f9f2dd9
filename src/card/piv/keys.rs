//! Key pairs of a PIV card (SP 800-73-4 part 2 §3.2.4 and §3.3.2).

use super::{Piv, commands};
use crate::apdu::{Channel, Status, tlv};
use crate::card::digest::Digest;
use crate::card::error::CardError;
use crate::card::key_pair::{KeyType, PublicKey};
use crate::card::key_slot::{Held, HeldKey, KeySlot, PivSlot, Room, SlotChoice, Taken, Vacant};
use crate::card::proof::Family;
use crate::card::send::{send, send_writing};
use crate::card::{Certificates as _, Keys};

/// The key reference that this slot is.
pub(super) fn piv_slot(slot: KeySlot) -> Result<PivSlot, CardError> {
    match slot {
        KeySlot::Piv(slot) => Ok(slot),
        slot => Err(CardError::OtherSlot { family: Family::Piv, slot }),
    }
}

/// What a card's metadata say of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
enum KeyMetadata {
    /// The card has no metadata.
    Untold,
    /// There is no key.
    None,
    /// There is one; `None` where it is of a type that is none of ours.
    Made(Option<PublicKey>),
}

impl Piv {
    /// Asks for the metadata of a key. Whether the card has any is known by those of the management key: of a key that is not
    /// there it says so by a refusal.
    fn key_metadata(&mut self, channel: &mut Channel<'_>, slot: PivSlot) -> Result<KeyMetadata, CardError> {
        if self.has_metadata.is_none() {
            self.metadata(channel, commands::MANAGEMENT_KEY)?;
        }
        if self.has_metadata != Some(true) {
            return Ok(KeyMetadata::Untold);
        }
        let response = match send(channel, "GET METADATA", &commands::get_metadata(slot.reference())) {
            Err(error) if error.is_mere_refusal() => return Ok(KeyMetadata::None),
            result => result?,
        };
        let malformed = |source| CardError::Malformed { object: "metadata", source };
        // A card may have metadata of a place without a key; they have no algorithm.
        if tlv::find(response.data(), 0x01).map_err(malformed)?.is_none() {
            return Ok(KeyMetadata::None);
        }
        let key = tlv::find(response.data(), 0x04).map_err(malformed)?;
        Ok(KeyMetadata::Made(key.and_then(|objects| PublicKey::from_objects(objects, None).ok())))
    }

    /// What stands in a slot; `None` where the card says that it is empty, or tells of nothing in it.
    fn held_in(&mut self, channel: &mut Channel<'_>, slot: PivSlot) -> Result<(Option<Held>, KeyMetadata), CardError> {
        let metadata = self.key_metadata(channel, slot)?;
        let slot = KeySlot::Piv(slot);
        let certificate = self.has_certificate(channel, slot)?;
        let key = match &metadata {
            KeyMetadata::Untold => HeldKey::Untold,
            KeyMetadata::None => HeldKey::None,
            KeyMetadata::Made(key) => HeldKey::Made(key.as_ref().map(PublicKey::key_type)),
        };
        let is_empty = !certificate && !matches!(key, HeldKey::Made(_));
        let held = Held { slot, name: None, key, certificate, registered: true };
        Ok(((!is_empty).then_some(held), metadata))
    }
}

impl Keys for Piv {
    fn key_types(&self) -> &'static [KeyType] {
        Family::Piv.key_types()
    }

    fn held(&mut self, channel: &mut Channel<'_>) -> Result<Vec<Held>, CardError> {
        let mut all = Vec::new();
        for slot in PivSlot::ALL {
            all.extend(self.held_in(channel, slot)?.0);
        }
        Ok(all)
    }

    fn room(&mut self, channel: &mut Channel<'_>, choice: SlotChoice) -> Result<Room, CardError> {
        let slot = match choice {
            SlotChoice::Named(slot) => piv_slot(slot)?,
            SlotChoice::First(_) => PivSlot::Authentication,
        };
        let place = KeySlot::Piv(slot);
        Ok(match self.held_in(channel, slot)? {
            (Some(held), _) => Room::Taken(Taken::new(held, place)),
            (None, KeyMetadata::Untold) => Room::Free(Vacant::untold(place)),
            (None, _) => Room::Free(Vacant::told(place)),
        })
    }

    fn generate(
        &mut self,
        channel: &mut Channel<'_>,
        place: &Vacant,
        key_type: KeyType,
        _name: &str,
    ) -> Result<PublicKey, CardError> {
        let slot = piv_slot(place.slot())?;
        // A certificate whose key is gone is found by programs that then can't sign.
        if place.is_given_up() {
            self.remove(channel, place.slot())?;
        }
        let response =
            send_writing(channel, "GENERATE ASYMMETRIC KEY PAIR", &commands::generate_key_pair(slot, key_type))?;
        PublicKey::from_template(response.data(), Some(key_type))
    }

    fn public_key(&mut self, channel: &mut Channel<'_>, slot: KeySlot) -> Result<Option<PublicKey>, CardError> {
        Ok(match self.key_metadata(channel, piv_slot(slot)?)? {
            KeyMetadata::Made(key) => key,
            KeyMetadata::None | KeyMetadata::Untold => None,
        })
    }

    fn sign(
        &mut self,
        channel: &mut Channel<'_>,
        slot: KeySlot,
        key_type: KeyType,
        digest: &Digest,
    ) -> Result<Vec<u8>, CardError> {
        let slot = piv_slot(slot)?;
        let (block, least, most) = match key_type {
            KeyType::Rsa2048 => (digest.padded(key_type.length()), key_type.length(), key_type.length()),
            // Two numbers of at least one byte; each may need a byte more for its sign, and has two bytes before it.
            KeyType::P256 | KeyType::P384 => (digest.of_curve(key_type.length()), 8, 2 * key_type.length() + 9),
        };
        let response = send(channel, "GENERAL AUTHENTICATE (signature)", &commands::sign(slot, key_type, &block))?;
        let object = "signature";
        let malformed = |source| CardError::Malformed { object, source };
        let template = tlv::find(response.data(), 0x7C)
            .map_err(malformed)?
            .ok_or(CardError::Incomplete { object, missing: "template 7C" })?;
        let signature = tlv::find(template, 0x82)
            .map_err(malformed)?
            .ok_or(CardError::Incomplete { object, missing: "object 82" })?;
        match (least..=most).contains(&signature.len()) {
            true => Ok(signature.to_vec()),
            false => Err(CardError::UnknownForm { object }),
        }
    }

    /// SP 800-73-4 has no command that deletes a key.
    fn erase(&mut self, _channel: &mut Channel<'_>, slot: KeySlot) -> Result<bool, CardError> {
        piv_slot(slot).map(|_| false)
    }
}

/// What the card has instead of a certificate object: a refusal that says "there is none".
pub(super) fn says_absent(error: &CardError) -> bool {
    matches!(error, CardError::Refused { status: Status::FILE_NOT_FOUND | Status::DATA_NOT_FOUND, .. })
}
