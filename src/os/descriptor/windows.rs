//! Handles by their numbers, as a caller passes them on (`STARTUPINFO`, inheritance); 0 is standard input.

use std::fs::File;
use std::io;
use std::os::windows::io::{AsHandle as _, OwnedHandle};
use std::thread;
use std::time::{Duration, Instant};

use crate::os::windows::handle;

/// How often a pipe is looked at: there is no wait for what is in it.
const PAUSE: Duration = Duration::from_millis(10);

pub(super) fn duplicate(number: u32) -> io::Result<File> {
    match number {
        0 => io::stdin().as_handle().try_clone_to_owned().map(File::from),
        number => handle::duplicate(number).map(File::from),
    }
}

pub(super) fn standard_output() -> io::Result<File> {
    let handle: OwnedHandle = io::stdout().as_handle().try_clone_to_owned()?;
    Ok(File::from(handle))
}

/// Nothing tells: what can't be read is an error where it is read.
pub(super) fn is_write_only(_file: &File) -> bool {
    false
}

pub(super) fn is_ready(file: &File, within: Duration) -> io::Result<bool> {
    let deadline = Instant::now() + within;
    while !handle::has_something(file)? {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        thread::sleep(left.min(PAUSE));
    }
    Ok(true)
}
