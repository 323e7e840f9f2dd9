//! What can go wrong between us and MIM CM, with what a person can do about it. Texts of the server are untrusted: shown
//! only from routes without secrets, cut short and freed of control characters.

use std::time::Duration;

use thiserror::Error;

use super::auth::{FRESH_TOKEN, NTLM, Offered, SignInError, Stop};
use super::connect::{ClientError, is_elsewhere};
pub use super::connection::FailedConnection;
pub use super::detail::Detail;
pub use super::tls_reason::TlsReason;
use super::tls_reason::{ASK_EARLY, LATE, SHOW_CERTIFICATE};
pub use super::verifier::Unacceptable;
use crate::operation::Operation;
use crate::secret::PinError;

/// A call that did not give what it is for.
#[derive(Debug, Error)]
#[error("{call}: {problem}")]
pub struct ServerError {
    /// The call, as the REST reference names it.
    pub call: &'static str,
    /// What went wrong.
    #[source]
    pub problem: ServerProblem,
}

/// What went wrong in a call.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServerProblem {
    /// No connection.
    #[error("the server can't be reached at {0}")]
    Unreachable(FailedConnection),
    /// The server's certificate was not accepted, or TLS failed otherwise.
    #[error("no trusted TLS connection with {}: {reason}{}", .connection.peer(), in_the_librarys_words(.reason, .connection))]
    Tls {
        /// In words.
        reason: TlsReason,
        /// Where to, and the library's error.
        connection: FailedConnection,
    },
    /// The connection ended before the answer did.
    #[error("the connection broke before the answer was complete: {0}")]
    Broken(FailedConnection),
    /// The server has ended an HTTP/2 stream or connection with HTTP_1_1_REQUIRED.
    #[error("the server answers over HTTP/1.1 only: {0}")]
    Http11Wanted(FailedConnection),
    /// No answer in time.
    #[error("no complete answer within {} s", .after.as_secs_f32())]
    Timeout {
        /// The deadline.
        after: Duration,
    },
    /// 401, and nothing more to show.
    #[error("the server wants other credentials (401; it offers {offered}){}", after_401(*.stop))]
    Unauthorized {
        /// The schemes of `WWW-Authenticate`.
        offered: Offered,
        /// Why nothing more was shown.
        stop: Stop,
    },
    /// 403.
    #[error("the server refuses (403){detail}")]
    Forbidden {
        /// The server's own words.
        detail: Detail,
    },
    /// 403 from the web server before the API, which lacks a client certificate.
    #[error("the server wants a client certificate{} (403)", if *.was_asked { "" } else { LATE })]
    ClientCertificate {
        /// It has asked for one in the handshake.
        was_asked: bool,
    },
    /// 404 on every route, or on one that this server lacks.
    #[error("the server knows no such route (404)")]
    NotFound {
        /// Whether another route of the API has answered: then the API is switched on.
        api_answered: bool,
        /// Whether it is one of the two routes to the PIN.
        is_pin_route: bool,
    },
    /// 404 on a route with an id, where others of the API answer.
    #[error("the server knows no such object (404)")]
    UnknownId,
    /// 400, 409, 415, …: we sent something that this server does not take.
    #[error("the server does not take the request ({status}){detail}")]
    Rejected {
        /// The HTTP status.
        status: u16,
        /// The server's own words.
        detail: Detail,
    },
    /// 408, 429 or 503, still after the repeats that are allowed.
    #[error("the server is busy ({status})")]
    Busy {
        /// The HTTP status.
        status: u16,
        /// What the server asks us to wait.
        retry_after: Option<Duration>,
    },
    /// 5xx.
    #[error("the server failed ({status}){detail}")]
    Failed {
        /// The HTTP status.
        status: u16,
        /// Correlation id and message.
        detail: Detail,
    },
    /// 3xx: never followed.
    #[error("the server redirects ({status}) and redirects are not followed")]
    Redirect {
        /// The HTTP status.
        status: u16,
    },
    /// Any other status.
    #[error("the server answered with HTTP status {status}")]
    Status {
        /// The HTTP status.
        status: u16,
    },
    /// HTML where JSON belongs.
    #[error("the answer is a web page, not JSON")]
    Html,
    /// More than we read.
    #[error("the answer is larger than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// A compressed answer, which was not asked for.
    #[error("the answer is compressed ({encoding:?}), which was not asked for")]
    Compressed {
        /// The value of `Content-Encoding`.
        encoding: String,
    },
    /// Not JSON at all.
    #[error("the answer is not JSON")]
    NotJson,
    /// JSON, but of another kind than the reference says.
    #[error("the answer is not {expected}: found {found}")]
    WrongType {
        /// What the reference says.
        expected: &'static str,
        /// What came, by kind and never by value.
        found: &'static str,
    },
    /// An element of a list that can't be read, and that may be about the card in question.
    #[error("element {number} of the server's list can't be read, and may be about this card")]
    OddElement {
        /// Counted from 1.
        number: usize,
    },
    /// A smart card policy whose property has no meaning that we know.
    #[error("the profile template's smart card policy can't be understood: {property} has no value that it can have")]
    Policy {
        /// The property, as the reference names it.
        property: &'static str,
    },
    /// 204 where content is needed.
    #[error("the server has nothing to give (204)")]
    Nothing,
    /// The proposed PIN is no PIN for any card.
    #[error("the proposed PIN can't be a card's PIN")]
    Pin(#[source] PinError),
    /// 204 after a call that changes the server, which says neither that it was carried out nor that it was not.
    #[error("the server does not confirm that the call was carried out (204)")]
    Unconfirmed,
    /// There is nothing to sign in with.
    #[error(transparent)]
    SignIn(#[from] SignInError),
    /// A request that can't be built.
    #[error("the request can't be built")]
    Request(#[source] reqwest::Error),
    /// No client for a new connection.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A body that can't be written as JSON.
    #[error("the request's body can't be written")]
    Unwritable(#[source] serde_json::Error),
    /// The system gives no network runtime.
    #[error("the network runtime can't be started")]
    Runtime(#[source] std::io::Error),
}

impl ServerProblem {
    /// What to do next, as an imperative sentence without a full stop.
    #[must_use]
    pub fn remedy(&self) -> String {
        let fixed = match self {
            Self::Unreachable(failed) if is_elsewhere(failed.reason()) => {
                "use https in `server.url`, or have its name resolve to this machine"
            }
            Self::Unreachable(failed) if failed.is_of_proxy() => {
                "check `server.proxy`, the name and password for it, and that the proxy lets this server through"
            }
            Self::Unreachable(_) => {
                return with_unasked_proxy("check `server.url`, name resolution, network and firewall".to_owned());
            }
            Self::Tls { connection, .. } if connection.is_of_proxy() => {
                "check `server.proxy`: a certificate of a proxy is trusted by `server.ca_file` like the server's, else by the \
                 system"
            }
            Self::Tls { reason, .. } => return reason.remedy().to_owned(),
            Self::Broken(_) => "run the command again; if it stays, look at proxies and at the server's log",
            Self::Http11Wanted(_) => "set `server.http_version` to \"1.1\"",
            Self::Timeout { .. } => {
                return with_unasked_proxy("run the command again, or raise `server.timeout`".to_owned());
            }
            Self::Unauthorized { stop: Stop::SameToken, .. } => FRESH_TOKEN,
            Self::Unauthorized { stop: Stop::SignInRefused | Stop::NewSignInRefused, .. } => {
                return format!(
                    "look with `{}` who is signed in; check that `server.adfs_resource` is the identifier that MIM CM expects, and \
                     that AD FS's clock and signing certificate are what MIM CM knows",
                    Operation::Whoami
                );
            }
            Self::Unauthorized { stop: Stop::ClientRefused, .. } => {
                "have a claim rule of MIM CM's relying party at AD FS issue a UPN for the agent's client, or use a keytab \
                 (`agent.keytab_file`): MIM CM looks for a user"
            }
            Self::Unauthorized { stop: Stop::NtlmAlone, .. } => NTLM,
            Self::Unauthorized { stop: Stop::TicketRefused, .. } => {
                "have the server's log looked at: clock, SPN (`setspn -Q`) and the application pool's account"
            }
            Self::Unauthorized { stop: Stop::UserRefused, .. } => {
                "sign in as a user whom the server lets in, or have this one added there"
            }
            Self::Unauthorized { .. } => "renew the credentials, or set `server.auth` to a kind that the server offers",
            Self::Forbidden { .. } => {
                "check that the request is approved and bound to this card, and that this user may execute it (secret \
                 calls also need the sensitive-API group of the server's Web.config)"
            }
            Self::ClientCertificate { was_asked: true } => SHOW_CERTIFICATE,
            Self::ClientCertificate { was_asked: false } => ASK_EARLY,
            Self::NotFound { api_answered: false, .. } => {
                "check the virtual folder in `server.url`, and that the API is switched on: `Clm.WebApi.Enabled` in the \
                 server's Web.config is false by default, and a change needs `iisreset`"
            }
            Self::NotFound { is_pin_route: true, .. } => "set `server.pin_route` to the route that this server has",
            Self::NotFound { .. } => {
                "report this with the server's build number: other routes of the API answer, and this one is in its reference"
            }
            Self::Rejected { status: 400 | 411 | 415, .. } => {
                "report this with the server's build number: the request follows the reference"
            }
            Self::Rejected { status: 407, .. } => "set `server.proxy`, or have the proxy let this server through",
            Self::Rejected { status: 409, .. } => "look in the MIM CM portal what became of request and card meanwhile",
            Self::Rejected { .. } => {
                "look at proxies between here and the server, and at the limits and logs of its IIS"
            }
            Self::Busy { retry_after: Some(wait), .. } => {
                return format!("wait {} s, as the server asks, and run the command again", wait.as_secs());
            }
            Self::Busy { retry_after: None, .. } => "wait a while and run the command again",
            Self::Failed { detail: Detail { correlation: Some(_), .. }, .. } => {
                "give the correlation id to the server's administrator: it is in the event log"
            }
            Self::Failed { .. } => "tell the server's administrator when this was: the reason is in the event log",
            Self::Redirect { .. } => {
                "set `server.url` to the final address; a redirect to a sign-in page means that the server expects a \
                 browser: check `server.auth`"
            }
            Self::Html => {
                "check `server.url` and `server.auth`: a web page comes from IIS, AD FS or a proxy, not from the API"
            }
            Self::Status { .. } | Self::TooLarge { .. } | Self::NotJson | Self::WrongType { .. } => {
                "check that `server.url` is MIM CM's and that no proxy answers in its place"
            }
            Self::Compressed { .. } => {
                "switch compression off for this path in IIS, or in the proxy before it: a secret is not read out of a \
                 compressed answer"
            }
            Self::OddElement { .. } => {
                "name what is meant with `--request` or `--smartcard`, and report this with the server's build number"
            }
            Self::Policy { .. } => {
                "have the smart card settings of the profile template looked at in the MIM CM portal"
            }
            Self::Nothing | Self::UnknownId => {
                "check in the MIM CM portal that the id is known and visible to this user"
            }
            Self::Pin(_) => "have the PIN policy of the profile template corrected",
            Self::Unconfirmed => "look in the MIM CM portal what became of it before it is done again",
            Self::SignIn(error) => return error.remedy(),
            Self::Unwritable(_) => "report this: it is a defect in pinwright",
            Self::Request(_) => "check `server.url`",
            Self::Client(error) => return error.remedy(),
            Self::Runtime(_) => "check the limits of open files and memory of this process",
        };
        fixed.to_owned()
    }
}

/// Variables that other programs take a proxy from.
const PROXY_VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// The same with a word on a proxy that the environment names: it is not asked.
#[must_use]
pub fn with_unasked_proxy(remedy: String) -> String {
    let is_set = |name: &&&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    match PROXY_VARIABLES.iter().find(is_set) {
        Some(name) => format!("{remedy}; {name} is set and has no effect: only `server.proxy` names a proxy"),
        None => remedy,
    }
}

/// What was tried after the refusal.
fn after_401(stop: Stop) -> &'static str {
    match stop {
        Stop::NoCredentials | Stop::NotOffered => "",
        Stop::SameToken => "; the token was read anew and is still the refused one",
        Stop::NewTokenRefused => "; the token was read anew, and that one is refused too",
        Stop::SignInRefused => "; the token is AD FS's, and there is nothing to renew it with",
        Stop::NewSignInRefused => "; the token of AD FS was renewed, and the new one is refused too",
        Stop::ClientRefused => "; the token of AD FS names a client and no user, and a new one is refused too",
        Stop::NtlmAlone => "; it offers NTLM and not Kerberos, and NTLM does not prove who the server is",
        Stop::TicketRefused => "; it does not take the Kerberos ticket, and does not say why",
        Stop::UserRefused => "; it knows by Kerberos who we are, and does not let this user in",
    }
}

/// What the library says beside our words, where it says more: dates, names, alerts.
fn in_the_librarys_words(reason: &TlsReason, connection: &FailedConnection) -> String {
    match reason {
        TlsReason::Expired
        | TlsReason::NotYetValid
        | TlsReason::WrongHost
        | TlsReason::ClientCertificateRefused
        | TlsReason::Handshake => {
            format!(" ({})", connection.reason())
        }
        _ => String::new(),
    }
}
