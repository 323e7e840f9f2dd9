//! Kerberos by the system's own library.

use cross_krb5::{ClientCtx, InitiateFlags, K5Ctx as _, PendingClientCtx, Step};

use super::mechanism::{Context, Mechanism, Progress, Request};
use crate::foreign_text::escaped;
use crate::secret::SecretBytes;
use crate::server::auth::kerberos::error::LibraryError;

/// The longest text of the library that is shown.
const LONGEST: usize = 400;

/// The system's library. NTLM is none of its mechanisms, and it fails where the server proves nothing.
#[derive(Debug)]
pub(super) struct Kerberos;

impl Mechanism for Kerberos {
    fn begin(&self, request: &Request) -> Result<(Box<dyn Context>, SecretBytes), LibraryError> {
        // Nothing is sent under the session's key, so that it could be is not asked for.
        let flags = InitiateFlags::DISABLE_CONFIDENTIALITY;
        let Request { service, principal, bindings } = request;
        let (context, token) =
            ClientCtx::new(flags, principal.as_deref(), service, bindings.as_deref()).map_err(|error| text(&error))?;
        Ok((Box::new(Pending(context)), SecretBytes::copy_of(&token)))
    }
}

struct Pending(PendingClientCtx);

impl Context for Pending {
    fn step(self: Box<Self>, token: &[u8]) -> Result<Progress, LibraryError> {
        match self.0.step(token).map_err(|error| text(&error))? {
            Step::Finished((mut context, _)) => Ok(Progress::Done(context.ttl().ok())),
            Step::Continue(_) => Ok(Progress::Unfinished),
        }
    }
}

/// The error's text. The library keeps it for the thread that it failed on, so it is made there.
fn text(error: &impl std::fmt::Display) -> LibraryError {
    // The library ends some texts with a zero.
    let text = error.to_string().replace('\0', "");
    LibraryError(escaped(&text.chars().take(LONGEST).collect::<String>()).trim().to_owned())
}
