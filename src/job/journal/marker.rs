//! What a program that knows version 1 only finds of a card that a record of version 2 is about.
//!
//! `CARD_v2.json` looks to it like a record of its own of that card. While a record of version 2 is open the file is none that
//! it can read, and it stops there. Otherwise the file says in version 1 how the last job ended, so that such a program does
//! not do a request anew that is done, nor show a proof again that was refused. It is written in place: its folder's time
//! of change stays, which `names.rs` depends on.

use std::fs;
use std::io::{self, Write};

use uuid::Uuid;

use super::error::JournalError;
use super::folder::Folder;
use super::point::Point;
use super::record::Record;
use super::v1;
use crate::os::files::{private_options, sync_dir};

/// The id of the job that the file seems to be of.
const ID: &str = "v2";

/// The file has a whole number of these, so that it need not grow.
const BLOCK: usize = 1024;

/// The file's name.
pub(super) fn name(card_id: Uuid) -> String {
    format!("{card_id}_{ID}.json")
}

/// Whether a file in the journal's folder is such a one.
pub(super) fn is_name(name: &str) -> bool {
    name.strip_suffix(".json").and_then(|stem| stem.strip_suffix(ID)).is_some_and(|card| card.ends_with('_'))
}

/// Stops programs of version 1 at this card; on disk when this returns.
pub(super) fn open(folder: &Folder, card_id: Uuid) -> Result<(), JournalError> {
    let text = format!(
        "{{\"schema\":\"pinwright.journal/2\",\"open\":true,\"card_id\":\"{card_id}\",\"note\":\"a later version of pinwright \
         works on this card, or has left it unsettled: see its own history\"}}"
    );
    let io = JournalError::io(&folder.0.join(name(card_id)));
    let (file, is_new) = write(folder, card_id, text.into_bytes()).map_err(&io)?;
    file.sync_data().map_err(&io)?;
    if is_new { sync_dir(&folder.0).map_err(&io) } else { Ok(()) }
}

/// Lets programs of version 1 pass, and tells them of the card's last job. It need not be on disk at once: until it is they stop.
pub(super) fn close(folder: &Folder, card_id: Uuid, last: &Record) -> Result<(), JournalError> {
    let io = JournalError::io(&folder.0.join(name(card_id)));
    let text = serde_json::to_vec(&in_version_one(card_id, last)).map_err(JournalError::Encode)?;
    write(folder, card_id, text).map(drop).map_err(io)
}

/// Gives the file, and whether it was not there before.
fn write(folder: &Folder, card_id: Uuid, mut text: Vec<u8>) -> io::Result<(fs::File, bool)> {
    let path = folder.0.join(name(card_id));
    let before = fs::metadata(&path).ok();
    if before.as_ref().is_some_and(|found| !found.is_file()) {
        // Opening a pipe might wait for ever.
        return Err(io::Error::other("it is no regular file"));
    }
    let mut file = private_options().write(true).create(true).truncate(false).open(&path)?;
    let length = before.as_ref().map_or(0, |found| usize::try_from(found.len()).unwrap_or_default());
    text.resize(text.len().next_multiple_of(BLOCK).max(length), b' ');
    file.write_all(&text)?;
    Ok((file, before.is_none()))
}

fn in_version_one(card_id: Uuid, last: &Record) -> v1::File {
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    v1::File {
        schema: v1::SCHEMA.to_owned(),
        id: ID.to_owned(),
        started: last.started.clone(),
        changed: last.changed().to_owned(),
        point: match last.point() {
            Point::Done => Point::Done,
            Point::Untouched => Point::Untouched,
            Point::Authorizing | Point::Setting | Point::Set | Point::Unclear | Point::Resolved => Point::Resolved,
        },
        reader: text(last.reader()),
        atr: text(last.atr()),
        card_id,
        smartcard: last.smartcard().unwrap_or_default(),
        request: last.request(),
        authority: text(last.authority()),
        pin_source: text(last.pin_source()),
        stopped_at: last.stopped_at().map(str::to_owned),
        status_word: last.status_word().map(str::to_owned),
    }
}
