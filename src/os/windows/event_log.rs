//! The event log of Windows: its sources, and records in it.

#![allow(unsafe_code)]

use std::ffi::OsStr;
use std::io;
use std::ptr::{null, null_mut};
use std::sync::OnceLock;

use windows_sys::Win32::Foundation::{ERROR_FILE_NOT_FOUND, HANDLE};
use windows_sys::Win32::System::EventLog::{
    EVENTLOG_ERROR_TYPE, EVENTLOG_INFORMATION_TYPE, EVENTLOG_WARNING_TYPE, RegisterEventSourceW, ReportEventW,
};
use windows_sys::Win32::System::Registry::{
    HKEY_LOCAL_MACHINE, REG_DWORD, REG_EXPAND_SZ, RegDeleteTreeW, RegSetKeyValueW,
};

use super::wide;

/// Where sources of the log of applications are named.
const SOURCES: &str = "SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application\\";

/// A file of Windows whose messages of the numbers 1 to 1000 are the text of the record and nothing else.
const MESSAGES: &str = "%SystemRoot%\\System32\\EventCreate.exe";

/// The most units of a text that the log takes.
const TEXT_MAX: usize = 31_000;

/// How much a record matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// Something is wrong.
    Error,
    /// Something may become wrong.
    Warning,
    /// All is well.
    Information,
}

/// Names a source, so that the log shows its records as what they say.
///
/// # Errors
/// The system's.
pub fn register(source: &str) -> io::Result<()> {
    let key = wide(OsStr::new(&format!("{SOURCES}{source}")))?;
    let messages = wide(OsStr::new(MESSAGES))?;
    let kinds: u32 = 7;
    let bytes = u32::try_from(size_of_val(messages.as_slice())).unwrap_or_default();
    set(&key, "EventMessageFile", REG_EXPAND_SZ, messages.as_ptr().cast(), bytes)?;
    set(&key, "TypesSupported", REG_DWORD, (&raw const kinds).cast(), 4)
}

fn set(key: &[u16], name: &str, kind: u32, value: *const core::ffi::c_void, bytes: u32) -> io::Result<()> {
    let name = wide(OsStr::new(name))?;
    // SAFETY: key and name end with a zero, and the value has as many bytes as both callers say.
    code(unsafe { RegSetKeyValueW(HKEY_LOCAL_MACHINE, key.as_ptr(), name.as_ptr(), kind, value, bytes) })
}

/// Removes a source; one that is not there is no failure.
///
/// # Errors
/// The system's.
pub fn unregister(source: &str) -> io::Result<()> {
    let key = wide(OsStr::new(&format!("{SOURCES}{source}")))?;
    // SAFETY: the key's name ends with a zero.
    match unsafe { RegDeleteTreeW(HKEY_LOCAL_MACHINE, key.as_ptr()) } {
        ERROR_FILE_NOT_FOUND => Ok(()),
        answer => code(answer),
    }
}

fn code(answer: u32) -> io::Result<()> {
    if answer == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(answer.cast_signed())) }
}

/// The log, as a source that stays open. The system takes the handle from any thread.
struct Source(HANDLE);

// SAFETY: the handle is the event log's to look after, and its calls may be made from any thread.
unsafe impl Send for Source {}
// SAFETY: as above.
unsafe impl Sync for Source {}

/// Puts a record into the log.
///
/// # Errors
/// The system's.
pub fn report(source: &str, weight: Weight, text: &str) -> io::Result<()> {
    static SOURCE: OnceLock<Source> = OnceLock::new();
    let name = wide(OsStr::new(source))?;
    // SAFETY: the name ends with a zero; without a server it is this machine's log.
    let log = SOURCE.get_or_init(|| Source(unsafe { RegisterEventSourceW(null(), name.as_ptr()) }));
    let (kind, number) = match weight {
        Weight::Error => (EVENTLOG_ERROR_TYPE, 1),
        Weight::Warning => (EVENTLOG_WARNING_TYPE, 2),
        Weight::Information => (EVENTLOG_INFORMATION_TYPE, 3),
    };
    let mut text: Vec<u16> = text.encode_utf16().filter(|unit| *unit != 0).take(TEXT_MAX).collect();
    text.push(0);
    let texts = [text.as_ptr()];
    // SAFETY: one text, which ends with a zero and lives until the call returns; no user, no data. A log that was not opened is refused.
    super::done(unsafe { ReportEventW(log.0, kind, 0, number, null_mut(), 1, 0, texts.as_ptr(), null()) })
}
