//! What can go wrong with the agent's own sign-in at AD FS, where no person can help: each says what is true and what to do.

use std::path::PathBuf;

use thiserror::Error;

use super::refusal::{Refusal, RefusalKind};
use crate::operation::Operation;
use crate::server::auth::identity::IdentityError;
use crate::server::auth::kerberos::error::{KerberosError, Reason};

/// What the agent has shown to AD FS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Showed {
    /// An assertion that its certificate's key has signed.
    Certificate {
        /// Its common name; untrusted text.
        name: String,
        /// Its thumbprint (SHA-1), as Windows writes it.
        thumbprint: String,
    },
    /// A Kerberos ticket, and the code that came for it.
    Ticket,
}

/// Why there is no token for the agent.
#[derive(Debug, Error)]
pub enum OwnError {
    /// Certificate or key.
    #[error("the certificate for AD FS can't be used")]
    Certificate(#[source] IdentityError),
    /// A key of another kind.
    #[error("the private key in {} is no RSA key, and AD FS takes no other (RS256)", .path.display())]
    NotRsa {
        /// The key's file.
        path: PathBuf,
    },
    /// The library does not sign.
    #[error("nothing can be signed with the certificate's key")]
    Unsigned(#[source] rustls::Error),
    /// The token endpoint says no.
    #[error("{refusal}{}{}", of_shown(.showed), of_clock(*.ahead))]
    Refused {
        /// What it says.
        refusal: Refusal,
        /// What it was shown.
        showed: Showed,
        /// By how many seconds this machine's clock is ahead of AD FS's, where it says what its clock shows.
        ahead: Option<i64>,
    },
    /// The ticket.
    #[error("Kerberos does not sign the agent in to AD FS")]
    Kerberos(#[source] KerberosError),
    /// NTLM without Kerberos.
    #[error("AD FS ({host}) offers NTLM and not Kerberos, and NTLM does not prove who AD FS is")]
    NtlmAlone {
        /// Its host.
        host: String,
    },
    /// A 401 that offers nothing that we have.
    #[error("AD FS ({host}) asks for a sign-in that is not Kerberos")]
    NotOffered {
        /// Its host.
        host: String,
    },
    /// A 401 to the ticket.
    #[error("AD FS ({host}) does not take the Kerberos ticket, and does not say why")]
    TicketRefused {
        /// Its host.
        host: String,
    },
    /// A 401 with the proof of AD FS.
    #[error("AD FS ({host}) knows by Kerberos who the agent is, and does not let it in")]
    UserRefused {
        /// Its host.
        host: String,
    },
    /// A code although nobody has signed in.
    #[error("AD FS ({host}) gives a code without asking who the agent is")]
    NotAsked {
        /// Its host.
        host: String,
    },
    /// A page with a field for a password.
    #[error("AD FS ({host}) shows a form for name and password instead of asking for a Kerberos ticket")]
    LoginForm {
        /// Its host.
        host: String,
    },
    /// Another page that waits for somebody.
    #[error(
        "AD FS ({host}) knows who the agent is, and shows a page that a person has to answer (a second factor, or consent)"
    )]
    PageForPerson {
        /// Its host.
        host: String,
    },
    /// A page that somebody has to answer before the ticket is asked for.
    #[error("AD FS ({host}) shows a page that a person has to answer before it asks for a Kerberos ticket")]
    PageBefore {
        /// Its host.
        host: String,
    },
    /// Its page for errors.
    #[error("AD FS ({host}) answers with its error page (HTTP status {status}{})", of_code(.code.as_deref()))]
    ErrorPage {
        /// Its host.
        host: String,
        /// The status.
        status: u16,
        /// The number of the error, `MSIS9602`.
        code: Option<String>,
    },
    /// A redirect to somebody else.
    #[error("AD FS ({host}) sends the agent on to {to}, which is not asked")]
    SentElsewhere {
        /// Its host.
        host: String,
        /// Whom to; untrusted text.
        to: String,
    },
    /// It sends on and on.
    #[error("AD FS ({host}) sends from page to page and gives no code")]
    Circle {
        /// Its host.
        host: String,
    },
}

fn of_shown(showed: &Showed) -> String {
    match showed {
        Showed::Certificate { name, thumbprint } => {
            format!("; the agent has shown certificate {name:?} ({thumbprint})")
        }
        Showed::Ticket => String::new(),
    }
}

/// So many seconds are no reason to refuse an assertion.
const WELL: i64 = 120;

fn of_clock(ahead: Option<i64>) -> String {
    match ahead {
        Some(ahead) if ahead > WELL => format!("; this machine's clock is {ahead} s ahead of AD FS's"),
        Some(ahead) if ahead < -WELL => format!("; this machine's clock is {} s behind AD FS's", -ahead),
        _ => String::new(),
    }
}

fn of_code(code: Option<&str>) -> String {
    code.map_or_else(String::new, |code| format!(", {code}"))
}

impl OwnError {
    /// What to do next, as an imperative sentence without a full stop.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::Certificate(error) => error
                .remedy()
                .replace("server.client_certificate_file", "agent.adfs_certificate_file")
                .replace("server.client_key_file", "agent.adfs_key_file"),
            Self::NotRsa { .. } => {
                "have a certificate with an RSA key of 2048 bits or more issued for the agent, and registered at AD FS".to_owned()
            }
            Self::Unsigned(_) => "use an RSA key of 2048 to 8192 bits".to_owned(),
            Self::Refused { ahead: Some(ahead), .. } if ahead.abs() > WELL => {
                "set both clocks by the same time service: an assertion of the agent is good for five minutes".to_owned()
            }
            Self::Refused { refusal, showed, .. } => of_refusal(refusal.kind, showed),
            Self::Kerberos(error) => of_kerberos(error),
            Self::NtlmAlone { .. } | Self::TicketRefused { .. } => {
                "have `setspn -Q HTTP/` with the host of `server.adfs_url` name the service account of AD FS and no other".to_owned()
            }
            Self::NotOffered { .. } | Self::NotAsked { .. } => {
                "check `server.adfs_url`, that no proxy answers in AD FS's place, and that Windows authentication is a primary method \
                 there (`Get-AdfsGlobalAuthenticationPolicy`)"
                    .to_owned()
            }
            Self::UserRefused { .. } => {
                "have the agent's account looked at, and the access policy of MIM CM's relying party".to_owned()
            }
            Self::LoginForm { .. } | Self::PageBefore { .. } => {
                "have AD FS ask pinwright for a ticket: `Set-AdfsProperties -WIASupportedUserAgents ((Get-AdfsProperties).\
                 WIASupportedUserAgents + \"pinwright\")`, and Windows authentication as a primary method of the intranet; from outside \
                 (a Web Application Proxy) AD FS asks nobody for tickets"
                    .to_owned()
            }
            Self::PageForPerson { .. } => {
                "exempt the agent's account from second factors and consent in the access policy of MIM CM's relying party, or use a \
                 certificate (`agent.adfs_certificate_file`)"
                    .to_owned()
            }
            Self::ErrorPage { .. } => {
                "check the client (`agent.adfs_client_id`, else `server.adfs_client_id`), `server.adfs_resource`, and that \
                 http://127.0.0.1: with `server.adfs_redirect_port` is a redirect address of that client; the event log of AD FS has the \
                 reason"
                    .to_owned()
            }
            Self::SentElsewhere { .. } => {
                "have the agent's account sign in at AD FS itself: `Set-AdfsRelyingPartyTrust -ClaimsProviderName \"Active Directory\"` \
                 for MIM CM's relying party"
                    .to_owned()
            }
            Self::Circle { .. } => format!("open the address of `{} --no-browser` in a browser, and see what AD FS shows", Operation::Login),
        }
    }

    /// Whether it may pass by itself.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Refused { refusal, .. } => refusal.kind == RefusalKind::ServerError,
            Self::Kerberos(error) => error.may_pass(),
            Self::ErrorPage { status, .. } => *status >= 500,
            _ => false,
        }
    }

    /// Whether configuration, files or this machine are to be put right.
    #[must_use]
    pub fn is_of_configuration(&self) -> bool {
        match self {
            Self::Certificate(_) | Self::NotRsa { .. } | Self::Unsigned(_) => true,
            Self::Kerberos(error) => error.is_of_configuration(),
            _ => false,
        }
    }
}

fn of_refusal(kind: RefusalKind, showed: &Showed) -> String {
    let fixed = match (kind, showed) {
        (RefusalKind::InvalidClient, Showed::Certificate { .. }) => {
            "check the client (`agent.adfs_client_id`, else `server.adfs_client_id`), and have this certificate registered for it \
             (`Set-AdfsServerApplication -JWTSigningCertificate`); one without a list of revocations needs \
             `-JWTSigningCertificateRevocationCheck None`"
        }
        (RefusalKind::InvalidClient, Showed::Ticket) => {
            "check the client (`agent.adfs_client_id`, else `server.adfs_client_id`): it has to be a public one (`Add-AdfsClient`, \
             `Grant-AdfsApplicationPermission`)"
        }
        (RefusalKind::UnsupportedGrantType, Showed::Certificate { .. }) => {
            "use a keytab (`agent.keytab_file`): client credentials need AD FS of Windows Server 2016 or later"
        }
        (RefusalKind::AccessDenied, _) => {
            "have the access policy of MIM CM's relying party let the agent in (`Grant-AdfsApplicationPermission` for a client)"
        }
        (RefusalKind::InvalidResource, _) => {
            "set `server.adfs_resource` to the identifier of MIM CM's relying party (`Get-AdfsRelyingPartyTrust`)"
        }
        (RefusalKind::ServerError, _) => "wait a while: the agent tries again by itself",
        _ => "give these words to the administrator of AD FS: more is in its event log",
    };
    fixed.to_owned()
}

/// The remedies that are about AD FS and not about MIM CM; what concerns keytab, KDC and clocks is the same for both.
fn of_kerberos(error: &KerberosError) -> String {
    let KerberosError::Failed { reason, sought, .. } = error else { return error.remedy() };
    let spn = sought.service.split('@').next().unwrap_or(&sought.service);
    match reason {
        Reason::UnknownService => {
            format!("register the name for the service account of AD FS (`setspn -S {spn} ACCOUNT`); it is the host of `server.adfs_url`")
        }
        Reason::ServiceKey => format!("have `setspn -Q {spn}` name the service account of AD FS and no other"),
        Reason::ChannelBindings => {
            "look for a proxy that opens TLS on the way to AD FS; if it has to, set `server.channel_bindings` to \"off\" and have \
             `Set-AdfsProperties -ExtendedProtectionTokenCheck None` run"
                .to_owned()
        }
        Reason::BadProof => "find out who answers at `server.adfs_url`: what it said was not used".to_owned(),
        _ => error.remedy(),
    }
}
