//! The library's check of the server's certificate, with words for what it refuses: it decides, and this says why.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::CertificateError;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, OtherError, SignatureScheme};
use thiserror::Error;

use super::certificate::{Certificate, Key, Signature};
use super::store_fault::StoreFault;

/// Why a certificate is not taken, and which one. The name is the one that it gives itself.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum Unacceptable {
    /// CA:TRUE.
    #[error("the server's certificate {certificate:?} is an authority's (CA:TRUE)")]
    IsAuthority {
        /// Its common name.
        certificate: String,
    },
    /// A key that is too short.
    #[error("the certificate {certificate:?} has an RSA key of {bits} bits, and 2048 are the least")]
    ShortKey {
        /// Its common name.
        certificate: String,
        /// The length of its key.
        bits: usize,
    },
    /// A key of another kind.
    #[error("the certificate {certificate:?} has a key on the curve P-521, and only P-256 and P-384 are taken")]
    Curve {
        /// Its common name.
        certificate: String,
    },
    /// A hash that is no longer safe.
    #[error("the certificate {certificate:?} is signed with {hash}, which is not safe")]
    WeakHash {
        /// Its common name.
        certificate: String,
        /// SHA-1 or MD5.
        hash: &'static str,
    },
    /// A pair that the library lacks.
    #[error("the certificate {certificate:?} is signed with ECDSA and SHA-512, and only SHA-256 and SHA-384 are taken")]
    EcdsaSha512 {
        /// Its common name.
        certificate: String,
    },
}

/// The name that was called, and the certificates that it has shown, in the order in which they came.
type ShownChain = (String, Vec<Certificate>);

/// The chains that servers have shown.
#[derive(Debug, Clone, Default)]
pub(super) struct ShownChains(Arc<Mutex<Vec<ShownChain>>>);

impl ShownChains {
    fn add(&self, name: &ServerName<'_>, chain: &[&CertificateDer<'_>]) {
        let name = name.to_str().into_owned();
        let mut shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shown.retain(|(earlier, _)| *earlier != name);
        shown.push((name, chain.iter().filter_map(|der| Certificate::read(der)).collect()));
    }

    /// The last one of the server of this name; empty where it has shown none.
    pub fn of(&self, name: &str) -> Vec<Certificate> {
        let shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_name = |(shown, _): &&ShownChain| shown.eq_ignore_ascii_case(name);
        shown.iter().find(of_name).map(|(_, chain)| chain.clone()).unwrap_or_default()
    }
}

/// A verifier that lets another one decide.
pub(super) struct Explaining {
    pub inner: Arc<dyn ServerCertVerifier>,
    /// The authorities, where they are ours to know.
    pub anchors: Vec<Certificate>,
    /// What an authority that it does not know is, where it is the certificate store of Windows.
    pub unknown: Option<StoreFault>,
    /// Where every chain is noted, whether it is taken or not; `None` where nobody asks.
    pub shown: Option<ShownChains>,
}

impl fmt::Debug for Explaining {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Explaining").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl Explaining {
    /// The same refusal, with its reason where one can be seen in the chain.
    fn explain(&self, error: rustls::Error, chain: &[&CertificateDer<'_>]) -> rustls::Error {
        let rustls::Error::InvalidCertificate(refused) = &error else { return error };
        if let (CertificateError::UnknownIssuer, Some(fault)) = (refused, self.unknown) {
            return rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(fault))));
        }
        let is_told = matches!(
            refused,
            CertificateError::UnknownIssuer
                | CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. }
                | CertificateError::NotValidForName
                | CertificateError::NotValidForNameContext { .. }
                | CertificateError::Revoked
        );
        let chain: Vec<Certificate> = chain.iter().filter_map(|der| Certificate::read(der)).collect();
        match self.weakness(&chain).filter(|_| !is_told) {
            Some(reason) => unacceptable(reason),
            None => error,
        }
    }

    /// The first certificate from the server's up that can't be taken.
    fn weakness(&self, chain: &[Certificate]) -> Option<Unacceptable> {
        if let Some(leaf) = chain.first().filter(|leaf| leaf.is_authority == Some(true)) {
            return Some(Unacceptable::IsAuthority { certificate: leaf.name.clone() });
        }
        // Nobody checks how an authority has signed itself.
        chain.iter().filter(|one| !one.is_self_issued()).find_map(|one| {
            let certificate = one.name.clone();
            let issuer = chain.iter().chain(&self.anchors).find(|other| one.is_from(other));
            match one.signature {
                Signature::Md5 => Some(Unacceptable::WeakHash { certificate, hash: "MD5" }),
                Signature::Sha1 => Some(Unacceptable::WeakHash { certificate, hash: "SHA-1" }),
                Signature::EcdsaSha512 => Some(Unacceptable::EcdsaSha512 { certificate }),
                Signature::Other => issuer.and_then(weak_key),
            }
        })
    }
}

/// What the signature of a handshake shows: the server's own key can't be used.
fn explain_handshake(error: rustls::Error, leaf: &CertificateDer<'_>) -> rustls::Error {
    Certificate::read(leaf).as_ref().and_then(weak_key).map_or(error, unacceptable)
}

fn weak_key(certificate: &Certificate) -> Option<Unacceptable> {
    let name = || certificate.name.clone();
    match certificate.key {
        Key::Rsa(bits) if bits < 2048 => Some(Unacceptable::ShortKey { certificate: name(), bits }),
        Key::P521 => Some(Unacceptable::Curve { certificate: name() }),
        Key::Rsa(_) | Key::TakenCurve | Key::Other => None,
    }
}

fn unacceptable(reason: Unacceptable) -> rustls::Error {
    rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(reason))))
}

impl ServerCertVerifier for Explaining {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let chain = || std::iter::once(end_entity).chain(intermediates).collect::<Vec<_>>();
        if let Some(shown) = &self.shown {
            shown.add(server_name, &chain());
        }
        let verified = self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        verified.map_err(|error| self.explain(error, &chain()))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss).map_err(|error| explain_handshake(error, cert))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss).map_err(|error| explain_handshake(error, cert))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }

    fn requires_raw_public_keys(&self) -> bool {
        self.inner.requires_raw_public_keys()
    }

    fn root_hint_subjects(&self) -> Option<&[rustls::DistinguishedName]> {
        self.inner.root_hint_subjects()
    }
}
