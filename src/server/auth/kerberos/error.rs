//! What can go wrong with Kerberos, in words: what is true, what to do, and the library's own text as the cause.

use std::time::Duration;

use thiserror::Error;

use super::advice;
use super::keytab::KeytabError;
pub use super::reason::{Reason, Sought};
use crate::os::kerberos::LIBRARY;
pub use crate::os::kerberos::LibraryError;

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
    #[error("{}", advice::told(*reason, sought, LIBRARY))]
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
            Self::Failed { reason, sought, .. } => advice::remedy(*reason, sought, LIBRARY),
            Self::Silent { .. } => advice::remedy_of_no_kdc(LIBRARY).to_owned(),
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

/// What to do about a site without Kerberos.
pub(in crate::server) const NTLM: &str =
    "have Kerberos switched on: in IIS, Windows Authentication, Providers, Negotiate has to stand before NTLM";
