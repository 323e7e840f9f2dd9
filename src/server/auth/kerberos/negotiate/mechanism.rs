//! What the sign-in needs of a Kerberos library: two calls, both of which may wait for the network.

use std::fmt;

pub(super) use crate::os::kerberos::{Context, LibraryError, Progress, Request};
use crate::secret::SecretBytes;

/// A library.
pub(super) trait Mechanism: fmt::Debug + Send + Sync {
    /// A token for the server, and what becomes of it.
    ///
    /// # Errors
    /// What the library says.
    fn begin(&self, request: &Request) -> Result<(Box<dyn Context>, SecretBytes), LibraryError>;
}
