//! Mode bits and owners, from a file up to the root.

use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use super::Exposure;
use crate::os::account::has_others;
use crate::os::service::credentials;

const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;
const OTHERS_READ: u32 = 0o004;

/// In such a folder nobody removes or renames what is another's.
const STICKY: u32 = 0o1000;

/// As many links as the kernel follows.
const LINKS_MAX: u32 = 40;

/// Names of what the caller of this process has opened.
const PASSED: [&str; 3] = ["/dev/fd", "/dev/stdin", "/proc/self/fd"];

pub(super) fn refuse_writable(file: &File, path: &Path) -> Result<(), Exposure> {
    if is_exempt(path) {
        return Ok(());
    }
    let unseen = |source| Exposure::Unseen { path: path.to_owned(), source };
    let opened = file.metadata().map_err(unseen)?;
    let trusted = [0, rustix::process::geteuid().as_raw()];
    refuse_others(&opened, path, &trusted)?;
    let named = way_to(path, &trusted)?;
    // Nobody else can have put another file there since it was opened.
    if (named.dev(), named.ino()) == (opened.dev(), opened.ino()) {
        return Ok(());
    }
    Err(unseen(io::Error::new(ErrorKind::InvalidData, "it was replaced while it was opened")))
}

pub(super) fn refuse_readable(file: &File, path: &Path) -> Result<(), Exposure> {
    if is_exempt(path) {
        return Ok(());
    }
    let opened = file.metadata().map_err(|source| Exposure::Unseen { path: path.to_owned(), source })?;
    match opened.mode() & OTHERS_READ {
        0 => Ok(()),
        _ => Err(Exposure::Readable { path: path.to_owned() }),
    }
}

pub(super) fn refuse_shared_folder(path: &Path) -> Result<(), Exposure> {
    let trusted = [0, rustix::process::geteuid().as_raw()];
    refuse_others(&way_to(path, &trusted)?, path, &trusted)
}

#[cfg(target_os = "linux")]
pub(super) fn sole_owner(folder: &Path) -> Option<u32> {
    let owner = folder.metadata().ok()?.uid();
    let trusted = [0, rustix::process::geteuid().as_raw(), owner];
    let found = way_to(folder, &trusted).ok()?;
    (found.uid() == owner && refuse_others(&found, folder, &trusted).is_ok()).then_some(owner)
}

fn is_exempt(path: &Path) -> bool {
    PASSED.iter().any(|passed| path.starts_with(passed)) || credentials().is_some_and(|folder| path.starts_with(folder))
}

/// Looks whether anybody but these users can write to it, or give that right.
///
/// # Errors
/// [`Exposure`]: somebody can.
fn refuse_others(found: &Metadata, at: &Path, trusted: &[u32]) -> Result<(), Exposure> {
    if !trusted.contains(&found.uid()) {
        return Err(Exposure::Anothers { path: at.to_owned(), user: found.uid() });
    }
    let others = found.mode() & OTHERS_WRITE != 0;
    if others || found.mode() & GROUP_WRITES != 0 && has_others(found.gid(), trusted) {
        return Err(Exposure::Writable { path: at.to_owned() });
    }
    Ok(())
}

/// What the path names in the end, after a look at every folder and every link on the way.
///
/// # Errors
/// [`Exposure`] of the first one that others can write to.
fn way_to(path: &Path, trusted: &[u32]) -> Result<Metadata, Exposure> {
    let unseen = |path: &Path| {
        let path = path.to_owned();
        move |source| Exposure::Unseen { path, source }
    };
    let whole = std::path::absolute(path).map_err(unseen(path))?;
    let mut pending: Vec<OsString> = parts(&whole);
    let mut at = PathBuf::from("/");
    let mut links = 0;
    loop {
        let found = at.symlink_metadata().map_err(unseen(&at))?;
        if found.is_symlink() {
            links += 1;
            if !trusted.contains(&found.uid()) {
                return Err(Exposure::Anothers { path: at, user: found.uid() });
            }
            if links > LINKS_MAX {
                return Err(unseen(&at)(io::Error::from(rustix::io::Errno::LOOP)));
            }
            let target = at.read_link().map_err(unseen(&at))?;
            at.pop();
            if target.is_absolute() {
                at = PathBuf::from("/");
            }
            pending.extend(parts(&target));
        } else if pending.is_empty() {
            return Ok(found);
        } else {
            match refuse_others(&found, &at, trusted) {
                Err(Exposure::Writable { .. }) if found.mode() & STICKY != 0 => {}
                looked => looked?,
            }
        }
        match pending.pop() {
            Some(part) if part == ".." => drop(at.pop()),
            Some(part) => at.push(part),
            // A link to the root itself.
            None => {}
        }
    }
}

/// The names in a path, the last one first.
fn parts(path: &Path) -> Vec<OsString> {
    let names = path.components().filter_map(|part| match part {
        Component::Normal(_) | Component::ParentDir => Some(part.as_os_str().to_owned()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    names.rev().collect()
}

#[cfg(test)]
mod tests;
