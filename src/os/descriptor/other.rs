//! No descriptors with numbers that a caller could name: secrets come from files.

use std::fs::File;
use std::io;
use std::time::Duration;

pub(super) fn duplicate(_number: u32) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn standard_output() -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn is_write_only(_file: &File) -> bool {
    false
}

#[expect(clippy::unnecessary_wraps, reason = "can fail on other systems")]
pub(super) fn is_ready(_file: &File, _within: Duration) -> io::Result<bool> {
    Ok(true)
}
