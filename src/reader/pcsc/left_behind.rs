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

/// What a thread that was left behind hangs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hang {
    /// A call that does not return.
    Call,
    /// The wait for another program's transaction to end.
    Transaction,
}

/// The threads that were left behind, each with its reader.
#[derive(Debug, Clone, Default)]
pub(super) struct LeftBehind(Arc<Mutex<Vec<(String, Hang, Life)>>>);

impl LeftBehind {
    /// Nobody waits for this thread any more.
    pub fn add(&self, reader: &str, hang: Hang, life: &Life) {
        self.lock().push((reader.to_owned(), hang, life.clone()));
    }

    /// What a thread still hangs in at this reader, if one does.
    pub fn hangs(&self, reader: &str) -> Option<Hang> {
        let mut threads = self.lock();
        threads.retain(|(.., life)| life.0.strong_count() > 0);
        threads.iter().find(|(of, ..)| of == reader).map(|(_, hang, _)| *hang)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(String, Hang, Life)>> {
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
        assert_eq!(left.hangs("A"), None);
        left.add("A", Hang::Call, &alive.life());
        assert_eq!((left.hangs("A"), left.hangs("B")), (Some(Hang::Call), None));
        drop(alive);
        assert_eq!(left.hangs("A"), None);
    }
}
