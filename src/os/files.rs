//! Files and folders of this user alone, and folders whose entries survive a power cut.
//!
//! Unix has rights as mode bits. On Windows a folder of ours has a list of its own (owner, administrators, the system), and files get what
//! their folder hands down.

mod exposure;
#[cfg(windows)]
mod held;
#[cfg(windows)]
#[path = "files/private_folder/windows.rs"]
mod private_folder;

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

#[cfg(target_os = "linux")]
pub(in crate::os) use self::exposure::sole_owner;
pub use self::exposure::{Exposure, refuse_readable, refuse_shared_folder, refuse_writable};

/// The folder of the machine's configuration: `/etc/pinwright`, on Windows `pinwright` in the folder that the system itself names for what
/// all users share.
#[must_use]
pub fn configuration_folder() -> PathBuf {
    #[cfg(windows)]
    {
        let shared = super::windows::folder::of_machine().unwrap_or_else(|| PathBuf::from("C:\\ProgramData"));
        shared.join("pinwright")
    }
    #[cfg(not(windows))]
    {
        PathBuf::from("/etc/pinwright")
    }
}

/// Options that create a file for this user alone (mode 0600 on Unix). A file that exists keeps its rights.
#[must_use]
pub fn private_options() -> OpenOptions {
    #[cfg(unix)]
    {
        let mut options = OpenOptions::new();
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options
    }
    #[cfg(not(unix))]
    {
        OpenOptions::new()
    }
}

/// Creates a folder of the administrators in which these others have a share; `false` where it is there already, and keeps its rights.
///
/// # Errors
/// The system's.
#[cfg(windows)]
pub(in crate::os) fn make_shared_folder(
    path: &Path,
    others: &[(super::acl::Sid, super::acl::Share)],
) -> io::Result<bool> {
    private_folder::create_shared(path, others)
}

/// Creates a folder and those above it that are missing, for this user alone (mode 0700 on Unix; on Windows for administrators and the
/// system as well). One that exists keeps its rights.
///
/// # Errors
/// The system's, where one of them can't be created or is no folder.
pub fn create_private_dir_all(path: &Path) -> io::Result<()> {
    #[cfg(windows)]
    {
        private_folder::create_all(path)
    }
    #[cfg(not(windows))]
    {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(path)
    }
}

/// Renames a file, in the place of another one where there is one. On Windows one that somebody else has open for a moment (a history
/// that is read, a virus scanner, a backup) is waited for.
///
/// # Errors
/// The system's; on Windows after up to two seconds where the file stays open, or where this user has no right to it.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(windows)]
    {
        held::waited_for(|| std::fs::rename(from, to))
    }
    #[cfg(not(windows))]
    {
        std::fs::rename(from, to)
    }
}

/// Waits until the names in a folder (files created, renamed, removed) are on disk. Nothing to do on systems that can't open a
/// folder for that: there the file system's own log keeps the order of renames.
///
/// # Errors
/// The system's, where the folder can't be opened or written to disk.
pub fn sync_dir(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        std::fs::File::open(path)?.sync_all()
    }
    #[cfg(not(unix))]
    {
        std::fs::metadata(path).map(|_| ())
    }
}

/// Opens a regular file for reading. Anything else is refused without waiting for it: a pipe that nobody writes to, a device.
///
/// # Errors
/// The system's, or [`io::ErrorKind::InvalidInput`] for another kind of file.
pub fn open_regular(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    // Opening a pipe waits for its other end otherwise.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    let file = options.open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"))
    }
}

/// Few texts are longer.
const TEXT_USUAL: usize = 4096;

/// The text of a regular file, up to `max` bytes, and the file. The null device is an empty file; any other device, and a pipe, is
/// refused without waiting for it.
///
/// # Errors
/// As [`open_regular`]; [`io::ErrorKind::InvalidData`] where the file is no UTF-8 text or longer.
pub fn read_text(path: &Path, max: u64) -> io::Result<(String, Option<File>)> {
    if is_null_device(path) {
        return Ok((String::new(), None));
    }
    let file = open_regular(path)?;
    let invalid = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why);
    // With room for all of it, it is read at once and not in pieces.
    let mut bytes = Vec::with_capacity(TEXT_USUAL);
    (&file).take(max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max {
        return Err(invalid(&format!("it has more than {max} bytes")));
    }
    Ok((String::from_utf8(bytes).map_err(|_| invalid("it is not UTF-8 text"))?, Some(file)))
}

/// What `/dev/null` is, by its device number.
fn is_null_device(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
        let device = |path: &Path| {
            path.metadata().ok().filter(|found| found.file_type().is_char_device()).map(|found| found.rdev())
        };
        device(path).is_some_and(|number| device(Path::new("/dev/null")) == Some(number))
    }
    #[cfg(not(unix))]
    {
        path.as_os_str().eq_ignore_ascii_case("NUL")
    }
}

/// The program of this path, or of this name in the folders of `PATH`, where this process's user may run it.
#[must_use]
pub fn program(name: &Path) -> Option<PathBuf> {
    let is_program = |path: &PathBuf| path.is_file() && may_run(path);
    if name.components().count() > 1 {
        return Some(name.to_owned()).filter(is_program);
    }
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(name)).find(is_program)
}

fn may_run(path: &Path) -> bool {
    #[cfg(unix)]
    {
        rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        true
    }
}

/// Whether this process's user could create something in a folder. Creates nothing.
///
/// # Errors
/// Why not; [`io::ErrorKind::Unsupported`] on systems that pinwright can't ask.
pub fn can_create_in(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use rustix::fs::{Access, access};
        Ok(access(folder, Access::WRITE_OK | Access::EXEC_OK)?)
    }
    #[cfg(windows)]
    {
        use std::os::windows::fs::OpenOptionsExt as _;
        use windows_sys::Win32::Storage::FileSystem::{FILE_ADD_FILE, FILE_FLAG_BACKUP_SEMANTICS};
        let mut options = OpenOptions::new();
        options.access_mode(FILE_ADD_FILE).custom_flags(FILE_FLAG_BACKUP_SEMANTICS);
        options.open(folder).map(drop)
    }
    #[cfg(not(any(unix, windows)))]
    {
        let _ = folder;
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::testing;

    #[test]
    fn only_a_regular_file_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        std::fs::write(folder.path().join("file"), "24681357\n").unwrap();
        assert!(open_regular(&folder.path().join("file")).is_ok());
        testing::make_named_pipe(&pipe);
        assert!(open_regular(&pipe).is_err());
        assert!(open_regular(folder.path()).is_err());
        if let Some(device) = testing::endless_file() {
            assert!(open_regular(&device).is_err());
        }
    }

    #[test]
    fn a_text_is_bounded_and_the_null_device_is_an_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text");
        std::fs::write(&path, "12345678").unwrap();
        assert_eq!(read_text(&path, 8).unwrap().0, "12345678");
        assert_eq!(read_text(&path, 7).unwrap_err().kind(), io::ErrorKind::InvalidData);
        std::fs::write(&path, b"\xE9").unwrap();
        assert_eq!(read_text(&path, 8).unwrap_err().to_string(), "it is not UTF-8 text");
        let null = if cfg!(windows) { "NUL" } else { "/dev/null" };
        assert_eq!(read_text(Path::new(null), 8).unwrap().0, "");
        if let Some(device) = testing::endless_file() {
            assert!(read_text(&device, 8).is_err());
        }
    }

    #[test]
    fn a_folder_is_made_with_those_above_it_and_can_be_synced() {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().join("a").join("b");
        assert!(sync_dir(&folder).is_err());
        create_private_dir_all(&folder).unwrap();
        create_private_dir_all(&folder).unwrap();
        private_options().write(true).create_new(true).open(folder.join("file")).unwrap();
        sync_dir(&folder).unwrap();
        assert!(create_private_dir_all(&folder.join("file")).is_err());
    }

    #[test]
    fn what_is_made_is_for_this_user_alone() {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().join("a").join("b");
        create_private_dir_all(&folder).unwrap();
        let file = folder.join("file");
        private_options().write(true).create_new(true).open(&file).unwrap();
        for (path, mode) in [(&base.path().join("a"), 0o700), (&folder, 0o700), (&file, 0o600)] {
            assert!(testing::mode_of(path).is_none_or(|found| found == mode), "{}", path.display());
        }
    }
}
