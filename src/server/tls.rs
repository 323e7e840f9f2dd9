//! Whom we trust: one configured authority, or the system's store. TLS 1.2 and later, ring as the provider.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::{AlertDescription, RootCertStore};
use rustls_platform_verifier::Verifier;

use super::anchors::{self, TrustError};
use super::error::TlsReason;
use super::verifier::{Explaining, ShownChains, Unacceptable};

/// A client configuration that trusts the authorities in `ca_file` and no others, or the system's.
pub(super) fn configuration(ca_file: Option<&Path>) -> Result<rustls::ClientConfig, TrustError> {
    noting(ca_file, None)
}

/// The same, with every chain that a server shows noted.
pub(super) fn noting(ca_file: Option<&Path>, shown: Option<ShownChains>) -> Result<rustls::ClientConfig, TrustError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
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
    let verifier = Arc::new(Explaining { inner, anchors: known, shown });
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
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
            Certificate::Other(other) => match other.0.downcast_ref::<Unacceptable>() {
                Some(reason) => TlsReason::Unacceptable(reason.clone()),
                None => TlsReason::BadCertificate,
            },
            _ => TlsReason::BadCertificate,
        },
        rustls::Error::AlertReceived(AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity) => {
            TlsReason::NothingInCommon
        }
        rustls::Error::AlertReceived(AlertDescription::ProtocolVersion) | rustls::Error::PeerIncompatible(_) => {
            TlsReason::OldVersion
        }
        _ => TlsReason::Handshake,
    }
}
