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
            containers: master_file::locate_in_mscp(table, "cmapfile").unwrap_or(generic.containers),
            freshness: master_file::locate(table, "cardcf").unwrap_or(generic.freshness),
        }
    }

    /// The tables of containers and keys. 2 commands.
    pub(super) fn read(&self, channel: &mut Channel<'_>) -> Result<Tables, CardError> {
        let containers = read(channel, "GET DATA cmapfile", "cmapfile", self.containers)?.unwrap_or_default();
        let keys = read(channel, "GET DATA key map", "key map", KEY_MAP)?;
        Ok(Tables {
            containers: ContainerMap::parse(&containers).ok_or(CardError::UnknownForm { object: "cmapfile" })?,
            keys: match keys.filter(|keys| !keys.is_empty()) {
                Some(keys) => KeyMap::parse(&keys).ok_or(CardError::UnknownForm { object: "key map" })?,
                None => KeyMap::empty(),
            },
        })
    }

    /// Writes both tables, first the one that the card itself goes by, then the one that shows the container to programs.
    /// 2 commands.
    pub(super) fn write(&self, channel: &mut Channel<'_>, tables: &mut Tables) -> Result<(), CardError> {
        let count = tables.containers.count().max(tables.keys.count());
        tables.containers.extend(count);
        tables.keys.extend(count);
        put(channel, "PUT DATA key map", KEY_MAP, &tables.keys.bytes())?;
        put(channel, "PUT DATA cmapfile", self.containers, &tables.containers.bytes())
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
