//! Why a Kerberos library has failed, and at what.

use std::path::PathBuf;

/// Whom a ticket was wanted for, and with what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sought {
    /// The server's principal (SPN), as it is asked for.
    pub service: String,
    /// Our own principal, where one is configured.
    pub principal: Option<String>,
    /// The keytab, where the agent has one.
    pub keytab: Option<PathBuf>,
}

/// Why the library has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Nobody has signed in.
    NoTicket,
    /// The ticket is past its end.
    Expired,
    /// The principal is not in the ticket cache or keytab.
    NotOurs,
    /// No KDC takes connections.
    NoKdc,
    /// No KDC is known.
    UnknownRealm,
    /// The clocks differ by more than is allowed.
    ClockSkew,
    /// The KDC does not know our principal.
    UnknownPrincipal,
    /// Our account is disabled, locked or has expired.
    AccountBarred,
    /// The key in the keytab is not the account's any more.
    StaleKeytab,
    /// The KDC does not know the server's principal.
    UnknownService,
    /// No kind of encryption that all of them know.
    Encryption,
    /// The server has no key for the ticket.
    ServiceKey,
    /// The server has seen the token before.
    Replayed,
    /// The server expects other channel bindings.
    ChannelBindings,
    /// What came with the server's success proves nothing.
    BadProof,
    /// Anything else.
    Other,
}
