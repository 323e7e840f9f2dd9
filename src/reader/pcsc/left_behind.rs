//! Threads that hang in the service: a reader that has one is not opened again until it is back, so that who tries again at
//! intervals, for years, does not pile them up.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Held by a thread for as long as it lives.
#[derive(Debug, Clone, Default)]
pub(super) struct Alive(Arc<()>);

/// The other end: tells whether the thread lives, and keeps nothing alive.
#[derive(Debug, Clone)]
pub(super) struct Life(Weak<()>);

impl Alive {
    pub fn life(&self) -> Life {
        Life(Arc::downgrade(&self.0))
    }
}

/// The threads that were left behind, each with its reader.
#[derive(Debug, Clone, Default)]
pub(super) struct LeftBehind(Arc<Mutex<Vec<(String, Life)>>>);

impl LeftBehind {
    /// Nobody waits for this thread any more.
    pub fn add(&self, reader: &str, life: &Life) {
        self.lock().push((reader.to_owned(), life.clone()));
    }

    /// Whether a thread still hangs in a call to this reader.
    pub fn hangs(&self, reader: &str) -> bool {
        let mut threads = self.lock();
        threads.retain(|(_, life)| life.0.strong_count() > 0);
        threads.iter().any(|(of, _)| of == reader)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(String, Life)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_is_left_alone_until_its_thread_is_back() {
        let left = LeftBehind::default();
        let alive = Alive::default();
        assert!(!left.hangs("A"));
        left.add("A", &alive.life());
        assert!(left.hangs("A") && !left.hangs("B"));
        drop(alive);
        assert!(!left.hangs("A"));
    }
}
