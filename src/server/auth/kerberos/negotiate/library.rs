//! Kerberos by the library that this system has.

use super::mechanism::{Context, LibraryError, Mechanism, Request};
use crate::os::kerberos;
use crate::secret::SecretBytes;

/// That library.
#[derive(Debug)]
pub(super) struct Kerberos;

impl Mechanism for Kerberos {
    fn begin(&self, request: &Request) -> Result<(Box<dyn Context>, SecretBytes), LibraryError> {
        kerberos::begin(request)
    }
}
