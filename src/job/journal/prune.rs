//! Removing old records, after a job's result is told and for a bounded time.
//!
//! Never removed: what is open, for each card its newest record of a job that was done and its newest of one that was at the
//! admin key, and for each authority and admin key the newest whose proof the card refused. Without those a done request would
//! be done anew, and a refused key shown again.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::entry::Stage;
use super::error::JournalError;
use super::folder::{Folder, SHARDS, entries, file_name, list, remove};
use super::point::Point;
use super::record::{Record, Version};
use super::{kept, names, read};
use crate::job::effect::ProofState;

/// How long a job's thread prunes at most.
pub(super) const TIME: Duration = Duration::from_millis(50);

/// A file is written in less: what is older was left half-written by a crash.
const HALF_WRITTEN_MAX: Duration = Duration::from_secs(600);

/// Lists the records of version 1 anew where that is due, then removes what is too old: first of this card, then of others,
/// beginning somewhere else each time.
pub(super) fn tidy(folder: &Folder, keep: Duration, card_id: Uuid, time: Duration) -> Result<(), JournalError> {
    let end = Instant::now() + time;
    names::refresh(folder)?;
    prune_card(folder, keep, card_id)?;
    // Neither is to wait for ever for the other's end.
    if fastrand::bool() {
        prune_version_one(folder, keep, end)?;
        prune_version_two(folder, keep, end)?;
    } else {
        prune_version_two(folder, keep, end)?;
        prune_version_one(folder, keep, end)?;
    }
    prune_half_written(&folder.0, end)
}

fn prune_version_two(folder: &Folder, keep: Duration, end: Instant) -> Result<(), JournalError> {
    let first = fastrand::u8(..);
    for step in 0..=SHARDS {
        for card in entries(&folder.shard(first.wrapping_add(step)))? {
            if Instant::now() >= end {
                return Ok(());
            }
            if let Some(card_id) = card.file_name().and_then(|name| Uuid::parse_str(name.to_str()?).ok()) {
                prune_card(folder, keep, card_id)?;
            }
        }
    }
    Ok(())
}

fn prune_version_one(folder: &Folder, keep: Duration, end: Instant) -> Result<(), JournalError> {
    let cards: BTreeSet<Uuid> = names::some(folder)?.iter().filter_map(|name| names::card_of(name)).collect();
    for card_id in cards {
        if Instant::now() >= end {
            break;
        }
        prune_card(folder, keep, card_id)?;
    }
    Ok(())
}

fn prune_card(folder: &Folder, keep: Duration, card_id: Uuid) -> Result<(), JournalError> {
    prune_kept(folder, card_id)?;
    let files = read::files_of(folder, card_id)?;
    let is_old = |path: &Path| age(path).is_some_and(|age| age > keep);
    if !files.iter().any(|path| is_old(path)) {
        return Ok(());
    }
    // With one that can't be read, nobody knows what is the newest.
    let Ok(records) = read::of_card(folder, card_id) else { return Ok(()) };
    let kept = never_removed(&records);
    for record in records.iter().filter(|record| !record.is_open() && !kept.contains(record.id.as_str())) {
        let path = path_of(folder, card_id, record);
        if is_old(&path) {
            remove(&path).map_err(JournalError::io(&path))?;
        }
    }
    prune_half_written(&folder.card(card_id), Instant::now() + TIME)
}

/// Removes the answers that were kept for jobs which have come to their end.
fn prune_kept(folder: &Folder, card_id: Uuid) -> Result<(), JournalError> {
    let home = folder.card(card_id);
    if !kept::is_any(&home)? {
        return Ok(());
    }
    // With one that can't be read, nobody knows whether it needs what is kept.
    let Ok(records) = read::of_card(folder, card_id) else { return Ok(()) };
    for path in kept::left_over(&home, &records)? {
        remove(&path).map_err(JournalError::io(&path))?;
    }
    Ok(())
}

fn path_of(folder: &Folder, card_id: Uuid, record: &Record) -> PathBuf {
    match record.version {
        Version::One => folder.0.join(format!("{card_id}_{}.json", record.id)),
        Version::Two => folder.card(card_id).join(file_name(&record.id)),
    }
}

/// The ids of the records that say what must not be done again. `records` is oldest first.
fn never_removed(records: &[Record]) -> BTreeSet<&str> {
    let mut told = BTreeSet::new();
    let mut kept = BTreeSet::new();
    for record in records.iter().rev() {
        if record.point() == Point::Done && told.insert(("done", None, None)) {
            kept.insert(record.id.as_str());
        }
        // It says which admin key is on the card.
        let has_new_admin_key = record.entries.iter().any(|entry| entry.stage == Stage::AdminKey);
        if has_new_admin_key && told.insert(("admin-key", None, None)) {
            kept.insert(record.id.as_str());
        }
        let refused = record.entries.iter().any(|entry| entry.proof == ProofState::Refused);
        if refused && told.insert(("refused", record.authority(), record.admin_key())) {
            kept.insert(record.id.as_str());
        }
    }
    kept
}

fn prune_half_written(folder: &Path, end: Instant) -> Result<(), JournalError> {
    for path in list(folder, "new")? {
        if Instant::now() >= end {
            break;
        }
        if age(&path).is_some_and(|age| age > HALF_WRITTEN_MAX) {
            remove(&path).map_err(JournalError::io(&path))?;
        }
    }
    Ok(())
}

fn age(path: &Path) -> Option<Duration> {
    path.metadata().ok()?.modified().ok()?.elapsed().ok()
}
