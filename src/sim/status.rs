//! The status call over virtual readers: blocks until something changes, can be called off, and can fail as a service does
//! that is stopped.

use std::time::Duration;

use super::changes::State;
use super::reader::VirtualReaders;
use crate::reader::monitor::{CancelWait, StatusService, StatusSource};
use crate::reader::{ReaderEntry, ReaderError, Readers};

impl VirtualReaders {
    /// Stops the service, or starts it again: open status connections are lost, as with a real one.
    pub fn set_service(&self, running: bool) {
        self.changes.change(|state| {
            state.down = !running;
            state.stops += u64::from(!running);
        });
    }

    /// How often a status call has returned.
    #[must_use]
    pub fn wakes(&self) -> u64 {
        self.changes.state().wakes
    }
}

impl StatusService for VirtualReaders {
    fn connect(&self) -> Result<(Box<dyn StatusSource>, CancelWait), ReaderError> {
        let state = self.changes.state();
        if state.down {
            return Err(ReaderError::ServiceNotRunning);
        }
        let source = VirtualStatus { readers: self.clone(), stops: state.stops, seen: 0 };
        drop(state);
        let changes = self.changes.clone();
        let cancel = Box::new(move || changes.change(|state| state.called_off = true));
        Ok((Box::new(source), cancel))
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(15)
    }
}

struct VirtualStatus {
    readers: VirtualReaders,
    stops: u64,
    seen: u64,
}

impl VirtualStatus {
    fn alive(&self, state: &State) -> Result<(), ReaderError> {
        if state.down || state.stops != self.stops {
            return Err(ReaderError::ServiceLost { operation: "watching the readers" });
        }
        Ok(())
    }
}

impl StatusSource for VirtualStatus {
    fn look(&mut self) -> Result<Vec<ReaderEntry>, ReaderError> {
        let state = self.readers.changes.state();
        self.alive(&state)?;
        self.seen = state.count;
        drop(state);
        self.readers.list()
    }

    fn wait(&mut self, limit: Option<Duration>) -> Result<(), ReaderError> {
        let changes = self.readers.changes.clone();
        let mut state = changes.state();
        // As SCardCancel: it ends a wait that is under way and nothing else.
        state.called_off = false;
        let quiet = |state: &mut State| {
            state.count == self.seen && !state.called_off && !state.down && state.stops == self.stops
        };
        state = changes.wait(state, limit, quiet);
        state.wakes += 1;
        self.alive(&state)
    }

    fn sees_new_readers(&self) -> bool {
        true
    }
}
