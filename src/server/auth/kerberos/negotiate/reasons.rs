//! The Kerberos library's texts, as far as they say why: MIT's, which are not translated in programs that set no locale.

use crate::server::auth::kerberos::error::{KerberosError, LibraryError, Reason, Sought};

/// Parts of texts about tickets for us and for the server, before anything was sent.
const OF_LIBRARY: [(&str, Reason); 20] = [
    ("Clock skew too great", Reason::ClockSkew),
    ("No Kerberos credentials available", Reason::NoTicket),
    ("No credentials cache found", Reason::NoTicket),
    ("Ticket expired", Reason::Expired),
    ("credential has expired", Reason::Expired),
    ("Can't find client principal", Reason::NotOurs),
    ("Keytab contains no suitable keys", Reason::NotOurs),
    ("does not match desired name", Reason::NotOurs),
    ("Cannot contact any KDC", Reason::NoKdc),
    ("Cannot find KDC", Reason::UnknownRealm),
    ("Cannot determine realm", Reason::UnknownRealm),
    ("does not specify default realm", Reason::UnknownRealm),
    ("Client's entry in database has expired", Reason::AccountBarred),
    ("credentials have been revoked", Reason::AccountBarred),
    ("Preauthentication failed", Reason::StaleKeytab),
    ("Decrypt integrity check failed", Reason::StaleKeytab),
    ("Password incorrect", Reason::StaleKeytab),
    ("Client '", Reason::UnknownPrincipal),
    ("Client not found in Kerberos database", Reason::UnknownPrincipal),
    ("not found in Kerberos database", Reason::UnknownService),
];

/// Parts of texts of the server's error, which its token brings.
const OF_REFUSAL: [(&str, Reason); 12] = [
    ("Clock skew too great", Reason::ClockSkew),
    ("Request is a replay", Reason::Replayed),
    ("channel bindings", Reason::ChannelBindings),
    ("Channel bindings", Reason::ChannelBindings),
    ("Ticket expired", Reason::Expired),
    ("Decrypt integrity check failed", Reason::ServiceKey),
    ("Message stream modified", Reason::ServiceKey),
    ("Service key not available", Reason::ServiceKey),
    ("Wrong principal in request", Reason::ServiceKey),
    ("ticket isn't for us", Reason::ServiceKey),
    ("version of key is not available", Reason::ServiceKey),
    ("Key version", Reason::ServiceKey),
];

/// What the library says where the ticket has ended before the server's proof came.
const ENDED: &str = "context has expired";

/// The library gives no token.
pub(super) fn of_library(source: LibraryError, sought: Sought) -> KerberosError {
    let reason = among(&OF_LIBRARY, &source);
    KerberosError::Failed { reason, sought, source }
}

/// What the library says of tickets that it was only asked about, where it has none.
const NONE_HERE: &str = "No credentials were supplied";

/// There are no tickets, or none for the keytab. Only without a keytab no KDC has a part in that.
pub(super) fn of_tickets(source: LibraryError, sought: Sought) -> KerberosError {
    let reason = match among(&OF_LIBRARY, &source) {
        Reason::Other if sought.keytab.is_none() && source.0.contains(NONE_HERE) => Reason::NoTicket,
        reason => reason,
    };
    KerberosError::Failed { reason, sought, source }
}

/// The server has refused with a token.
pub(super) fn of_refusal(source: LibraryError, sought: Sought) -> KerberosError {
    let reason = among(&OF_REFUSAL, &source);
    KerberosError::Failed { reason, sought, source }
}

/// The server has taken our token, and what it sent proves nothing.
pub(super) fn of_proof(source: LibraryError, sought: Sought) -> KerberosError {
    let reason = if source.0.contains(ENDED) { Reason::Expired } else { Reason::BadProof };
    KerberosError::Failed { reason, sought, source }
}

fn among(known: &[(&str, Reason)], LibraryError(text): &LibraryError) -> Reason {
    known.iter().find(|(part, _)| text.contains(part)).map_or(Reason::Other, |(_, reason)| *reason)
}
