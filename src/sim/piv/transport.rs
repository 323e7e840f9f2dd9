//! Commands in blocks and answers in pieces (ISO 7816-4 §5.3).

use super::{Command, Outcome, PivCard, sw};

/// The most data of a command in blocks.
const CHAIN_MAX: usize = 8192;

impl PivCard {
    /// Sends what Le allows, 256 bytes without one, and keeps the rest (`61xx`).
    pub(super) fn give(&mut self, mut data: Vec<u8>, le: Option<usize>) -> Vec<u8> {
        let allowed = le.unwrap_or(256);
        if data.len() <= allowed {
            return sw::answer(data, sw::OK);
        }
        self.session.pending = data.split_off(allowed);
        sw::answer(data, sw::more(self.session.pending.len()))
    }

    /// Puts a command in blocks together (part 2 §3.1: PUT DATA, GENERAL AUTHENTICATE). Another command ends it, and the rest of an
    /// answer that was not fetched.
    pub(super) fn collect(&mut self, command: &Command) -> Outcome {
        if command.cla & !0x10 != 0x00 {
            return Err(sw::WRONG_CLA);
        }
        let chain = self.session.chain.take();
        let pending = std::mem::take(&mut self.session.pending);
        if command.ins == 0xC0 {
            return if command.p1p2() == 0 { Ok(pending) } else { Err(sw::WRONG_P1P2) };
        }
        let so_far = match chain {
            Some((ins, p1p2, data)) if (ins, p1p2) == (command.ins, command.p1p2()) => data,
            _ => Vec::new(),
        };
        let data = [so_far, command.data.to_vec()].concat();
        if data.len() > CHAIN_MAX {
            return Err(sw::WRONG_LENGTH);
        }
        if !command.chained() {
            return self.dispatch(&Command { data: &data, ..*command });
        }
        if !matches!(command.ins, 0xDB | 0x87) {
            return Err(sw::CHAINING);
        }
        if !self.session.selected {
            return Err(sw::NOT_ALLOWED);
        }
        self.session.chain = Some((command.ins, command.p1p2(), data));
        Ok(Vec::new())
    }
}
