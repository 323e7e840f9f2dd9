//! The bytes of one APDU, with the mark that tells whether they carry a secret.

use std::fmt;

use zeroize::ZeroizeOnDrop;

use crate::secret::SecretBytes;

/// A command or response APDU. Zeroed when dropped; shown in full only where it carries no secret.
///
/// The mark is set where the data come from ([`crate::apdu::Command`]) and stays with the bytes, so that every log line, trace and
/// recording that gets the frame hides the data.
#[derive(ZeroizeOnDrop)]
pub struct Frame {
    bytes: SecretBytes,
    secret: bool,
}

impl Frame {
    /// A frame that may be shown.
    #[must_use]
    pub fn public(bytes: &[u8]) -> Self {
        Self { bytes: SecretBytes::copy_of(bytes), secret: false }
    }

    /// A frame from finished bytes and their mark.
    #[must_use]
    pub(crate) fn with_mark(bytes: SecretBytes, secret: bool) -> Self {
        Self { bytes, secret }
    }

    /// Whether the data field carries a secret.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        self.secret
    }

    /// All bytes, for the card only.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.bytes.expose()
    }

    /// The bytes themselves, which are not copied for that.
    #[must_use]
    pub(crate) fn into_bytes(mut self) -> SecretBytes {
        std::mem::replace(&mut self.bytes, SecretBytes::with_capacity(0))
    }

    /// The number of bytes of a command's head that say nothing of its data: CLA INS P1 P2 and the short Lc.
    #[must_use]
    pub fn visible(&self) -> usize {
        if self.secret { self.bytes.len().min(5) } else { self.bytes.len() }
    }
}

impl fmt::Display for Frame {
    /// Upper-case hex, each byte of a secret data field as `**`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (head, tail) = self.expose().split_at(self.visible());
        f.write_str(&hex::encode_upper(head))?;
        tail.iter().try_for_each(|_| f.write_str("**"))
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_frame_shows_its_head_only() {
        let frame = Frame::with_mark(SecretBytes::copy_of(&[0x00, 0x20, 0x00, 0x80, 0x02, 0x31, 0x32]), true);
        assert_eq!(frame.to_string(), "0020008002****");
        assert_eq!(format!("{frame:?}"), "Frame(0020008002****)");
        assert_eq!(Frame::public(&[0x90, 0x00]).to_string(), "9000");
    }
}
