//! Logging and counting, as a decorator over any reader.
//!
//! Every APDU is logged at trace level under the target `pinwright::apdu`; a frame that carries a secret shows its header,
//! its length and the status word only, because [`Frame`]'s own text form does, and so does the answer to it, which may repeat
//! the secret.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::answer_mask::AnswerMask;
use super::{Atr, Connection, EndAction, Frame, Presence, Protocol, ReaderEntry, ReaderError, Readers, Sharing};

/// What passed through the readers that it was given to.
#[derive(Debug, Default)]
pub struct Meter {
    apdus: AtomicU32,
    micros: AtomicU64,
}

impl Meter {
    /// Command APDUs sent.
    #[must_use]
    pub fn apdus(&self) -> u32 {
        self.apdus.load(Ordering::Relaxed)
    }

    /// Time spent inside reader calls.
    #[must_use]
    pub fn time(&self) -> Duration {
        Duration::from_micros(self.micros.load(Ordering::Relaxed))
    }

    fn timed<T>(&self, call: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = call();
        let micros = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.micros.fetch_add(micros, Ordering::Relaxed);
        result
    }
}

/// Readers whose traffic is logged and counted.
pub struct Traffic<'a> {
    inner: &'a dyn Readers,
    meter: Arc<Meter>,
}

impl<'a> Traffic<'a> {
    /// Wraps `inner`; `meter` sees every call.
    #[must_use]
    pub fn new(inner: &'a dyn Readers, meter: Arc<Meter>) -> Self {
        Self { inner, meter }
    }
}

impl Readers for Traffic<'_> {
    fn list(&self) -> Result<Vec<ReaderEntry>, ReaderError> {
        self.meter.timed(|| self.inner.list())
    }

    fn sharing(&self, reader: &str) -> Result<Sharing, ReaderError> {
        self.meter.timed(|| self.inner.sharing(reader))
    }

    fn open(&self, reader: &str) -> Result<Box<dyn Connection>, ReaderError> {
        let inner = self.meter.timed(|| self.inner.open(reader))?;
        tracing::debug!(reader, atr = %inner.atr(), protocol = %inner.protocol(), "card opened");
        Ok(Box::new(Metered { inner, meter: Arc::clone(&self.meter), answer_mask: AnswerMask::default() }))
    }
}

struct Metered {
    inner: Box<dyn Connection>,
    meter: Arc<Meter>,
    answer_mask: AnswerMask,
}

impl Connection for Metered {
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
        tracing::trace!(target: "pinwright::apdu", "> {command}");
        self.meter.apdus.fetch_add(1, Ordering::Relaxed);
        let result = self.meter.timed(|| self.inner.transmit(command));
        match &result {
            Ok(response) => {
                let shown = self.answer_mask.masked(command, response);
                tracing::trace!(target: "pinwright::apdu", "< {shown}");
            }
            Err(error) => tracing::trace!(target: "pinwright::apdu", "! {error}"),
        }
        result
    }

    fn presence(&mut self) -> Result<Presence, ReaderError> {
        self.meter.timed(|| self.inner.presence())
    }

    fn keep_alive(&mut self) -> Result<(), ReaderError> {
        // Not counted as card time: it happens while the server is awaited, and that wait is the server's.
        self.inner.keep_alive()
    }

    fn end(self: Box<Self>, action: EndAction) -> Result<(), ReaderError> {
        let Self { inner, meter, .. } = *self;
        tracing::debug!(reader = inner.reader(), ?action, "card let go");
        meter.timed(|| inner.end(action))
    }
}
