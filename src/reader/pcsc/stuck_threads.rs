//! Threads that are stuck in a call to the service. A reader that has one is not opened again until the call returns: a caller
//! that tries again at intervals, for years, would otherwise start thread after thread.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Held by a thread for as long as it lives.
#[derive(Debug, Clone, Default)]
pub(super) struct Running(Arc<()>);

/// Tells whether the holder of the [`Running`] still lives, without keeping anything alive.
#[derive(Debug, Clone)]
pub(super) struct RunningProbe(Weak<()>);

impl Running {
    pub fn probe(&self) -> RunningProbe {
        RunningProbe(Arc::downgrade(&self.0))
    }
}

/// What a thread is stuck in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StuckIn {
    /// A call that does not return.
    Call,
    /// The wait for another program's transaction to end.
    Transaction,
}

/// The threads that nobody waits for any more, each with its reader.
#[derive(Debug, Clone, Default)]
pub(super) struct StuckThreads(Arc<Mutex<Vec<(String, StuckIn, RunningProbe)>>>);

impl StuckThreads {
    /// Notes a thread that nobody waits for any more.
    pub fn add(&self, reader: &str, stuck_in: StuckIn, probe: &RunningProbe) {
        self.lock().push((reader.to_owned(), stuck_in, probe.clone()));
    }

    /// What a thread of this reader is still stuck in, if there is one.
    pub fn stuck_in(&self, reader: &str) -> Option<StuckIn> {
        let mut threads = self.lock();
        threads.retain(|(.., probe)| probe.0.strong_count() > 0);
        threads.iter().find(|(of, ..)| of == reader).map(|(_, stuck_in, _)| *stuck_in)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(String, StuckIn, RunningProbe)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_is_left_alone_until_its_thread_is_back() {
        let threads = StuckThreads::default();
        let running = Running::default();
        assert_eq!(threads.stuck_in("A"), None);
        threads.add("A", StuckIn::Call, &running.probe());
        assert_eq!((threads.stuck_in("A"), threads.stuck_in("B")), (Some(StuckIn::Call), None));
        drop(running);
        assert_eq!(threads.stuck_in("A"), None);
    }
}
