//! What the Kerberos libraries say, as far as it says why: numbers of Windows, texts of MIT's, which are not translated in programs that set no
//! locale.

use crate::server::auth::kerberos::error::{KerberosError, LibraryError, Reason, Sought};

/// A part of MIT's texts, or a number of Windows (`SECURITY_STATUS`).
enum Sign {
    Text(&'static str),
    Number(u32),
}

use Sign::{Number, Text};

/// About tickets for us and for the server, before anything was sent.
const OF_LIBRARY: [(Sign, Reason); 34] = [
    (Text("Clock skew too great"), Reason::ClockSkew),
    (Text("No Kerberos credentials available"), Reason::NoTicket),
    (Text("No credentials cache found"), Reason::NoTicket),
    (Text("Ticket expired"), Reason::Expired),
    (Text("credential has expired"), Reason::Expired),
    (Text("Can't find client principal"), Reason::NotOurs),
    (Text("Keytab contains no suitable keys"), Reason::NotOurs),
    (Text("does not match desired name"), Reason::NotOurs),
    (Text("Cannot contact any KDC"), Reason::NoKdc),
    (Text("Cannot find KDC"), Reason::UnknownRealm),
    (Text("Cannot determine realm"), Reason::UnknownRealm),
    (Text("does not specify default realm"), Reason::UnknownRealm),
    (Text("Client's entry in database has expired"), Reason::AccountBarred),
    (Text("credentials have been revoked"), Reason::AccountBarred),
    (Text("Preauthentication failed"), Reason::StaleKeytab),
    (Text("Decrypt integrity check failed"), Reason::StaleKeytab),
    (Text("Password incorrect"), Reason::StaleKeytab),
    (Text("Client '"), Reason::UnknownPrincipal),
    (Text("Client not found in Kerberos database"), Reason::UnknownPrincipal),
    (Text("not found in Kerberos database"), Reason::UnknownService),
    (Text("KDC has no support for encryption type"), Reason::Encryption),
    (Number(0x8009_030E), Reason::NoTicket),
    (Number(0x8009_030D), Reason::NoTicket),
    (Number(CONTEXT_EXPIRED), Reason::Expired),
    (Number(0x8009_0311), Reason::NoKdc),
    (Number(0x8009_0350), Reason::NoKdc),
    (Number(TIME_SKEW), Reason::ClockSkew),
    (Number(0x8009_030C), Reason::AccountBarred),
    (Number(0x8009_033E), Reason::AccountBarred),
    (Number(0x8009_0303), Reason::UnknownService),
    (Number(0x8009_0341), Reason::UnknownService),
    (Number(WRONG_PRINCIPAL), Reason::ServiceKey),
    (Number(0x8009_0331), Reason::Encryption),
    (Number(0x8009_0342), Reason::Encryption),
];

/// Of the server's error, which its token brings.
const OF_REFUSAL: [(Sign, Reason); 19] = [
    (Text("Clock skew too great"), Reason::ClockSkew),
    (Text("Request is a replay"), Reason::Replayed),
    (Text("channel bindings"), Reason::ChannelBindings),
    (Text("Channel bindings"), Reason::ChannelBindings),
    (Text("Ticket expired"), Reason::Expired),
    (Text("Decrypt integrity check failed"), Reason::ServiceKey),
    (Text("Message stream modified"), Reason::ServiceKey),
    (Text("Service key not available"), Reason::ServiceKey),
    (Text("Wrong principal in request"), Reason::ServiceKey),
    (Text("ticket isn't for us"), Reason::ServiceKey),
    (Text("version of key is not available"), Reason::ServiceKey),
    (Text("Key version"), Reason::ServiceKey),
    (Number(TIME_SKEW), Reason::ClockSkew),
    (Number(0x8009_0310), Reason::Replayed),
    (Number(0x8009_0346), Reason::ChannelBindings),
    (Number(CONTEXT_EXPIRED), Reason::Expired),
    (Number(WRONG_PRINCIPAL), Reason::ServiceKey),
    (Number(0x8009_030F), Reason::ServiceKey),
    (Number(0x8009_0348), Reason::ServiceKey),
];

/// The ticket has ended before the server's proof came.
const OF_PROOF: [(Sign, Reason); 2] =
    [(Text("context has expired"), Reason::Expired), (Number(CONTEXT_EXPIRED), Reason::Expired)];

const CONTEXT_EXPIRED: u32 = 0x8009_0317;
const WRONG_PRINCIPAL: u32 = 0x8009_0322;
const TIME_SKEW: u32 = 0x8009_0324;

/// The library gives no token.
pub(super) fn of_library(source: LibraryError, sought: Sought) -> KerberosError {
    let reason = among(&OF_LIBRARY, &source).unwrap_or(Reason::Other);
    KerberosError::Failed { reason, sought, source }
}

/// What MIT's library says of tickets that it was only asked about, where it has none.
const NONE_HERE: &str = "No credentials were supplied";

/// There are no tickets, or none for the keytab. Only without a keytab no KDC has a part in that.
pub(super) fn of_tickets(source: LibraryError, sought: Sought) -> KerberosError {
    let has_none = sought.keytab.is_none() && source.text.contains(NONE_HERE);
    let none = if has_none { Reason::NoTicket } else { Reason::Other };
    let reason = among(&OF_LIBRARY, &source).unwrap_or(none);
    KerberosError::Failed { reason, sought, source }
}

/// The server has refused with a token.
pub(super) fn of_refusal(source: LibraryError, sought: Sought) -> KerberosError {
    let reason = among(&OF_REFUSAL, &source).unwrap_or(Reason::Other);
    KerberosError::Failed { reason, sought, source }
}

/// The server has taken our token, and what it sent proves nothing.
pub(super) fn of_proof(source: LibraryError, sought: Sought) -> KerberosError {
    let reason = among(&OF_PROOF, &source).unwrap_or(Reason::BadProof);
    KerberosError::Failed { reason, sought, source }
}

/// A library that has numbers goes by them alone: its texts are in the language of the system.
fn among(known: &[(Sign, Reason)], LibraryError { text, number }: &LibraryError) -> Option<Reason> {
    let is_meant = |sign: &Sign| match (sign, number) {
        (Number(meant), Some(number)) => meant == number,
        (Text(part), None) => text.contains(part),
        (Number(_), None) | (Text(_), Some(_)) => false,
    };
    known.iter().find(|(sign, _)| is_meant(sign)).map(|(_, reason)| *reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(of: fn(LibraryError, Sought) -> KerberosError, text: &str, number: Option<u32>) -> Reason {
        let sought = Sought { service: "HTTP/cm.contoso.com".to_owned(), principal: None, keytab: None };
        match of(LibraryError::new(text, number), sought) {
            KerberosError::Failed { reason, .. } => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn numbers_of_windows_say_why() {
        for (number, expected) in [
            (0x8009_030E, Reason::NoTicket),
            (0x8009_0322, Reason::ServiceKey),
            (0x8009_0311, Reason::NoKdc),
            (0x8009_0303, Reason::UnknownService),
            (0x8009_0324, Reason::ClockSkew),
            (0x8009_030C, Reason::AccountBarred),
            (0x8009_0342, Reason::Encryption),
            (0x8009_0317, Reason::Expired),
            (0x8009_0308, Reason::Other),
            (0x8009_0304, Reason::Other),
        ] {
            assert_eq!(reason(of_library, "whatever the language", Some(number)), expected, "0x{number:08X}");
            assert_eq!(reason(of_tickets, "whatever the language", Some(number)), expected, "0x{number:08X}");
        }
        for (number, expected) in [
            (0x8009_0346, Reason::ChannelBindings),
            (0x8009_0322, Reason::ServiceKey),
            (0x8009_030F, Reason::ServiceKey),
            (0x8009_0324, Reason::ClockSkew),
            (0x8009_0310, Reason::Replayed),
            (0x8009_0308, Reason::Other),
        ] {
            assert_eq!(reason(of_refusal, "whatever the language", Some(number)), expected, "0x{number:08X}");
        }
        for (number, expected) in [
            (0x8009_0317, Reason::Expired),
            (0x8009_0363, Reason::BadProof),
            (0x8009_0308, Reason::BadProof),
            (0x8009_030F, Reason::BadProof),
        ] {
            assert_eq!(reason(of_proof, "whatever the language", Some(number)), expected, "0x{number:08X}");
        }
    }

    /// Its texts are translated: one that has the words of another library by chance says nothing.
    #[test]
    fn a_text_counts_only_where_there_is_no_number() {
        assert_eq!(reason(of_library, "Clock skew too great", None), Reason::ClockSkew);
        assert_eq!(reason(of_library, "Clock skew too great", Some(0x8009_0304)), Reason::Other);
        assert_eq!(reason(of_tickets, NONE_HERE, None), Reason::NoTicket);
    }
}
