//! Codes that give a right to set a PIN.

use thiserror::Error;
use zeroize::ZeroizeOnDrop;

use super::SecretBytes;

/// Why a text is no code. The code itself is never part of it.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum CodeError {
    /// No character at all.
    #[error("it is empty")]
    Empty,
    /// More than any card takes.
    #[error("it has more than {} bytes", Code::MAX)]
    TooLong,
    /// A control character or a byte order mark: a damaged file, and a wrong code costs a try.
    #[error("it has a control character or a byte order mark (at byte {position} of {length})")]
    Control {
        /// The first such byte, counted from 1.
        position: usize,
        /// The length in bytes.
        length: usize,
    },
}

/// A PUK, an admin PIN (PW3) or a resetting code: 1 to 127 bytes as the card compares them.
///
/// Not only ASCII, unlike a PIN: SP 800-73-4 lets a PUK have any bytes, and OpenPGP passwords are UTF-8.
#[derive(Debug, ZeroizeOnDrop)]
pub struct Code(SecretBytes);

impl Code {
    /// The most bytes that a code of a known card has.
    pub const MAX: usize = 127;

    /// Checks and copies; the caller's copy is the caller's to wipe.
    ///
    /// # Errors
    /// Empty, longer than [`Code::MAX`], or with characters that come from a damaged file.
    pub fn new(text: &[u8]) -> Result<Self, CodeError> {
        if text.is_empty() {
            return Err(CodeError::Empty);
        }
        if text.len() > Self::MAX {
            return Err(CodeError::TooLong);
        }
        let mark = text.starts_with(&[0xEF, 0xBB, 0xBF]).then_some(0);
        if let Some(at) = mark.or(text.iter().position(u8::is_ascii_control)) {
            return Err(CodeError::Control { position: at + 1, length: text.len() });
        }
        Ok(Self(SecretBytes::copy_of(text)))
    }

    /// `length` times the digit 0: a stand-in where a command is shown and never sent. At most [`Code::MAX`].
    #[must_use]
    pub fn zeros(length: usize) -> Self {
        Self(SecretBytes::copy_of(&vec![b'0'; length.min(Self::MAX)]))
    }

    /// The code's bytes.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.0.expose()
    }

    /// The number of bytes.
    #[must_use]
    pub fn length(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_code_is_refused_before_it_costs_a_try() {
        assert!(Code::new(b"12345678").is_ok());
        assert!(Code::new("Schlüssel".as_bytes()).is_ok());
        assert_eq!(Code::new(b"").unwrap_err(), CodeError::Empty);
        assert_eq!(Code::new(&[b'1'; 128]).unwrap_err(), CodeError::TooLong);
        assert_eq!(Code::new(b"1234\t678").unwrap_err(), CodeError::Control { position: 5, length: 8 });
        assert_eq!(Code::new(b"\xEF\xBB\xBF12345678").unwrap_err(), CodeError::Control { position: 1, length: 11 });
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Code::new(b"12345678").unwrap()), "Code(SecretBytes(…))");
    }
}
