//! Followers of the control socket: one subscription to the loop's events feeds them all, each event made into a line once.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::agent::report::Event;

/// How many lines a follower may lag behind before it is dropped.
const MAX_LAG: usize = 1024;

/// The clients that follow now.
#[derive(Default)]
pub(super) struct Followers(Mutex<List>);

#[derive(Default)]
struct List {
    /// There will be no more events.
    over: bool,
    /// The number of the next one.
    next: u64,
    /// The only sender of each follower: its lines end when this is dropped.
    senders: BTreeMap<u64, SyncSender<Arc<str>>>,
}

impl Followers {
    /// A new follower's number, and every line from now on until it leaves, lags or the events end. `None` once they have.
    pub(super) fn join(&self) -> Option<(u64, Receiver<Arc<str>>)> {
        let mut list = self.lock();
        if list.over {
            return None;
        }
        let (sender, lines) = sync_channel(MAX_LAG);
        let number = list.next;
        list.next += 1;
        list.senders.insert(number, sender);
        Some((number, lines))
    }

    /// Ends a follower's lines.
    pub(super) fn leave(&self, number: u64) {
        self.lock().senders.remove(&number);
    }

    /// Passes events on until there are no more.
    pub(super) fn feed(&self, events: &Receiver<Event>) {
        for event in events {
            match serde_json::to_string(&event) {
                Ok(text) => self.tell(&Arc::from(text + "\n")),
                Err(error) => tracing::error!("an event can't be told as JSON: {error}"),
            }
        }
        self.close();
    }

    /// No more events: the lines of all end, and nobody can begin to follow.
    pub(super) fn close(&self) {
        let mut list = self.lock();
        list.over = true;
        list.senders.clear();
    }

    fn tell(&self, line: &Arc<str>) {
        self.lock().senders.retain(|_, follower| match follower.try_send(Arc::clone(line)) {
            Ok(()) => true,
            Err(TrySendError::Disconnected(_)) => false,
            Err(TrySendError::Full(_)) => {
                tracing::warn!("a follower of the control socket does not read: it is dropped");
                false
            }
        });
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        // No code panics between two changes of the list that belong together.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
