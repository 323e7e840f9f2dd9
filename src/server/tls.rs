//! Whom we trust: one configured authority, or the system's store. TLS 1.2 and later, ring as the provider.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_platform_verifier::BuilderVerifierExt;
use thiserror::Error;

use super::error::TlsReason;

/// Why no TLS configuration could be made.
#[derive(Debug, Error)]
pub enum TrustError {
    /// The file of the authority's certificate can't be read as PEM.
    #[error("{} can't be read as PEM certificates", .path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    /// No certificate in it.
    #[error("{} holds no certificate", .path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// The library refused.
    #[error("TLS can't be set up")]
    Setup(#[source] rustls::Error),
}

/// A client configuration that trusts the authorities in `ca_file` and no others, or the system's.
pub(super) fn configuration(ca_file: Option<&Path>) -> Result<rustls::ClientConfig, TrustError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TrustError::Setup)?;
    Ok(match ca_file {
        Some(path) => builder.with_root_certificates(authorities(path)?).with_no_client_auth(),
        None => builder.with_platform_verifier().map_err(TrustError::Setup)?.with_no_client_auth(),
    })
}

fn authorities(path: &Path) -> Result<rustls::RootCertStore, TrustError> {
    let unreadable = |source| TrustError::CaFile { path: path.to_owned(), source };
    let mut store = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
        store.add(certificate.map_err(unreadable)?).map_err(TrustError::Setup)?;
    }
    if store.is_empty() {
        return Err(TrustError::NoCertificate { path: path.to_owned() });
    }
    Ok(store)
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
            _ => TlsReason::BadCertificate,
        },
        _ => TlsReason::Handshake,
    }
}
