//! Signals as messages: SIGTERM and SIGINT ask the loop to end, SIGHUP asks for a re-check.

use std::io;
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::{Message, Post};

/// Passes signals on from now on. However often one comes, it is a message and nothing more: a job on a card is never cut
/// short by it.
///
/// # Errors
/// The handlers can't be set, or no thread is to be had.
pub fn forward(post: &Post) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    let post = post.clone();
    let pass_on = move || {
        for signal in signals.forever() {
            let message = if signal == SIGHUP { Message::Recheck(None) } else { Message::Shutdown };
            if post.send(message).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("signals".to_owned()).spawn(pass_on)?;
    Ok(())
}
