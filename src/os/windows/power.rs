//! Told when the machine wakes up, with a window or without.

#![allow(unsafe_code)]

use std::ffi::c_void;
use std::io;
use std::ops::ControlFlow;
use std::ptr::null_mut;
use std::sync::{Mutex, PoisonError};

use windows_sys::Win32::Foundation::ERROR_SUCCESS;
use windows_sys::Win32::System::Power::{DEVICE_NOTIFY_SUBSCRIBE_PARAMETERS, PowerRegisterSuspendResumeNotification};
use windows_sys::Win32::UI::WindowsAndMessaging::{DEVICE_NOTIFY_CALLBACK, PBT_APMRESUMEAUTOMATIC};

type Take = Box<dyn FnMut() -> ControlFlow<()> + Send>;

/// Who is told, until it breaks. There is one agent a process.
static TAKE: Mutex<Option<Take>> = Mutex::new(None);

/// Has `take` called after every sleep of the machine from now on, on a thread of the system's, until it breaks. Of several calls the last
/// one counts.
///
/// # Errors
/// The system's.
pub fn on_wake(take: impl FnMut() -> ControlFlow<()> + Send + 'static) -> io::Result<()> {
    let is_first = TAKE.lock().unwrap_or_else(PoisonError::into_inner).replace(Box::new(take)).is_none();
    if !is_first {
        return Ok(());
    }
    let mut how = DEVICE_NOTIFY_SUBSCRIBE_PARAMETERS { Callback: Some(told), Context: null_mut() };
    let mut registration = null_mut();
    // SAFETY: the system copies what says how, the function lives as long as the process and has the form that is wanted, and the place for
    // the answer is ours. It is never given back: who is told is told to the end.
    let answer = unsafe {
        PowerRegisterSuspendResumeNotification(DEVICE_NOTIFY_CALLBACK, (&raw mut how).cast(), &raw mut registration)
    };
    if answer == ERROR_SUCCESS { Ok(()) } else { Err(io::Error::from_raw_os_error(answer.cast_signed())) }
}

/// The end of a sleep comes as this, whoever or whatever has woken the machine.
unsafe extern "system" fn told(_context: *const c_void, what: u32, _setting: *const c_void) -> u32 {
    if what == PBT_APMRESUMEAUTOMATIC {
        let mut take = TAKE.lock().unwrap_or_else(PoisonError::into_inner);
        if take.as_mut().is_some_and(|take| take().is_break()) {
            *take = None;
        }
    }
    ERROR_SUCCESS
}

#[cfg(test)]
mod tests {
    use std::ptr::null;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use windows_sys::Win32::UI::WindowsAndMessaging::{PBT_APMRESUMESUSPEND, PBT_APMSUSPEND};

    use super::*;

    #[test]
    fn every_sleep_is_told_once_and_until_nobody_listens() {
        let count = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&count);
        on_wake(move || match counted.fetch_add(1, Ordering::SeqCst) {
            0 => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        })
        .unwrap();
        // The system's own calls, as it makes them when a person wakes the machine.
        let sleep = || {
            for what in [PBT_APMSUSPEND, PBT_APMRESUMEAUTOMATIC, PBT_APMRESUMESUSPEND] {
                // SAFETY: what the function is told besides it does not look at.
                assert_eq!(unsafe { told(null(), what, null()) }, ERROR_SUCCESS);
            }
            count.load(Ordering::SeqCst)
        };
        assert_eq!([sleep(), sleep(), sleep()], [1, 2, 2]);
    }
}
