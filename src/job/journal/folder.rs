//! The journal's folder: which file is where, and how a file is replaced so that no crash leaves half of it.
//!
//! ```text
//! CARD.lock  CARD_JOB.json        locks, and records of version 1
//! CARD_v2.json                    what a program that knows version 1 only finds of this card (marker.rs)
//! v2/cards/SHARD/CARD/JOB.json    records of version 2
//! v2/requests/REQUEST/JOB.json    records of jobs that have no card yet
//! v2/requests/REQUEST.lock        locks of requests
//! v2/v1-names                     names of the records of version 1 (names.rs)
//! ```

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::error::{JournalError, LockOf};
use crate::os::files::{create_private_dir_all, open_regular, private_options, refuse_shared_folder, rename, sync_dir};

/// The largest record that is read and written: those of PIN jobs have some 500 bytes to some thousand.
pub(super) const RECORD_MAX: u64 = 64 * 1024;

/// Few records are longer.
const RECORD_USUAL: usize = 4096;

/// How many folders the cards' folders are spread over, so that none of them is long to list.
pub(super) const SHARDS: u8 = 255;

/// Paths in the journal's folder.
#[derive(Debug, Clone)]
pub(super) struct Folder(pub PathBuf);

impl Folder {
    /// The records of version 2 of one card.
    pub fn card(&self, card_id: Uuid) -> PathBuf {
        self.shard(shard(card_id)).join(card_id.to_string())
    }

    /// One of the folders that hold the cards' folders.
    pub fn shard(&self, shard: u8) -> PathBuf {
        self.cards().join(format!("{shard:02x}"))
    }

    /// All of those.
    pub fn cards(&self) -> PathBuf {
        self.0.join("v2").join("cards")
    }

    /// The records of jobs on a request that have no card yet.
    pub fn request(&self, request: Uuid) -> PathBuf {
        self.requests().join(request.to_string())
    }

    /// The folders and locks of requests.
    pub fn requests(&self) -> PathBuf {
        self.0.join("v2").join("requests")
    }

    /// The names of the records of version 1.
    pub fn names(&self) -> PathBuf {
        self.0.join("v2").join("v1-names")
    }

    /// Makes a folder of the journal, with those above it.
    pub fn make(&self, path: &Path) -> Result<(), JournalError> {
        if path.is_dir() {
            return Ok(());
        }
        create_private_dir_all(path).map_err(JournalError::io(path))?;
        // Its name must survive a power cut as the records in it do.
        for folder in path.ancestors().skip(1).take_while(|folder| folder.starts_with(&self.0)) {
            sync_dir(folder).map_err(JournalError::io(folder))?;
        }
        Ok(())
    }

    /// Makes the journal's own folder, and looks whether it is nobody else's: who can write to it can have a card's records
    /// forgotten, or files written elsewhere by a link.
    pub fn make_own(&self) -> Result<(), JournalError> {
        self.make(&self.0)?;
        refuse_shared_folder(&self.0).map_err(|source| JournalError::Exposed { path: self.0.clone(), source })
    }

    /// The card's lock, where programs of version 1 look for it.
    pub fn lock_card(&self, card_id: Uuid) -> Result<Lock, JournalError> {
        self.make_own()?;
        lock(&self.0.join(format!("{card_id}.lock")), LockOf::Card(card_id))
    }

    /// The request's lock, in a folder that [`Folder::make_own`] has looked at.
    pub fn lock_request(&self, request: Uuid) -> Result<Lock, JournalError> {
        self.make(&self.requests())?;
        lock(&self.requests().join(format!("{request}.lock")), LockOf::Request(request))
    }
}

/// The folder of a card's folder: the exclusive or of the ID's bytes, since serial numbers differ in few of them.
fn shard(card_id: Uuid) -> u8 {
    card_id.as_bytes().iter().fold(0, |shard, byte| shard ^ byte)
}

/// Something that this process works on, and nobody else.
pub(super) struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file is not enough: a child that is just being started by another thread has it open until it becomes
        // another program. Where this fails the close is what is left.
        drop(self.0.unlock());
    }
}

fn lock(path: &Path, of: LockOf) -> Result<Lock, JournalError> {
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        // Opening a pipe might wait for ever.
        return Err(JournalError::io(path)(io::Error::other("it is no regular file")));
    }
    let file = private_options().write(true).create(true).truncate(false).open(path).map_err(JournalError::io(path))?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => Err(JournalError::Busy { of }),
        Err(TryLockError::Error(source)) => Err(JournalError::io(path)(source)),
    }
}

/// Replaces a file as a whole: after a crash there is the old one or the new one, and never half of either.
pub(super) fn replace(path: &Path, text: &[u8]) -> Result<(), JournalError> {
    let beside = path.with_extension("new");
    let mut file =
        private_options().write(true).create(true).truncate(true).open(&beside).map_err(JournalError::io(&beside))?;
    file.write_all(text).map_err(JournalError::io(path))?;
    file.sync_all().map_err(JournalError::io(path))?;
    drop(file);
    rename(&beside, path).map_err(JournalError::io(path))?;
    sync_parent(path)
}

/// Moves a file to another folder of the journal; both folders are on disk when this returns.
pub(super) fn relocate(from: &Path, to: &Path) -> Result<(), JournalError> {
    rename(from, to).map_err(JournalError::io(to))?;
    sync_parent(to)?;
    sync_parent(from)
}

/// The new name itself must survive a power cut.
fn sync_parent(path: &Path) -> Result<(), JournalError> {
    path.parent().map_or(Ok(()), |folder| sync_dir(folder).map_err(JournalError::io(path)))
}

/// Why a file's content can't be had.
#[derive(Debug)]
pub(super) enum ReadError {
    /// It is gone: another process has pruned or moved it.
    Gone,
    /// It is something else than a record, in words.
    NoRecord(&'static str),
    /// The system says why.
    Io(io::Error),
}

/// A file's content, bounded.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, ReadError> {
    // A job reads every record of its card, so each is looked up by its name once and read with room for all of it, not in pieces.
    let file = match open_regular(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(ReadError::Gone),
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => return Err(ReadError::NoRecord("no file")),
        Err(error) => return Err(ReadError::Io(error)),
    };
    let mut text = Vec::with_capacity(RECORD_USUAL);
    file.take(RECORD_MAX + 1).read_to_end(&mut text).map_err(ReadError::Io)?;
    if text.len() as u64 > RECORD_MAX {
        return Err(ReadError::NoRecord("too large for a journal record"));
    }
    Ok(text)
}

/// The files in a folder, with this extension; none where the folder isn't there.
pub(super) fn list(folder: &Path, extension: &str) -> Result<Vec<PathBuf>, JournalError> {
    let paths = entries(folder)?.into_iter();
    Ok(paths.filter(|path| path.extension().is_some_and(|found| found == extension)).collect())
}

/// Everything in a folder; nothing where it isn't there.
pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>, JournalError> {
    match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        listing => {
            let listing = listing.map_err(JournalError::io(folder))?;
            listing.map(|entry| entry.map(|entry| entry.path()).map_err(JournalError::io(folder))).collect()
        }
    }
}

/// The file of a record of version 2 in the folder of its card or request.
pub(super) fn file_name(id: &str) -> String {
    format!("{id}.json")
}

/// Removes a file that another process may be removing as well.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::os::testing;

    #[test]
    fn cards_with_serial_numbers_in_a_row_are_spread_over_all_shards() {
        for others in [0, u128::MAX << 8] {
            let shards: BTreeSet<u8> =
                (0..=u8::MAX).map(|serial| shard(Uuid::from_u128(others | u128::from(serial)))).collect();
            assert_eq!(shards.len(), usize::from(SHARDS) + 1);
        }
    }

    #[test]
    fn a_lock_ends_with_its_owner_though_a_child_has_the_file_open() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("card.lock");
        let card = LockOf::Card(Uuid::nil());
        let held = lock(&path, card).unwrap();
        let as_a_child = held.0.try_clone().unwrap();
        assert!(matches!(lock(&path, card), Err(JournalError::Busy { .. })));
        drop(held);
        assert!(lock(&path, card).is_ok());
        drop(as_a_child);
    }

    #[test]
    fn a_record_is_read_up_to_the_limit_and_not_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record.json");
        let most = 65_536;
        fs::write(&path, vec![b'x'; most]).unwrap();
        assert_eq!(read(&path).unwrap().len(), most);
        fs::write(&path, vec![b'x'; most + 1]).unwrap();
        assert!(matches!(read(&path), Err(ReadError::NoRecord(_))));
        assert!(matches!(read(&folder.path().join("none.json")), Err(ReadError::Gone)));
        let below = read(&path.join("below"));
        assert!(if testing::BELOW_A_FILE_IS_AN_ERROR {
            matches!(below, Err(ReadError::Io(_)))
        } else {
            matches!(below, Err(ReadError::Gone))
        });
    }

    #[test]
    fn only_what_is_not_there_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let none = folder.path().join("none");
        assert!(entries(&none).unwrap().is_empty());
        remove(&none).unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(entries(&file).is_err());
        assert!(remove(folder.path()).is_err());
        assert!(sync_parent(&none.join("file")).is_err());
    }
}
