//! The tickets that the system's Kerberos library would sign in with: whose they are, and how long they last.

use std::time::Duration;

use thiserror::Error;

/// Tickets, or what a keytab has got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tickets {
    /// Whose they are; untrusted text, escaped.
    pub principal: String,
    /// How long the ticket is valid with which others are got.
    pub left: Duration,
}

/// The library's text, made safe to show.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("{0}")]
pub struct TicketsError(pub String);

/// Asks the library. Of a keytab it may ask a KDC, and wait for it.
///
/// # Errors
/// There is none, the library's text says why; or the system's library is not asked for that here.
pub fn look(principal: Option<&str>) -> Result<Tickets, TicketsError> {
    #[cfg(unix)]
    {
        unix::look(principal).map_err(|error| TicketsError(unix::text(&error.to_string())))
    }
    #[cfg(not(unix))]
    {
        let _ = principal;
        Err(TicketsError("this system is not asked for the life of tickets".to_owned()))
    }
}

#[cfg(unix)]
mod unix {
    use libgssapi::credential::{Cred, CredUsage};
    use libgssapi::error::Error;
    use libgssapi::name::Name;
    use libgssapi::oid::{GSS_MECH_KRB5, GSS_NT_KRB5_PRINCIPAL, OidSet};

    use super::Tickets;
    use crate::foreign_text::escaped;

    /// The longest text of the library that is shown.
    const LONGEST: usize = 400;

    pub fn look(principal: Option<&str>) -> Result<Tickets, Error> {
        let name = principal
            .map(|name| Name::new(name.as_bytes(), Some(GSS_NT_KRB5_PRINCIPAL))?.canonicalize(Some(GSS_MECH_KRB5)))
            .transpose()?;
        let mechanisms = OidSet::singleton(GSS_MECH_KRB5)?;
        let credential = Cred::acquire(name.as_ref(), None, CredUsage::Initiate, Some(&mechanisms))?;
        // The library looks for tickets, or gets them, only when it is asked about them.
        let left = credential.lifetime()?;
        let principal = credential.name()?.display_name()?;
        Ok(Tickets { principal: text(&String::from_utf8_lossy(&principal)), left })
    }

    pub fn text(text: &str) -> String {
        let text: String = text.replace('\0', "").chars().take(LONGEST).collect();
        escaped(&text).trim().to_owned()
    }
}
