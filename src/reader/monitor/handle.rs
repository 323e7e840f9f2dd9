//! How others reach a running watch: what they wish of it, and how its wait is called off for that.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::CallOff;

/// How others reach a running [`watch`](super::watch).
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
pub(super) enum Wish {
    #[default]
    Nothing,
    Refresh,
    Rescan,
    Stop,
}

/// A call that came before the wait has no effect on it, so it is repeated until it is heeded.
const CALL_AGAIN: Duration = Duration::from_millis(20);

/// After so long the watch itself must hang in the service.
pub(super) const CALL_PATIENCE: Duration = Duration::from_secs(5);

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

    pub(super) fn take(&self) -> Wish {
        let mut state = self.lock();
        self.0.changed.notify_all();
        std::mem::take(&mut state.wish)
    }

    /// Whatever was wished is seen to, or has no meaning any more.
    pub(super) fn finish(&self) {
        self.take();
    }

    /// Sleeps until `pause` is over or something is wished.
    pub(super) fn pause(&self, pause: Duration) {
        let nothing = |state: &mut State| state.wish == Wish::Nothing;
        drop(self.0.changed.wait_timeout_while(self.lock(), pause, nothing));
    }

    pub(super) fn call_off_with(&self, call_off: Option<CallOff>) {
        self.lock().call_off = call_off;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
