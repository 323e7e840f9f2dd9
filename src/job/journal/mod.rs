//! The journal: what a job was about to do to a card, on disk before it does it.
//!
//! One file per job, replaced as a whole (written beside, fsynced, renamed, folder fsynced), mode 0600. A process that is killed
//! leaves a record that says how far the card was taken; the next job on that card finds it. A record holds no secret: no PIN,
//! no key, no challenge and no answer. What is found for one card does not depend on how many others there are.

mod card_records;
mod claim;
mod entry;
mod error;
mod folder;
mod kept;
mod listing;
mod marker;
mod meaning;
mod names;
mod point;
mod prune;
mod read;
mod record;
#[cfg(test)]
mod tests;
pub mod v1;
mod v2;

use std::path::{Path, PathBuf};
use std::time::Duration;

use uuid::Uuid;

pub use self::card_records::{CARD_SCHEMA, CardRecords};
pub use self::claim::{Claim, Moment, RequestClaim, RunningJob};
pub use self::entry::{Entry, Facts, KeyHash, Phase, Purpose, Stage};
pub use self::error::{JournalError, LockOf};
use self::folder::Folder;
pub use self::kept::Kept;
pub use self::listing::{LISTING_SCHEMA, Listed, Listing, Unlisted};
pub use self::point::Point;
#[cfg(feature = "fuzzing")]
pub(crate) use self::read::read_and_rewrite;
pub use self::read::{History, Unreadable};
pub use self::record::{JobKind, Record, Version, done, most_doubtful, new_id};
use crate::os::files::private_options;

/// The journal's folder.
#[derive(Debug, Clone)]
pub struct Journal {
    folder: Folder,
    keep: Duration,
}

impl Journal {
    /// A journal in `folder`, whose settled records are kept for `keep`. Nothing is written yet.
    #[must_use]
    pub fn new(folder: PathBuf, keep: Duration) -> Self {
        Self { folder: Folder(folder), keep }
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder.0
    }

    /// Whether a record could be written: makes the folder, and a file in it that goes again.
    ///
    /// # Errors
    /// The folder can't be made or written to, or others can write to it.
    pub fn probe(&self) -> Result<(), JournalError> {
        self.folder.make_own()?;
        // Named as a half-written record, which is what it is to whoever finds it after a crash.
        let path = self.folder.0.join(format!("probe-{}.new", std::process::id()));
        let made = private_options().write(true).create(true).truncate(true).open(&path);
        made.and_then(|_| folder::remove(&path)).map_err(JournalError::io(&path))
    }

    /// Claims a card for this process until the claim is dropped. Programs of version 1 are kept off too.
    ///
    /// # Errors
    /// Another process has it, or the folder can't be used.
    pub fn claim(&self, card_id: Uuid) -> Result<Claim<'_>, JournalError> {
        Ok(Claim::new(&self.folder, card_id, self.folder.lock_card(card_id)?))
    }

    /// Claims a request for this process until the claim is dropped. A job that has a card claims that first.
    ///
    /// # Errors
    /// Another process has it, or the folder can't be used.
    pub fn claim_request(&self, request: Uuid) -> Result<RequestClaim<'_>, JournalError> {
        self.folder.make_own()?;
        Ok(RequestClaim::new(&self.folder, request, self.folder.lock_request(request)?))
    }

    /// All records, oldest first. A folder that isn't there is an empty journal.
    ///
    /// # Errors
    /// A folder can't be read.
    pub fn history(&self) -> Result<History, JournalError> {
        read::history(&self.folder)
    }

    /// The records of one card, oldest first, and the files that are none. Costs the same however many other cards there are.
    ///
    /// # Errors
    /// A folder can't be read.
    pub fn history_of(&self, card_id: Uuid) -> Result<History, JournalError> {
        read::history_of(&self.folder, card_id)
    }

    /// The records of one card, oldest first.
    ///
    /// # Errors
    /// A folder can't be read, or one of the card's records can't that may be open.
    pub fn of_card(&self, card_id: Uuid) -> Result<Vec<Record>, JournalError> {
        read::of_card(&self.folder, card_id)
    }

    /// What is kept of the server's answer for this record of a card; `None`: nothing is.
    ///
    /// # Errors
    /// It can't be read.
    pub fn kept(&self, record: &Record) -> Result<Option<Kept>, JournalError> {
        record.card_id().map_or(Ok(None), |card_id| kept::read(&self.folder.card(card_id), &record.id))
    }

    /// Removes closed records that are older than the journal keeps, for 50 ms at most: to be called when the result of a job on
    /// this card is told.
    pub fn tidy(&self, card_id: Uuid) {
        if let Err(error) = prune::tidy(&self.folder, self.keep, card_id, prune::TIME) {
            tracing::warn!("old records of the journal could not be removed: {error}");
        }
    }
}
