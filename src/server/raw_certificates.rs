//! The answer to certificate requests as it came, and reading it.

use std::fmt;

use serde::de::IgnoredAny;

use super::error::{ServerError, ServerProblem};
use super::wire::{self, IssuedCertificate};
use crate::secret::SecretBytes;

/// The call, as the REST reference names it.
pub(super) const CERTIFICATE_DATA: &str = "POST requests/{id}/certificatedata";

/// The answer to certificate requests, byte for byte. No call gives it again.
///
/// Private keys that the server may have sent along are in it as PFX, under the password that was handed in with the requests.
/// It has no text form and is zeroed when dropped; who keeps it in a file keeps nothing that can be opened without that password.
pub struct RawCertificates(SecretBytes);

impl RawCertificates {
    /// Takes an answer that is JSON, whatever is in it: what is not is no answer of MIM CM, and says nothing of what it did.
    pub(super) fn new(body: &[u8]) -> Result<Self, ServerProblem> {
        serde_json::from_slice::<IgnoredAny>(body).map_err(|_| ServerProblem::NotJson)?;
        Ok(Self(SecretBytes::copy_of(body)))
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.0.expose()
    }

    /// What is in it.
    ///
    /// # Errors
    /// As [`issued`].
    pub fn read(&self) -> Result<Vec<IssuedCertificate>, ServerError> {
        issued(self.bytes())
    }
}

impl fmt::Debug for RawCertificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes of an answer to certificate requests", self.0.len())
    }
}

/// What is in an answer to certificate requests that was kept.
///
/// # Errors
/// It is another answer than the documented one. Nothing of it is quoted.
pub fn issued(answer: &[u8]) -> Result<Vec<IssuedCertificate>, ServerError> {
    wire::issued(answer).map_err(|problem| ServerError { call: CERTIFICATE_DATA, problem })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_json_is_kept_as_it_came_and_what_is_not_is_no_answer() {
        let odd = b" [{\"Pkcs7\": \"CANARY!\"} ]";
        let raw = RawCertificates::new(odd).unwrap();
        assert_eq!(raw.bytes(), odd);
        let told = format!("{raw:?} {:?} {}", raw.read(), raw.read().unwrap_err());
        assert!(!told.contains("CANARY"), "{told}");
        for none in ["", "[{", "<html>", "[] []"] {
            assert!(matches!(RawCertificates::new(none.as_bytes()), Err(ServerProblem::NotJson)), "{none}");
        }
        assert_eq!(issued(b"[{\"Pkcs7\":\"MIIU\"}]").unwrap()[0].pkcs7.as_deref(), Some(&[0x30, 0x82, 0x14][..]));
    }
}
