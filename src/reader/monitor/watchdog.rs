//! Tells of a service that hangs: it is there, and a call to it does not return.
//!
//! The watch itself is in that call, so this thread does it. It times the calls that don't wait for anything, and the wait once
//! somebody has cancelled it in vain. A wait that nobody wants to end may take for ever, so an idle watch wakes nobody up.

use std::time::{Duration, Instant};

use super::{CardEvent, Handle, Listener};
use crate::reader::ReaderError;

/// A call to the service that is under way.
pub(super) struct Call {
    operation: &'static str,
    begun: Instant,
    /// How long it may take; `None` for a wait.
    patience: Option<Duration>,
    /// Its hanging was told as the loss of the service.
    pub told: bool,
}

impl Call {
    /// One that has to return in this time.
    pub fn bounded(operation: &'static str, patience: Duration) -> Self {
        Self { operation, begun: Instant::now(), patience: Some(patience), told: false }
    }

    /// The wait for a change: it may take for ever.
    pub fn wait() -> Self {
        Self { operation: "calling off the status call", begun: Instant::now(), patience: None, told: false }
    }

    /// It was cancelled so long ago, and has not returned.
    pub fn cancelled_in_vain(&mut self, patience: Duration) {
        self.patience.get_or_insert(patience);
    }

    /// How much longer it may take: nothing where it hangs, `None` where it may take for ever, and where its hanging was told.
    fn left(&self) -> Option<Duration> {
        self.patience.filter(|_| !self.told).map(|patience| patience.saturating_sub(self.begun.elapsed()))
    }

    fn service_silent(&self) -> ReaderError {
        ReaderError::ServiceSilent { operation: self.operation, after: self.patience.unwrap_or_default() }
    }
}

/// Times the watch's calls until the watch has ended.
pub(super) fn look_after(handle: &Handle, tell: Listener<'_>) {
    let mut state = handle.lock();
    while !state.over {
        let left = state.call.as_ref().and_then(Call::left);
        if let (Some(Duration::ZERO), Some(call)) = (left, &mut state.call) {
            call.told = true;
            // Told with the lock held, so that the watch can't tell of a service that is found before this loss is told.
            if tell(CardEvent::ServiceLost(call.service_silent())).is_break() {
                return;
            }
        } else {
            state = handle.sleep(state, left);
        }
    }
}
