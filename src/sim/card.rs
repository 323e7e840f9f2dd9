//! What a reader sees of a card: power, reset, bytes in, bytes out.
//!
//! Every virtual card of this module tree implements [`VirtualCard`]; a reader (in-process, or
//! pcscd through [`super::vpcd`]) needs nothing else. Status words belong to the card and travel in
//! the answer; [`LinkFault`] is for what happens *below* the card's application, where no answer
//! exists.

use std::sync::{Arc, Mutex, PoisonError};

/// A card as its reader sees it.
pub trait VirtualCard: Send {
    /// Answer to reset (ISO 7816-3 §8.2).
    fn atr(&self) -> &[u8];

    /// Cold or warm reset: all volatile state (selection, authentication, challenge, chains, pending
    /// response) is lost.
    fn reset(&mut self);

    /// Loss of power. Equal to a reset for what is remembered, but leaves the card without a session.
    fn power_off(&mut self);

    /// One command APDU in, one response APDU out.
    ///
    /// # Errors
    ///
    /// A [`LinkFault`] where the link gave no answer at all. A refusal by the card is an answer.
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, LinkFault>;
}

/// Why there was no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkFault {
    /// The card is gone.
    #[error("the card was removed")]
    Removed,
    /// The card was reset under its user; everything volatile is lost.
    #[error("the card was reset")]
    Reset,
    /// Bytes were damaged or lost on the way. Whether the card acted on the command is unknown to
    /// the host, as with a real card.
    #[error("transmission error")]
    Transmission,
    /// The card never answers.
    #[error("the card does not answer")]
    Hang,
}

/// One card with two users: a reader uses it while a test looks at it.
#[derive(Debug)]
pub struct SharedCard<C> {
    card: Arc<Mutex<C>>,
    // `VirtualCard::atr` lends out a slice, which a lock guard cannot outlive, so each handle has a
    // copy. A reader learns an ATR at power-up and reset; the copy is renewed at the same moments.
    atr: Vec<u8>,
}

impl<C> Clone for SharedCard<C> {
    fn clone(&self) -> Self {
        Self { card: Arc::clone(&self.card), atr: self.atr.clone() }
    }
}

impl<C: VirtualCard> SharedCard<C> {
    /// Makes a card shareable.
    pub fn new(card: C) -> Self {
        let atr = card.atr().to_vec();
        Self { card: Arc::new(Mutex::new(card)), atr }
    }

    /// Looks at the card (or changes it) while no exchange is under way.
    pub fn with<R>(&self, look: impl FnOnce(&mut C) -> R) -> R {
        // A poisoned lock means that another test thread failed; its message is the one to read.
        let mut card = self.card.lock().unwrap_or_else(PoisonError::into_inner);
        look(&mut card)
    }
}

impl<C: VirtualCard> VirtualCard for SharedCard<C> {
    fn atr(&self) -> &[u8] {
        &self.atr
    }

    fn reset(&mut self) {
        self.atr = self.with(|card| {
            card.reset();
            card.atr().to_vec()
        });
    }

    fn power_off(&mut self) {
        self.atr = self.with(|card| {
            card.power_off();
            card.atr().to_vec()
        });
    }

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, LinkFault> {
        self.with(|card| card.transmit(command))
    }
}

impl<C: VirtualCard + ?Sized> VirtualCard for Box<C> {
    fn atr(&self) -> &[u8] {
        (**self).atr()
    }

    fn reset(&mut self) {
        (**self).reset();
    }

    fn power_off(&mut self) {
        (**self).power_off();
    }

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, LinkFault> {
        (**self).transmit(command)
    }
}
