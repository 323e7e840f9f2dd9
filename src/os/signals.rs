//! Signals: what a person or the service manager asks a running process for.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// What a daemon is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// To end (SIGTERM, SIGINT).
    Terminate,
    /// To look at everything anew (SIGHUP).
    Reload,
}

/// Has Ctrl-C, SIGTERM and, on Unix, SIGHUP (a closed terminal) set `flag` from now on, however often they come. A signal whose
/// handler can't be set still ends the process.
pub fn set_on_interrupt(flag: &Arc<AtomicBool>) {
    use signal_hook::consts::{SIGINT, SIGTERM};
    #[cfg(unix)]
    let signals = [SIGINT, SIGTERM, signal_hook::consts::SIGHUP];
    #[cfg(not(unix))]
    let signals = [SIGINT, SIGTERM];
    for signal in signals {
        drop(signal_hook::flag::register(signal, Arc::clone(flag)));
    }
}

/// Calls `take` for each signal from now on, on a thread of its own, until it breaks. However often a signal comes, it does
/// nothing else to the process.
///
/// # Errors
/// The handlers can't be set, no thread is to be had, or ([`io::ErrorKind::Unsupported`]) the system has no such signals.
#[cfg(unix)]
pub fn forward(mut take: impl FnMut(Signal) -> ControlFlow<()> + Send + 'static) -> io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    let pass_on = move || {
        for signal in signals.forever() {
            if take(if signal == SIGHUP { Signal::Reload } else { Signal::Terminate }).is_break() {
                return;
            }
        }
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(pass_on)?;
    Ok(())
}

/// Calls `take` for each signal from now on: not on this system.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
#[cfg(not(unix))]
pub fn forward(_take: impl FnMut(Signal) -> ControlFlow<()> + Send + 'static) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
