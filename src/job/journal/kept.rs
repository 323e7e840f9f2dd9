//! The server's answer to certificate requests, kept beside the record of the job that handed them in: it is given once.
//!
//! `JOB.kept` in the card's folder, replaced as a whole, mode 0600, on disk before anything of the answer is read.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::error::JournalError;
use super::folder::{list, remove, replace};
use super::record::Record;
use crate::os::files::open_regular;

/// The schema of the file.
const SCHEMA: &str = "pinwright.kept-answer/1";

/// The largest file that is written and read: the longest answer that is taken, in base64, and room for the requests.
const KEPT_MAX: u64 = 2 * 1024 * 1024;

/// How the file's name ends.
const EXTENSION: &str = "kept";

/// What was handed in, and what the server has answered.
///
/// Private keys that the server may have sent along are in the answer as PFX, under a password that was drawn for the one call
/// and lives no longer than the process: nobody can open them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The certificate requests (PKCS #10, DER), in the order of the key pairs.
    pub requests: Vec<Vec<u8>>,
    /// The answer, byte for byte.
    pub answer: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct File {
    schema: String,
    requests: Vec<String>,
    answer: String,
}

impl Kept {
    fn text(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&File {
            schema: SCHEMA.to_owned(),
            requests: self.requests.iter().map(|request| STANDARD.encode(request)).collect(),
            answer: STANDARD.encode(&self.answer),
        })
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let file: File = serde_json::from_slice(text).ok().filter(|file: &File| file.schema == SCHEMA)?;
        let requests = file.requests.iter().map(|request| STANDARD.decode(request).ok()).collect::<Option<_>>()?;
        Some(Self { requests, answer: STANDARD.decode(file.answer).ok()? })
    }
}

/// The file's name.
pub(super) fn name(id: &str) -> String {
    format!("{id}.{EXTENSION}")
}

/// Keeps an answer in the folder of the record of this id; on disk when this returns.
pub(super) fn keep(home: &Path, id: &str, kept: &Kept) -> Result<(), JournalError> {
    let path = home.join(name(id));
    let text = kept.text().map_err(JournalError::Encode)?;
    if text.len() as u64 > KEPT_MAX {
        return Err(JournalError::io(&path)(io::Error::from(io::ErrorKind::FileTooLarge)));
    }
    replace(&path, &text)
}

/// What is kept for the record of this id; `None`: nothing is.
pub(super) fn read(home: &Path, id: &str) -> Result<Option<Kept>, JournalError> {
    let path = home.join(name(id));
    let mut text = Vec::new();
    let file = match open_regular(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(JournalError::io(&path))?,
    };
    file.take(KEPT_MAX + 1).read_to_end(&mut text).map_err(JournalError::io(&path))?;
    let broken = || JournalError::Unreadable { file: name(id), reason: "not an answer that was kept", source: None };
    Kept::parse(&text).filter(|_| text.len() as u64 <= KEPT_MAX).map(Some).ok_or_else(broken)
}

/// Whether anything is kept in a card's folder.
pub(super) fn is_any(home: &Path) -> Result<bool, JournalError> {
    Ok(!list(home, EXTENSION)?.is_empty())
}

/// Whether anything is kept for the record of this id.
pub(super) fn is_there(home: &Path, id: &str) -> bool {
    fs::symlink_metadata(home.join(name(id))).is_ok()
}

/// Forgets what is kept for the record of this id.
pub(super) fn forget(home: &Path, id: &str) -> Result<(), JournalError> {
    let path = home.join(name(id));
    remove(&path).map_err(JournalError::io(&path))
}

/// The files in a card's folder that belong to none of its open records.
pub(super) fn left_over(home: &Path, records: &[Record]) -> Result<Vec<PathBuf>, JournalError> {
    let is_needed = |path: &PathBuf| {
        let id = path.file_stem().and_then(|id| id.to_str());
        records.iter().any(|record| record.is_open() && Some(record.id.as_str()) == id)
    };
    Ok(list(home, EXTENSION)?.into_iter().filter(|path| !is_needed(path)).collect())
}
