//! Certificates of a GIDS card: files `kxcNN` and `kscNN` in the directory `mscp`, NN being the container's number.

use super::cardcf::Change;
use super::keys::{certificate_file, container};
use super::master_file::{self, Location};
use super::tables::{PUT_MASTER_FILE, discard, put, read};
use super::{Gids, MASTER_FILE, compressed, read_master_file};
use crate::apdu::Channel;
use crate::card::Certificates;
use crate::card::error::CardError;
use crate::card::key_slot::KeySlot;

const OBJECT: &str = "certificate";
const PUT_CERTIFICATE: &str = "PUT DATA certificate";

fn files(channel: &mut Channel<'_>) -> Result<Vec<u8>, CardError> {
    read_master_file(channel)?.ok_or(CardError::Incomplete { object: "file system", missing: "master file" })
}

impl Certificates for Gids {
    fn list(&mut self, channel: &mut Channel<'_>) -> Result<Vec<KeySlot>, CardError> {
        let names = read_master_file(channel)?.map(|table| master_file::certificates(&table)).unwrap_or_default();
        Ok(names.iter().filter_map(|name| name.strip_prefix("mscp/")?.parse().ok()).collect())
    }

    fn read(&mut self, channel: &mut Channel<'_>, slot: KeySlot) -> Result<Option<Vec<u8>>, CardError> {
        container(slot)?;
        let files = read_master_file(channel)?.unwrap_or_default();
        let Some(location) = certificate_file(&files, slot) else { return Ok(None) };
        let file = read(channel, "GET DATA certificate", OBJECT, location)?;
        file.map(|file| compressed::expand(&file).ok_or(CardError::UnknownForm { object: OBJECT })).transpose()
    }

    fn write(&mut self, channel: &mut Channel<'_>, slot: KeySlot, certificate: &[u8]) -> Result<(), CardError> {
        container(slot)?;
        let too_long = || CardError::TooLong { object: OBJECT, length: certificate.len(), max: usize::from(u16::MAX) };
        let content = compressed::compress(certificate).ok_or_else(too_long)?;
        let files = files(channel)?;
        let old = certificate_file(&files, slot);
        // Beside the old one, which is whole until the table tells of the new one: a chain that breaks off leaves neither.
        let file = self.tables.containers.file;
        let object = master_file::free_object(&files, file)
            .ok_or(CardError::Incomplete { object: "file system", missing: "data object left for a certificate" })?;
        let new = Location { file, object };
        self.tables.count(channel, Change::Files)?;
        put(channel, PUT_CERTIFICATE, new, &content)?;
        put(channel, PUT_MASTER_FILE, MASTER_FILE, &master_file::with(&files, &slot.to_string(), new))?;
        old.map_or(Ok(()), |old| discard(channel, PUT_CERTIFICATE, old))
    }

    fn remove(&mut self, channel: &mut Channel<'_>, slot: KeySlot) -> Result<(), CardError> {
        container(slot)?;
        let files = read_master_file(channel)?.unwrap_or_default();
        let Some(location) = certificate_file(&files, slot) else { return Ok(()) };
        self.tables.count(channel, Change::Files)?;
        let name = slot.to_string();
        put(channel, PUT_MASTER_FILE, MASTER_FILE, &master_file::without(&files, &name))?;
        discard(channel, PUT_CERTIFICATE, location)
    }
}
