//! Status changes of all readers as events: a reader came or went, a card came or went, the service was lost or found.
//!
//! [`watch`] blocks in the system's own status call and wakes up only when something changed. It compares what it sees with
//! what it saw before, by the reader's count of insertions and removals, so that a card swapped within one look is a removal
//! and an insertion, and so that nothing is missed across a restart of the service.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Presence, ReaderEntry, ReaderError, Readers};

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

/// Calls off the wait of one [`StatusSource`]; has no effect where nobody waits yet.
pub type CallOff = Box<dyn Fn() + Send>;

/// Opens status sources: a new one after each loss of the service, since an old one never recovers.
pub trait StatusService: Send + Sync {
    /// A new connection, and the way to call off its waits from another thread.
    ///
    /// # Errors
    /// No service, no permission.
    fn connect(&self) -> Result<(Box<dyn StatusSource>, CallOff), ReaderError>;
}
