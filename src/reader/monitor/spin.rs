//! A status call that returns again and again for nothing.

use std::time::{Duration, Instant};

/// So many wake-ups in a row without a change of interest, each within [`SPAN`] of the one before, are a spinning call (or a
/// program that toys with the card): the watch then pauses after each.
pub(super) const LIMIT: u32 = 20;
const SPAN: Duration = Duration::from_secs(2);
pub(super) const PAUSE: Duration = Duration::from_millis(500);

/// Counts wake-ups that brought nothing.
#[derive(Default)]
pub(super) struct Spin {
    last: Option<Instant>,
    count: u32,
    told: bool,
}

impl Spin {
    /// Whether this wake-up is one of a spinning call.
    pub fn turns(&mut self, fruitless: bool) -> bool {
        let now = Instant::now();
        let soon = self.last.replace(now).is_some_and(|last| now.duration_since(last) < SPAN);
        self.count = if fruitless && soon { self.count + 1 } else { 0 };
        let spins = self.count > LIMIT;
        if spins && !std::mem::replace(&mut self.told, true) {
            tracing::warn!("the status call returns again and again without a change: looking twice a second instead");
        }
        spins
    }

    /// The last wake-up was no such one.
    pub fn forgive(&mut self) {
        self.count = 0;
    }
}
