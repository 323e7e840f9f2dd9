//! The status call of PC/SC: blocked in the service until a reader or a card changes.

use std::ffi::CString;
use std::time::Duration;

use super::code::Code;
use super::{PcscReaders, SERVICE, establish, failure, names, presence_of, system};
use crate::reader::monitor::{CancelWait, StatusService, StatusSource};
use crate::reader::{ReaderEntry, ReaderError, name};

/// The most states that pcsclite before 2.5 takes in one call.
const STATES_MAX: usize = 16;

/// How long a source without any reader sleeps between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// The longest patience. With more an agent would not be ready within the 90 s that systemd gives it.
const LONGEST_PATIENCE: Duration = Duration::from_secs(60);

/// A PC/SC context of its own, which never opens a card.
struct PcscStatus {
    context: system::Context,
    /// What the next wait compares with: the readers of the last look.
    states: Vec<system::ReaderState>,
    /// The pseudo-reader that stands for the list of readers; `None` where it does not work. Kept from wait to wait: newer
    /// services count the changes of the list in it.
    list: Option<system::ReaderState>,
}

impl StatusService for PcscReaders {
    fn connect(&self) -> Result<(Box<dyn StatusSource>, CancelWait), ReaderError> {
        let context = establish()?;
        let other = context.clone();
        let cancel = Box::new(move || {
            if let Err(code) = other.cancel() {
                // The wait has just ended by itself, or the service is gone, which ends it too.
                tracing::trace!("SCardCancel: {code}");
            }
        });
        // pcsclite and winscard know the pseudo-reader; what macOS does with it is not to be relied on.
        let list = (!cfg!(target_os = "macos"))
            .then(|| system::ReaderState::new(system::PNP_NOTIFICATION(), system::State::UNAWARE));
        Ok((Box::new(PcscStatus { context, states: Vec::new(), list }), cancel))
    }

    fn patience(&self) -> Duration {
        self.deadline.min(LONGEST_PATIENCE)
    }
}

impl StatusSource for PcscStatus {
    fn look(&mut self) -> Result<Vec<ReaderEntry>, ReaderError> {
        self.states.clear();
        let names = names(&self.context)?;
        let mut entries = Vec::with_capacity(names.len());
        for name in names {
            let shown = name::text_of(&name);
            match self.state_of(name) {
                Ok((entry, state)) => {
                    entries.push(ReaderEntry { name: shown, presence: entry });
                    self.states.push(state);
                }
                // Unplugged since the list was made.
                Err(Code::UNKNOWN_READER | Code::READER_UNAVAILABLE) => {}
                Err(code) => return Err(failure(&shown, "asking for the card's presence", code)),
            }
        }
        Ok(entries)
    }

    fn wait(&mut self, limit: Option<Duration>) -> Result<(), ReaderError> {
        let all = self.states.len() < STATES_MAX;
        let list = if all { self.list.take() } else { None };
        let announces = list.is_some();
        self.states.extend(list);
        if self.states.is_empty() {
            // Nothing to wait for: winscard would return at once.
            std::thread::sleep(limit.unwrap_or(PAUSE));
            return Ok(());
        }
        // Readers beyond what one call takes are found by looking again.
        let limit = if all { limit } else { Some(limit.unwrap_or(PAUSE)) };
        let watched = self.states.len().min(STATES_MAX);
        let watched = self.states.get_mut(..watched).unwrap_or_default();
        let result = self.context.get_status_change(limit, watched).map_err(Code::from);
        if let (true, Some(mut list)) = (announces, self.states.pop()) {
            // A service that does not know the pseudo-reader says so at once, at every wait: then the wait goes without it.
            let unknown =
                result.is_ok() && list.event_state().intersects(system::State::UNKNOWN | system::State::IGNORE);
            if !unknown {
                list.sync_current_state();
                self.list = Some(list);
            }
        }
        match result {
            Ok(()) | Err(Code::TIMEOUT | Code::CANCELLED) => Ok(()),
            // A reader that was just unplugged spoils the whole call: look again.
            Err(Code::UNKNOWN_READER | Code::READER_UNAVAILABLE | Code::NO_READERS_AVAILABLE) => Ok(()),
            Err(code) => Err(failure(SERVICE, "watching the readers", code)),
        }
    }

    fn sees_new_readers(&self) -> bool {
        self.list.is_some() && self.states.len() < STATES_MAX
    }
}

impl PcscStatus {
    fn state_of(&self, name: CString) -> Result<(crate::reader::Presence, system::ReaderState), Code> {
        let mut states = [system::ReaderState::new(name, system::State::UNAWARE)];
        self.context.get_status_change(Duration::ZERO, &mut states)?;
        let [mut state] = states;
        let presence = presence_of(&state)?;
        state.sync_current_state();
        Ok((presence, state))
    }
}
