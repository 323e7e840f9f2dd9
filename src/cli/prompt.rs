//! The only place that asks a person: on the controlling terminal, without echo, into a buffer that is zeroed.
//!
//! While a secret is typed the terminal hands over whole lines and shows nothing: so the kernel knows a password, keeps it out
//! of its audit log and wipes its own line buffer. Ctrl-C is a signal as ever: the terminal is put back in order before anything
//! else happens.

#[cfg(unix)]
mod terminal;

#[cfg(unix)]
pub use terminal::{Terminal, is_interactive};

#[cfg(not(unix))]
mod unsupported;

#[cfg(not(unix))]
pub use unsupported::{Terminal, is_interactive};
