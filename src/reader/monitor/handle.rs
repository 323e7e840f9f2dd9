//! How other threads reach a running watch: what they request of it, and how its wait is cancelled for that.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::CancelWait;
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
    request: Request,
    /// Held by the state, and by a thread for as long as it cancels.
    cancel: Option<Arc<CancelWait>>,
    /// The call to the service that the watch is in.
    pub call: Option<Call>,
    /// The watch has ended.
    pub over: bool,
}

/// What the watch is asked to do; the greater one counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Request {
    #[default]
    Nothing,
    Refresh,
    Rescan,
    Stop,
}

/// A cancellation that came before the wait has no effect on it, so it is repeated at this interval until the watch has taken the
/// request.
const CANCEL_AGAIN: Duration = Duration::from_millis(20);

/// A watch that has not taken a request after so long hangs in the service.
pub(super) const CANCEL_PATIENCE: Duration = Duration::from_secs(5);

/// How long [`Handle::stop`] waits: its caller is about to end, and a watch that hangs may be abandoned then.
pub(super) const STOP_PATIENCE: Duration = Duration::from_secs(1);

impl Handle {
    /// Looks again, in case that a change came between a look and the wait. Returns when the watch has taken it up, or hangs in
    /// the service.
    pub fn refresh(&self) {
        self.request(Request::Refresh, CANCEL_PATIENCE);
    }

    /// Looks at everything anew, as if each card had just been inserted. Returns when the watch has taken it up, or hangs in
    /// the service.
    pub fn rescan(&self) {
        self.request(Request::Rescan, CANCEL_PATIENCE);
    }

    /// Ends the watch. Returns when it has ended, or after a second where it hangs in the service.
    pub fn stop(&self) {
        self.request(Request::Stop, STOP_PATIENCE);
    }

    fn request(&self, request: Request, patience: Duration) {
        let start = Instant::now();
        let mut state = self.lock();
        state.request = state.request.max(request);
        self.0.changed.notify_all();
        while state.request != Request::Nothing && start.elapsed() < patience {
            state.cancel_wait();
            state = self.sleep(state, Some(CANCEL_AGAIN));
        }
        if state.request != Request::Nothing
            && let Some(call) = &mut state.call
        {
            call.cancelled_in_vain(patience);
            self.0.changed.notify_all();
        }
    }

    pub(super) fn take(&self) -> Request {
        let mut state = self.lock();
        self.0.changed.notify_all();
        std::mem::take(&mut state.request)
    }

    /// The watch has ended: a request is done by now, or has no meaning any more.
    pub(super) fn finish(&self) {
        self.lock().over = true;
        self.take();
    }

    /// Sleeps until `pause` is over or something is requested.
    pub(super) fn pause(&self, pause: Duration) {
        let nothing = |state: &mut State| state.request == Request::Nothing;
        drop(self.0.changed.wait_timeout_while(self.lock(), pause, nothing));
    }

    pub(super) fn cancel_with(&self, cancel: Option<CancelWait>) {
        self.lock().cancel = cancel.map(Arc::new);
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
    /// Cancels the wait once, unless an earlier cancellation has not returned. Where the service hangs that does not return either,
    /// so it has a thread of its own, and there is never a second one.
    fn cancel_wait(&self) {
        let Some(cancel) = self.cancel.as_ref().filter(|cancel| Arc::strong_count(cancel) == 1) else { return };
        let cancel = Arc::clone(cancel);
        if let Err(error) = thread::Builder::new().name("call-off".to_owned()).spawn(move || cancel()) {
            tracing::error!("the card monitor can't be called: {error}");
        }
    }
}
