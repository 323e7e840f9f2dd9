//! What Windows is asked directly. Each file is one subject, and alone in it are the calls that the compiler can't check: each says
//! why it is sound. Nothing of the raw interface leaves these files.

pub(in crate::os) mod console;
pub(in crate::os) mod dpapi;
pub(in crate::os) mod event_log;
pub(in crate::os) mod folder;
pub(in crate::os) mod handle;
pub(in crate::os) mod pipe;
pub(in crate::os) mod power;
pub(in crate::os) mod privileges;
pub(in crate::os) mod protection;
pub(in crate::os) mod security;
pub(in crate::os) mod sspi;

use std::ffi::OsStr;
use std::io;
use std::os::windows::ffi::OsStrExt as _;

/// A text with the zero at its end that the system wants.
///
/// # Errors
/// A zero inside of it.
fn wide(text: &OsStr) -> io::Result<Vec<u16>> {
    let mut wide: Vec<u16> = text.encode_wide().collect();
    if wide.contains(&0) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "there is a zero in the text"));
    }
    wide.push(0);
    Ok(wide)
}

/// What a call that answers with a number has done.
///
/// # Errors
/// The number is 0: the system's last error.
fn done(answer: i32) -> io::Result<()> {
    if answer == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
