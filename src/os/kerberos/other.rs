//! Builds that have no library for Kerberos: a configuration that wants it is refused, so nothing is asked here.

use super::{Context, Library, LibraryError, Request, Tickets};
use crate::os::NotHere;
use crate::secret::SecretBytes;

pub const LIBRARY: Library = Library::Missing;

pub fn begin(_: &Request) -> Result<(Box<dyn Context>, SecretBytes), LibraryError> {
    Err(missing())
}

pub fn tickets(_: Option<&str>) -> Result<Tickets, LibraryError> {
    Err(missing())
}

fn missing() -> LibraryError {
    LibraryError::new(&NotHere { what: "Kerberos" }.to_string(), None)
}
