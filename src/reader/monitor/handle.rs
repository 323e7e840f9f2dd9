//! How others reach a running watch: what they wish of it, and how its wait is called off for that.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::CallOff;
use super::watchdog::Call;

/// How others reach a running [`watch`](super::watch).
#[derive(Clone, Default)]
pub struct Handle(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
pub(super) struct State {
    wish: Wish,
    /// Held by the state, and by a thread for as long as its call takes.
    call_off: Option<Arc<CallOff>>,
    /// The call to the service that the watch is in.
    pub call: Option<Call>,
    /// The watch has ended.
    pub over: bool,
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

/// Whoever ends the watch wants to end himself, and loses nothing with a watch that hangs.
pub(super) const STOP_PATIENCE: Duration = Duration::from_secs(1);

impl Handle {
    /// Looks again, in case that a change came between a look and the wait. Returns when the watch has taken it up, or hangs in
    /// the service.
    pub fn refresh(&self) {
        self.wish(Wish::Refresh, CALL_PATIENCE);
    }

    /// Looks at everything anew, as if each card had just been inserted. Returns when the watch has taken it up, or hangs in
    /// the service.
    pub fn rescan(&self) {
        self.wish(Wish::Rescan, CALL_PATIENCE);
    }

    /// Ends the watch. Returns when it has ended, or after a second where it hangs in the service.
    pub fn stop(&self) {
        self.wish(Wish::Stop, STOP_PATIENCE);
    }

    fn wish(&self, wish: Wish, patience: Duration) {
        let start = Instant::now();
        let mut state = self.lock();
        state.wish = state.wish.max(wish);
        self.0.changed.notify_all();
        while state.wish != Wish::Nothing && start.elapsed() < patience {
            state.call();
            state = self.sleep(state, Some(CALL_AGAIN));
        }
        if state.wish != Wish::Nothing
            && let Some(call) = &mut state.call
        {
            call.unheeded(patience);
            self.0.changed.notify_all();
        }
    }

    pub(super) fn take(&self) -> Wish {
        let mut state = self.lock();
        self.0.changed.notify_all();
        std::mem::take(&mut state.wish)
    }

    /// The watch has ended: whatever was wished is seen to, or has no meaning any more.
    pub(super) fn finish(&self) {
        self.lock().over = true;
        self.take();
    }

    /// Sleeps until `pause` is over or something is wished.
    pub(super) fn pause(&self, pause: Duration) {
        let nothing = |state: &mut State| state.wish == Wish::Nothing;
        drop(self.0.changed.wait_timeout_while(self.lock(), pause, nothing));
    }

    pub(super) fn call_off_with(&self, call_off: Option<CallOff>) {
        self.lock().call_off = call_off.map(Arc::new);
    }

    /// What the watch is in from now on, or that it is in no call any more; tells what it was in.
    pub(super) fn enter(&self, call: Option<Call>) -> Option<Call> {
        let mut state = self.lock();
        self.0.changed.notify_all();
        std::mem::replace(&mut state.call, call)
    }

    /// Sleeps until something changes, or until `limit` is over.
    pub(super) fn sleep<'a>(&'a self, state: MutexGuard<'a, State>, limit: Option<Duration>) -> MutexGuard<'a, State> {
        match limit {
            Some(limit) => self.0.changed.wait_timeout(state, limit).unwrap_or_else(PoisonError::into_inner).0,
            None => self.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Calls the wait off once, unless a call is still under way: it hangs where the service does, so it has a thread of its own,
    /// and there is never a second one.
    fn call(&self) {
        let Some(call_off) = self.call_off.as_ref().filter(|call_off| Arc::strong_count(call_off) == 1) else { return };
        let call_off = Arc::clone(call_off);
        if let Err(error) = thread::Builder::new().name("call-off".to_owned()).spawn(move || call_off()) {
            tracing::error!("the card monitor can't be called: {error}");
        }
    }
}
