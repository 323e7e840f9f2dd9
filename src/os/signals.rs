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
/// handler can't be set still ends the process. On Windows a closed window, and the end of the session, set it as well, and the system ends
/// the process some seconds later.
#[cfg(unix)]
pub fn set_on_interrupt(flag: &Arc<AtomicBool>) {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        drop(signal_hook::flag::register(signal, Arc::clone(flag)));
    }
}

/// Has Ctrl-C, a closed window and the end of the session set `flag` from now on. The system ends the process some seconds after the
/// last two.
#[cfg(windows)]
pub fn set_on_interrupt(flag: &Arc<AtomicBool>) {
    let flag = Arc::clone(flag);
    // Where it can't be set they end the process.
    drop(super::windows::console::on_ask(move |_| flag.store(true, std::sync::atomic::Ordering::SeqCst)));
}

/// Calls `take` for each signal from now on, on a thread of its own, until it breaks. However often a signal comes, it does
/// nothing else to the process.
///
/// # Errors
/// The handlers can't be set, or no thread is to be had.
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

/// Calls `take` for each signal from now on: what the service manager asks for, where it has started the process, and the console.
///
/// # Errors
/// The console's handler can't be set.
#[cfg(windows)]
pub fn forward(take: impl FnMut(Signal) -> ControlFlow<()> + Send + 'static) -> io::Result<()> {
    let take = std::sync::Mutex::new(take);
    let take = Arc::new(move |signal| {
        let mut take = take.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Nobody listens any more where it breaks: the process is ending.
        let _: ControlFlow<()> = take(signal);
    });
    let of_manager = Arc::clone(&take);
    super::service::on_control(move |signal| of_manager(signal));
    if super::service::is_joined() {
        return super::windows::console::ignore_asks();
    }
    super::windows::console::on_ask(move |_| take(Signal::Terminate))
}
