//! Status changes of all readers as events: a reader came or went, a card came or went, the service was lost or found.
//!
//! [`watch`] blocks in the system's own status call and wakes up only when something changed. It compares what it sees with
//! what it saw before, by the reader's count of insertions and removals, so that a card swapped within one look is a removal
//! and an insertion, and so that nothing is missed across a restart of the service.

mod handle;
mod seen;
mod spin;

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

pub use self::handle::Handle;
use self::handle::Wish;
use self::seen::Seen;
use self::spin::Spin;
use super::{Presence, ReaderEntry, ReaderError};

/// Something changed.
#[derive(Debug)]
pub enum CardEvent {
    /// The service answers.
    ServiceFound,
    /// The service does not answer; every reader and card is gone with it. Told once, until it is found.
    ServiceLost(ReaderError),
    /// A reader was plugged in.
    ReaderAdded {
        /// Its name.
        reader: String,
    },
    /// A reader was unplugged.
    ReaderRemoved {
        /// Its name.
        reader: String,
    },
    /// A card was inserted, or was there when the watch began.
    Inserted {
        /// The reader's name.
        reader: String,
        /// The card, with the reader's own count.
        presence: Presence,
    },
    /// The card was pulled.
    Removed {
        /// The reader's name.
        reader: String,
    },
}

/// A connection to the service that is used for nothing but status calls.
pub trait StatusSource {
    /// Every reader with what is in it, now. Does not wait for a change.
    ///
    /// # Errors
    /// The service is gone.
    fn look(&mut self) -> Result<Vec<ReaderEntry>, ReaderError>;

    /// Blocks until something may be different from the last [`StatusSource::look`], until `limit` is over, or until it is
    /// called off.
    ///
    /// # Errors
    /// The service is gone.
    fn wait(&mut self, limit: Option<Duration>) -> Result<(), ReaderError>;

    /// Whether a reader that is plugged in ends the wait. Where it does not, readers are looked for every second.
    fn sees_new_readers(&self) -> bool;
}

/// Calls off the wait of one [`StatusSource`]; has no effect where nobody waits yet. Hangs where the service does.
pub type CallOff = Box<dyn Fn() + Send + Sync>;

/// Opens status sources: a new one after each loss of the service, since an old one never recovers.
pub trait StatusService: Send + Sync {
    /// A new connection, and the way to call off its waits from another thread.
    ///
    /// # Errors
    /// No service, no permission.
    fn connect(&self) -> Result<(Box<dyn StatusSource>, CallOff), ReaderError>;
}

/// First and longest pause between two attempts to find the service.
const SEARCH: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// How often new readers are looked for where they don't announce themselves.
const POLL: Duration = Duration::from_secs(1);

/// Watches until [`Handle::stop`]; `tell` is told each change, on this thread. Ends as well when `tell` breaks.
pub fn watch(service: &dyn StatusService, handle: &Handle, tell: &mut dyn FnMut(CardEvent) -> ControlFlow<()>) {
    let mut lost = false;
    let mut pause = SEARCH.0;
    loop {
        match service.connect() {
            Ok((mut source, call_off)) => {
                handle.call_off_with(Some(call_off));
                let served = serve(source.as_mut(), handle, tell);
                handle.call_off_with(None);
                match served {
                    End::Stopped => return handle.finish(),
                    End::Lost { error, saw_any } => {
                        if saw_any {
                            pause = SEARCH.0;
                            lost = false;
                        }
                        if told_loss(&mut lost, error, tell).is_break() {
                            return handle.finish();
                        }
                    }
                }
            }
            Err(error) => {
                if told_loss(&mut lost, error, tell).is_break() {
                    return handle.finish();
                }
            }
        }
        handle.pause(pause);
        pause = (pause * 2).min(SEARCH.1);
        // With nothing seen there is nothing to look at anew.
        if handle.take() == Wish::Stop {
            return;
        }
    }
}

fn told_loss(
    lost: &mut bool,
    error: ReaderError,
    tell: &mut dyn FnMut(CardEvent) -> ControlFlow<()>,
) -> ControlFlow<()> {
    if std::mem::replace(lost, true) { ControlFlow::Continue(()) } else { tell(CardEvent::ServiceLost(error)) }
}

/// How the watch over one connection ended.
enum End {
    Stopped,
    Lost { error: ReaderError, saw_any: bool },
}

fn serve(source: &mut dyn StatusSource, handle: &Handle, tell: &mut dyn FnMut(CardEvent) -> ControlFlow<()>) -> End {
    let mut seen = Seen::default();
    let mut spin = Spin::default();
    let mut found = false;
    loop {
        let entries = match source.look() {
            Ok(entries) => entries,
            Err(error) => return End::Lost { error, saw_any: found },
        };
        if !found {
            found = true;
            if tell(CardEvent::ServiceFound).is_break() {
                return End::Stopped;
            }
        }
        let events = seen.compare(entries);
        if spin.turns(events.is_empty()) {
            handle.pause(spin::PAUSE);
        }
        for event in events {
            if tell(event).is_break() {
                return End::Stopped;
            }
        }
        match handle.take() {
            Wish::Stop => return End::Stopped,
            Wish::Rescan => {
                seen.forget_cards();
                continue;
            }
            Wish::Refresh => continue,
            Wish::Nothing => {}
        }
        let limit = (!source.sees_new_readers()).then_some(POLL);
        let begun = Instant::now();
        if let Err(error) = source.wait(limit) {
            return End::Lost { error, saw_any: true };
        }
        if limit.is_some_and(|limit| begun.elapsed() >= limit / 2) {
            // Polling brings nothing most of the time, and is paced already where the wait does wait.
            spin.forgive();
        }
    }
}

#[cfg(test)]
mod tests;
