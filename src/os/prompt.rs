//! The only place that asks a person: on the controlling terminal, without echo, into a buffer that is zeroed.
//!
//! While a secret is typed the terminal hands over whole lines and shows nothing: so the kernel knows a password, keeps it out
//! of its audit log and wipes its own line buffer. Ctrl-C is a signal as ever: the terminal is put back in order before anything
//! else happens.
//!
//! On systems whose terminal this version can't switch to silent entry nobody is asked: secrets come from files.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub use unix::{Terminal, can_confirm, is_interactive};

#[cfg(not(unix))]
mod other;
#[cfg(not(unix))]
pub use other::{Terminal, can_confirm, is_interactive};
