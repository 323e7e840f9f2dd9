//! Secrets as types: bytes that are zeroed when dropped and that nothing can print, clone or serialize.
//!
//! A value here is read through [`SecretBytes::expose`], [`Pin::expose`], … and nowhere else, so a search for `expose`
//! lists every place that touches a secret.
//!
//! Types protect against mistakes in this crate's own code; they don't reach the copies that TLS, HTTP and JSON libraries make and
//! free. Against those there are [`ZeroAlloc`] as the binary's allocator, [`scrub::on_own_stack`] around everything that touches a secret, and
//! [`crate::os::process::harden`] against cores and other processes of the same user.

mod pages;
pub mod scrub;

mod code;

use std::fmt;

use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop};
/// An allocator that zeroes every block before it is freed, and the old block when one grows: the binary's global allocator.
///
/// A library can't choose its program's allocator, so whoever links this one installs it:
/// `#[global_allocator] static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);`
pub use zeroizing_alloc::ZeroAlloc;

use self::pages::Locked;
pub use code::{Code, CodeError};

/// Whether memory that holds secrets can be kept out of swap now.
///
/// # Errors
/// The system refuses to lock a page for this process.
pub fn can_lock_memory() -> Result<(), region::Error> {
    pages::can_lock()
}

/// Bytes of a secret: a heap buffer of fixed capacity that never grows (growing would leave a copy behind), is kept out of
/// swap where the system allows it, and is zeroed when dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct SecretBytes {
    // Dropped in this order: zeroed, unlocked, and freed at last.
    #[zeroize(skip)]
    _locked: Locked,
    bytes: Vec<u8>,
}

impl SecretBytes {
    /// An empty buffer that takes up to `capacity` bytes.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        let bytes = Vec::with_capacity(capacity);
        Self { _locked: Locked::around(bytes.as_ptr(), bytes.capacity()), bytes }
    }

    /// Copies `bytes`; the caller's copy is the caller's to wipe.
    #[must_use]
    pub fn copy_of(bytes: &[u8]) -> Self {
        let mut copy = Self::with_capacity(bytes.len());
        copy.bytes.extend_from_slice(bytes);
        copy
    }

    /// Appends within the capacity; `false` and unchanged where it would not fit.
    #[must_use]
    pub fn append(&mut self, bytes: &[u8]) -> bool {
        if bytes.len() > self.bytes.capacity() - self.bytes.len() {
            return false;
        }
        self.bytes.extend_from_slice(bytes);
        true
    }

    /// Removes the last byte, zeroing the place where it stood.
    pub fn pop(&mut self) {
        if let Some(last) = self.bytes.last_mut() {
            last.zeroize();
            self.bytes.truncate(self.bytes.len() - 1);
        }
    }

    /// The secret itself.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.bytes
    }

    /// The number of bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there is no byte.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether both hold the same bytes, in a time that depends on their lengths only. There is no `==`: it would stop at the
    /// first difference.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.bytes.ct_eq(&other.bytes).into()
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
    /// A character other than printable ASCII: cards compare bytes, and systems encode other characters differently.
    #[error("the PIN has a character that is not printable ASCII (position {position} of {length})")]
    NotPrintableAscii {
        /// The first such character, counted in bytes from 1.
        position: usize,
        /// The length in bytes.
        length: usize,
    },
}

/// A user PIN: 1 to 127 bytes of printable ASCII.
#[derive(Debug, ZeroizeOnDrop)]
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

/// A card's administrator key: 24 bytes of three-key Triple DES, or 16, 24 or 32 of AES where a profile says so.
///
/// No parity and no weak-key check, on purpose: keys in the field fail both (the all-zero key of Microsoft's sample, the
/// factory key 0102…08 three times), and cards ignore parity bits.
#[derive(Debug, ZeroizeOnDrop)]
pub struct AdminKey(SecretBytes);

impl AdminKey {
    /// Bytes of a Triple DES key.
    pub const LENGTH: usize = 24;

    const LONGEST: usize = 32;

    /// Takes 16, 24 or 32 bytes; `None` for any other length. Whether the length is the card's is found out by its use.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        matches!(bytes.len(), 16 | Self::LENGTH | Self::LONGEST).then(|| Self(SecretBytes::copy_of(bytes)))
    }

    /// Reads 48 hexadecimal digits (32 or 64 for AES) of either case, surrounding white space ignored.
    #[must_use]
    pub fn from_hex(text: &[u8]) -> Option<Self> {
        let digits = text.trim_ascii();
        let mut buffer = zeroize::Zeroizing::new([0_u8; Self::LONGEST]);
        let bytes = buffer.get_mut(..digits.len() / 2)?;
        hex::decode_to_slice(digits, bytes).ok()?;
        Self::new(bytes)
    }

    /// The key's bytes.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.0.expose()
    }
}

/// The answer to a card's admin challenge. It is admin access to exactly one card for one moment, hence a secret.
#[derive(Debug, ZeroizeOnDrop)]
pub struct AdminResponse {
    bytes: SecretBytes,
    /// The key that made it, where the card has to prove that it has the same one.
    key: Option<AdminKey>,
}

impl AdminResponse {
    /// Copies the answer; the caller's copy is the caller's to wipe.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self { bytes: SecretBytes::copy_of(bytes), key: None }
    }

    /// The token of a mutual authentication. It keeps the key, with which the card's own token is checked.
    #[must_use]
    pub fn mutual(token: SecretBytes, key: &AdminKey) -> Self {
        Self { bytes: token, key: Some(AdminKey(SecretBytes::copy_of(key.expose()))) }
    }

    /// The answer's bytes.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.bytes.expose()
    }

    /// The number of bytes.
    #[must_use]
    pub fn length(&self) -> usize {
        self.bytes.len()
    }

    /// The key that made it, for a mutual authentication.
    #[must_use]
    pub fn key(&self) -> Option<&AdminKey> {
        self.key.as_ref()
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
        assert_eq!(
            shown,
            "Pin(SecretBytes(…)) AdminKey(SecretBytes(…)) AdminResponse { bytes: SecretBytes(…), key: None }"
        );
    }

    #[test]
    fn an_admin_key_is_24_bytes_or_those_of_aes() {
        assert!(AdminKey::from_hex(b"010203040506070801020304050607080102030405060708\n").is_some());
        assert_eq!(AdminKey::from_hex(&[b'1'; 64]).unwrap().expose(), [0x11; 32]);
        for length in [0, 2, 31, 33, 46, 50, 66, 200] {
            assert!(AdminKey::from_hex(&vec![b'1'; length]).is_none(), "{length}");
        }
        assert!(AdminKey::from_hex(&[b'g'; 48]).is_none());
    }

    #[test]
    fn a_buffer_never_grows() {
        let mut buffer = SecretBytes::with_capacity(4);
        assert!(buffer.append(b"1234"));
        let capacity = buffer.bytes.capacity();
        assert!(!buffer.append(&vec![0; capacity - 3]));
        assert_eq!(buffer.expose(), b"1234");
        buffer.pop();
        assert_eq!(buffer.expose(), b"123");
    }

    #[test]
    fn same_is_the_same_bytes() {
        let secret = SecretBytes::copy_of(b"1234");
        assert!(secret.is_same_as(&SecretBytes::copy_of(b"1234")));
        for other in [&b"1235"[..], b"123", b"12345", b""] {
            assert!(!secret.is_same_as(&SecretBytes::copy_of(other)));
        }
    }
}
