//! Status changes of all readers as events: a reader came or went, a card came or went, the service was lost or found.
//!
//! [`watch`] blocks in the system's own status call and wakes up only when something changed. It compares what it sees with
//! what it saw before, by the reader's count of insertions and removals, so that a card swapped within one look is a removal
//! and an insertion, and so that nothing is missed across a restart of the service.

mod handle;
mod seen;
mod spin;
mod watchdog;

use std::ops::ControlFlow;
use std::thread;
use std::time::{Duration, Instant};

pub use self::handle::Handle;
use self::handle::Wish;
use self::seen::Seen;
use self::spin::Spin;
use self::watchdog::Call;
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
    /// A card was inserted, was there when the watch began, or has woken up that was mute so far.
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

    /// How long [`StatusService::connect`] and [`StatusSource::look`] may take before the service counts as lost.
    fn patience(&self) -> Duration;
}

/// Who is told, on whichever thread; breaks where nobody listens any more.
pub type Tell<'a> = &'a (dyn Fn(CardEvent) -> ControlFlow<()> + Sync);

/// First and longest pause between two attempts to find the service.
const SEARCH: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// A connection that was lost before that does not count as a service that works: without this one that fails as soon as it is
/// waited on would be looked for, and every card looked at, ten times a second.
const STEADY: Duration = Duration::from_secs(2);

/// How often new readers are looked for where they don't announce themselves.
const POLL: Duration = Duration::from_secs(1);

/// Watches until [`Handle::stop`]; `tell` is told each change. Ends as well when `tell` breaks.
pub fn watch(service: &dyn StatusService, handle: &Handle, tell: Tell<'_>) {
    thread::scope(|scope| {
        // Also where the watch panics: nobody may wait for one that has ended.
        let _end = End(handle);
        let watchdog = thread::Builder::new().name("card-watchdog".to_owned());
        if let Err(error) = watchdog.spawn_scoped(scope, || watchdog::look_after(handle, tell)) {
            tracing::error!("a PC/SC service that hangs goes unseen: {error}");
        }
        Watch { service, handle, tell, told: None, pause: SEARCH.0 }.run();
    });
}

struct End<'a>(&'a Handle);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.finish();
    }
}

struct Watch<'a> {
    service: &'a dyn StatusService,
    handle: &'a Handle,
    tell: Tell<'a>,
    /// What was last told of the service, if anything was.
    told: Option<Service>,
    pause: Duration,
}

#[derive(PartialEq, Eq)]
enum Service {
    Found,
    Lost,
}

/// How the watch over one connection ended.
enum Served {
    Stopped,
    Lost(ReaderError),
}

impl Watch<'_> {
    fn run(&mut self) {
        loop {
            let patience = self.service.patience();
            let connected = self.call(Call::bounded("reaching the service", patience), || self.service.connect());
            let served = match connected {
                Ok((mut source, call_off)) => {
                    self.handle.call_off_with(Some(call_off));
                    let begun = Instant::now();
                    let served = self.serve(source.as_mut());
                    if begun.elapsed() >= STEADY {
                        self.pause = SEARCH.0;
                    }
                    self.handle.call_off_with(None);
                    served
                }
                Err(error) => Served::Lost(error),
            };
            let Served::Lost(error) = served else { return };
            if self.has_lost(error).is_break() {
                return;
            }
            self.handle.pause(self.pause);
            self.pause = (self.pause * 2).min(SEARCH.1);
            // With nothing seen there is nothing to look at anew.
            if self.handle.take() == Wish::Stop {
                return;
            }
        }
    }

    fn serve(&mut self, source: &mut dyn StatusSource) -> Served {
        let patience = self.service.patience();
        let mut seen = Seen::default();
        let mut spin = Spin::default();
        loop {
            let entries = match self.call(Call::bounded("looking at the readers", patience), || source.look()) {
                Ok(entries) => entries,
                Err(error) => return Served::Lost(error),
            };
            if self.told != Some(Service::Found) {
                self.told = Some(Service::Found);
                // Where it hung for a while all that was there is told anew, as after any loss.
                seen = Seen::default();
                if (self.tell)(CardEvent::ServiceFound).is_break() {
                    return Served::Stopped;
                }
            }
            let events = seen.compare(entries);
            if spin.turns(events.is_empty()) {
                self.handle.pause(spin::PAUSE);
            }
            for event in events {
                if (self.tell)(event).is_break() {
                    return Served::Stopped;
                }
            }
            match self.handle.take() {
                Wish::Stop => return Served::Stopped,
                Wish::Rescan => {
                    seen.tell_cards_anew();
                    continue;
                }
                Wish::Refresh => continue,
                Wish::Nothing => {}
            }
            let limit = (!source.sees_new_readers()).then_some(POLL);
            let begun = Instant::now();
            if let Err(error) = self.call(Call::wait(), || source.wait(limit)) {
                return Served::Lost(error);
            }
            if limit.is_some_and(|limit| begun.elapsed() >= limit / 2) {
                // Polling brings nothing most of the time, and is paced already where the wait does wait.
                spin.forgive();
            }
        }
    }

    /// A call to the service, looked after by the watchdog.
    fn call<T>(&mut self, mut call: Call, make: impl FnOnce() -> Result<T, ReaderError>) -> Result<T, ReaderError> {
        // A loss is told once.
        call.told = self.told == Some(Service::Lost);
        self.handle.enter(Some(call));
        let result = make();
        if self.handle.enter(None).is_some_and(|call| call.told) {
            self.told = Some(Service::Lost);
        }
        result
    }

    fn has_lost(&mut self, error: ReaderError) -> ControlFlow<()> {
        match self.told.replace(Service::Lost) {
            Some(Service::Lost) => ControlFlow::Continue(()),
            Some(Service::Found) | None => (self.tell)(CardEvent::ServiceLost(error)),
        }
    }
}

#[cfg(test)]
mod tests;
