//! Status changes of all readers as events: a reader came or went, a card came or went, the service was lost or found.
//!
//! [`watch`] blocks in the system's own status call and wakes up only when something changed. It compares what it sees with
//! what it saw before, by the reader's count of insertions and removals, so that a card swapped within one look is a removal
//! and an insertion, and so that nothing is missed across a restart of the service.

mod busy_loop;
mod handle;
mod last_look;
mod watchdog;

use std::ops::ControlFlow;
use std::thread;
use std::time::{Duration, Instant};

use self::busy_loop::BusyLoop;
pub use self::handle::Handle;
use self::handle::Request;
use self::last_look::LastLook;
use self::watchdog::Call;
use super::{Presence, ReaderEntry, ReaderError};

/// Something changed.
#[derive(Debug)]
pub enum CardEvent {
    /// The service answers.
    ServiceFound,
    /// The service does not answer; every reader and card is gone with it. Told once, until it is found, and once more where it then
    /// refuses us, which a person has to change.
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
    /// cancelled.
    ///
    /// # Errors
    /// The service is gone.
    fn wait(&mut self, limit: Option<Duration>) -> Result<(), ReaderError>;

    /// Whether a reader that is plugged in ends the wait. Where it does not, readers are looked for every second.
    fn sees_new_readers(&self) -> bool;
}

/// Ends the wait of one [`StatusSource`] (SCardCancel). It has no effect before the wait has begun, and does not return where the
/// service hangs.
pub type CancelWait = Box<dyn Fn() + Send + Sync>;

/// Opens status sources: a new one after each loss of the service, since an old one never recovers.
pub trait StatusService: Send + Sync {
    /// A new connection, and the way to cancel its waits from another thread.
    ///
    /// # Errors
    /// No service, no permission.
    fn connect(&self) -> Result<(Box<dyn StatusSource>, CancelWait), ReaderError>;

    /// How long [`StatusService::connect`] and [`StatusSource::look`] may take before the service counts as lost.
    fn patience(&self) -> Duration;
}

/// Who is told of changes, on any thread. It breaks where nobody wants to be told any more, and the watch ends.
pub type Listener<'a> = &'a (dyn Fn(CardEvent) -> ControlFlow<()> + Sync);

/// First and longest pause between two attempts to reach the service.
const RECONNECT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// Longest pause where a service answers that it does not want us: each attempt is some lines in its log, and a person has to
/// change something. The pauses grow as the others do, so what passes by itself after all is noticed before long.
const RECONNECT_REFUSED: Duration = Duration::from_secs(300);

/// How long a connection must have lasted for the pauses to start over. A service that fails at each wait would otherwise be
/// connected to, and every card looked at, ten times a second.
const LASTING: Duration = Duration::from_secs(2);

/// How often new readers are looked for where they don't announce themselves.
const POLL: Duration = Duration::from_secs(1);

/// Watches until [`Handle::stop`]; `tell` is told each change. Ends as well when `tell` breaks.
pub fn watch(service: &dyn StatusService, handle: &Handle, tell: Listener<'_>) {
    thread::scope(|scope| {
        // Also where the watch panics: whoever waits for the watch is told that it has ended.
        let _finish = FinishOnDrop(handle);
        let watchdog = thread::Builder::new().name("card-watchdog".to_owned());
        if let Err(error) = watchdog.spawn_scoped(scope, || watchdog::look_after(handle, tell)) {
            tracing::error!("a PC/SC service that hangs goes unseen: {error}");
        }
        Watch { service, handle, tell, told: None, pause: RECONNECT.0 }.run();
    });
}

struct FinishOnDrop<'a>(&'a Handle);

impl Drop for FinishOnDrop<'_> {
    fn drop(&mut self) {
        self.0.finish();
    }
}

struct Watch<'a> {
    service: &'a dyn StatusService,
    handle: &'a Handle,
    tell: Listener<'a>,
    /// What was last told of the service, if anything was.
    told: Option<Service>,
    pause: Duration,
}

#[derive(PartialEq, Eq)]
enum Service {
    Found,
    Lost,
    /// Lost, and told that a person has to change something.
    Refused,
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
                Ok((mut source, cancel)) => {
                    self.handle.cancel_with(Some(cancel));
                    let begun = Instant::now();
                    let served = self.serve(source.as_mut());
                    if begun.elapsed() >= LASTING {
                        self.pause = RECONNECT.0;
                    }
                    self.handle.cancel_with(None);
                    served
                }
                Err(error) => Served::Lost(error),
            };
            let Served::Lost(error) = served else { return };
            let Some(pause) = self.lost(error) else { return };
            self.handle.pause(pause);
            // A new look is what comes next, so a request for one is seen to.
            if self.handle.take() == Request::Stop {
                return;
            }
        }
    }

    /// Tells of a loss where it is a new one. Gives the pause before the next attempt; nothing where nobody wants to be told any more.
    fn lost(&mut self, error: ReaderError) -> Option<Duration> {
        let longest = if error.needs_a_person() { RECONNECT_REFUSED } else { RECONNECT.1 };
        if self.has_lost(error).is_break() {
            return None;
        }
        let pause = self.pause.min(longest);
        self.pause = (pause * 2).min(longest);
        Some(pause)
    }

    fn serve(&mut self, source: &mut dyn StatusSource) -> Served {
        let patience = self.service.patience();
        let mut last_look = LastLook::default();
        let mut busy_loop = BusyLoop::default();
        loop {
            let entries = match self.call(Call::bounded("looking at the readers", patience), || source.look()) {
                Ok(entries) => entries,
                Err(error) => return Served::Lost(error),
            };
            if self.told != Some(Service::Found) {
                self.told = Some(Service::Found);
                // A service that was told as lost and answers again is a new one: all readers and cards are told anew.
                last_look = LastLook::default();
                if (self.tell)(CardEvent::ServiceFound).is_break() {
                    return Served::Stopped;
                }
            }
            let events = last_look.compare(entries);
            if busy_loop.is_busy(events.is_empty()) {
                self.handle.pause(busy_loop::PAUSE);
            }
            for event in events {
                if (self.tell)(event).is_break() {
                    return Served::Stopped;
                }
            }
            match self.handle.take() {
                Request::Stop => return Served::Stopped,
                Request::Rescan => {
                    last_look.tell_cards_anew();
                    continue;
                }
                Request::Refresh => continue,
                Request::Nothing => {}
            }
            let limit = (!source.sees_new_readers()).then_some(POLL);
            let begun = Instant::now();
            if let Err(error) = self.call(Call::wait(), || source.wait(limit)) {
                return Served::Lost(error);
            }
            if limit.is_some_and(|limit| begun.elapsed() >= limit / 2) {
                // The wait has lasted: polling finds nothing most of the time, and that is no busy loop.
                busy_loop.reset();
            }
        }
    }

    /// Makes a call to the service, which the watchdog times.
    fn call<T>(&mut self, mut call: Call, make: impl FnOnce() -> Result<T, ReaderError>) -> Result<T, ReaderError> {
        // A loss is told once, so a call that hangs after it is told no more.
        let is_told = matches!(self.told, Some(Service::Lost | Service::Refused));
        call.told = is_told;
        self.handle.enter(Some(call));
        let result = make();
        if self.handle.enter(None).is_some_and(|call| call.told) && !is_told {
            self.told = Some(Service::Lost);
        }
        result
    }

    fn has_lost(&mut self, error: ReaderError) -> ControlFlow<()> {
        match (&self.told, error.needs_a_person()) {
            (Some(Service::Refused), _) | (Some(Service::Lost), false) => return ControlFlow::Continue(()),
            // A service that was away, is back, and refuses us: what was told is true no more.
            (_, true) => self.told = Some(Service::Refused),
            (_, false) => self.told = Some(Service::Lost),
        }
        (self.tell)(CardEvent::ServiceLost(error))
    }
}

#[cfg(test)]
mod tests;
