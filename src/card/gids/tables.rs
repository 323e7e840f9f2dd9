//! Where a GIDS card keeps its tables of containers and keys, and how they are read and written.

use super::cardcf::{self, Change};
use super::cmapfile::ContainerMap;
use super::commands;
use super::keymap::KeyMap;
use super::master_file::{self, Location};
use crate::apdu::{Channel, Status, tlv};
use crate::card::error::CardError;
use crate::card::send::{send, send_writing};

/// Named by no file: its place is the same on every card.
const KEY_MAP: Location = Location { file: 0xA000, object: 0xDF20 };

/// The file of the table of containers.
const CONTAINERS: &str = "cmapfile";

/// The longest value that one command writes: tag and length of a data object have four bytes.
const ONE_BLOCK: usize = 251;

const PUT_CONTAINERS: &str = "PUT DATA cmapfile";
pub(super) const PUT_MASTER_FILE: &str = "PUT DATA master file";

/// Where the tables are that the master file names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TableLocations {
    /// `mscp\cmapfile`. Certificates are kept in the same elementary file.
    pub(super) containers: Location,
    /// `cardcf`.
    freshness: Location,
}

impl TableLocations {
    /// Where the Microsoft generic profile keeps them.
    pub(super) const GENERIC_PROFILE: Self = Self {
        containers: Location { file: 0xA010, object: 0xDF23 },
        freshness: Location { file: 0xA010, object: 0xDF22 },
    };

    /// As the master file says, and where it does not, as the generic profile does.
    pub(super) fn in_master_file(table: &[u8]) -> Self {
        let generic = Self::GENERIC_PROFILE;
        Self {
            containers: master_file::locate_in_mscp(table, CONTAINERS).unwrap_or(generic.containers),
            freshness: master_file::locate(table, "cardcf").unwrap_or(generic.freshness),
        }
    }

    /// The tables of containers and keys. 2 commands.
    pub(super) fn read(&self, channel: &mut Channel<'_>) -> Result<Tables, CardError> {
        let containers = read(channel, "GET DATA cmapfile", "cmapfile", self.containers)?.unwrap_or_default();
        let keys = read(channel, "GET DATA key map", "key map", KEY_MAP)?;
        Ok(Tables {
            written: containers.len(),
            containers: ContainerMap::parse(&containers).ok_or(CardError::UnknownForm { object: "cmapfile" })?,
            keys: match keys.filter(|keys| !keys.is_empty()) {
                Some(keys) => KeyMap::parse(&keys).ok_or(CardError::UnknownForm { object: "key map" })?,
                None => KeyMap::empty(),
            },
        })
    }

    /// Writes both tables, first the one that the card itself goes by, then the one that shows the container to programs.
    /// 2 commands, where a table fits into one; 10 where the second one does not and gets longer.
    pub(super) fn write(&mut self, channel: &mut Channel<'_>, tables: &mut Tables) -> Result<(), CardError> {
        let count = tables.containers.count().max(tables.keys.count());
        tables.containers.extend(count);
        tables.keys.extend(count);
        put(channel, "PUT DATA key map", KEY_MAP, &tables.keys.bytes())?;
        let containers = tables.containers.bytes();
        match containers.len() == tables.written || containers.len() <= ONE_BLOCK {
            true => put(channel, PUT_CONTAINERS, self.containers, &containers)?,
            false => self.move_containers(channel, &containers)?,
        }
        tables.written = containers.len();
        Ok(())
    }

    /// Writes the longer table of containers beside the shorter one, and has the master file tell of it when it is whole: the first
    /// block of a chain brings the new length and empties the rest, other programs' containers among it. The master file keeps its
    /// length and changes in one number, which no block's end divides.
    fn move_containers(&mut self, channel: &mut Channel<'_>, containers: &[u8]) -> Result<(), CardError> {
        let files = super::read_master_file(channel)?.unwrap_or_default();
        let file = self.containers.file;
        let free = master_file::free_object(&files, file)
            .filter(|_| master_file::locate_in_mscp(&files, CONTAINERS) == Some(self.containers));
        // Of a card whose master file does not say where the table is, nobody would find it in another place.
        let Some(object) = free else { return put(channel, PUT_CONTAINERS, self.containers, containers) };
        let new = Location { file, object };
        self.count(channel, Change::Files)?;
        put(channel, PUT_CONTAINERS, new, containers)?;
        put(channel, PUT_MASTER_FILE, super::MASTER_FILE, &master_file::with(&files, CONTAINERS, new))?;
        let old = std::mem::replace(&mut self.containers, new);
        discard(channel, PUT_CONTAINERS, old)
    }

    /// Counts a change. It is counted before it is made: whoever remembers the card as it was reads it anew, whether the change is
    /// then made in full or a power cut comes between. 2 commands.
    pub(super) fn count(&self, channel: &mut Channel<'_>, change: Change) -> Result<(), CardError> {
        let file = read(channel, "GET DATA cardcf", "cardcf", self.freshness)?
            .ok_or(CardError::Incomplete { object: "file system", missing: "cardcf" })?;
        let counted = cardcf::counted(&file, change).ok_or(CardError::UnknownForm { object: "cardcf" })?;
        put(channel, "PUT DATA cardcf", self.freshness, &counted)
    }
}

/// The tables of containers and keys.
pub(super) struct Tables {
    /// Bytes of the first one on the card.
    written: usize,
    pub(super) containers: ContainerMap,
    pub(super) keys: KeyMap,
}

/// The value of a data object; `None` where there is none.
pub(super) fn read(
    channel: &mut Channel<'_>,
    name: &'static str,
    object: &'static str,
    location: Location,
) -> Result<Option<Vec<u8>>, CardError> {
    let response = match send(channel, name, &commands::get_data(location.file, location.object)) {
        Err(CardError::Refused { status: Status::DATA_NOT_FOUND, .. }) => return Ok(None),
        result => result?,
    };
    let value =
        tlv::find(response.data(), location.object).map_err(|source| CardError::Malformed { object, source })?;
    value.map(|value| Some(value.to_vec())).ok_or(CardError::Incomplete { object, missing: "content" })
}

/// Writes a data object.
pub(super) fn put(
    channel: &mut Channel<'_>,
    name: &'static str,
    location: Location,
    value: &[u8],
) -> Result<(), CardError> {
    send_writing(channel, name, &commands::put_data(location.file, location.object, value)).map(drop)
}

/// Removes a data object that no table names any more: emptied first, an empty one is removed. One that a power cut leaves takes up
/// room and no more.
pub(super) fn discard(channel: &mut Channel<'_>, name: &'static str, location: Location) -> Result<(), CardError> {
    put(channel, name, location, &[])?;
    put(channel, name, location, &[])
}
