//! What has changed in the virtual readers and their service, for whoever waits for it.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The state of readers and service, as all that wait for its changes share it.
#[derive(Clone, Default)]
pub(super) struct StatusChanges(Arc<(Mutex<State>, Condvar)>);

/// What can be waited for.
#[derive(Default)]
pub(super) struct State {
    /// Changes of readers and cards so far.
    pub count: u64,
    /// How often the service was stopped: a connection from before that stays lost.
    pub stops: u64,
    /// The service is stopped now.
    pub down: bool,
    /// The wait that is under way is to end.
    pub called_off: bool,
    /// Wake-ups so far, of all sources.
    pub wakes: u64,
}

impl StatusChanges {
    /// Counts a change of a reader or card, and wakes whoever waits.
    pub fn announce(&self) {
        self.change(|state| state.count += 1);
    }

    /// Changes the state, and wakes whoever waits.
    pub fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.0.1.notify_all();
    }

    /// The state; nobody changes it meanwhile.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits while the state is `quiet`, but no longer than `limit`.
    pub fn wait<'a>(
        &self,
        state: MutexGuard<'a, State>,
        limit: Option<Duration>,
        quiet: impl FnMut(&mut State) -> bool,
    ) -> MutexGuard<'a, State> {
        let changed = &self.0.1;
        match limit {
            Some(limit) => changed.wait_timeout_while(state, limit, quiet).unwrap_or_else(PoisonError::into_inner).0,
            None => changed.wait_while(state, quiet).unwrap_or_else(PoisonError::into_inner),
        }
    }
}
