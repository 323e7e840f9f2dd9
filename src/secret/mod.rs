//! Secrets as types: bytes that are zeroed when dropped and that nothing can print, clone or serialize.
//!
//! A value here is read through [`SecretBytes::expose`], [`Pin::expose`], … and nowhere else, so a search for `expose`
//! lists every place that touches a secret.

mod code;

use std::fmt;

use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop};

pub use code::{Code, CodeError};

/// Bytes of a secret: a heap buffer of fixed capacity that never grows (growing would leave a copy behind) and is
/// zeroed when dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct SecretBytes(Vec<u8>);

impl SecretBytes {
    /// An empty buffer that takes up to `capacity` bytes.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    /// Copies `bytes`; the caller's copy is the caller's to wipe.
    #[must_use]
    pub fn copy_of(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    /// Appends within the capacity; `false` and unchanged where it would not fit.
    #[must_use]
    pub fn append(&mut self, bytes: &[u8]) -> bool {
        if bytes.len() > self.0.capacity() - self.0.len() {
            return false;
        }
        self.0.extend_from_slice(bytes);
        true
    }

    /// Removes the last byte, zeroing the place where it stood.
    pub fn pop(&mut self) {
        if let Some(last) = self.0.last_mut() {
            last.zeroize();
            self.0.truncate(self.0.len() - 1);
        }
    }

    /// The secret itself.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The number of bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no byte.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretBytes(…)")
    }
}

/// Why text is not a PIN. The PIN itself is never part of it.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum PinError {
    /// No character at all.
    #[error("the PIN is empty")]
    Empty,
    /// More than any card takes.
    #[error("the PIN has more than {} characters", Pin::MAX)]
    TooLong,
    /// Something beside printable ASCII: cards compare bytes, and no two systems agree on the rest.
    #[error("the PIN has a character that is not printable ASCII (position {position} of {length})")]
    NotPrintableAscii {
        /// The first such character, counted in bytes from 1.
        position: usize,
        /// The length in bytes.
        length: usize,
    },
}

/// A user PIN: 1 to 127 bytes of printable ASCII.
#[derive(Debug)]
pub struct Pin(SecretBytes);

impl Pin {
    /// The most bytes that a short command data field of a known card takes for a PIN.
    pub const MAX: usize = 127;

    /// Checks and copies; the caller's copy is the caller's to wipe.
    ///
    /// # Errors
    /// Empty, longer than [`Pin::MAX`], or not printable ASCII.
    pub fn new(text: &[u8]) -> Result<Self, PinError> {
        if text.is_empty() {
            return Err(PinError::Empty);
        }
        if text.len() > Self::MAX {
            return Err(PinError::TooLong);
        }
        if let Some(at) = text.iter().position(|byte| !(0x20..=0x7E).contains(byte)) {
            return Err(PinError::NotPrintableAscii { position: at + 1, length: text.len() });
        }
        Ok(Self(SecretBytes::copy_of(text)))
    }

    /// `length` times the digit 0: a stand-in where a command is shown and never sent. At most [`Pin::MAX`].
    #[must_use]
    pub fn zeros(length: usize) -> Self {
        Self(SecretBytes::copy_of(&vec![b'0'; length.min(Self::MAX)]))
    }

    /// The PIN's characters as the bytes that a card compares.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.0.expose()
    }

    /// The number of characters.
    #[must_use]
    pub fn length(&self) -> usize {
        self.0.len()
    }
}

/// A card's administrator key: 24 bytes of three-key Triple DES.
///
/// No parity and no weak-key check, on purpose: keys in the field fail both (the all-zero key of Microsoft's sample, the
/// factory key 0102…08 three times), and cards ignore parity bits.
#[derive(Debug)]
pub struct AdminKey(SecretBytes);

impl AdminKey {
    /// Bytes of a key.
    pub const LENGTH: usize = 24;

    /// Takes exactly 24 bytes; `None` for any other length.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (bytes.len() == Self::LENGTH).then(|| Self(SecretBytes::copy_of(bytes)))
    }

    /// Reads 48 hexadecimal digits of either case, surrounding white space ignored.
    #[must_use]
    pub fn from_hex(text: &[u8]) -> Option<Self> {
        let digits = text.trim_ascii();
        let mut bytes = zeroize::Zeroizing::new([0_u8; Self::LENGTH]);
        hex::decode_to_slice(digits, bytes.as_mut_slice()).ok()?;
        Self::new(bytes.as_slice())
    }

    /// The key's bytes.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.0.expose()
    }
}

/// The answer to a card's admin challenge. It is admin access to exactly one card for one moment, hence a secret.
#[derive(Debug)]
pub struct AdminResponse(SecretBytes);

impl AdminResponse {
    /// Copies the answer; the caller's copy is the caller's to wipe.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self(SecretBytes::copy_of(bytes))
    }

    /// The answer's bytes.
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
    fn a_pin_is_printable_ascii() {
        assert!(Pin::new(b"87654321").is_ok());
        assert_eq!(Pin::new(b"").unwrap_err(), PinError::Empty);
        assert_eq!(Pin::new(&[b'1'; 128]).unwrap_err(), PinError::TooLong);
        assert_eq!(Pin::new(b"12\x0034").unwrap_err(), PinError::NotPrintableAscii { position: 3, length: 5 });
        assert!(Pin::new("123ä".as_bytes()).is_err());
    }

    #[test]
    fn debug_shows_nothing() {
        let pin = Pin::new(b"87654321").unwrap();
        let key = AdminKey::new(&[7; 24]).unwrap();
        let answer = AdminResponse::new(&[9; 8]);
        let shown = format!("{pin:?} {key:?} {answer:?}");
        assert_eq!(shown, "Pin(SecretBytes(…)) AdminKey(SecretBytes(…)) AdminResponse(SecretBytes(…))");
    }

    #[test]
    fn an_admin_key_is_24_bytes() {
        assert!(AdminKey::from_hex(b"010203040506070801020304050607080102030405060708\n").is_some());
        assert!(AdminKey::from_hex(b"0102").is_none());
        assert!(AdminKey::from_hex(&[b'g'; 48]).is_none());
    }

    #[test]
    fn a_buffer_never_grows() {
        let mut buffer = SecretBytes::with_capacity(4);
        assert!(buffer.append(b"1234"));
        let capacity = buffer.0.capacity();
        assert!(!buffer.append(&vec![0; capacity - 3]));
        assert_eq!(buffer.expose(), b"1234");
        buffer.pop();
        assert_eq!(buffer.expose(), b"123");
    }
}
