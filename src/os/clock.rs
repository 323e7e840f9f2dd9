//! Told when the clock jumps: the machine was asleep, or, on Linux, wall time was set by more than a time service's touch.

use std::io;
use std::ops::ControlFlow;

#[cfg(target_os = "linux")]
mod linux;

/// Has a time service set the clock: a command, with what it belongs to.
#[cfg(not(windows))]
pub const SET: &str = "systemd: `timedatectl set-ntp true`";
/// Has a time service set the clock: a command, with what it belongs to.
#[cfg(windows)]
pub const SET: &str = "as an administrator: `w32tm /resync`";

/// Calls `jumped` after every jump from now on, on a thread of its own that sleeps until then, or of the system's, until it breaks.
///
/// # Errors
/// The system does not tell ([`io::ErrorKind::Unsupported`] where pinwright knows of none), or no thread is to be had.
pub fn watch(jumped: impl FnMut() -> ControlFlow<()> + Send + 'static) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        linux::watch(jumped)
    }
    #[cfg(windows)]
    {
        super::windows::power::on_wake(jumped)
    }
    #[cfg(not(any(target_os = "linux", windows)))]
    {
        drop(jumped);
        Err(io::ErrorKind::Unsupported.into())
    }
}
