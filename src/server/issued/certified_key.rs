//! A public key as certificates and their requests have it, so that two programs' ways to write it are the same.

use der::Encode as _;
use der::asn1::ObjectIdentifier;
use x509_cert::spki::SubjectPublicKeyInfoOwned;

/// `rsaEncryption`, whose parameters are null or, in what some programs write, missing.
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// The algorithm, its parameters (a curve is named by them), and the key's bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertifiedKey {
    algorithm: ObjectIdentifier,
    parameters: Vec<u8>,
    bits: Vec<u8>,
}

impl CertifiedKey {
    /// The key; `None` for bits that are no whole bytes.
    #[must_use]
    pub fn of(info: &SubjectPublicKeyInfoOwned) -> Option<Self> {
        let parameters = match &info.algorithm.parameters {
            Some(parameters) if info.algorithm.oid != RSA || !parameters.is_null() => parameters.to_der().ok()?,
            _ => Vec::new(),
        };
        let bits = info.subject_public_key.as_bytes()?.to_vec();
        Some(Self { algorithm: info.algorithm.oid, parameters, bits })
    }
}
