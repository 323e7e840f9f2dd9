//! Owners and access control lists, from a file up to the root of its volume.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::windows::fs::OpenOptionsExt as _;
use std::os::windows::io::AsHandle as _;
use std::path::{Path, PathBuf};

use windows_sys::Win32::Storage::FileSystem::{
    FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OPEN_REPARSE_POINT, FILE_READ_ATTRIBUTES, READ_CONTROL,
};

use super::{Exposure, Trustee};
use crate::os::acl::{Sid, TooMuch, rights};
use crate::os::files::configuration_folder;
use crate::os::service;
use crate::os::windows::security;

pub(super) fn refuse_writable(file: &File, path: &Path) -> Result<(), Exposure> {
    let path = &std::path::absolute(path).map_err(unseen(path))?;
    let trusted = trusted(path)?;
    refuse_others(file, path, &trusted, rights::CHANGE)?;
    let resolved = resolved(path)?;
    if resolved != *path {
        // A link's own rights count as well as those of what it leads to.
        refuse_others(&look(path)?, path, &trusted, rights::CHANGE)?;
        refuse_above(&resolved, &trusted)?;
    }
    refuse_above(path, &trusted)
}

pub(super) fn refuse_readable(file: &File, path: &Path) -> Result<(), Exposure> {
    let access = security::of_file(file.as_handle()).map_err(unseen(path))?;
    match access.readable_by_many() {
        None => Ok(()),
        Some(TooMuch::Owner(sid) | TooMuch::To(sid)) => {
            Err(Exposure::ReadableBy { path: path.to_owned(), who: Some(trustee(&sid)) })
        }
        Some(TooMuch::Anybody) => Err(Exposure::ReadableBy { path: path.to_owned(), who: None }),
    }
}

pub(super) fn refuse_shared_folder(path: &Path) -> Result<(), Exposure> {
    let path = &std::path::absolute(path).map_err(unseen(path))?;
    let trusted = trusted(path)?;
    refuse_others(&look(path)?, path, &trusted, rights::CHANGE)?;
    let resolved = resolved(path)?;
    if resolved != *path {
        refuse_others(&look(&resolved)?, &resolved, &trusted, rights::CHANGE)?;
        refuse_above(&resolved, &trusted)?;
    }
    refuse_above(path, &trusted)
}

/// Whom we trust with what we trust: who could change this program as well, this process's user, and our service where this is it.
fn trusted(path: &Path) -> Result<Vec<Sid>, Exposure> {
    let mut trusted = vec![Sid::SYSTEM, Sid::ADMINISTRATORS, Sid::TRUSTED_INSTALLER];
    trusted.push(security::own().map_err(unseen(path))?);
    let of_service = Sid::of_service(service::NAME);
    if security::has(None, &of_service) {
        trusted.push(of_service);
    }
    Ok(trusted)
}

/// The path without links, named as people do (`C:\…`, and not `\\?\C:\…`).
fn resolved(path: &Path) -> Result<PathBuf, Exposure> {
    let resolved = std::fs::canonicalize(path).map_err(unseen(path))?;
    let plain = resolved.to_str().and_then(|text| text.strip_prefix(r"\\?\"));
    let plain = plain.filter(|text| text.as_bytes().get(1) == Some(&b':')).map(PathBuf::from);
    Ok(plain.unwrap_or(resolved))
}

/// Every folder on the way lets nobody else put something in the place of what it holds; in the folders of the machine's configuration
/// nobody else makes anything at all.
fn refuse_above(path: &Path, trusted: &[Sid]) -> Result<(), Exposure> {
    let configuration = configuration_folder();
    for folder in path.ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty()) {
        let wanted = if folder.starts_with(&configuration) { rights::CHANGE } else { rights::REPLACE };
        refuse_others(&look(folder)?, folder, trusted, wanted)?;
    }
    Ok(())
}

/// Opens a file, a folder, or a link itself, for a look at its rights.
fn look(path: &Path) -> Result<File, Exposure> {
    let mut options = OpenOptions::new();
    options
        .access_mode(READ_CONTROL | FILE_READ_ATTRIBUTES)
        .custom_flags(FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT);
    options.open(path).map_err(unseen(path))
}

fn refuse_others(file: &File, path: &Path, trusted: &[Sid], rights: u32) -> Result<(), Exposure> {
    let access = security::of_file(file.as_handle()).map_err(unseen(path))?;
    let path = path.to_owned();
    match access.beyond(trusted, rights) {
        None => Ok(()),
        Some(TooMuch::Owner(sid)) => Err(Exposure::OwnedBy { path, who: trustee(&sid) }),
        Some(TooMuch::To(sid)) => Err(Exposure::WritableBy { path, who: Some(trustee(&sid)) }),
        Some(TooMuch::Anybody) => Err(Exposure::WritableBy { path, who: None }),
    }
}

fn trustee(sid: &Sid) -> Box<Trustee> {
    Box::new(Trustee { name: security::name_of(sid), sid: sid.to_string() })
}

fn unseen(path: &Path) -> impl Fn(io::Error) -> Exposure {
    let path = path.to_owned();
    move |source| {
        let source = match source.kind() {
            ErrorKind::PermissionDenied => io::Error::new(source.kind(), "this user may not read its rights"),
            _ => source,
        };
        Exposure::Unseen { path: path.clone(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::files::create_private_dir_all;
    use crate::os::windows::security::Descriptor;

    /// Makes a folder with this list of rights.
    fn folder_with(path: &Path, list: &str) {
        let own = security::own().unwrap();
        let rights = Descriptor::of_text(&format!("O:{own}D:P{list}(A;OICI;FA;;;{own})")).unwrap();
        rights.make_folder(path).unwrap();
        // Wine takes from what it makes what the mask of its server takes.
        rights.give_file(path).unwrap();
    }

    #[test]
    fn a_folder_of_ours_is_nobody_elses() {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().join("a").join("b");
        create_private_dir_all(&folder).unwrap();
        create_private_dir_all(&folder).unwrap();
        refuse_shared_folder(&folder).unwrap();
        let secret = folder.join("secret");
        std::fs::write(&secret, "24681357").unwrap();
        let file = File::open(&secret).unwrap();
        refuse_writable(&file, &secret).unwrap();
        refuse_readable(&file, &secret).unwrap();
    }

    #[test]
    fn who_can_write_or_read_besides_us_is_named() {
        let base = tempfile::tempdir().unwrap();
        let (open, seen) = (base.path().join("open"), base.path().join("seen"));
        folder_with(&open, "(A;OICI;FA;;;WD)");
        folder_with(&seen, "(A;OICI;FR;;;WD)");
        let refused = refuse_shared_folder(&open).unwrap_err();
        assert!(matches!(&refused, Exposure::WritableBy { who: Some(who), .. } if who.sid == "S-1-1-0"), "{refused}");
        assert!(refused.remedy().contains("icacls"), "{}", refused.remedy());
        for (folder, writes) in [(&open, true), (&seen, false)] {
            let path = folder.join("file");
            std::fs::write(&path, "").unwrap();
            // Wine hands nothing down from a folder.
            let list = if writes { "(A;;FRFW;;;WD)" } else { "(A;;FR;;;WD)" };
            let rights = Descriptor::of_text(&format!("D:P(A;;FA;;;BA)(A;;FA;;;OW){list}")).unwrap();
            rights.give_file(&path).unwrap();
            let file = File::open(&path).unwrap();
            assert_eq!(refuse_writable(&file, &path).is_err(), writes, "{}", path.display());
            let refused = refuse_readable(&file, &path).unwrap_err();
            assert!(
                matches!(&refused, Exposure::ReadableBy { who: Some(who), .. } if who.sid == "S-1-1-0"),
                "{refused}"
            );
        }
    }
}
