//! The calls of PC/SC on Windows, in the shape of the crate `pcsc`, which makes them elsewhere.
//!
//! Names go to the system as wide characters, so that no code page loses a letter of them, and every number that it answers with comes
//! back as it is: it has others than those of PC/SC.

#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::ptr::{null, null_mut};
use std::sync::Arc;
use std::time::Duration;

use windows_sys::Win32::Security::Credentials as raw;

use super::code::Code;

/// Bytes that an answer to reset has room in (SCARD_ATR_LENGTH, and what the structures have).
const ATR_ROOM: usize = 36;

/// How often the names are asked for where a reader comes between the question for their length and that for them.
const LISTINGS: u32 = 5;

/// Whose readers a context is for.
pub(super) enum Scope {
    /// Those of the session.
    User,
}

/// How a card is opened.
#[derive(Clone, Copy)]
pub(super) enum ShareMode {
    /// Beside other programs.
    Shared,
}

/// Protocols that a card may be used with.
#[derive(Clone, Copy)]
pub(super) struct Protocols(u32);

impl Protocols {
    /// T=0 or T=1.
    pub const ANY: Self = Self(raw::SCARD_PROTOCOL_T0 | raw::SCARD_PROTOCOL_T1);
}

/// The protocol that a card is used with.
#[derive(Clone, Copy)]
pub(super) enum Protocol {
    /// T=0.
    T0,
    /// T=1.
    T1,
    /// None: bytes as they are.
    RAW,
}

impl Protocol {
    fn of(number: u32) -> Option<Self> {
        match number {
            raw::SCARD_PROTOCOL_T0 => Some(Self::T0),
            raw::SCARD_PROTOCOL_T1 => Some(Self::T1),
            raw::SCARD_PROTOCOL_RAW => Some(Self::RAW),
            _ => None,
        }
    }
}

/// What becomes of a card.
#[derive(Clone, Copy)]
pub(super) enum Disposition {
    /// Nothing.
    LeaveCard,
    /// A reset.
    ResetCard,
}

impl Disposition {
    fn number(self) -> u32 {
        match self {
            Self::LeaveCard => raw::SCARD_LEAVE_CARD,
            Self::ResetCard => raw::SCARD_RESET_CARD,
        }
    }
}

/// What is so of a reader.
#[derive(Clone, Copy)]
pub(super) struct State(u32);

impl State {
    pub const UNAWARE: Self = Self(raw::SCARD_STATE_UNAWARE);
    pub const IGNORE: Self = Self(raw::SCARD_STATE_IGNORE);
    pub const UNKNOWN: Self = Self(raw::SCARD_STATE_UNKNOWN);
    pub const UNAVAILABLE: Self = Self(raw::SCARD_STATE_UNAVAILABLE);
    pub const PRESENT: Self = Self(raw::SCARD_STATE_PRESENT);
    pub const EXCLUSIVE: Self = Self(raw::SCARD_STATE_EXCLUSIVE);
    pub const INUSE: Self = Self(raw::SCARD_STATE_INUSE);
    pub const MUTE: Self = Self(raw::SCARD_STATE_MUTE);

    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl std::ops::BitOr for State {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The pseudo-reader that stands for the list of readers.
#[expect(non_snake_case, reason = "the name that the crate has for it")]
pub(super) fn PNP_NOTIFICATION() -> &'static CStr {
    c"\\\\?PnP?\\Notification"
}

/// A reader's state: the one that is known, and the one that the last call has told.
pub(super) struct ReaderState {
    name: Vec<u16>,
    current: u32,
    event: u32,
    atr: Vec<u8>,
}

impl ReaderState {
    pub fn new(name: impl Into<CString>, current: State) -> Self {
        Self { name: wide(&name.into()), current: current.0, event: 0, atr: Vec::new() }
    }

    /// What the last call has told.
    pub fn event_state(&self) -> State {
        State(self.event)
    }

    /// The reader's count of insertions and removals.
    pub fn event_count(&self) -> u32 {
        self.event >> 16
    }

    /// The card's answer to reset; empty without one.
    pub fn atr(&self) -> &[u8] {
        &self.atr
    }

    /// What was told is known.
    pub fn sync_current_state(&mut self) {
        // With the count: else the pseudo-reader is always told as changed.
        self.current = self.event;
    }
}

struct ContextHandle(usize);

impl Drop for ContextHandle {
    fn drop(&mut self) {
        // SAFETY: the handle was given by SCardEstablishContext and is released once. There is nothing to do about a failure.
        unsafe { raw::SCardReleaseContext(self.0) };
    }
}

/// A connection to the service; clones are the same one.
#[derive(Clone)]
pub(super) struct Context(Arc<ContextHandle>);

impl Context {
    pub fn establish(scope: Scope) -> Result<Self, Code> {
        let scope = match scope {
            Scope::User => raw::SCARD_SCOPE_USER,
        };
        let mut handle = 0;
        // SAFETY: the two reserved pointers have to be null, and the handle is written before the call returns.
        done(unsafe { raw::SCardEstablishContext(scope, null(), null(), &mut handle) })?;
        Ok(Self(Arc::new(ContextHandle(handle))))
    }

    /// The names of the readers. No reader is an empty list.
    pub fn list_readers_owned(&self) -> Result<Vec<CString>, Code> {
        for _ in 0..LISTINGS {
            match self.names() {
                Err(Code::INSUFFICIENT_BUFFER) => {}
                Err(Code::NO_READERS_AVAILABLE) => return Ok(Vec::new()),
                names => return names,
            }
        }
        Err(Code::INSUFFICIENT_BUFFER)
    }

    fn names(&self) -> Result<Vec<CString>, Code> {
        let mut length = 0;
        // SAFETY: without a buffer the call writes nothing but the length. No group is named: all readers are meant.
        done(unsafe { raw::SCardListReadersW(self.0.0, null(), null_mut(), &mut length) })?;
        let mut names = vec![0_u16; length as usize];
        // SAFETY: the buffer has the length that is told, in units of two bytes.
        done(unsafe { raw::SCardListReadersW(self.0.0, null(), names.as_mut_ptr(), &mut length) })?;
        names.truncate(length as usize);
        Ok(names.split(|unit| *unit == 0).take_while(|name| !name.is_empty()).filter_map(narrow).collect())
    }

    /// Blocks until a reader is not as its state says, until `limit` is over, or until [`Context::cancel`].
    pub fn get_status_change(
        &self,
        limit: impl Into<Option<Duration>>,
        states: &mut [ReaderState],
    ) -> Result<(), Code> {
        let milliseconds = limit.into().map_or(u32::MAX, |limit| u32::try_from(limit.as_millis()).unwrap_or(u32::MAX));
        let asked = |state: &ReaderState| raw::SCARD_READERSTATEW {
            szReader: state.name.as_ptr(),
            dwCurrentState: state.current,
            ..raw::SCARD_READERSTATEW::default()
        };
        let mut told: Vec<raw::SCARD_READERSTATEW> = states.iter().map(asked).collect();
        let count = u32::try_from(told.len()).map_err(|_| Code::INVALID_PARAMETER)?;
        // SAFETY: the array has the length that is told, and the names that it points to end with a zero and live as long as `states`.
        let result = done(unsafe { raw::SCardGetStatusChangeW(self.0.0, milliseconds, told.as_mut_ptr(), count) });
        for (state, told) in states.iter_mut().zip(&told) {
            state.event = told.dwEventState;
            state.atr = told.rgbAtr.get(..told.cbAtr as usize).unwrap_or_default().to_vec();
        }
        result
    }

    /// Ends a wait in another thread.
    pub fn cancel(&self) -> Result<(), Code> {
        // SAFETY: the handle is valid as long as the context lives, and the call may come from any thread.
        done(unsafe { raw::SCardCancel(self.0.0) })
    }

    /// Opens the card in this reader.
    pub fn connect(&self, name: &CStr, mode: ShareMode, protocols: Protocols) -> Result<Card, Code> {
        let mode = match mode {
            ShareMode::Shared => raw::SCARD_SHARE_SHARED,
        };
        let name = wide(name);
        let (mut handle, mut protocol) = (0, 0);
        // SAFETY: the name ends with a zero, and both places are written before the call returns.
        done(unsafe { raw::SCardConnectW(self.0.0, name.as_ptr(), mode, protocols.0, &mut handle, &mut protocol) })?;
        Ok(Card { handle, protocol, is_open: true, _context: self.clone() })
    }
}

/// An open card.
pub(super) struct Card {
    handle: usize,
    protocol: u32,
    is_open: bool,
    /// A card's handle ends with its context.
    _context: Context,
}

impl Card {
    /// Begins a transaction. Gives the card back where that fails.
    pub fn transaction2(&mut self) -> Result<Transaction<'_>, (&mut Self, Code)> {
        // SAFETY: the handle is valid until the card is disconnected, which takes the card.
        match done(unsafe { raw::SCardBeginTransaction(self.handle) }) {
            Ok(()) => Ok(Transaction { card: self, is_open: true }),
            Err(code) => Err((self, code)),
        }
    }

    /// Begins a transaction.
    pub fn transaction(&mut self) -> Result<Transaction<'_>, Code> {
        self.transaction2().map_err(|(_, code)| code)
    }

    /// Takes note of a reset by another program.
    pub fn reconnect(&mut self, mode: ShareMode, protocols: Protocols, first: Disposition) -> Result<(), Code> {
        let mode = match mode {
            ShareMode::Shared => raw::SCARD_SHARE_SHARED,
        };
        let mut protocol = 0;
        // SAFETY: as above, and the place is written before the call returns.
        done(unsafe { raw::SCardReconnect(self.handle, mode, protocols.0, first.number(), &mut protocol) })?;
        self.protocol = protocol;
        Ok(())
    }

    /// Lets go of the card, which is gone either way.
    pub fn disconnect(mut self, last: Disposition) -> Result<(), Code> {
        self.is_open = false;
        // SAFETY: as above, and the handle is used no more.
        done(unsafe { raw::SCardDisconnect(self.handle, last.number()) })
    }
}

impl Drop for Card {
    fn drop(&mut self) {
        if self.is_open {
            // SAFETY: the handle is valid, since nothing has disconnected the card, and is used no more.
            unsafe { raw::SCardDisconnect(self.handle, raw::SCARD_RESET_CARD) };
        }
    }
}

/// A card for us alone.
pub(super) struct Transaction<'card> {
    card: &'card mut Card,
    is_open: bool,
}

impl Transaction<'_> {
    /// Protocol and answer to reset.
    pub fn status2_owned(&self) -> Result<CardStatus, Code> {
        let (mut names, mut state, mut protocol) = (0, 0, 0);
        let mut atr = [0; ATR_ROOM];
        let mut length = ATR_ROOM as u32;
        // SAFETY: without a buffer for the names the call tells their length alone; the answer to reset has the room that is told.
        done(unsafe {
            raw::SCardStatusW(
                self.card.handle,
                null_mut(),
                &mut names,
                &mut state,
                &mut protocol,
                atr.as_mut_ptr(),
                &mut length,
            )
        })?;
        Ok(CardStatus { protocol, atr: atr.get(..length as usize).unwrap_or_default().to_vec() })
    }

    /// Sends a command; gives the part of `buffer` that the answer fills.
    pub fn transmit<'buffer>(&self, command: &[u8], buffer: &'buffer mut [u8]) -> Result<&'buffer [u8], Code> {
        let header = raw::SCARD_IO_REQUEST {
            dwProtocol: self.card.protocol,
            cbPciLength: size_of::<raw::SCARD_IO_REQUEST>() as u32,
        };
        let too_long = |_| Code::INVALID_PARAMETER;
        let sent = u32::try_from(command.len()).map_err(too_long)?;
        let mut received = u32::try_from(buffer.len()).map_err(too_long)?;
        // SAFETY: both buffers have the lengths that are told, and the header is the one of the card's protocol.
        done(unsafe {
            raw::SCardTransmit(
                self.card.handle,
                &header,
                command.as_ptr(),
                sent,
                null_mut(),
                buffer.as_mut_ptr(),
                &mut received,
            )
        })?;
        buffer.get(..received as usize).ok_or(Code::INSUFFICIENT_BUFFER)
    }

    /// Ends the transaction. Gives it back where that fails.
    pub fn end(mut self, last: Disposition) -> Result<(), (Self, Code)> {
        // SAFETY: the handle is valid as long as the card lives.
        match done(unsafe { raw::SCardEndTransaction(self.card.handle, last.number()) }) {
            Ok(()) => {
                self.is_open = false;
                Ok(())
            }
            Err(code) => Err((self, code)),
        }
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if self.is_open {
            // SAFETY: as above.
            unsafe { raw::SCardEndTransaction(self.card.handle, raw::SCARD_LEAVE_CARD) };
        }
    }
}

/// What a card is used with.
pub(super) struct CardStatus {
    protocol: u32,
    atr: Vec<u8>,
}

impl CardStatus {
    /// The protocol; `None` where none is agreed on.
    pub fn protocol2(&self) -> Option<Protocol> {
        Protocol::of(self.protocol)
    }

    /// The answer to reset.
    pub fn atr(&self) -> &[u8] {
        &self.atr
    }
}

/// What a call has answered.
fn done(answer: i32) -> Result<(), Code> {
    if answer == 0 { Ok(()) } else { Err(Code(answer.cast_unsigned())) }
}

/// A name with the zero at its end. A name that the system has given is UTF-8 here.
fn wide(name: &CStr) -> Vec<u16> {
    name.to_string_lossy().encode_utf16().chain([0]).collect()
}

/// A name that the system has given, without its zero. What is no text in it is a stand-in, and names no reader.
fn narrow(name: &[u16]) -> Option<CString> {
    CString::new(String::from_utf16_lossy(name)).ok()
}

#[cfg(test)]
mod tests;
