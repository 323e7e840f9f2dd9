//! Notices a status call that returns again and again without a change, so that the watch does not loop at full speed.

use std::time::{Duration, Instant};

/// So many returns in a row without a change, each within [`SPAN`] of the one before, make a busy loop: the service is defective,
/// or another program opens and closes the card all the time. The watch then pauses after each.
pub(super) const LIMIT: u32 = 20;
const SPAN: Duration = Duration::from_secs(2);
pub(super) const PAUSE: Duration = Duration::from_millis(500);

/// Counts returns of the status call that brought no change.
#[derive(Default)]
pub(super) struct BusyLoop {
    last: Option<Instant>,
    count: u32,
    told: bool,
}

impl BusyLoop {
    /// Whether this return is one of a busy loop.
    pub fn is_busy(&mut self, without_change: bool) -> bool {
        let now = Instant::now();
        let soon = self.last.replace(now).is_some_and(|last| now.duration_since(last) < SPAN);
        self.count = if without_change && soon { self.count + 1 } else { 0 };
        let busy = self.count > LIMIT;
        if busy && !std::mem::replace(&mut self.told, true) {
            tracing::warn!("the status call returns again and again without a change: looking twice a second instead");
        }
        busy
    }

    /// The last return does not count, since it was awaited for its time.
    pub fn reset(&mut self) {
        self.count = 0;
    }
}
