//! Files that somebody else has open, so that Windows lets nobody rename or replace them: mostly for a moment.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_LOCK_VIOLATION, ERROR_SHARING_VIOLATION, ERROR_USER_MAPPED_FILE,
};

/// How long a file is waited for, and how often it is tried. A virus scanner holds one for some tenths of a second.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(10);

/// Does it again until nobody has the file open, or [`PATIENCE`] is over. That a file is open and that this user has no right to it are one
/// number, so the latter is told late.
///
/// # Errors
/// The last one.
pub(super) fn waited_for(act: impl Fn() -> io::Result<()>) -> io::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match act() {
            Err(error) if is_held(&error) && Instant::now() < deadline => thread::sleep(PAUSE),
            done => return done,
        }
    }
}

fn is_held(error: &io::Error) -> bool {
    let code = error.raw_os_error().map(i32::cast_unsigned);
    matches!(code, Some(ERROR_ACCESS_DENIED | ERROR_SHARING_VIOLATION | ERROR_LOCK_VIOLATION | ERROR_USER_MAPPED_FILE))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_file_that_is_open_for_a_moment_is_waited_for_and_nothing_else_is() {
        let tried = |answers: &[u32]| {
            let count = Cell::new(0);
            let done = waited_for(|| {
                let answer = answers.get(count.replace(count.get() + 1)).copied().unwrap_or_default();
                if answer == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(answer.cast_signed())) }
            });
            (done.is_ok(), count.get())
        };
        assert_eq!(tried(&[]), (true, 1));
        assert_eq!(tried(&[ERROR_SHARING_VIOLATION, ERROR_ACCESS_DENIED]), (true, 3));
        // No such file; the disk is full.
        for other in [2, 112] {
            assert_eq!(tried(&[other]), (false, 1));
        }
    }
}
