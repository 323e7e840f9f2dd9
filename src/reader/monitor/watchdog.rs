//! Tells of a service that hangs: it is there, and a call to it does not return.
//!
//! The watch itself is in that call and can't. What is looked after here are the calls that don't wait for anything, and the
//! wait once somebody has called it off in vain. A wait that nobody wants to end may take for ever, so an idle watch wakes
//! nobody up.

use std::time::{Duration, Instant};

use super::{CardEvent, Handle, Tell};
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

    /// One that returns when it wants to.
    pub fn wait() -> Self {
        Self { operation: "calling off the status call", begun: Instant::now(), patience: None, told: false }
    }

    /// It was called off for that long, and has not returned.
    pub fn unheeded(&mut self, patience: Duration) {
        self.patience.get_or_insert(patience);
    }

    /// How much longer it may take: nothing where it hangs, `None` where nobody minds, or was told already.
    fn left(&self) -> Option<Duration> {
        self.patience.filter(|_| !self.told).map(|patience| patience.saturating_sub(self.begun.elapsed()))
    }

    fn silence(&self) -> ReaderError {
        ReaderError::ServiceSilent { operation: self.operation, after: self.patience.unwrap_or_default() }
    }
}

/// Looks after the watch's calls until it has ended.
pub(super) fn look_after(handle: &Handle, tell: Tell<'_>) {
    let mut state = handle.lock();
    while !state.over {
        let left = state.call.as_ref().and_then(Call::left);
        if let (Some(Duration::ZERO), Some(call)) = (left, &mut state.call) {
            call.told = true;
            // With the lock held: the watch, which goes on from there, needs it first.
            if tell(CardEvent::ServiceLost(call.silence())).is_break() {
                return;
            }
        } else {
            state = handle.sleep(state, left);
        }
    }
}
