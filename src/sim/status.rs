//! The status call over virtual readers: blocks until something changes, can be called off, and can fail as a service does
//! that is stopped.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::reader::VirtualReaders;
use crate::reader::monitor::{CancelWait, StatusService, StatusSource};
use crate::reader::{ReaderEntry, ReaderError, Readers};

/// Counts changes, and wakes whoever waits for the next one.
#[derive(Clone, Default)]
pub(super) struct Bell(Arc<(Mutex<State>, Condvar)>);

#[derive(Default)]
struct State {
    changes: u64,
    /// How often the service was stopped: connections of an earlier life are dead for good.
    lives: u64,
    down: bool,
    called_off: bool,
    /// Wake-ups so far, of all sources.
    wakes: u64,
}

impl Bell {
    pub fn ring(&self) {
        self.state().changes += 1;
        self.0.1.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl VirtualReaders {
    /// Stops the service, or starts it again: open status connections are lost, as with a real one.
    pub fn set_service(&self, running: bool) {
        let mut state = self.bell.state();
        state.down = !running;
        state.lives += u64::from(!running);
        self.bell.0.1.notify_all();
    }

    /// How often a status call has returned.
    #[must_use]
    pub fn wakes(&self) -> u64 {
        self.bell.state().wakes
    }
}

impl StatusService for VirtualReaders {
    fn connect(&self) -> Result<(Box<dyn StatusSource>, CancelWait), ReaderError> {
        let state = self.bell.state();
        if state.down {
            return Err(ReaderError::ServiceNotRunning);
        }
        let source = VirtualStatus { readers: self.clone(), life: state.lives, seen: 0 };
        drop(state);
        let bell = self.bell.clone();
        let cancel = Box::new(move || {
            bell.state().called_off = true;
            bell.0.1.notify_all();
        });
        Ok((Box::new(source), cancel))
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(15)
    }
}

struct VirtualStatus {
    readers: VirtualReaders,
    life: u64,
    seen: u64,
}

impl VirtualStatus {
    fn alive(&self, state: &State) -> Result<(), ReaderError> {
        if state.down || state.lives != self.life {
            return Err(ReaderError::ServiceLost { operation: "watching the readers" });
        }
        Ok(())
    }
}

impl StatusSource for VirtualStatus {
    fn look(&mut self) -> Result<Vec<ReaderEntry>, ReaderError> {
        let state = self.readers.bell.state();
        self.alive(&state)?;
        self.seen = state.changes;
        drop(state);
        self.readers.list()
    }

    fn wait(&mut self, limit: Option<Duration>) -> Result<(), ReaderError> {
        let bell = self.readers.bell.clone();
        let mut state = bell.state();
        // As SCardCancel: it ends a wait that is under way and nothing else.
        state.called_off = false;
        let quiet = |state: &mut State| {
            state.changes == self.seen && !state.called_off && !state.down && state.lives == self.life
        };
        state = match limit {
            Some(limit) => bell.0.1.wait_timeout_while(state, limit, quiet).unwrap_or_else(PoisonError::into_inner).0,
            None => bell.0.1.wait_while(state, quiet).unwrap_or_else(PoisonError::into_inner),
        };
        state.wakes += 1;
        self.alive(&state)
    }

    fn sees_new_readers(&self) -> bool {
        true
    }
}
