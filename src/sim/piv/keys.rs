//! Key pairs and their certificates: GENERATE ASYMMETRIC KEY PAIR, signatures, PUT DATA (part 2 §3.2.4 and §3.3).

use std::collections::BTreeMap;

use super::objects::tagged;
use super::{Command, MANAGEMENT_KEY, Outcome, PivCard, sw, tlv};
use crate::sim::keys::{CardKey, Kind};

/// Key references: authentication, signature, key management, card authentication.
const SLOTS: [u8; 4] = [0x9A, 0x9C, 0x9D, 0x9E];
const SIGNATURE: u8 = 0x9C;
const CARD_AUTHENTICATION: u8 = 0x9E;

/// Data objects that are made by the card itself, and what may be written by no one.
const COMPUTED: [&[u8]; 1] = [&[0x7E]];

/// Keys by reference, and data objects by tag.
#[derive(Default)]
pub(super) struct Stored {
    keys: BTreeMap<u8, CardKey>,
    objects: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// The mechanism's identifier (SP 800-78-4, table 6-2).
fn kind(mechanism: u8) -> Option<Kind> {
    match mechanism {
        0x07 => Some(Kind::Rsa2048),
        0x11 => Some(Kind::P256),
        0x14 => Some(Kind::P384),
        _ => None,
    }
}

fn mechanism(kind: Kind) -> u8 {
    match kind {
        Kind::Rsa2048 => 0x07,
        Kind::P256 => 0x11,
        Kind::P384 => 0x14,
    }
}

impl Stored {
    pub(super) fn object(&self, tag: &[u8]) -> Option<&[u8]> {
        self.objects.get(tag).map(Vec::as_slice)
    }

    pub(super) fn has_key(&self, reference: u8) -> bool {
        self.keys.contains_key(&reference)
    }
}

impl PivCard {
    /// GENERATE ASYMMETRIC KEY PAIR (§3.3.2): `AC { 80 mechanism }`. Replaces the key that is there.
    pub(super) fn generate_key_pair(&mut self, command: &Command) -> Outcome {
        if command.p1 != 0x00 || !SLOTS.contains(&command.p2) {
            return Err(sw::WRONG_P1P2);
        }
        if !self.session.management {
            return Err(sw::SECURITY);
        }
        let Some((0xAC, template, [])) = tlv::element(command.data) else {
            return Err(sw::WRONG_DATA);
        };
        let Some((0x80, &[mechanism], [])) = tlv::element(template) else {
            return Err(sw::WRONG_DATA);
        };
        let kind = kind(mechanism).ok_or(sw::WRONG_DATA)?;
        let key = self.settings.ready_keys.take(kind).ok_or(sw::INTERNAL)?;
        let answer = key.public_template();
        self.stored.keys.insert(command.p2, key);
        Ok(answer)
    }

    /// GENERAL AUTHENTICATE with a key pair (§3.2.4, internal authentication): `7C { 82, 81 what is signed }`.
    pub(super) fn sign(&mut self, command: &Command) -> Outcome {
        // The PIN serves one signature with 9C, whatever becomes of it (part 1 §3.3: "PIN always").
        let fresh = std::mem::take(&mut self.session.fresh);
        let allowed = match command.p2 {
            CARD_AUTHENTICATION => true,
            SIGNATURE => fresh,
            _ => self.session.user || self.session.global,
        };
        let key = self.stored.keys.get(&command.p2).ok_or(sw::NOT_FOUND)?;
        if kind(command.p1) != Some(key.kind()) {
            return Err(sw::WRONG_P1P2);
        }
        if !allowed {
            return Err(sw::SECURITY);
        }
        let Some((0x7C, template, [])) = tlv::element(command.data) else {
            return Err(sw::WRONG_DATA);
        };
        let parts = tlv::elements(template).ok_or(sw::WRONG_DATA)?;
        let [(0x82, []), (0x81, block)] = parts[..] else {
            return Err(sw::WRONG_DATA);
        };
        let signature = match key.kind() {
            Kind::Rsa2048 => key.raw(block),
            Kind::P256 | Kind::P384 => key.sign_digest(block),
        };
        Ok(tagged(0x7C, &tagged(0x82, &signature.ok_or(sw::WRONG_DATA)?)))
    }

    /// PUT DATA (§3.3.1): `5C tag, 53 content`. An empty content removes the object.
    pub(super) fn put_data(&mut self, command: &Command) -> Outcome {
        if command.p1p2() != 0x3FFF {
            return Err(sw::WRONG_P1P2);
        }
        if !self.session.management {
            return Err(sw::SECURITY);
        }
        let Some((0x5C, tag @ [0x5F, _, _], object)) = tlv::element(command.data) else {
            return Err(sw::WRONG_DATA);
        };
        let Some((0x53, content, [])) = tlv::element(object) else {
            return Err(sw::WRONG_DATA);
        };
        if COMPUTED.contains(&tag) {
            return Err(sw::SECURITY);
        }
        if object.len() > self.settings.object_max {
            return Err(sw::NO_SPACE);
        }
        match content {
            [] => drop(self.stored.objects.remove(tag)),
            _ => drop(self.stored.objects.insert(tag.to_vec(), object.to_vec())),
        }
        Ok(Vec::new())
    }

    /// GET METADATA of a key pair (Yubico, firmware 5.3).
    pub(super) fn key_metadata(&self, reference: u8) -> Outcome {
        debug_assert_ne!(reference, MANAGEMENT_KEY, "it has metadata of its own");
        let key = self.stored.keys.get(&reference).ok_or(sw::NOT_FOUND)?;
        let mut data = tagged(0x01, &[mechanism(key.kind())]);
        let pin = match reference {
            CARD_AUTHENTICATION => 0x01,
            SIGNATURE => 0x03,
            _ => 0x02,
        };
        tlv::write(&mut data, 0x02, &[pin, 0x01]);
        tlv::write(&mut data, 0x03, &[0x01]);
        tlv::write(&mut data, 0x04, &key.public_objects());
        Ok(data)
    }
}
