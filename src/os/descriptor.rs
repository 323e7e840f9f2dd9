//! Descriptors that the caller of this process opened for it, by their numbers; and waiting for what is behind one.

use std::fs::File;
use std::io;
use std::time::Duration;

#[cfg(unix)]
mod unix;
#[cfg(unix)]
use unix as platform;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
use windows as platform;

/// The same open file once more: duplicated, not opened anew. So it is read from where it stands, whoever opened it, and a
/// socket is as good as a pipe.
///
/// # Errors
/// The system's: no descriptor of that number is open, or it can't be duplicated.
pub fn duplicate(number: u32) -> io::Result<File> {
    platform::duplicate(number)
}

/// Standard output as a file of its own, beside the process's buffer.
///
/// # Errors
/// Standard output is closed.
pub fn standard_output() -> io::Result<File> {
    platform::standard_output()
}

/// Whether the file was opened for writing and not for reading, as far as the system says.
#[must_use]
pub fn is_write_only(file: &File) -> bool {
    platform::is_write_only(file)
}

/// Whether something can be read within that time, be it an end or an error.
///
/// # Errors
/// The system's.
pub fn is_ready(file: &File, within: Duration) -> io::Result<bool> {
    platform::is_ready(file, within)
}
