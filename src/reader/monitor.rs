//! Status changes of all readers as events: a reader came or went, a card came or went, the service was lost or found.
//!
//! [`watch`] blocks in the system's own status call and wakes up only when something changed. It compares what it sees with
//! what it saw before, by the reader's count of insertions and removals, so that a card swapped within one look is a removal
//! and an insertion, and so that nothing is missed across a restart of the service.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

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

/// How others reach a running [`watch`].
#[derive(Clone, Default)]
pub struct Handle(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    wish: Wish,
    call_off: Option<CallOff>,
}

/// What the watch is asked to do; the greater one counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Wish {
    #[default]
    Nothing,
    Refresh,
    Rescan,
    Stop,
}

/// A call that came before the wait has no effect on it, so it is repeated until it is heeded.
const CALL_AGAIN: Duration = Duration::from_millis(20);

/// After so long the watch itself must hang in the service.
const CALL_PATIENCE: Duration = Duration::from_secs(5);

impl Handle {
    /// Looks again, in case that a change came between a look and the wait. Returns when the watch has taken it up.
    pub fn refresh(&self) {
        self.wish(Wish::Refresh);
    }

    /// Looks at everything anew, as if each card had just been inserted. Returns when the watch has taken it up.
    pub fn rescan(&self) {
        self.wish(Wish::Rescan);
    }

    /// Ends the watch. Returns when it has ended, or hangs in the service.
    pub fn stop(&self) {
        self.wish(Wish::Stop);
    }

    fn wish(&self, wish: Wish) {
        let start = Instant::now();
        let mut state = self.lock();
        state.wish = state.wish.max(wish);
        self.0.changed.notify_all();
        while state.wish != Wish::Nothing && start.elapsed() < CALL_PATIENCE {
            if let Some(call_off) = &state.call_off {
                call_off();
            }
            state = self.0.changed.wait_timeout(state, CALL_AGAIN).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn take(&self) -> Wish {
        let mut state = self.lock();
        self.0.changed.notify_all();
        std::mem::take(&mut state.wish)
    }

    /// Whatever was wished is seen to, or has no meaning any more.
    fn finish(&self) {
        self.take();
    }

    /// Sleeps until `pause` is over or something is wished.
    fn pause(&self, pause: Duration) {
        let nothing = |state: &mut State| state.wish == Wish::Nothing;
        drop(self.0.changed.wait_timeout_while(self.lock(), pause, nothing));
    }

    fn call_off_with(&self, call_off: Option<CallOff>) {
        self.lock().call_off = call_off;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// First and longest pause between two attempts to find the service.
const SEARCH: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// How often new readers are looked for where they don't announce themselves.
const POLL: Duration = Duration::from_secs(1);

/// So many wake-ups in a row without a change of interest, each within [`SPIN_SPAN`] of the one before, are a spinning call (or a
/// program that toys with the card): the watch then pauses after each.
const SPIN_LIMIT: u32 = 20;
const SPIN_SPAN: Duration = Duration::from_secs(2);
const SPIN_PAUSE: Duration = Duration::from_millis(500);

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
            handle.pause(SPIN_PAUSE);
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
            spin.count = 0;
        }
    }
}

/// What was seen last.
#[derive(Default)]
struct Seen {
    readers: BTreeMap<String, Option<Presence>>,
}

impl Seen {
    fn forget_cards(&mut self) {
        self.readers.values_mut().for_each(|presence| *presence = None);
    }

    /// What is different now.
    fn compare(&mut self, entries: Vec<ReaderEntry>) -> Vec<CardEvent> {
        let mut events = Vec::new();
        let before = std::mem::take(&mut self.readers);
        let now: BTreeMap<String, Presence> = entries.into_iter().map(|entry| (entry.name, entry.presence)).collect();
        for (reader, presence) in &before {
            if !now.contains_key(reader) {
                if presence.as_ref().is_some_and(has_card) {
                    events.push(CardEvent::Removed { reader: reader.clone() });
                }
                events.push(CardEvent::ReaderRemoved { reader: reader.clone() });
            }
        }
        for (reader, presence) in now {
            let earlier = match before.get(&reader) {
                None => {
                    events.push(CardEvent::ReaderAdded { reader: reader.clone() });
                    None
                }
                Some(earlier) => earlier.as_ref(),
            };
            let had = earlier.filter(|earlier| has_card(earlier));
            let same = had.is_some_and(|had| is_same_card(had, &presence));
            if had.is_some() && !same {
                events.push(CardEvent::Removed { reader: reader.clone() });
            }
            if has_card(&presence) && !same {
                events.push(CardEvent::Inserted { reader: reader.clone(), presence: presence.clone() });
            }
            self.readers.insert(reader, Some(presence));
        }
        events
    }
}

/// A mute card is a card: it may have been put in upside down.
fn has_card(presence: &Presence) -> bool {
    presence.atr.is_some() || presence.mute
}

/// By the reader's count; the ATR tells only what the count of a system without one does not. A card that has lost its power
/// shows no ATR for a while, and is the same.
fn is_same_card(before: &Presence, now: &Presence) -> bool {
    let other_atr = matches!((&before.atr, &now.atr), (Some(a), Some(b)) if a != b);
    has_card(now) && before.generation == now.generation && !other_atr
}

/// Counts wake-ups that brought nothing.
#[derive(Default)]
struct Spin {
    last: Option<Instant>,
    count: u32,
    told: bool,
}

impl Spin {
    /// Whether this wake-up is one of a spinning call.
    fn turns(&mut self, fruitless: bool) -> bool {
        let now = Instant::now();
        let soon = self.last.replace(now).is_some_and(|last| now.duration_since(last) < SPIN_SPAN);
        self.count = if fruitless && soon { self.count + 1 } else { 0 };
        let spins = self.count > SPIN_LIMIT;
        if spins && !std::mem::replace(&mut self.told, true) {
            tracing::warn!("the status call returns again and again without a change: looking twice a second instead");
        }
        spins
    }
}

#[cfg(test)]
mod tests;
