//! Layer 4: the REST API of MIM CM, one method per endpoint, one file per resource of Microsoft's REST reference.
//!
//! Names of calls, parameters and objects are those of that reference. Nothing here has seen a card: a card ID and an ATR come
//! in as values. Answers of secret routes leave as secret types and are never part of an error or a log. Nothing in this folder
//! imports this file: what one file needs of another it takes from there, in one direction only.

mod anchors;
mod answer;
pub mod auth;
mod body;
mod call;
mod certificate;
mod client;
mod connect;
mod connection;
mod connections;
mod cookies;
mod detail;
mod early;
pub mod error;
mod failed;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod gate;
mod http;
mod issued;
mod look;
mod lost;
mod pfx;
pub mod policy;
mod posted;
mod profile_templates;
mod profiles;
mod proxy;
mod raw_certificates;
mod requests;
mod secret_body;
mod settings;
mod smartcards;
mod store_fault;
mod sts;
mod tls;
mod tls_reason;
mod verifier;
mod versions;
pub mod wire;

pub use self::anchors::{CaFileProblem, TrustError};
pub use self::auth::{Identity, IdentityError};
pub use self::call::{Call, Repeat};
pub use self::client::{Client, SetupError};
pub use self::connect::ClientError;
pub use self::error::{ServerError, ServerProblem, with_unasked_proxy};
pub use self::issued::{CertificateProblem, CertifiedKey, MessagePart, OurCertificate, Subjects, certificate_for};
pub use self::look::{Clocks, Look, ShownCertificate, Target};
pub use self::lost::{BindingLook, CertificateLook, EndLook, LostRequest, RequestLook, SeveralRequests};
pub use self::pfx::PfxPassword;
pub use self::posted::Posted;
pub use self::proxy::{Proxy, ProxyError};
pub use self::raw_certificates::{RawCertificates, issued};
pub use self::requests::{DataForm, NewRequest, Purpose, RequestEnd, RequestKind};
pub use self::settings::Settings;
pub use self::smartcards::{
    AdminKeyVersion, CardParameters, PinRoute, ProposedPin, authentication_response_call, server_proposed_pin_call,
};
pub use self::sts::Sts;
pub use self::versions::HttpVersions;
