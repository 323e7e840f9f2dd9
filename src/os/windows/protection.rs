//! Keeping the memory of this process out of reports on its crash.

#![allow(unsafe_code)]

use std::io;

use windows_sys::Win32::System::Diagnostics::Debug::{
    SEM_FAILCRITICALERRORS, SEM_NOGPFAULTERRORBOX, SEM_NOOPENFILEERRORBOX, SetErrorMode,
};
use windows_sys::Win32::System::ErrorReporting::{WER_FAULT_REPORTING_FLAG_NOHEAP, WerSetFlags};

/// A crash ends the process at once, without a dialog that waits for somebody, and a report on it has nothing of the heap.
///
/// # Errors
/// The system's.
pub fn no_reports() -> io::Result<()> {
    // SAFETY: both take flags, and no pointer.
    let answer = unsafe {
        SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX | SEM_NOOPENFILEERRORBOX);
        WerSetFlags(WER_FAULT_REPORTING_FLAG_NOHEAP)
    };
    // An HRESULT of the system's codes has them in its lower half.
    if answer < 0 { Err(io::Error::from_raw_os_error(answer & 0xFFFF)) } else { Ok(()) }
}
