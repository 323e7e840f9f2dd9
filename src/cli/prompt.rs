//! The only place that asks a person: on the controlling terminal, without echo, into a buffer that is zeroed.
//!
//! The terminal's line discipline is switched off while a secret is typed, so that no line buffer of the kernel keeps it and
//! Ctrl-C arrives as a character: the terminal is put back in order before anything else happens.

#[cfg(unix)]
mod terminal;

#[cfg(unix)]
pub use terminal::{Terminal, is_interactive};

#[cfg(not(unix))]
mod unsupported;

#[cfg(not(unix))]
pub use unsupported::{Terminal, is_interactive};
