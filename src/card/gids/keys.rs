//! Key pairs of a GIDS card: one in each container.

use super::cardcf::Change;
use super::cmapfile::{Container, NAME_MAX};
use super::master_file::{self, Location};
use super::tables::Tables;
use super::{Gids, commands, read_master_file};
use crate::apdu::{Channel, Status};
use crate::card::digest::Digest;
use crate::card::error::CardError;
use crate::card::key_pair::{KeyType, PublicKey};
use crate::card::key_slot::{Held, HeldKey, KeySlot, KeyUsage, Room, SlotChoice, Taken, Vacant};
use crate::card::proof::Family;
use crate::card::send::{send, send_writing};
use crate::card::{Certificates as _, Keys};

/// The key reference of the first container; a key's algorithm where it has 2048 bits of RSA (GIDS, cryptographic mechanisms).
const FIRST_KEY: u8 = 0x81;
const RSA_2048: u8 = 0x07;

/// Bytes of a signature that a key of RSA 2048 makes.
const SIGNATURE: usize = 256;

/// Number and use of a container's slot.
pub(super) fn container(slot: KeySlot) -> Result<(u8, KeyUsage), CardError> {
    match slot {
        KeySlot::Container { index, usage } if index <= KeySlot::CONTAINER_MAX => Ok((index, usage)),
        slot => Err(CardError::OtherSlot { family: Family::Gids, slot }),
    }
}

fn reference(index: u8) -> u8 {
    FIRST_KEY.saturating_add(index)
}

impl Gids {
    /// What stands in a container, by the tables: its key, its registration, its certificate. `None` where it is empty.
    fn held_in(tables: &Tables, files: &[u8], index: u8) -> Option<Held> {
        let container = tables.containers.container(index);
        let key = tables.keys.usage(index);
        let file = |usage| {
            let slot = KeySlot::Container { index, usage };
            master_file::locate_in_mscp(files, &slot.to_string()).map(|_| usage)
        };
        let certificate = file(KeyUsage::Exchange).or_else(|| file(KeyUsage::Signature));
        let usage = key.or(container.as_ref().map(|container| container.usage)).or(certificate)?;
        let key_type = container.as_ref().and_then(|container| KeyType::of_bits(container.bits));
        Some(Held {
            slot: KeySlot::Container { index, usage },
            key: if key.is_some() || container.is_some() { HeldKey::Made(key_type) } else { HeldKey::None },
            certificate: certificate.is_some(),
            registered: key.is_some() && container.is_some(),
            name: container.map(|container| container.name),
        })
    }

    /// Creates the file of a key. One that a power cut has left without a registration gives way to it.
    fn create_key_file(
        channel: &mut Channel<'_>,
        reference: u8,
        usage: KeyUsage,
        algorithm: u8,
    ) -> Result<(), CardError> {
        const CREATE: &str = "CREATE FILE";
        let create = commands::create_key_file(reference, usage, algorithm);
        match send_writing(channel, CREATE, &create) {
            Err(CardError::Refused { status: Status::DATA_INVALID, .. }) => {
                Self::delete_key_file(channel, reference)?;
                send_writing(channel, CREATE, &create)?;
            }
            result => drop(result?),
        }
        send(channel, "ACTIVATE FILE", &commands::activate_file()).map(drop)
    }

    /// Deletes the file of a key, where there is one. 2 commands.
    fn delete_key_file(channel: &mut Channel<'_>, reference: u8) -> Result<(), CardError> {
        match send(channel, "SELECT key file", &commands::select_file(commands::key_file(reference))) {
            Err(CardError::Refused { status: Status::FILE_NOT_FOUND, .. }) => Ok(()),
            Err(error) => Err(error),
            Ok(_) => send(channel, "DELETE FILE", &commands::delete_file()).map(drop),
        }
    }

    /// Registers the container's key, or takes it out of the tables where there is no `container`.
    fn register(
        &mut self,
        channel: &mut Channel<'_>,
        tables: &mut Tables,
        index: u8,
        container: Option<&Container>,
    ) -> Result<(), CardError> {
        match container {
            Some(container) => {
                tables.keys.set(index, container.usage, RSA_2048, commands::key_file(reference(index)));
                if !tables.containers.set(index, container) {
                    return Err(CardError::ContainerName { name: container.name.clone() });
                }
            }
            None => {
                tables.keys.clear(index);
                tables.containers.clear(index);
            }
        }
        self.tables.count(channel, Change::Containers)?;
        self.tables.write(channel, tables)
    }
}

impl Keys for Gids {
    /// What Windows' own driver makes on these cards.
    fn key_types(&self) -> &'static [KeyType] {
        Family::Gids.key_types()
    }

    fn held(&mut self, channel: &mut Channel<'_>) -> Result<Vec<Held>, CardError> {
        let tables = self.tables.read(channel)?;
        let files = read_master_file(channel)?.unwrap_or_default();
        Ok((0..=KeySlot::CONTAINER_MAX).filter_map(|index| Self::held_in(&tables, &files, index)).collect())
    }

    fn room(&mut self, channel: &mut Channel<'_>, choice: SlotChoice) -> Result<Room, CardError> {
        let named = match choice {
            SlotChoice::Named(slot) => Some(container(slot)?),
            SlotChoice::First(_) => None,
        };
        let held = self.held(channel)?;
        let found = |index| {
            let is_there =
                |held: &&Held| matches!(held.slot, KeySlot::Container { index: there, .. } if there == index);
            held.iter().find(is_there)
        };
        Ok(match (named, choice) {
            (Some((index, usage)), _) => match found(index) {
                Some(held) => Room::Taken(Taken::new(held.clone(), KeySlot::Container { index, usage })),
                None => Room::Free(Vacant::told(KeySlot::Container { index, usage })),
            },
            (None, SlotChoice::First(usage) | SlotChoice::Named(KeySlot::Container { usage, .. })) => {
                match (0..=KeySlot::CONTAINER_MAX).find(|index| found(*index).is_none()) {
                    Some(index) => Room::Free(Vacant::told(KeySlot::Container { index, usage })),
                    None => Room::Full(held),
                }
            }
            (None, SlotChoice::Named(slot)) => return Err(CardError::OtherSlot { family: Family::Gids, slot }),
        })
    }

    fn generate(
        &mut self,
        channel: &mut Channel<'_>,
        place: &Vacant,
        key_type: KeyType,
        name: &str,
    ) -> Result<PublicKey, CardError> {
        let (index, usage) = container(place.slot())?;
        if !self.key_types().contains(&key_type) {
            return Err(CardError::KeyType { family: Family::Gids, key_type });
        }
        let length = name.encode_utf16().count();
        if length > NAME_MAX {
            return Err(CardError::TooLong { object: "container name", length, max: NAME_MAX });
        }
        if place.is_given_up() {
            self.erase(channel, place.slot())?;
        }
        let mut tables = self.tables.read(channel)?;
        if tables.containers.container(index).is_some() || tables.keys.usage(index).is_some() {
            return Err(CardError::NoLongerFree { slot: place.slot() });
        }
        if name.is_empty() || name.contains('\0') || tables.containers.has_name(name) {
            return Err(CardError::ContainerName { name: name.to_owned() });
        }
        Self::create_key_file(channel, reference(index), usage, RSA_2048)?;
        let generate = commands::generate_key_pair(reference(index), RSA_2048);
        let response = send_writing(channel, "GENERATE ASYMMETRIC KEY PAIR", &generate)?;
        let key = PublicKey::from_template(response.data(), Some(key_type))?;
        let container = Container { name: name.to_owned(), usage, bits: key_type.bits() };
        self.register(channel, &mut tables, index, Some(&container))?;
        Ok(key)
    }

    fn public_key(&mut self, channel: &mut Channel<'_>, slot: KeySlot) -> Result<Option<PublicKey>, CardError> {
        let (index, _) = container(slot)?;
        match send(channel, "GET DATA public key", &commands::get_public_key(reference(index))) {
            Ok(response) => PublicKey::from_template(response.data(), None).map(Some),
            Err(CardError::Refused {
                status: Status::DATA_NOT_FOUND | Status::FILE_NOT_FOUND | Status::DATA_INVALID | Status::CONDITIONS,
                ..
            }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn sign(
        &mut self,
        channel: &mut Channel<'_>,
        slot: KeySlot,
        key_type: KeyType,
        digest: &Digest,
    ) -> Result<Vec<u8>, CardError> {
        let (index, _) = container(slot)?;
        if !self.key_types().contains(&key_type) {
            return Err(CardError::KeyType { family: Family::Gids, key_type });
        }
        let environment = commands::set_signature_environment(reference(index), RSA_2048);
        send(channel, "MSE SET (signature)", &environment)?;
        let sign = commands::compute_signature(&digest.info());
        let response = send(channel, "COMPUTE DIGITAL SIGNATURE", &sign)?;
        match response.data() {
            signature if signature.len() == SIGNATURE => Ok(signature.to_vec()),
            _ => Err(CardError::UnknownForm { object: "signature" }),
        }
    }

    fn erase(&mut self, channel: &mut Channel<'_>, slot: KeySlot) -> Result<bool, CardError> {
        let (index, _) = container(slot)?;
        for usage in [KeyUsage::Exchange, KeyUsage::Signature] {
            self.remove(channel, KeySlot::Container { index, usage })?;
        }
        let mut tables = self.tables.read(channel)?;
        if tables.containers.container(index).is_some() || tables.keys.usage(index).is_some() {
            self.register(channel, &mut tables, index, None)?;
        }
        Self::delete_key_file(channel, reference(index))?;
        Ok(true)
    }
}

/// Where a certificate file is, in a table of files.
pub(super) fn certificate_file(files: &[u8], slot: KeySlot) -> Option<Location> {
    master_file::locate_in_mscp(files, &slot.to_string())
}
