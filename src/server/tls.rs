//! Whom we trust, one configured authority or the system's store, and which certificate we show. TLS 1.2 and later, ring as the provider.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::client::danger::ServerCertVerifier;
use rustls::client::{WantsClientCert, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::{AlertDescription, ConfigBuilder, PeerMisbehaved, RootCertStore};
use rustls_platform_verifier::Verifier;
use thiserror::Error;

use super::anchors::{self, TrustError};
use super::auth::{Identity, IdentityError, Shown, read_identity};
use super::error::TlsReason;
use super::store_fault::StoreFault;
use super::verifier::{Explaining, ShownChains, Unacceptable};
use crate::os::machine;

/// No TLS can be set up.
#[derive(Debug, Error)]
pub(super) enum TlsError {
    /// Whom to trust.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// Whom to be.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

/// A client's configuration, and whether a server has asked for a certificate.
#[derive(Clone)]
pub(super) struct Tls {
    pub client: rustls::ClientConfig,
    was_asked: Arc<AtomicBool>,
    has_identity: bool,
}

impl Tls {
    /// Whether a server has asked for a client certificate in a handshake.
    pub fn was_asked(&self) -> bool {
        self.was_asked.load(Ordering::Relaxed)
    }

    /// The reason with what is known of this client: a server of TLS 1.2 ends the handshake without a word on the certificate that it
    /// lacks.
    pub fn explained(&self, reason: TlsReason) -> TlsReason {
        match reason {
            TlsReason::NothingInCommon if self.was_asked() && !self.has_identity => TlsReason::NoClientCertificate,
            reason => reason,
        }
    }
}

/// A client configuration that trusts the authorities in `ca_file` and no others, or the system's, and shows `identity`.
pub(super) fn configuration(ca_file: Option<&Path>, identity: Option<&Identity>) -> Result<Tls, TlsError> {
    noting(ca_file, identity, None)
}

/// The same, with every chain that a server shows noted.
pub(super) fn noting(
    ca_file: Option<&Path>,
    identity: Option<&Identity>,
    noted: Option<ShownChains>,
) -> Result<Tls, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = identity.map(|identity| read_identity(identity, &provider)).transpose()?;
    let was_asked = Arc::new(AtomicBool::new(false));
    let shown = Arc::new(Shown { key, was_asked: Arc::clone(&was_asked) });
    let client = trusting(ca_file, provider, noted)?.with_client_cert_resolver(shown);
    Ok(Tls { client, was_asked, has_identity: identity.is_some() })
}

fn trusting(
    ca_file: Option<&Path>,
    provider: Arc<CryptoProvider>,
    noted: Option<ShownChains>,
) -> Result<ConfigBuilder<rustls::ClientConfig, WantsClientCert>, TrustError> {
    let mut known = Vec::new();
    let inner: Arc<dyn ServerCertVerifier> = match ca_file {
        Some(path) => {
            let mut store = RootCertStore::empty();
            for anchor in anchors::read(path)? {
                store.add(anchor.der).map_err(TrustError::Setup)?;
                known.push(anchor.certificate);
            }
            let built = WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(&provider)).build();
            built.map_err(|error| TrustError::Setup(rustls::Error::General(error.to_string())))?
        }
        None => Arc::new(Verifier::new(Arc::clone(&provider)).map_err(TrustError::Setup)?),
    };
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TrustError::Setup)?;
    // "Dangerous" is what the library calls any other verifier; this one decides nothing by itself.
    let by_store = ca_file.is_none() && machine::HAS_CERTIFICATE_STORE;
    let unknown = by_store.then(|| StoreFault::of_number(StoreFault::UNTRUSTED_ROOT));
    let verifier = Arc::new(Explaining { inner, anchors: known, unknown, shown: noted });
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier))
}

/// Finds out whether a failed request failed in TLS, and how.
pub(super) fn reason(error: &reqwest::Error) -> Option<TlsReason> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = cause {
        if let Some(tls) = unwrapped(current) {
            return Some(classify(tls));
        }
        cause = current.source();
    }
    None
}

/// A TLS error inside any number of I/O errors: those name their content's source as their own, not the content.
fn unwrapped<'a>(mut error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    while let Some(inner) = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
        error = inner;
    }
    error.downcast_ref()
}

fn classify(error: &rustls::Error) -> TlsReason {
    use rustls::CertificateError as Certificate;
    match error {
        rustls::Error::InvalidCertificate(certificate) => match certificate {
            // A bad signature is an authority of the same name with another key.
            Certificate::UnknownIssuer | Certificate::BadSignature => TlsReason::UnknownAuthority,
            Certificate::Expired | Certificate::ExpiredContext { .. } => TlsReason::Expired,
            Certificate::NotValidYet | Certificate::NotValidYetContext { .. } => TlsReason::NotYetValid,
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. } => TlsReason::WrongHost,
            Certificate::Revoked => TlsReason::Revoked,
            Certificate::InvalidPurpose | Certificate::InvalidPurposeContext { .. } => TlsReason::WrongPurpose,
            Certificate::Other(other) => match (other.0.downcast_ref::<Unacceptable>(), other.0.downcast_ref()) {
                (Some(reason), _) => TlsReason::Unacceptable(reason.clone()),
                (None, Some(fault)) => TlsReason::Store(*fault),
                (None, None) => {
                    StoreFault::of_text(&other.0.to_string()).map_or(TlsReason::BadCertificate, TlsReason::Store)
                }
            },
            _ => TlsReason::BadCertificate,
        },
        rustls::Error::AlertReceived(AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity) => {
            TlsReason::NothingInCommon
        }
        rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => TlsReason::NoClientCertificate,
        // The server says it of the one certificate that it was shown.
        rustls::Error::AlertReceived(
            AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied,
        ) => TlsReason::ClientCertificateRefused,
        rustls::Error::PeerMisbehaved(PeerMisbehaved::TooManyRenegotiationRequests) => TlsReason::AskedTooLate,
        rustls::Error::AlertReceived(AlertDescription::ProtocolVersion) | rustls::Error::PeerIncompatible(_) => {
            TlsReason::OldVersion
        }
        _ => TlsReason::Handshake,
    }
}
