//! Strict playback of a recording: one reader with one card that answers as recorded, and only to what was recorded.
//!
//! Three failures are told apart: another command than recorded, a command after the recording's end, and exchanges left
//! over when the job ends. There is no mode that skips.

use std::sync::{Arc, Mutex, PoisonError};

use thiserror::Error;

use super::fixture::{Exchange, Fixture};
use super::{Atr, Connection, EndAction, Frame, Presence, Protocol, ReaderEntry, ReaderError, Readers};

/// A job and a recording that do not agree.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum ReplayError {
    /// Another command than recorded.
    #[error("line {line} of the recording: expected {expected}, got {got}")]
    WrongCommand {
        /// Line of the recorded command.
        line: usize,
        /// What was recorded.
        expected: String,
        /// What was sent; a secret frame masked.
        got: String,
    },
    /// The recording had ended.
    #[error("the recording has ended and the job goes on with {got}")]
    Ended {
        /// What was sent; a secret frame masked.
        got: String,
    },
    /// The job ended first.
    #[error("line {line} of the recording: the job ended with {count} exchanges left over")]
    LeftOver {
        /// Line of the first of them.
        line: usize,
        /// How many.
        count: usize,
    },
    /// The recording is masked where an answer is needed.
    #[error("line {line} of the recording: the answer is masked")]
    MaskedAnswer {
        /// Line of the command.
        line: usize,
    },
    /// No `atr` header, or one that is no hex.
    #[error("the recording has no usable `atr` header")]
    NoAtr,
}

/// The reader's name where the recording has none.
const READER: &str = "Recording";

/// A recording as a reader with a card.
#[derive(Debug)]
pub struct Replay {
    name: String,
    atr: Atr,
    protocol: Protocol,
    exchanges: Arc<Mutex<std::vec::IntoIter<Exchange>>>,
}

impl Replay {
    /// Puts the recorded card into a reader.
    ///
    /// # Errors
    /// The recording does not say which ATR the card had.
    pub fn new(fixture: Fixture) -> Result<Self, ReplayError> {
        let atr = fixture.header("atr").and_then(|text| hex::decode(text).ok()).filter(|atr| !atr.is_empty());
        let protocol = match fixture.header("protocol") {
            Some("T=0") => Protocol::T0,
            _ => Protocol::T1,
        };
        Ok(Self {
            name: fixture.header("reader").unwrap_or(READER).to_owned(),
            atr: Atr::new(&atr.ok_or(ReplayError::NoAtr)?),
            protocol,
            exchanges: Arc::new(Mutex::new(fixture.exchanges.into_iter())),
        })
    }

    /// Whether everything was played.
    ///
    /// # Errors
    /// Exchanges are left over.
    pub fn finish(&self) -> Result<(), ReplayError> {
        let exchanges = self.exchanges.lock().unwrap_or_else(PoisonError::into_inner);
        match exchanges.as_slice() {
            [] => Ok(()),
            [first, ..] => Err(ReplayError::LeftOver { line: first.line, count: exchanges.len() }),
        }
    }

    fn presence(&self) -> Presence {
        Presence { generation: 1, atr: Some(self.atr.clone()), mute: false }
    }
}

impl Readers for Replay {
    fn list(&self) -> Result<Vec<ReaderEntry>, ReaderError> {
        Ok(vec![ReaderEntry { name: self.name.clone(), presence: self.presence() }])
    }

    fn open(&self, reader: &str) -> Result<Box<dyn Connection>, ReaderError> {
        if reader != self.name {
            return Err(ReaderError::NoSuchReader { reader: reader.to_owned() });
        }
        Ok(Box::new(Playing {
            name: self.name.clone(),
            atr: self.atr.clone(),
            protocol: self.protocol,
            presence: self.presence(),
            exchanges: Arc::clone(&self.exchanges),
        }))
    }
}

struct Playing {
    name: String,
    atr: Atr,
    protocol: Protocol,
    presence: Presence,
    exchanges: Arc<Mutex<std::vec::IntoIter<Exchange>>>,
}

impl Connection for Playing {
    fn reader(&self) -> &str {
        &self.name
    }

    fn atr(&self) -> &Atr {
        &self.atr
    }

    fn protocol(&self) -> Protocol {
        self.protocol
    }

    fn transmit(&mut self, command: &Frame) -> Result<Frame, ReaderError> {
        let next = self.exchanges.lock().unwrap_or_else(PoisonError::into_inner).next();
        let Some(exchange) = next else { return Err(ReplayError::Ended { got: command.to_string() }.into()) };
        if !exchange.command.matches(command.expose()) {
            return Err(ReplayError::WrongCommand {
                line: exchange.line,
                expected: exchange.command.to_string(),
                got: command.to_string(),
            }
            .into());
        }
        let answer = exchange.response.bytes().ok_or(ReplayError::MaskedAnswer { line: exchange.line })?;
        Ok(Frame::public(&answer))
    }

    fn presence(&mut self) -> Result<Presence, ReaderError> {
        Ok(self.presence.clone())
    }

    fn keep_alive(&mut self) -> Result<(), ReaderError> {
        Ok(())
    }

    fn end(self: Box<Self>, _action: EndAction) -> Result<(), ReaderError> {
        Ok(())
    }
}
