//! Readers that look into the journal before each frame that risks something: what is on disk must say so already.
//!
//! Risky is what carries the frame's secret mark: a proof that a card may count, a PIN that it writes. What a frame is for is
//! told by its instruction byte, and not by the step that the job says it is in.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pinwright::job::journal::{Journal, Point, Record};
use pinwright::reader::{Atr, Connection, EndAction, Frame, Presence, Protocol, ReaderEntry, ReaderError, Readers};

const CHANGE_REFERENCE_DATA: u8 = 0x24;
const RESET_RETRY_COUNTER: u8 = 0x2C;

/// Between one job and its readers.
pub struct JournalCheck<'a> {
    readers: &'a dyn Readers,
    shared: Arc<Shared>,
}

struct Shared {
    journal: Journal,
    /// Records of jobs before this one.
    before: BTreeSet<String>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    frames: usize,
    unrecorded: Vec<String>,
}

impl<'a> JournalCheck<'a> {
    /// Before the job: its record will be the one that is not there yet.
    pub fn new(readers: &'a dyn Readers, journal: &Journal) -> Self {
        let before = records(journal).into_iter().map(|record| record.id).collect();
        Self { readers, shared: Arc::new(Shared { journal: journal.clone(), before, seen: Mutex::default() }) }
    }

    /// Risky frames so far.
    pub fn frames(&self) -> usize {
        self.shared.seen().frames
    }

    /// Those of which the journal did not say enough.
    pub fn unrecorded(&self) -> Vec<String> {
        self.shared.seen().unrecorded.clone()
    }
}

/// What can be read; a folder that fails has nothing to say.
fn records(journal: &Journal) -> Vec<Record> {
    journal.history().map(|history| history.records).unwrap_or_default()
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self, frame: &Frame, written: bool) {
        let instruction = frame.expose().get(1).copied().unwrap_or_default();
        let fitting: &[Point] = match instruction {
            CHANGE_REFERENCE_DATA | RESET_RETRY_COUNTER => &[Point::Setting],
            // The new PIN is verified, also where the journal could not note any more that it was set.
            _ if written => &[Point::Setting, Point::Set],
            _ => &[Point::Authorizing],
        };
        let own: Vec<Record> =
            records(&self.journal).into_iter().filter(|record| !self.before.contains(&record.id)).collect();
        let says_so = matches!(&own[..], [record] if record.is_open() && fitting.contains(&record.point()));
        let mut seen = self.seen();
        seen.frames += 1;
        if !says_so {
            let points: Vec<&str> = own.iter().map(|record| record.point().name()).collect();
            seen.unrecorded.push(format!("a risky frame with INS {instruction:02X}, and the journal says {points:?}"));
        }
    }
}

impl Readers for JournalCheck<'_> {
    fn list(&self) -> Result<Vec<ReaderEntry>, ReaderError> {
        self.readers.list()
    }

    fn open(&self, reader: &str) -> Result<Box<dyn Connection>, ReaderError> {
        let inner = self.readers.open(reader)?;
        Ok(Box::new(CheckedConnection { inner, shared: Arc::clone(&self.shared), written: false }))
    }
}

struct CheckedConnection {
    inner: Box<dyn Connection>,
    shared: Arc<Shared>,
    /// A PIN was sent to be written.
    written: bool,
}

impl Connection for CheckedConnection {
    fn reader(&self) -> &str {
        self.inner.reader()
    }

    fn atr(&self) -> &Atr {
        self.inner.atr()
    }

    fn protocol(&self) -> Protocol {
        self.inner.protocol()
    }

    fn transmit(&mut self, command: &Frame) -> Result<Frame, ReaderError> {
        if command.is_secret() {
            self.shared.look(command, self.written);
            self.written |= matches!(command.expose().get(1), Some(&(CHANGE_REFERENCE_DATA | RESET_RETRY_COUNTER)));
        }
        self.inner.transmit(command)
    }

    fn presence(&mut self) -> Result<Presence, ReaderError> {
        self.inner.presence()
    }

    fn keep_alive(&mut self) -> Result<(), ReaderError> {
        self.inner.keep_alive()
    }

    fn end(self: Box<Self>, action: EndAction) -> Result<(), ReaderError> {
        self.inner.end(action)
    }
}
