//! Layer 1: readers and the bytes that pass through them.
//!
//! Two traits, [`Readers`] (which readers are there, open one) and [`Connection`] (one card, held in one transaction), are
//! the interface that all layers above use: the same code runs over PC/SC ([`pcsc`]), a recording ([`replay`]) and a virtual card.
//! Nothing above this layer names PC/SC.

mod answer_mask;
mod atr;
mod error;
pub mod fixture;
mod frame;
pub mod holders;
pub mod ignore;
pub mod monitor;
mod name;
pub mod pcsc;
pub mod record;
pub mod replay;
pub mod traffic;

use std::fmt;

pub use atr::{Atr, bytes_of, historical};
pub use error::ReaderError;
pub use frame::Frame;

/// The transmission protocol of ISO 7816-3 in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Character oriented: a command with data is sent without Le, its answer comes by GET RESPONSE.
    T0,
    /// Block oriented: a command may carry both data and Le.
    T1,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::T0 => "T=0",
            Self::T1 => "T=1",
        })
    }
}

/// What becomes of the card at the end of its transaction (PC/SC disposition).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndAction {
    /// Nothing. Only right when no authentication was attempted, since a state left on the card is the next program's.
    Leave,
    /// A reset, which drops every authentication and every pending challenge.
    Reset,
}

/// Which card is in a reader at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presence {
    /// The reader's count of insertions and removals: two equal counts mean that nothing was pulled in between.
    pub generation: u32,
    /// The answer-to-reset; `None` without a card.
    pub atr: Option<Atr>,
    /// The card is there but gives no answer to a reset (bad contact, upside down), or the reader can't tell.
    pub mute: bool,
}

impl Presence {
    /// Whether there is a card, be it one that gives no answer.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.atr.is_some() || self.mute
    }
}

/// One reader and what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReaderEntry {
    /// The text that stands for the name given by the system, whose bytes that are no UTF-8 are `\xE9` in it. A name changes when
    /// readers are plugged in another order: shown, never an identity.
    pub name: String,
    /// What is in it.
    pub presence: Presence,
}

/// Whether programs have the card in a reader open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// None has.
    Free,
    /// One or more have, and others may.
    Shared,
    /// One has, for itself.
    Exclusive,
    /// These readers don't tell.
    Untold,
}

/// The readers of this machine.
pub trait Readers: Send + Sync {
    /// Every reader with what is in it, without touching a card.
    ///
    /// # Errors
    /// No service, no permission, no answer. No reader at all is an empty list.
    fn list(&self) -> Result<Vec<ReaderEntry>, ReaderError>;

    /// Whether programs have the card in this reader open, without touching it.
    ///
    /// # Errors
    /// As [`Readers::list`].
    fn sharing(&self, _reader: &str) -> Result<Sharing, ReaderError> {
        Ok(Sharing::Untold)
    }

    /// Opens the card in the reader that has this text in the list, shared, inside a transaction that is held until [`Connection::end`].
    ///
    /// # Errors
    /// No such reader, no card, card in use by others beyond a bounded wait, card without answer.
    fn open(&self, reader: &str) -> Result<Box<dyn Connection>, ReaderError>;
}

/// One card, held in one transaction.
///
/// Dropping a connection without [`Connection::end`] resets the card, since a state may be left on it that is the next program's.
pub trait Connection: Send {
    /// The reader's name.
    fn reader(&self) -> &str;

    /// The answer-to-reset of the card that was opened.
    fn atr(&self) -> &Atr;

    /// The protocol in use.
    fn protocol(&self) -> Protocol;

    /// Sends one command APDU, once, and gives the response APDU with its status word. Whether that costs a try is the command's
    /// own matter.
    ///
    /// # Errors
    /// Card removed or reset, transmission failed, no answer by the deadline. After any of these it is unknown whether the
    /// card carried the command out.
    fn transmit(&mut self, command: &Frame) -> Result<Frame, ReaderError>;

    /// What is in the reader now, by the reader's own count. Costs no APDU.
    ///
    /// # Errors
    /// As [`Connection::transmit`].
    fn presence(&mut self) -> Result<Presence, ReaderError>;

    /// Asks the system for the card's status, so that the transaction is not idle: Windows resets a card whose transaction is idle
    /// for 5 s. Costs no APDU.
    ///
    /// # Errors
    /// Card removed or reset.
    fn keep_alive(&mut self) -> Result<(), ReaderError>;

    /// Ends the transaction, with a reset where `action` says so, and disconnects.
    ///
    /// # Errors
    /// The card could not be reset: what it was authenticated for may live on until it is pulled.
    fn end(self: Box<Self>, action: EndAction) -> Result<(), ReaderError>;
}
