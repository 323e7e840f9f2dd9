//! The console: its two ends, its keys, and what it asks the process for.
//!
//! What makes the calls sound: the ends are files that are open for as long as [`Console`] lives, and every buffer is ours and has the
//! length that is told.

#![allow(unsafe_code)]

use std::fs::{File, OpenOptions};
use std::hint::black_box;
use std::io;
use std::os::windows::io::AsRawHandle as _;
use std::ptr::null;
use std::sync::OnceLock;
use std::time::Duration;

use windows_sys::Win32::Foundation::{WAIT_FAILED, WAIT_OBJECT_0};
use windows_sys::Win32::System::Console::{
    CTRL_BREAK_EVENT, CTRL_C_EVENT, ENABLE_PROCESSED_INPUT, FlushConsoleInputBuffer, GetConsoleMode, INPUT_RECORD,
    KEY_EVENT, ReadConsoleInputW, SetConsoleCtrlHandler, SetConsoleMode, WriteConsoleW,
};
use windows_sys::Win32::System::Threading::WaitForSingleObject;
use windows_sys::core::BOOL;

use super::done;

/// The console of this process, wherever its standard streams go.
pub struct Console {
    input: File,
    output: File,
}

impl Console {
    /// Opens both ends.
    ///
    /// # Errors
    /// The process has no console.
    pub fn open() -> io::Result<Self> {
        let open = |name| OpenOptions::new().read(true).write(true).open(name);
        Ok(Self { input: open("CONIN$")?, output: open("CONOUT$")? })
    }

    /// Shows a text.
    ///
    /// # Errors
    /// The system's.
    pub fn show(&self, text: &str) -> io::Result<()> {
        let text: Vec<u16> = text.encode_utf16().collect();
        let mut rest = text.as_slice();
        while !rest.is_empty() {
            let (mut shown, length) = (0, u32::try_from(rest.len()).unwrap_or(u32::MAX));
            // SAFETY: the buffer has the length that is told.
            done(unsafe { WriteConsoleW(self.output.as_raw_handle(), rest.as_ptr(), length, &raw mut shown, null()) })?;
            if shown == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            rest = rest.get(shown as usize..).unwrap_or_default();
        }
        Ok(())
    }

    /// Has keys come one by one and unseen, but for Ctrl-C, which goes to the process.
    ///
    /// # Errors
    /// The system's.
    pub fn by_key(&self) -> io::Result<ByKey<'_>> {
        let mut before = 0;
        // SAFETY: the place for the answer is ours.
        done(unsafe { GetConsoleMode(self.input.as_raw_handle(), &raw mut before) })?;
        // SAFETY: a number and a handle that is open.
        done(unsafe { SetConsoleMode(self.input.as_raw_handle(), ENABLE_PROCESSED_INPUT) })?;
        Ok(ByKey { console: self, before })
    }

    /// Throws away what was typed and not read.
    ///
    /// # Errors
    /// The system's.
    pub fn flush(&self) -> io::Result<()> {
        // SAFETY: a handle that is open.
        done(unsafe { FlushConsoleInputBuffer(self.input.as_raw_handle()) })
    }
}

/// Keys that come one by one; what was before comes back when dropped.
pub struct ByKey<'a> {
    console: &'a Console,
    before: u32,
}

impl ByKey<'_> {
    /// The next unit of what is typed (UTF-16), where one comes within that time: a key that is pressed, or a number that was typed with
    /// Alt held. Other keys, the mouse and the window are passed over.
    ///
    /// # Errors
    /// The system's: the console has gone.
    pub fn next(&self, within: Duration) -> io::Result<Option<u16>> {
        const VK_MENU: u16 = 0x12;
        let input = self.console.input.as_raw_handle();
        let within = u32::try_from(within.as_millis()).unwrap_or(u32::MAX);
        // SAFETY: a handle that is open.
        match unsafe { WaitForSingleObject(input, within) } {
            WAIT_OBJECT_0 => {}
            WAIT_FAILED => return Err(io::Error::last_os_error()),
            _ => return Ok(None),
        }
        let (mut record, mut count) = (INPUT_RECORD::default(), 0);
        // SAFETY: room for one record, as is told. One is there: nobody else reads here.
        done(unsafe { ReadConsoleInputW(input, &raw mut record, 1, &raw mut count) })?;
        if count == 0 || u32::from(record.EventType) != KEY_EVENT {
            return Ok(None);
        }
        // SAFETY: by its kind the record holds a key, and a key's character is a unit of UTF-16 here.
        let (is_down, key, unit) = unsafe {
            let key = record.Event.KeyEvent;
            (key.bKeyDown != 0, key.wVirtualKeyCode, key.uChar.UnicodeChar)
        };
        // The record held what is perhaps a secret's letter.
        black_box(&mut record);
        record = INPUT_RECORD::default();
        black_box(&record);
        Ok(Some(unit).filter(|unit| *unit != 0 && (is_down || key == VK_MENU)))
    }
}

impl Drop for ByKey<'_> {
    fn drop(&mut self) {
        // Nothing can be done about a console that is gone.
        // SAFETY: a number and a handle that is open.
        unsafe { SetConsoleMode(self.console.input.as_raw_handle(), self.before) };
    }
}

/// What the console asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Ctrl-C or Ctrl-Break.
    ToEnd,
    /// The window was closed, or the session or the machine ends: the system ends the process a few seconds later.
    ToEndNow,
}

type Take = Box<dyn Fn(Asked) + Send + Sync>;

static TAKE: OnceLock<Take> = OnceLock::new();

/// Has `take` called for whatever the console asks for from now on, on threads of the system's own; the process ends by itself, or is
/// ended. Of several calls the first one counts.
///
/// # Errors
/// The system's.
pub fn on_ask(take: impl Fn(Asked) + Send + Sync + 'static) -> io::Result<()> {
    if TAKE.set(Box::new(take)).is_err() {
        return Ok(());
    }
    // SAFETY: the function lives as long as the process and has the form that is wanted.
    done(unsafe { SetConsoleCtrlHandler(Some(ask), 1) })
}

/// Passes over whatever the console asks for: a service is told of it when anybody signs out, and has nothing to do with that.
///
/// # Errors
/// The system's.
pub fn ignore_asks() -> io::Result<()> {
    // SAFETY: the function lives as long as the process and has the form that is wanted.
    done(unsafe { SetConsoleCtrlHandler(Some(ignore), 1) })
}

unsafe extern "system" fn ignore(_event: u32) -> BOOL {
    1
}

unsafe extern "system" fn ask(event: u32) -> BOOL {
    let asked = if matches!(event, CTRL_C_EVENT | CTRL_BREAK_EVENT) { Asked::ToEnd } else { Asked::ToEndNow };
    if let Some(take) = TAKE.get() {
        take(asked);
    }
    if asked == Asked::ToEndNow {
        // The process is ended as soon as this returns, and not before some seconds have passed where it does not: time to back out.
        loop {
            std::thread::park();
        }
    }
    1
}
