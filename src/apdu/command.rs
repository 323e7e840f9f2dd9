//! Command APDUs (ISO 7816-4 §5.1).

use zeroize::ZeroizeOnDrop;

use crate::reader::{Frame, Protocol};
use crate::secret::SecretBytes;

/// The largest data field of a short command.
pub(super) const SHORT_DATA: usize = 255;

/// A command before it is cut into frames: header, data with their secret mark, expected length.
#[derive(Debug, ZeroizeOnDrop)]
pub struct Command {
    cla: u8,
    ins: u8,
    p1: u8,
    p2: u8,
    data: SecretBytes,
    secret: bool,
    expected: Option<usize>,
}

impl Command {
    /// A command without data that expects none (case 1).
    #[must_use]
    pub fn new(cla: u8, ins: u8, p1: u8, p2: u8) -> Self {
        Self { cla, ins, p1, p2, data: SecretBytes::with_capacity(0), secret: false, expected: None }
    }

    /// With a data field that may be shown.
    #[must_use]
    pub fn data(mut self, data: &[u8]) -> Self {
        self.data = SecretBytes::copy_of(data);
        self
    }

    /// With a data field that carries a secret: every frame made of it is marked.
    #[must_use]
    pub fn secret(mut self, data: SecretBytes) -> Self {
        self.data = data;
        self.secret = true;
        self
    }

    /// Expecting up to `length` bytes (1 to 65,536; 256 is `Le = 00`).
    #[must_use]
    pub fn expecting(mut self, length: usize) -> Self {
        self.expected = Some(length);
        self
    }

    /// Whether the data field carries a secret.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        self.secret
    }

    /// The class byte without the chaining bit; GET RESPONSE takes the logical channel from it.
    pub(super) fn class(&self) -> u8 {
        self.cla
    }

    pub(super) fn expected(&self) -> Option<usize> {
        self.expected
    }

    pub(super) fn has_data(&self) -> bool {
        !self.data.is_empty()
    }

    /// The same command with another Le, as a card asks for with `6Cxx`.
    pub(super) fn with_expected(&self, length: usize) -> Self {
        Self {
            cla: self.cla,
            ins: self.ins,
            p1: self.p1,
            p2: self.p2,
            data: SecretBytes::copy_of(self.data.expose()),
            secret: self.secret,
            expected: Some(length),
        }
    }

    /// The frames that carry this command: one, or a chain (ISO 7816-4 §5.3.3) where the data exceed a short command and
    /// the card takes no extended length, which over T=0 none does (ISO 7816-3 §12.2).
    #[must_use]
    pub fn frames(&self, protocol: Protocol, extended: bool) -> Vec<Frame> {
        let data = self.data.expose();
        let long = data.len() > SHORT_DATA || self.expected.is_some_and(|length| length > 256);
        if long && extended && protocol != Protocol::T0 {
            return vec![self.extended()];
        }
        let mut blocks: Vec<&[u8]> = data.chunks(SHORT_DATA).collect();
        let last = blocks.pop().unwrap_or_default();
        let mut frames: Vec<Frame> = blocks.into_iter().map(|block| self.short(self.cla | 0x10, block, None)).collect();
        // T=0 carries data in one direction only: the answer to a command with data is fetched by GET RESPONSE.
        let expected = if protocol == Protocol::T0 && !last.is_empty() { None } else { self.expected };
        let mut frame = self.short(self.cla, last, expected);
        if protocol == Protocol::T0 && last.is_empty() && expected.is_none() {
            // Case 1 is a five-byte header there (ISO 7816-3 §12.2.1): not every reader adds P3 by itself.
            frame = self.header_with_p3();
        }
        frames.push(frame);
        frames
    }

    fn short(&self, cla: u8, data: &[u8], expected: Option<usize>) -> Frame {
        let mut bytes = SecretBytes::with_capacity(6 + data.len());
        let mut fits = bytes.append(&[cla, self.ins, self.p1, self.p2]);
        if let (Ok(lc), false) = (u8::try_from(data.len()), data.is_empty()) {
            fits &= bytes.append(&[lc]) && bytes.append(data);
        }
        if let Some(length) = expected {
            // 256 and more are asked for as 00; what is left comes by 61xx.
            fits &= bytes.append(&[u8::try_from(length).unwrap_or(0)]);
        }
        debug_assert!(fits, "a short command is at most 261 bytes and the buffer holds it");
        Frame::with_mark(bytes, self.secret)
    }

    fn header_with_p3(&self) -> Frame {
        Frame::public(&[self.cla, self.ins, self.p1, self.p2, 0x00])
    }

    fn extended(&self) -> Frame {
        let data = self.data.expose();
        let mut bytes = SecretBytes::with_capacity(9 + data.len());
        let mut fits = bytes.append(&[self.cla, self.ins, self.p1, self.p2, 0x00]);
        if !data.is_empty() {
            let lc = u16::try_from(data.len()).unwrap_or(u16::MAX);
            fits &= bytes.append(&lc.to_be_bytes()) && bytes.append(data);
        }
        if let Some(length) = self.expected {
            let le = u16::try_from(length).unwrap_or(0);
            fits &= bytes.append(&le.to_be_bytes());
        }
        debug_assert!(fits, "the buffer holds header, Lc, data and Le");
        Frame::with_mark(bytes, self.secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(command: &Command, protocol: Protocol) -> Vec<String> {
        command.frames(protocol, false).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_four_cases_on_t1_and_t0() {
        let case1 = Command::new(0x00, 0x20, 0x00, 0x80);
        assert_eq!(shown(&case1, Protocol::T1), ["00200080"]);
        assert_eq!(shown(&case1, Protocol::T0), ["0020008000"]);
        let case2 = Command::new(0x00, 0x84, 0x00, 0x00).expecting(8);
        assert_eq!(shown(&case2, Protocol::T1), ["0084000008"]);
        assert_eq!(shown(&case2, Protocol::T0), ["0084000008"]);
        let case3 = Command::new(0x00, 0x22, 0xC1, 0xA4).data(&[0x83, 0x01, 0x80]);
        assert_eq!(shown(&case3, Protocol::T1), ["0022C1A403830180"]);
        assert_eq!(shown(&case3, Protocol::T0), ["0022C1A403830180"]);
        let case4 = Command::new(0x00, 0xCB, 0xA0, 0x12).data(&[0x5C, 0x02, 0xDF, 0x20]).expecting(256);
        assert_eq!(shown(&case4, Protocol::T1), ["00CBA012045C02DF2000"]);
        assert_eq!(shown(&case4, Protocol::T0), ["00CBA012045C02DF20"]);
    }

    #[test]
    fn long_data_are_chained_or_extended() {
        let command = Command::new(0x00, 0xDB, 0xA0, 0x10).data(&[0xAA; 300]);
        let chain = command.frames(Protocol::T1, false);
        assert_eq!(chain.len(), 2);
        assert!(chain[0].to_string().starts_with("10DBA010FF"));
        assert!(chain[1].to_string().starts_with("00DBA0102D"));
        let extended = command.frames(Protocol::T1, true);
        assert_eq!(extended.len(), 1);
        assert!(extended[0].to_string().starts_with("00DBA01000012C"));
        // T=0 carries no more than a short command.
        assert_eq!(command.frames(Protocol::T0, true).len(), 2);
        let long = Command::new(0x00, 0xCA, 0x00, 0x6E).expecting(1000);
        assert_eq!(long.frames(Protocol::T0, true)[0].to_string(), "00CA006E00");
    }

    #[test]
    fn the_secret_mark_reaches_every_frame() {
        let command = Command::new(0x00, 0x2C, 0x02, 0x80).secret(SecretBytes::copy_of(&[0x31; 300]));
        for frame in command.frames(Protocol::T1, false).iter().chain(&command.frames(Protocol::T1, true)) {
            assert!(frame.is_secret());
            assert!(!frame.to_string().contains("3131"));
        }
    }
}
