//! Handles that a caller of this process has opened for it.

#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::windows::io::{AsRawHandle as _, FromRawHandle as _, OwnedHandle};
use std::ptr::null_mut;

use windows_sys::Win32::Foundation::{
    DUPLICATE_SAME_ACCESS, DuplicateHandle, ERROR_BROKEN_PIPE, HANDLE, INVALID_HANDLE_VALUE,
};
use windows_sys::Win32::Storage::FileSystem::{FILE_TYPE_PIPE, GetFileType};
use windows_sys::Win32::System::Pipes::PeekNamedPipe;
use windows_sys::Win32::System::Threading::GetCurrentProcess;

use super::done;

/// The handle of this number once more.
///
/// # Errors
/// The system's: there is none.
pub fn duplicate(number: u32) -> io::Result<OwnedHandle> {
    let mut copy: HANDLE = INVALID_HANDLE_VALUE;
    // SAFETY: the number is looked up by the system, which refuses one that is no handle of this process; the place for the answer is ours.
    done(unsafe {
        let number = std::ptr::without_provenance_mut(number as usize);
        DuplicateHandle(GetCurrentProcess(), number, GetCurrentProcess(), &raw mut copy, 0, 0, DUPLICATE_SAME_ACCESS)
    })?;
    // SAFETY: the call has just made it for us.
    Ok(unsafe { OwnedHandle::from_raw_handle(copy) })
}

/// Whether a read of the file returns at once: always but for a pipe that is empty and has another end.
///
/// # Errors
/// The system's.
pub fn has_something(file: &File) -> io::Result<bool> {
    let handle = file.as_raw_handle();
    // SAFETY: the file is open.
    if unsafe { GetFileType(handle) } != FILE_TYPE_PIPE {
        return Ok(true);
    }
    let mut waiting = 0;
    // SAFETY: the file is open, nothing but the number of bytes is asked for, and its place is ours.
    match done(unsafe { PeekNamedPipe(handle, null_mut(), 0, null_mut(), &raw mut waiting, null_mut()) }) {
        Ok(()) => Ok(waiting > 0),
        // An end is something to read as well.
        Err(error) if error.raw_os_error() == Some(ERROR_BROKEN_PIPE.cast_signed()) => Ok(true),
        Err(error) => Err(error),
    }
}
