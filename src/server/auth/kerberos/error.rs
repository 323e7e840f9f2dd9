//! What can go wrong with Kerberos, in words: what is true, what to do, and the library's own text as the cause.

use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use super::keytab::KeytabError;

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

/// The library's text, made safe to show.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("{0}")]
pub struct LibraryError(pub String);

/// Why Kerberos does not sign us in.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KerberosError {
    /// The agent's keytab.
    #[error("the keytab can't be used")]
    Keytab(#[from] KeytabError),
    /// This process's library was not told of the keytab when it started: it would sign in as somebody else.
    #[error("the keytab is configured, and this process was not started for it")]
    NotStartedForKeytab,
    /// The library has failed.
    #[error("{}", reason.told(sought))]
    Failed {
        /// Why, as far as its text says so.
        reason: Reason,
        /// What was wanted.
        sought: Sought,
        /// Its text.
        #[source]
        source: LibraryError,
    },
    /// No KDC has answered in time.
    #[error("no KDC has answered within {} s", .after.as_secs_f32())]
    Silent {
        /// The deadline of the call.
        after: Duration,
    },
    /// The server has sent a token of NTLM.
    #[error("the server answers Kerberos with NTLM, which does not prove who it is")]
    Ntlm,
    /// A success without the server's proof.
    #[error("the server has not proved that it is {service}: its answer came without a token")]
    NoProof {
        /// Who it has to be.
        service: String,
    },
    /// A success although nobody has signed in.
    #[error("the server answers without asking who we are")]
    NotAsked,
    /// The exchange goes on and on.
    #[error("the server wants more rounds of Kerberos than there are")]
    Unfinished,
    /// What the library needs can't be had from the system.
    #[error("Kerberos can't be asked")]
    System(#[source] std::io::Error),
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

impl Reason {
    fn told(self, sought: &Sought) -> String {
        let Sought { service, principal, keytab } = sought;
        let who = principal.as_deref().unwrap_or("its principal");
        let keytab = keytab.as_ref().map(|path| path.display().to_string());
        match (self, keytab) {
            (Self::NoTicket, None) => "nobody has signed in to Kerberos here".to_owned(),
            (Self::NoTicket, Some(keytab)) => format!("the keytab {keytab} gives no ticket for {who}"),
            (Self::Expired, _) => "the Kerberos ticket has expired".to_owned(),
            (Self::NotOurs, None) => format!("there is no Kerberos ticket for {who}"),
            (Self::NotOurs, Some(keytab)) => format!("the keytab {keytab} has no key of {who}"),
            (Self::NoKdc, _) => "no KDC can be reached".to_owned(),
            (Self::UnknownRealm, _) => "no KDC is known for the realm".to_owned(),
            (Self::ClockSkew, _) => {
                "this machine's clock and the clock of the KDC or the server differ by more than Kerberos allows"
                    .to_owned()
            }
            (Self::UnknownPrincipal, _) => format!("the KDC does not know {who}"),
            (Self::AccountBarred, _) => "the KDC does not let this account sign in".to_owned(),
            (Self::StaleKeytab, Some(keytab)) => format!("the key in {keytab} is not the account's any more"),
            (Self::StaleKeytab, None) => "the KDC does not take the key".to_owned(),
            (Self::UnknownService, _) => format!("the KDC does not know the server as {service}"),
            (Self::ServiceKey, _) => format!("the server can't read the ticket for {service}"),
            (Self::Replayed, _) => "the server takes the token for a repeated one".to_owned(),
            (Self::ChannelBindings, _) => {
                "the server expects the sign-in to be bound to another TLS certificate".to_owned()
            }
            (Self::BadProof, _) => format!("the server has not proved that it is {service}"),
            (Self::Other, _) => format!("Kerberos does not sign us in to {service}"),
        }
    }
}

impl KerberosError {
    /// Whether it may pass by itself: KDC or network.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Silent { .. } | Self::System(_) => true,
            // With a keytab the next ticket is got without anybody's help.
            Self::Failed { reason: Reason::Expired, sought, .. } => sought.keytab.is_some(),
            Self::Failed { reason, .. } => matches!(reason, Reason::NoKdc),
            Self::Keytab(_)
            | Self::NotStartedForKeytab
            | Self::Ntlm
            | Self::NoProof { .. }
            | Self::NotAsked
            | Self::Unfinished => false,
        }
    }

    /// Whether the configuration of this machine is at fault, before anybody was asked.
    #[must_use]
    pub fn is_of_configuration(&self) -> bool {
        matches!(self, Self::Keytab(_) | Self::NotStartedForKeytab)
    }

    /// What to do next, as an imperative sentence without a full stop.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::Keytab(error) => error.remedy(),
            Self::NotStartedForKeytab => {
                "let the agent use it, which starts itself anew for its keytab; commands of persons use the tickets of `kinit`"
                    .to_owned()
            }
            Self::Failed { reason, sought, .. } => remedy(*reason, sought),
            Self::Silent { .. } => NO_KDC.to_owned(),
            Self::Ntlm => format!("{NTLM}; where it lists Negotiate, the SPN is missing: see `setspn` in the book's page on sign-in"),
            Self::NoProof { .. } | Self::Unfinished => {
                "check that no proxy answers in the server's place or takes `WWW-Authenticate` out of its answers".to_owned()
            }
            Self::NotAsked => {
                "switch Windows Authentication on and Anonymous Authentication off for the virtual folder in IIS, or set `server.auth`"
                    .to_owned()
            }
            Self::System(_) => "check this process's limits of threads and memory".to_owned(),
        }
    }
}

const NO_KDC: &str = "check the KDCs in /etc/krb5.conf or DNS (`_kerberos._tcp`), network and firewall (port 88)";

/// What to do about a site without Kerberos.
pub(in crate::server) const NTLM: &str =
    "have Kerberos switched on: in IIS, Windows Authentication, Providers, Negotiate has to stand before NTLM";

fn remedy(reason: Reason, sought: &Sought) -> String {
    let Sought { service, keytab, .. } = sought;
    let spn = service.split('@').next().unwrap_or(service);
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
        Reason::NoKdc => NO_KDC.to_owned(),
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
