//! What the system tells the loop: signals, and jumps of the clock.

use std::io;
use std::ops::ControlFlow;

use super::mailbox::{MailboxSender, Message};
use crate::os::clock;
use crate::os::signals::{self, Signal};

/// Passes signals on from now on: SIGTERM and SIGINT ask the loop to end, SIGHUP asks for a re-check. However often one comes,
/// it is a message and nothing more: a job on a card is never cut short by it.
///
/// # Errors
/// The handlers can't be set, or no thread is to be had.
pub fn forward_signals(mailbox: &MailboxSender) -> io::Result<()> {
    let mailbox = mailbox.clone();
    signals::forward(move |signal| {
        go_on(mailbox.send(match signal {
            Signal::Terminate => Message::Shutdown,
            Signal::Reload => Message::Recheck(None),
        }))
    })
}

/// Tells the loop of every jump of the clock from now on: the machine was asleep, and cards may have been swapped meanwhile.
///
/// # Errors
/// The system does not tell, or no thread is to be had.
pub fn watch_clock(mailbox: &MailboxSender) -> io::Result<()> {
    let mailbox = mailbox.clone();
    clock::watch(move || go_on(mailbox.send(Message::ClockJumped)))
}

/// Nobody is left to tell once the loop has ended.
fn go_on<E>(sent: Result<(), E>) -> ControlFlow<()> {
    if sent.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
}
