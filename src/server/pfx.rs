//! The password for private keys that a server may send along with certificates.

use zeroize::Zeroizing;

use crate::secret::SecretBytes;

/// A password of 32 random hexadecimal digits. We want no private keys from a server: whatever it sends is of no use to
/// anybody once this is gone.
pub struct PfxPassword(SecretBytes);

impl PfxPassword {
    /// Makes one.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = Zeroizing::new([0_u8; 16]);
        getrandom::fill(bytes.as_mut_slice())?;
        let mut digits = SecretBytes::with_capacity(2 * bytes.len());
        for digit in bytes.iter().flat_map(|byte| [byte >> 4, byte & 0x0F]) {
            let fits = digits.append(&[DIGITS[usize::from(digit)]]);
            debug_assert!(fits, "two digits for each byte");
        }
        Ok(Self(digits))
    }

    /// The password itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        // Always ASCII.
        str::from_utf8(self.0.expose()).unwrap_or_default()
    }
}

const DIGITS: [u8; 16] = *b"0123456789abcdef";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_passwords_differ() {
        let (one, other) = (PfxPassword::random().unwrap(), PfxPassword::random().unwrap());
        assert!(one.expose().len() == 32 && one.expose().bytes().all(|digit| DIGITS.contains(&digit)));
        assert!(one.expose() != other.expose());
    }
}
