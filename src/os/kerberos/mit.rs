//! MIT's library (GSSAPI).

use cross_krb5::{ClientCtx, InitiateFlags, K5Ctx as _, PendingClientCtx, Step};
use libgssapi::credential::{Cred, CredUsage};
use libgssapi::error::Error;
use libgssapi::name::Name;
use libgssapi::oid::{GSS_MECH_KRB5, GSS_NT_KRB5_PRINCIPAL, OidSet};

use super::{Context, Library, LibraryError, Progress, Request, Tickets, shown};
use crate::secret::SecretBytes;

pub const LIBRARY: Library = Library::Mit;

/// NTLM is none of its mechanisms, and it fails where the server proves nothing.
pub fn begin(request: &Request) -> Result<(Box<dyn Context>, SecretBytes), LibraryError> {
    // Nothing is sent under the session's key, so that it could be is not asked for.
    let flags = InitiateFlags::DISABLE_CONFIDENTIALITY;
    let Request { service, principal, bindings } = request;
    // With an empty realm the library finds the realm by the host's name; without the @ it would take the default one.
    let service = if service.contains('@') { service.clone() } else { format!("{service}@") };
    let (context, token) =
        ClientCtx::new(flags, principal.as_deref(), &service, bindings.as_deref()).map_err(|error| failed(&error))?;
    Ok((Box::new(Pending(context)), SecretBytes::copy_of(&token)))
}

struct Pending(PendingClientCtx);

impl Context for Pending {
    fn step(self: Box<Self>, token: &[u8]) -> Result<Progress, LibraryError> {
        match self.0.step(token).map_err(|error| failed(&error))? {
            Step::Finished((mut context, _)) => Ok(Progress::Done(context.ttl().ok())),
            Step::Continue(_) => Ok(Progress::Unfinished),
        }
    }
}

pub fn tickets(principal: Option<&str>) -> Result<Tickets, LibraryError> {
    look(principal).map_err(|error| failed(&error))
}

fn look(principal: Option<&str>) -> Result<Tickets, Error> {
    let name = principal
        .map(|name| Name::new(name.as_bytes(), Some(GSS_NT_KRB5_PRINCIPAL))?.canonicalize(Some(GSS_MECH_KRB5)))
        .transpose()?;
    let mechanisms = OidSet::singleton(GSS_MECH_KRB5)?;
    let credential = Cred::acquire(name.as_ref(), None, CredUsage::Initiate, Some(&mechanisms))?;
    // The library looks for tickets, or gets them, only when it is asked about them.
    let left = credential.lifetime()?;
    let principal = credential.name()?.display_name()?;
    Ok(Tickets { principal: shown(&String::from_utf8_lossy(&principal)), left: Some(left) })
}

/// The error's text. The library keeps it for the thread that it failed on, so it is made there.
fn failed(error: &impl std::fmt::Display) -> LibraryError {
    LibraryError::new(&error.to_string(), None)
}
