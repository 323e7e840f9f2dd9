//! With what the agent signs in by itself.

use super::identity::Identity;
use super::token::TokenSource;

/// With what the agent signs in by itself: nobody is asked for anything.
#[derive(Debug, Clone, Default)]
pub struct OwnMeans {
    /// The keytab that it signs in to Kerberos with, instead of a ticket cache.
    pub keytab: Option<TokenSource>,
    /// Which principal of the keytab; its first where missing.
    pub principal: Option<String>,
    /// The certificate that it signs in to AD FS with.
    pub certificate: Option<Identity>,
    /// Its client at AD FS; that of persons where missing.
    pub client_id: Option<String>,
}
