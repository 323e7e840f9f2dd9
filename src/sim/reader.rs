//! Readers inside this process, with virtual cards in them and the rules of PC/SC: one transaction at a time, a reset or a
//! removal is remembered until the card is opened anew, an event counter for insertions and removals.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::card::{LinkFault, VirtualCard};
use super::changes::StatusChanges;
use crate::reader::{Atr, Connection, EndAction, Frame, Presence, Protocol, ReaderEntry, ReaderError, Readers};

/// A set of virtual readers.
#[derive(Clone, Default)]
pub struct VirtualReaders {
    slots: Arc<Mutex<Vec<(String, Slot)>>>,
    pub(super) changes: StatusChanges,
}

/// One virtual reader; clones are the same reader.
#[derive(Clone)]
pub struct Slot(Arc<Mutex<State>>, StatusChanges);

struct State {
    card: Option<Box<dyn VirtualCard>>,
    generation: u32,
    protocol: Protocol,
    mute: bool,
    resets: u32,
}

impl VirtualReaders {
    /// No reader.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a reader, empty.
    pub fn add(&mut self, name: &str) -> Slot {
        let state = State { card: None, generation: 0, protocol: Protocol::T1, mute: false, resets: 0 };
        let slot = Slot(Arc::new(Mutex::new(state)), self.changes.clone());
        self.slots().push((name.to_owned(), slot.clone()));
        self.changes.announce();
        slot
    }

    /// Unplugs a reader, with the card that is in it.
    pub fn unplug(&self, name: &str) {
        self.slots().retain(|(plugged, _)| plugged != name);
        self.changes.announce();
    }

    fn slots(&self) -> MutexGuard<'_, Vec<(String, Slot)>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One reader with one card in it.
    #[must_use]
    pub fn with_card(name: &str, card: impl VirtualCard + 'static) -> Self {
        let mut readers = Self::new();
        readers.add(name).insert(card);
        readers
    }
}

impl Slot {
    /// Inserts a card, removing the one before.
    pub fn insert(&self, mut card: impl VirtualCard + 'static) {
        card.power_off();
        let mut state = self.state();
        state.generation += if state.card.is_some() { 2 } else { 1 };
        state.card = Some(Box::new(card));
        state.mute = false;
        drop(state);
        self.1.announce();
    }

    /// Pulls the card.
    pub fn remove(&self) {
        self.state().remove();
        self.1.announce();
    }

    /// Makes the card mute: it is there and gives no answer to a reset.
    pub fn set_mute(&self) {
        self.state().mute = true;
        self.1.announce();
    }

    /// Sets the protocol that the card is used with.
    pub fn set_protocol(&self, protocol: Protocol) {
        self.state().protocol = protocol;
    }

    /// How often the card was reset when a connection ended.
    #[must_use]
    pub fn resets(&self) -> u32 {
        self.state().resets
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn remove(&mut self) {
        if let Some(mut card) = self.card.take() {
            card.power_off();
            self.generation += 1;
        }
    }

    fn presence(&self) -> Presence {
        let atr = self.card.as_ref().filter(|_| !self.mute).map(|card| Atr::new(card.atr()));
        Presence { generation: self.generation, atr, mute: self.mute && self.card.is_some() }
    }
}

impl Readers for VirtualReaders {
    fn list(&self) -> Result<Vec<ReaderEntry>, ReaderError> {
        let entry =
            |(name, slot): &(String, Slot)| ReaderEntry { name: name.clone(), presence: slot.state().presence() };
        Ok(self.slots().iter().map(entry).collect())
    }

    fn open(&self, reader: &str) -> Result<Box<dyn Connection>, ReaderError> {
        let reader = reader.to_owned();
        let found = self.slots().iter().find(|(name, _)| *name == reader).map(|(_, slot)| slot.clone());
        let slot = found.ok_or_else(|| ReaderError::NoSuchReader { reader: reader.clone() })?;
        let state = slot.state();
        let Presence { generation, atr, mute } = state.presence();
        if mute {
            return Err(ReaderError::Unresponsive { reader });
        }
        let atr = atr.ok_or_else(|| ReaderError::NoCard { reader: reader.clone() })?;
        let protocol = state.protocol;
        drop(state);
        Ok(Box::new(VirtualConnection { reader, atr, protocol, slot, generation, reset: false, ended: false }))
    }
}

struct VirtualConnection {
    reader: String,
    atr: Atr,
    protocol: Protocol,
    slot: Slot,
    generation: u32,
    /// Another program has reset the card since it was opened.
    reset: bool,
    ended: bool,
}

impl VirtualConnection {
    /// What PC/SC answers to every call once the card was pulled or reset.
    fn usable(&self, state: &State, operation: &'static str) -> Result<(), ReaderError> {
        if state.generation != self.generation || state.card.is_none() {
            return Err(ReaderError::CardRemoved { reader: self.reader.clone(), operation });
        }
        if self.reset {
            return Err(ReaderError::CardReset { reader: self.reader.clone(), operation });
        }
        Ok(())
    }
}

impl Connection for VirtualConnection {
    fn reader(&self) -> &str {
        &self.reader
    }

    fn atr(&self) -> &Atr {
        &self.atr
    }

    fn protocol(&self) -> Protocol {
        self.protocol
    }

    fn transmit(&mut self, command: &Frame) -> Result<Frame, ReaderError> {
        let operation = "sending a command";
        let slot = self.slot.clone();
        let mut state = slot.state();
        self.usable(&state, operation)?;
        let Some(card) = state.card.as_mut() else {
            return Err(ReaderError::CardRemoved { reader: self.reader.clone(), operation });
        };
        match card.transmit(command.expose()) {
            Ok(answer) => Ok(Frame::public(&answer)),
            Err(LinkFault::Removed) => {
                state.remove();
                drop(state);
                self.slot.1.announce();
                Err(ReaderError::CardRemoved { reader: self.reader.clone(), operation })
            }
            Err(LinkFault::Reset) => {
                self.reset = true;
                Err(ReaderError::CardReset { reader: self.reader.clone(), operation })
            }
            Err(fault @ LinkFault::Transmission) => {
                Err(ReaderError::Transmission { reader: self.reader.clone(), operation, source: Box::new(fault) })
            }
            Err(LinkFault::Hang) => Err(ReaderError::Stuck {
                reader: self.reader.clone(),
                operation,
                after: std::time::Duration::from_secs(15),
            }),
        }
    }

    fn presence(&mut self) -> Result<Presence, ReaderError> {
        Ok(self.slot.state().presence())
    }

    fn keep_alive(&mut self) -> Result<(), ReaderError> {
        self.usable(&self.slot.state(), "waiting for the server")
    }

    fn end(mut self: Box<Self>, action: EndAction) -> Result<(), ReaderError> {
        self.ended = true;
        if action == EndAction::Reset {
            self.slot.state().reset(self.generation);
        }
        Ok(())
    }
}

impl State {
    fn reset(&mut self, generation: u32) {
        if self.generation == generation
            && let Some(card) = self.card.as_mut()
        {
            card.reset();
            self.resets += 1;
        }
    }
}

impl Drop for VirtualConnection {
    fn drop(&mut self) {
        if !self.ended {
            self.slot.state().reset(self.generation);
        }
    }
}
