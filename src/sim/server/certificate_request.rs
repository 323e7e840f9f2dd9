//! A certificate request (PKCS #10) as an authority reads it: whether it is signed with its own key, and which key that is.

use der::asn1::ObjectIdentifier;
use der::{Decode, Reader, SliceReader};
use rcgen::{KeyPair, PublicKeyData, SignatureAlgorithm};
use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use x509_cert::request::CertReq;
use x509_cert::spki::SubjectPublicKeyInfoOwned;

use super::records::KeyOptions;

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");

/// What kind of key a request is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// With this many bits.
    Rsa(usize),
    P256,
    P384,
}

/// A request whose signature is that of its own key.
pub(super) struct CertificateRequest {
    kind: Kind,
    bits: Vec<u8>,
    /// As it came; empty where nobody sent it.
    pub(super) der: Vec<u8>,
}

impl PublicKeyData for CertificateRequest {
    fn der_bytes(&self) -> &[u8] {
        &self.bits
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        match self.kind {
            Kind::Rsa(_) => &rcgen::PKCS_RSA_SHA256,
            Kind::P256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            Kind::P384 => &rcgen::PKCS_ECDSA_P384_SHA384,
        }
    }
}

impl CertificateRequest {
    /// Reads a request and verifies its signature. `None` where it is none, where its signature is not that of its key, and where
    /// the key or the hash are of a kind that no template asks for.
    pub(super) fn read(der: &[u8]) -> Option<Self> {
        let request = CertReq::from_der(der).ok()?;
        let key = &request.info.public_key;
        let (kind, bits) = (kind(key)?, key.subject_public_key.as_bytes()?.to_vec());
        let algorithm = algorithm(kind, &request.algorithm.oid.to_string())?;
        let verified =
            UnparsedPublicKey::new(algorithm, &bits).verify(signed_part(der)?, request.signature.as_bytes()?);
        verified.ok().map(|()| Self { kind, bits, der: der.to_vec() })
    }

    /// One for a key that nobody keeps.
    pub(super) fn of_another_key() -> Option<Self> {
        let key = KeyPair::generate().ok()?;
        Some(Self { kind: Kind::P256, bits: key.der_bytes().to_vec(), der: Vec::new() })
    }

    /// Whether its key is of the kind that is wanted.
    pub(super) fn is_of(&self, wanted: &KeyOptions) -> bool {
        let name = wanted.algorithm.to_ascii_uppercase();
        match self.kind {
            Kind::Rsa(bits) => name == "RSA" && bits == wanted.bits as usize,
            Kind::P256 => name.ends_with("_P256"),
            Kind::P384 => name.ends_with("_P384"),
        }
    }
}

/// The bytes that are signed: the first part of the request, as it was sent.
fn signed_part(der: &[u8]) -> Option<&[u8]> {
    let mut reader = SliceReader::new(der::asn1::AnyRef::from_der(der).ok()?.value()).ok()?;
    reader.tlv_bytes().ok()
}

fn kind(key: &SubjectPublicKeyInfoOwned) -> Option<Kind> {
    match key.algorithm.oid {
        RSA => {
            // The modulus is the first of two numbers; a zero byte before it is its sign.
            let key = der::asn1::AnyRef::from_der(key.subject_public_key.as_bytes()?).ok()?;
            let mut reader = SliceReader::new(key.value()).ok()?;
            let modulus = der::asn1::UintRef::decode(&mut reader).ok()?;
            let first = modulus.as_bytes().first()?;
            Some(Kind::Rsa(modulus.as_bytes().len() * 8 - first.leading_zeros() as usize))
        }
        EC => match key.algorithm.parameters.as_ref()?.decode_as::<ObjectIdentifier>().ok()? {
            P256 => Some(Kind::P256),
            P384 => Some(Kind::P384),
            _ => None,
        },
        _ => None,
    }
}

fn algorithm(kind: Kind, oid: &str) -> Option<&'static dyn VerificationAlgorithm> {
    Some(match (kind, oid) {
        (Kind::Rsa(_), "1.2.840.113549.1.1.5") => &signature::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
        (Kind::Rsa(_), "1.2.840.113549.1.1.11") => &signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
        (Kind::Rsa(_), "1.2.840.113549.1.1.12") => &signature::RSA_PKCS1_2048_8192_SHA384,
        (Kind::Rsa(_), "1.2.840.113549.1.1.13") => &signature::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
        (Kind::P256, "1.2.840.10045.4.3.2") => &signature::ECDSA_P256_SHA256_ASN1,
        (Kind::P256, "1.2.840.10045.4.3.3") => &signature::ECDSA_P256_SHA384_ASN1,
        (Kind::P384, "1.2.840.10045.4.3.2") => &signature::ECDSA_P384_SHA256_ASN1,
        (Kind::P384, "1.2.840.10045.4.3.3") => &signature::ECDSA_P384_SHA384_ASN1,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Requests made by OpenSSL (`fixtures/certificates/make.sh`).
    const REQUESTS: [(&[u8], &str, u32); 3] = [
        (include_bytes!("../../../fixtures/certificates/rsa.csr"), "RSA", 2048),
        (include_bytes!("../../../fixtures/certificates/p256.csr"), "ECDSA_P256", 256),
        (include_bytes!("../../../fixtures/certificates/p384.csr"), "ECDSA_P384", 384),
    ];

    #[test]
    fn a_request_is_of_the_key_that_has_signed_it() {
        for (der, algorithm, bits) in REQUESTS {
            let read = CertificateRequest::read(der).unwrap_or_else(|| panic!("{algorithm}"));
            for (_, other, other_bits) in REQUESTS {
                let options = |bits| KeyOptions { algorithm: other.to_owned(), bits, hash: "SHA256".to_owned() };
                assert_eq!(read.is_of(&options(other_bits)), other == algorithm, "{algorithm}, {other}");
                assert_eq!(read.is_of(&options(1024)), other == algorithm && other != "RSA");
            }
            assert_eq!(read.bits.len() > 200, bits == 2048);
            for at in [der.len() - 1, der.len() / 2, 20] {
                let mut changed = der.to_vec();
                changed[at] ^= 1;
                assert!(CertificateRequest::read(&changed).is_none(), "{algorithm}: byte {at}");
            }
        }
        for der in [&b""[..], b"\x30\x03\x02\x01\x01", include_bytes!("../../../fixtures/certificates/rsa.cer")] {
            assert!(CertificateRequest::read(der).is_none());
        }
    }
}
