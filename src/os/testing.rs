//! What unit tests borrow from the system: `None` where it has no such thing.

use std::ffi::OsString;
use std::fs::File;
use std::io::PipeWriter;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

#[cfg(unix)]
mod unix;
#[cfg(unix)]
use unix as platform;

#[cfg(not(unix))]
mod other;
#[cfg(not(unix))]
use other as platform;

/// A path that begins with `/`, as a whole one of this system: on a drive, where there are drives.
pub(crate) fn absolute(path: &str) -> String {
    if cfg!(windows) { format!("C:{path}") } else { path.to_owned() }
}

/// A configuration in TOML with such paths, and with pipes and ports where there are no sockets.
pub(crate) fn with_absolute_paths(text: &str) -> String {
    let line = |line: &str| match line.split_once(" = \"") {
        Some(("control", path)) if path.starts_with('/') => {
            let name = path.trim_end().trim_end_matches('"').replace('/', "-");
            format!("control = '\\\\.\\pipe\\{name}'\n")
        }
        Some(("metrics", place)) if place.starts_with("unix:/") => "metrics = \"127.0.0.1:9912\"\n".to_owned(),
        _ => line.replace("\"/", "\"C:/"),
    };
    if cfg!(windows) { text.split_inclusive('\n').map(line).collect() } else { text.to_owned() }
}

/// Whether a path below a file is an error of its own, or nothing that is there.
pub(crate) const BELOW_A_FILE_IS_AN_ERROR: bool = cfg!(unix);

/// Whether the user's home is what the environment says, or what the system knows.
pub(crate) const HOME_IS_A_VARIABLE: bool = cfg!(unix);

/// Sets when a folder was changed.
pub(crate) fn set_modified(folder: &Path, time: SystemTime) {
    platform::folder(folder).set_modified(time).unwrap();
}

/// A file on a disk that is full.
pub(crate) fn full_disk() -> Option<File> {
    platform::full_disk()
}

/// A file that is no regular one and never ends.
pub(crate) fn endless_file() -> Option<PathBuf> {
    platform::endless_file()
}

/// Makes a named pipe, where that is possible.
pub(crate) fn make_named_pipe(path: &Path) {
    platform::make_named_pipe(path);
}

/// `name` followed by something that is no text.
pub(crate) fn no_text(name: &str) -> Option<OsString> {
    platform::no_text(name)
}

/// The rights of a file or folder, as mode bits.
pub(crate) fn mode_of(path: &Path) -> Option<u32> {
    platform::mode_of(path)
}

/// Lets everybody read and write a file or folder, or this user alone. `false` where rights are none of the system's.
pub(crate) fn open_to_others(path: &Path, open: bool) -> bool {
    platform::open_to_others(path, open)
}

/// Mode 0644. `false` where rights are none of the system's.
pub(crate) fn let_everybody_read(path: &Path) -> bool {
    platform::let_everybody_read(path)
}

/// Makes a symbolic link.
pub(crate) fn make_link(to: &Path, at: &Path) {
    platform::make_link(to, at);
}

/// The number of an open file.
pub(crate) fn number_of(file: &File) -> Option<u32> {
    platform::number_of(file)
}

/// Both ends of a pipe, the first for reading.
pub(crate) fn pipe() -> Option<(File, PipeWriter)> {
    platform::pipe()
}

/// Two sockets that are connected; also `None`, said aloud, where descriptors can't be duplicated by their numbers.
pub(crate) fn sockets() -> Option<(File, File)> {
    platform::sockets()
}

/// Both ends of a terminal: the person's, and the program's.
pub(crate) fn terminal() -> Option<(File, File)> {
    platform::terminal()
}

/// Whether this process has these bytes at that address; no memory there is a no.
pub(crate) fn memory_holds(address: usize, bytes: &[u8]) -> Option<bool> {
    platform::memory_holds(address, bytes)
}
