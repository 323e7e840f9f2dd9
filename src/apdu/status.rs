//! Status words (ISO 7816-4 §5.6 and what cards in the field answer): one table, word → meaning.

use std::fmt;

/// A status word, SW1 SW2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Status(u16);

impl Status {
    /// `9000`.
    pub const OK: Self = Self(0x9000);
    /// `6285`: the application is terminated.
    pub const TERMINATED: Self = Self(0x6285);
    /// `6300`: verification failed, no counter told.
    pub const WRONG: Self = Self(0x6300);
    /// `6700`.
    pub const WRONG_LENGTH: Self = Self(0x6700);
    /// `6982`.
    pub const SECURITY_STATUS: Self = Self(0x6982);
    /// `6983`.
    pub const BLOCKED: Self = Self(0x6983);
    /// `6984`.
    pub const DATA_INVALID: Self = Self(0x6984);
    /// `6985`.
    pub const CONDITIONS: Self = Self(0x6985);
    /// `6986`: no current file; after a SELECT that had worked it means that the card was reset.
    pub const NOTHING_SELECTED: Self = Self(0x6986);
    /// `6A80`.
    pub const WRONG_DATA: Self = Self(0x6A80);
    /// `6A81`.
    pub const FUNCTION_NOT_SUPPORTED: Self = Self(0x6A81);
    /// `6A82`.
    pub const FILE_NOT_FOUND: Self = Self(0x6A82);
    /// `6A84`.
    pub const NO_SPACE: Self = Self(0x6A84);
    /// `6A86`.
    pub const WRONG_PARAMETERS: Self = Self(0x6A86);
    /// `6A88`.
    pub const DATA_NOT_FOUND: Self = Self(0x6A88);
    /// `6D00`.
    pub const INS_NOT_SUPPORTED: Self = Self(0x6D00);
    /// `6E00`.
    pub const CLA_NOT_SUPPORTED: Self = Self(0x6E00);

    /// A status word from its two bytes.
    #[must_use]
    pub const fn new(word: u16) -> Self {
        Self(word)
    }

    /// SW1 SW2 as one number.
    #[must_use]
    pub const fn word(self) -> u16 {
        self.0
    }

    /// SW1.
    #[must_use]
    pub const fn sw1(self) -> u8 {
        self.0.to_be_bytes()[0]
    }

    /// SW2.
    #[must_use]
    pub const fn sw2(self) -> u8 {
        self.0.to_be_bytes()[1]
    }

    /// `9000`.
    #[must_use]
    pub fn is_ok(self) -> bool {
        self == Self::OK
    }

    /// The object asked for isn't there, or the card doesn't know the question.
    #[must_use]
    pub fn is_absent(self) -> bool {
        [Self::FILE_NOT_FOUND, Self::DATA_NOT_FOUND, Self::FUNCTION_NOT_SUPPORTED, Self::INS_NOT_SUPPORTED]
            .contains(&self)
    }

    /// Tries left, where the word tells: `63Cx` is x, `6983` is 0.
    #[must_use]
    pub fn tries_left(self) -> Option<u8> {
        match self.0 {
            word if word & 0xFFF0 == 0x63C0 => Some(self.sw2() & 0x0F),
            0x6983 => Some(0),
            _ => None,
        }
    }

    /// Whether the word says that the card's memory is as it was: every refusal that ISO 7816-4 defines as made before
    /// execution. Warnings (62xx), memory faults (65xx) and `6Fxx` don't say so.
    #[must_use]
    pub fn leaves_card_unchanged(self) -> bool {
        matches!(self.sw1(), 0x64 | 0x67..=0x6E) || self.0 == 0x6300 || self.0 & 0xFFF0 == 0x63C0
    }

    /// The word's meaning in a few words.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match (self.sw1(), self.sw2()) {
            (0x90, 0x00) => "done",
            (0x61, _) => "more data waiting",
            (0x62, 0x83) => "file deactivated",
            (0x62, 0x85) => "application terminated",
            (0x62, _) => "warning, memory unchanged",
            (0x63, 0x00) => "wrong, tries left not told",
            (0x63, 0xC0) => "wrong, no try left",
            (0x63, sw2) if sw2 & 0xF0 == 0xC0 => "wrong, tries left",
            (0x63, 0x01..=0x0F) => "warning, or an old PIV card's tries left",
            (0x63, _) => "warning, memory changed",
            (0x64, 0x00) => "execution error, memory unchanged",
            (0x64, 0x01) => "cancelled at the reader",
            (0x64, _) => "execution error",
            (0x65, 0x81) => "memory failure",
            (0x65, _) => "execution error, memory changed",
            (0x66, _) => "security issue",
            (0x67, _) => "wrong length",
            (0x68, 0x81) => "logical channel not supported",
            (0x68, 0x82) => "secure messaging not supported",
            (0x68, 0x83) => "last command of the chain expected",
            (0x68, 0x84) => "command chaining not supported, or a chain is still open",
            (0x68, _) => "class function not supported",
            (0x69, 0x82) => "security status not satisfied",
            (0x69, 0x83) => "authentication method blocked",
            (0x69, 0x84) => "reference data not usable",
            (0x69, 0x85) => "conditions of use not satisfied",
            (0x69, 0x86) => "no application or file selected",
            (0x69, _) => "command not allowed",
            (0x6A, 0x80) => "incorrect data",
            (0x6A, 0x81) => "function not supported",
            (0x6A, 0x82) => "file or application not found",
            (0x6A, 0x84) => "not enough memory",
            (0x6A, 0x86) => "incorrect P1-P2",
            (0x6A, 0x88) => "data object or reference not found",
            (0x6A, _) => "wrong parameters",
            (0x6B, _) => "wrong P1-P2",
            (0x6C, _) => "wrong Le",
            (0x6D, _) => "instruction not supported",
            (0x6E, _) => "class not supported",
            (0x6F, _) => "internal error of the card",
            _ => "not a status word of ISO 7816-4",
        }
    }
}

impl fmt::Display for Status {
    /// Hex and meaning: `6982 (security status not satisfied)`, `63C2 (wrong, tries left: 2)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.tries_left() {
            Some(left @ 1..) => write!(f, "{:04X} ({}: {left})", self.0, self.meaning()),
            _ => write!(f, "{:04X} ({})", self.0, self.meaning()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_say_what_they_mean() {
        assert_eq!(Status::new(0x6982).to_string(), "6982 (security status not satisfied)");
        assert_eq!(Status::new(0x63C2).to_string(), "63C2 (wrong, tries left: 2)");
        assert_eq!(Status::new(0x63C0).to_string(), "63C0 (wrong, no try left)");
        assert_eq!(Status::new(0x1234).to_string(), "1234 (not a status word of ISO 7816-4)");
    }

    #[test]
    fn tries_and_memory() {
        assert_eq!(Status::new(0x63C1).tries_left(), Some(1));
        assert_eq!(Status::BLOCKED.tries_left(), Some(0));
        assert_eq!(Status::WRONG.tries_left(), None);
        assert!(Status::WRONG_LENGTH.leaves_card_unchanged());
        assert!(!Status::new(0x6581).leaves_card_unchanged());
        assert!(!Status::new(0x6F00).leaves_card_unchanged());
    }
}
