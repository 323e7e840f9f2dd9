//! The only place that asks a person: on the controlling terminal, without echo, into a buffer that is zeroed.
//!
//! While a secret is typed the terminal hands over whole lines and shows nothing: so the kernel knows a password, keeps it out
//! of its audit log and wipes its own line buffer. Ctrl-C is a signal as ever: the terminal is put back in order before anything
//! else happens. On Windows it is the console, key by key.

use crate::foreign_text::escaped;

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub use unix::{Terminal, can_confirm, is_interactive};

#[cfg(any(windows, test))]
mod keys;
#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::{Terminal, can_confirm, is_interactive};

/// A text of one line or several, without what a terminal would obey.
fn shown(text: &str) -> String {
    text.split('\n').map(escaped).collect::<Vec<_>>().join("\n")
}
