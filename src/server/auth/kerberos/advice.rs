//! What is true where a Kerberos library has failed, and what to do, by whose library it is: MIT's has tickets of `kinit` and keytabs, Windows
//! has the account that it works as.

use super::reason::{Reason, Sought};
use crate::os::kerberos::Library;

/// What is true.
pub(super) fn told(reason: Reason, sought: &Sought, library: Library) -> String {
    let Sought { service, principal, keytab } = sought;
    let who = principal.as_deref().unwrap_or("its principal");
    let keytab = keytab.as_ref().map(|path| path.display().to_string());
    match (reason, keytab) {
        (Reason::NoTicket, _) if library == Library::Windows => {
            "Windows has nothing to sign in to Kerberos with as this account".to_owned()
        }
        (Reason::NoKdc, _) if library == Library::Windows => {
            format!("no domain controller can be asked for a ticket for {service}")
        }

        (Reason::NoTicket, None) => "nobody has signed in to Kerberos here".to_owned(),
        (Reason::NoTicket, Some(keytab)) => format!("the keytab {keytab} gives no ticket for {who}"),
        (Reason::Expired, _) => "the Kerberos ticket has expired".to_owned(),
        (Reason::NotOurs, None) => format!("there is no Kerberos ticket for {who}"),
        (Reason::NotOurs, Some(keytab)) => format!("the keytab {keytab} has no key of {who}"),
        (Reason::NoKdc, _) => "no KDC can be reached".to_owned(),
        (Reason::UnknownRealm, _) => "no KDC is known for the realm".to_owned(),
        (Reason::ClockSkew, _) => {
            "this machine's clock and the clock of the KDC or the server differ by more than Kerberos allows".to_owned()
        }
        (Reason::UnknownPrincipal, _) => format!("the KDC does not know {who}"),
        (Reason::AccountBarred, _) => "the KDC does not let this account sign in".to_owned(),
        (Reason::StaleKeytab, Some(keytab)) => format!("the key in {keytab} is not the account's any more"),
        (Reason::StaleKeytab, None) => "the KDC does not take the key".to_owned(),
        (Reason::UnknownService, _) => format!("the KDC does not know the server as {service}"),
        (Reason::Encryption, _) => {
            format!("the KDC, this account and {service} have no kind of encryption in common")
        }
        (Reason::ServiceKey, _) => format!("the server can't read the ticket for {service}"),
        (Reason::Replayed, _) => "the server takes the token for a repeated one".to_owned(),
        (Reason::ChannelBindings, _) => {
            "the server expects the sign-in to be bound to another TLS certificate".to_owned()
        }
        (Reason::BadProof, _) => format!("the server has not proved that it is {service}"),
        (Reason::Other, _) => format!("Kerberos does not sign us in to {service}"),
    }
}

/// What to do next, as an imperative sentence without a full stop.
pub(super) fn remedy(reason: Reason, sought: &Sought, library: Library) -> String {
    match library {
        Library::Windows => windows(reason, sought),
        Library::Mit | Library::Missing => mit(reason, sought),
    }
}

/// What to do where no KDC answers.
pub(super) fn remedy_of_no_kdc(library: Library) -> &'static str {
    match library {
        Library::Windows => WINDOWS_NO_KDC,
        Library::Mit | Library::Missing => MIT_NO_KDC,
    }
}

const MIT_NO_KDC: &str = "check the KDCs in /etc/krb5.conf or DNS (`_kerberos._tcp`), network and firewall (port 88)";

const WINDOWS_NO_KDC: &str = "check network, VPN and firewall (port 88): `nltest /dsgetdc:DOMAIN` has to name a domain controller of the server's domain";

fn mit(reason: Reason, sought: &Sought) -> String {
    let keytab = &sought.keytab;
    let spn = spn(sought);
    match reason {
        Reason::NoTicket if keytab.is_some() => {
            "compare `klist -kte` of the keytab with `agent.principal`, and make it anew where the account's password has changed"
                .to_owned()
        }
        Reason::NoTicket | Reason::Expired if keytab.is_none() => {
            "run `kinit` as the user who may execute the request, then the command again".to_owned()
        }
        Reason::Expired => "check this machine's clock, and that the account may have tickets".to_owned(),
        Reason::NotOurs if keytab.is_none() => {
            "run `kinit` for that principal, or correct `server.principal` (`klist -A` lists what is there)".to_owned()
        }
        Reason::NotOurs => "correct `agent.principal`, or the keytab (`klist -kte` lists what is in it)".to_owned(),
        Reason::NoKdc => MIT_NO_KDC.to_owned(),
        Reason::UnknownRealm => {
            "name the realm's KDCs in /etc/krb5.conf, or have DNS name them (`_kerberos._tcp.REALM`)".to_owned()
        }
        Reason::ClockSkew => "set both clocks by the same time service (Kerberos allows 5 minutes)".to_owned(),
        Reason::UnknownPrincipal if keytab.is_some() => {
            "correct `agent.principal`, or the keytab: the account is not there, or has another name".to_owned()
        }
        Reason::UnknownPrincipal => "correct `server.principal`, or sign in with `kinit` as another user".to_owned(),
        Reason::AccountBarred => "have the account looked at: it is disabled, locked or expired".to_owned(),
        Reason::StaleKeytab => {
            "make the keytab anew: the account's password, and with it the key's version (kvno), has changed since (`klist -kte` \
             against `kvno`)"
                .to_owned()
        }
        Reason::Encryption => {
            "have AES switched on for the account of the application pool (`msDS-SupportedEncryptionTypes`), and its password changed once \
             so that it gets keys for it"
                .to_owned()
        }
        Reason::UnknownService => format!(
            "register the name for the account of the application pool (`setspn -S {spn} ACCOUNT`), or set `server.spn` to the one \
             that it has"
        ),
        Reason::ServiceKey => format!(
            "have `setspn -Q {spn}` name the account of the application pool and no other, or set `server.spn`; after a change of its \
             password run `kinit` anew"
        ),
        Reason::Replayed => "run the command again; if it stays, look for a proxy that sends requests twice".to_owned(),
        Reason::ChannelBindings => {
            "look for a proxy that opens TLS on the way; if it has to, set `server.channel_bindings` to \"off\" and have Extended \
             Protection of IIS not require them"
                .to_owned()
        }
        Reason::BadProof => "find out who answers at `server.url`: what it said was not used".to_owned(),
        Reason::NoTicket | Reason::Other => {
            format!("run `KRB5_TRACE=/dev/stderr kvno {spn}` as the same user: it tells each step")
        }
    }
}

fn windows(reason: Reason, sought: &Sought) -> String {
    let spn = spn(sought);
    match reason {
        Reason::NoTicket => {
            "run it as a user of the domain, or as a service whose account the domain knows: an account of this machine alone has no \
             tickets (`klist` lists those that there are)"
                .to_owned()
        }
        Reason::Expired => "sign in to Windows again, or lock and unlock the machine, then run the command again".to_owned(),
        Reason::NoKdc => WINDOWS_NO_KDC.to_owned(),
        Reason::ClockSkew => {
            "set both clocks by the same time service (`w32tm /resync`; Kerberos allows 5 minutes)".to_owned()
        }
        Reason::AccountBarred | Reason::NotOurs | Reason::UnknownPrincipal | Reason::StaleKeytab => {
            "have the account looked at: it is disabled, locked or expired, or its password has changed since it signed in to Windows"
                .to_owned()
        }
        Reason::ServiceKey => format!(
            "have `setspn -Q {spn}` name the account of the application pool and no other, or set `server.spn`; after a change of its \
             password run `klist purge`"
        ),
        Reason::Other | Reason::UnknownRealm => {
            format!("run `klist get {spn}` as the same account: it asks for the ticket alone")
        }
        Reason::UnknownService
        | Reason::Encryption
        | Reason::Replayed
        | Reason::ChannelBindings
        | Reason::BadProof => mit(reason, sought),
    }
}

/// The server's principal without its realm, as `setspn` takes it.
fn spn(sought: &Sought) -> &str {
    sought.service.split('@').next().unwrap_or(&sought.service)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REASONS: [Reason; 16] = [
        Reason::NoTicket,
        Reason::Expired,
        Reason::NotOurs,
        Reason::NoKdc,
        Reason::UnknownRealm,
        Reason::ClockSkew,
        Reason::UnknownPrincipal,
        Reason::AccountBarred,
        Reason::StaleKeytab,
        Reason::UnknownService,
        Reason::Encryption,
        Reason::ServiceKey,
        Reason::Replayed,
        Reason::ChannelBindings,
        Reason::BadProof,
        Reason::Other,
    ];

    fn sought() -> Sought {
        Sought { service: "HTTP/cm.contoso.com@CONTOSO.COM".to_owned(), principal: None, keytab: None }
    }

    /// Nothing of MIT's is on a machine with Windows.
    #[test]
    fn windows_is_told_of_nothing_that_it_lacks() {
        for reason in REASONS {
            let said = told(reason, &sought(), Library::Windows) + &remedy(reason, &sought(), Library::Windows);
            for lacking in ["kinit", "krb5.conf", "klist -", "KRB5", "kvno", "/etc", "keytab", "ticket cache"] {
                assert!(!said.contains(lacking), "{reason:?}: {said}");
            }
        }
        assert!(!remedy_of_no_kdc(Library::Windows).contains("/etc"));
    }

    #[test]
    fn names_go_without_their_realm_where_setspn_takes_them() {
        for library in [Library::Windows, Library::Mit] {
            for reason in [Reason::ServiceKey, Reason::UnknownService] {
                let said = remedy(reason, &sought(), library);
                assert!(said.contains("HTTP/cm.contoso.com") && !said.contains('@'), "{said}");
            }
        }
        assert!(remedy(Reason::Other, &sought(), Library::Windows).contains("`klist get HTTP/cm.contoso.com`"));
    }
}
