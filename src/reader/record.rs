//! Recording: a decorator that keeps every completed exchange, with secrets masked at the source.
//!
//! A recording keeps a frame as the frame shows itself: a marked frame has `**` for every byte of its data, so that a recording
//! can't hold what the frame would not show. Of the answer to a marked command only the status word is kept.

use std::sync::{Arc, Mutex, PoisonError};

use super::answer_mask::AnswerMask;
use super::fixture::{Exchange, Fixture, Pattern};
use super::{Atr, Connection, EndAction, Frame, Presence, Protocol, ReaderEntry, ReaderError, Readers};

/// Readers whose exchanges are kept.
pub struct Recording<'a> {
    inner: &'a dyn Readers,
    kept: Arc<Mutex<RecordedSession>>,
}

#[derive(Default)]
struct RecordedSession {
    card: Option<(Atr, Protocol)>,
    exchanges: Vec<Exchange>,
}

impl<'a> Recording<'a> {
    /// Records what passes through `inner`.
    #[must_use]
    pub fn new(inner: &'a dyn Readers) -> Self {
        Self { inner, kept: Arc::default() }
    }

    /// What was recorded so far, with `atr` and `protocol` as headers.
    #[must_use]
    pub fn fixture(&self) -> Fixture {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut headers = vec![("fixture".to_owned(), "1".to_owned())];
        if let Some((atr, protocol)) = &kept.card {
            headers.push(("atr".to_owned(), atr.to_string().to_uppercase()));
            headers.push(("protocol".to_owned(), protocol.to_string()));
        }
        Fixture { headers, exchanges: kept.exchanges.clone() }
    }
}

impl Readers for Recording<'_> {
    fn list(&self) -> Result<Vec<ReaderEntry>, ReaderError> {
        self.inner.list()
    }

    fn open(&self, reader: &str) -> Result<Box<dyn Connection>, ReaderError> {
        let inner = self.inner.open(reader)?;
        // One card in one session is one recording: what was sent to look for the card is not part of it.
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) =
            RecordedSession { card: Some((inner.atr().clone(), inner.protocol())), exchanges: Vec::new() };
        Ok(Box::new(Recorded { inner, kept: Arc::clone(&self.kept), answer_mask: AnswerMask::default() }))
    }
}

struct Recorded {
    inner: Box<dyn Connection>,
    kept: Arc<Mutex<RecordedSession>>,
    answer_mask: AnswerMask,
}

impl Connection for Recorded {
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
        let response = self.inner.transmit(command)?;
        let answer = self.answer_mask.masked(command, &response);
        let exchange = Exchange { line: 0, note: None, command: pattern(command), response: answer };
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).exchanges.push(exchange);
        Ok(response)
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

/// A command as it may be kept.
fn pattern(frame: &Frame) -> Pattern {
    let visible = frame.visible();
    Pattern(frame.expose().iter().enumerate().map(|(at, byte)| (at < visible).then_some(*byte)).collect())
}
