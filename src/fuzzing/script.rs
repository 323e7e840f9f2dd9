//! A card for the targets that ask one: it answers with pieces of the input.

use crate::reader::{Atr, Connection, EndAction, Frame, Presence, Protocol, ReaderError};

/// GET RESPONSE and Le corrections that one command may cause, with room for its own chain.
pub(super) const EXCHANGES_MAX: usize = 310;

/// First byte of an input: how the card is reached.
const T0: u8 = 0x01;
/// The answers start over when they have run out, so a card can go on for ever; else the card is pulled.
const ENDLESS: u8 = 0x02;

/// A card that answers with pieces of the input.
pub(super) struct Script<'i> {
    pub(super) atr: Atr,
    pub(super) protocol: Protocol,
    endless: bool,
    all: &'i [u8],
    rest: &'i [u8],
    exchanges: usize,
    pub(super) secrets: usize,
    /// CLA INS and length of what was sent since the last [`Script::mark`].
    pub(super) sent: Vec<(u8, u8, usize)>,
    pub(super) data: Vec<u8>,
    /// The data of all calls.
    pub(super) heard: Vec<u8>,
    pub(super) last: Option<[u8; 2]>,
}

impl<'i> Script<'i> {
    pub(super) fn new(flags: u8, answers: &'i [u8]) -> Self {
        Self {
            atr: Atr::new(&[0x3B, 0x80, 0x80, 0x01, 0x01]),
            protocol: if flags & T0 == 0 { Protocol::T1 } else { Protocol::T0 },
            endless: flags & ENDLESS != 0,
            all: answers,
            rest: answers,
            exchanges: 0,
            secrets: 0,
            sent: Vec::new(),
            data: Vec::new(),
            heard: Vec::new(),
            last: None,
        }
    }

    /// Forgets what has passed: the next call is looked at by itself.
    pub(super) fn mark(&mut self) {
        (self.exchanges, self.secrets, self.last) = (0, 0, None);
        self.sent.clear();
        self.data.clear();
    }

    fn next(&mut self) -> Option<&'i [u8]> {
        if self.rest.is_empty() && self.endless {
            self.rest = self.all;
        }
        let (length, rest) = self.rest.split_first_chunk::<2>()?;
        let (answer, rest) = rest.split_at(usize::from(u16::from_be_bytes(*length)).min(rest.len()));
        self.rest = rest;
        Some(answer)
    }
}

impl Connection for Script<'_> {
    fn reader(&self) -> &str {
        "Fuzz"
    }

    fn atr(&self) -> &Atr {
        &self.atr
    }

    fn protocol(&self) -> Protocol {
        self.protocol
    }

    fn transmit(&mut self, command: &Frame) -> Result<Frame, ReaderError> {
        let bytes = command.expose();
        assert!(bytes.len() >= 4, "less than a header");
        self.exchanges += 1;
        assert!(self.exchanges <= 4 * EXCHANGES_MAX, "the card is asked without end");
        self.secrets += usize::from(command.is_secret());
        let hidden = command.to_string().matches('*').count();
        assert_eq!(hidden, if command.is_secret() { 2 * bytes.len().saturating_sub(5) } else { 0 });
        self.sent.push((bytes[0], bytes[1], bytes.len()));
        let Some(answer) = self.next() else {
            return Err(ReaderError::CardRemoved { reader: "Fuzz".to_owned(), operation: "sending a command" });
        };
        if let Some((data, word)) = answer.split_last_chunk::<2>() {
            self.data.extend(data);
            self.heard.extend(data);
            self.last = Some(*word);
        }
        Ok(Frame::public(answer))
    }

    fn presence(&mut self) -> Result<Presence, ReaderError> {
        Ok(Presence { generation: 1, atr: Some(self.atr.clone()), mute: false })
    }

    fn keep_alive(&mut self) -> Result<(), ReaderError> {
        Ok(())
    }

    fn end(self: Box<Self>, _action: EndAction) -> Result<(), ReaderError> {
        Ok(())
    }
}
