//! Certificate signing requests (PKCS#10, RFC 2986) of keys that a card holds, and whether a certificate is what was asked for.

use std::str::FromStr as _;
use std::time::UNIX_EPOCH;

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5912;
use der::asn1::{Any, BitString, SetOfVec, UintRef};
use der::{Decode as _, Encode as _};
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use x509_cert::Certificate;
use x509_cert::name::Name;
use x509_cert::request::{CertReq, CertReqInfo, Version};
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

use crate::apdu::Channel;
use crate::card::{Digest, Hash, KeySlot, KeyType, Keys, PublicKey};
use crate::server::CertifiedKey;

pub use crate::job::stage_error::{CertificateError, CsrError};

/// A request whose signature was verified with its own public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Csr {
    der: Vec<u8>,
    key: PublicKey,
}

impl Csr {
    /// Has the card sign a request. The PIN must be verified ([`Keys::sign`]). An empty subject is allowed: the server may know it.
    ///
    /// # Errors
    /// A subject that is no name, a hash that the key does not sign, the card's refusal, a signature that does not verify.
    pub fn sign(
        keys: &mut dyn Keys,
        channel: &mut Channel<'_>,
        slot: KeySlot,
        key: &PublicKey,
        subject: &str,
        hash: Hash,
    ) -> Result<Self, CsrError> {
        let unsigned = Unsigned::new(key, subject, hash)?;
        let signature = keys.sign(channel, slot, key.key_type(), &unsigned.digest()?)?;
        unsigned.signed(&signature)
    }

    /// The request in DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The key that it is for.
    #[must_use]
    pub fn key(&self) -> &PublicKey {
        &self.key
    }
}

/// A request before its signature.
pub struct Unsigned {
    info: CertReqInfo,
    key: PublicKey,
    hash: Hash,
}

impl Unsigned {
    /// The request of this key.
    ///
    /// # Errors
    /// As [`Csr::sign`], but for the card.
    pub fn new(key: &PublicKey, subject: &str, hash: Hash) -> Result<Self, CsrError> {
        algorithm(key.key_type(), hash)?;
        let name = match subject {
            "" => Name::default(),
            subject => {
                Name::from_str(subject).map_err(|source| CsrError::Subject { subject: subject.to_owned(), source })?
            }
        };
        let info = CertReqInfo {
            version: Version::V1,
            subject: name,
            public_key: public_key_info(key)?,
            attributes: SetOfVec::new(),
        };
        Ok(Self { info, key: key.clone(), hash })
    }

    /// What the card is to sign.
    ///
    /// # Errors
    /// The request can't be written.
    pub fn digest(&self) -> Result<Digest, CsrError> {
        Ok(Digest::of(self.hash, &self.info.to_der()?))
    }

    /// The request with its signature, which is verified first.
    ///
    /// # Errors
    /// It is another key's signature, or one of something else.
    pub fn signed(self, signature: &[u8]) -> Result<Csr, CsrError> {
        verify(&self.key, self.hash, &self.info.to_der()?, signature)?;
        let request = CertReq {
            info: self.info,
            algorithm: algorithm(self.key.key_type(), self.hash)?,
            signature: BitString::from_bytes(signature)?,
        };
        Ok(Csr { der: request.to_der()?, key: self.key })
    }
}

/// Whether a certificate (DER) is for this key.
///
/// # Errors
/// It is not, or it is no certificate.
pub fn check_certificate(certificate: &[u8], key: &PublicKey) -> Result<(), CertificateError> {
    let certificate = Certificate::from_der(certificate)?;
    let own = CertifiedKey::of(&public_key_info(key)?);
    let issued = CertifiedKey::of(certificate.tbs_certificate().subject_public_key_info());
    if own.is_some() && own == issued { Ok(()) } else { Err(CertificateError::OtherKey) }
}

/// Whose a certificate (DER) is, fit to show, and until when it is good, RFC 3339; empty where it can't be read.
#[must_use]
pub fn told(certificate: &[u8]) -> (String, String) {
    let Ok(certificate) = Certificate::from_der(certificate) else { return <_>::default() };
    let body = certificate.tbs_certificate();
    let end = UNIX_EPOCH + body.validity().not_after.to_unix_duration();
    let subject = body.subject().to_string().replace(char::is_control, "?");
    (subject, humantime::format_rfc3339_seconds(end).to_string())
}

/// A public key as X.509 has it (RFC 3279 §2.3.1, RFC 5480 §2).
pub(super) fn public_key_info(key: &PublicKey) -> Result<SubjectPublicKeyInfoOwned, der::Error> {
    let (oid, parameters, bits) = match key {
        PublicKey::Rsa { modulus, exponent } => {
            let key = pkcs1::RsaPublicKey { modulus: UintRef::new(modulus)?, public_exponent: UintRef::new(exponent)? };
            (rfc5912::RSA_ENCRYPTION, Any::null(), key.to_der()?)
        }
        PublicKey::P256(point) => (rfc5912::ID_EC_PUBLIC_KEY, Any::from(rfc5912::SECP_256_R_1), point.clone()),
        PublicKey::P384(point) => (rfc5912::ID_EC_PUBLIC_KEY, Any::from(rfc5912::SECP_384_R_1), point.clone()),
    };
    Ok(SubjectPublicKeyInfoOwned {
        algorithm: AlgorithmIdentifierOwned { oid, parameters: Some(parameters) },
        subject_public_key: BitString::from_bytes(&bits)?,
    })
}

/// The signature algorithm of key and hash (RFC 4055 §5, RFC 5758 §3.2).
fn algorithm(key_type: KeyType, hash: Hash) -> Result<AlgorithmIdentifierOwned, CsrError> {
    let with = |oid: ObjectIdentifier, parameters| Ok(AlgorithmIdentifierOwned { oid, parameters });
    match (key_type, hash) {
        (KeyType::Rsa2048, Hash::Sha1) => with(rfc5912::SHA_1_WITH_RSA_ENCRYPTION, Some(Any::null())),
        (KeyType::Rsa2048, Hash::Sha256) => with(rfc5912::SHA_256_WITH_RSA_ENCRYPTION, Some(Any::null())),
        (KeyType::Rsa2048, Hash::Sha384) => with(rfc5912::SHA_384_WITH_RSA_ENCRYPTION, Some(Any::null())),
        (KeyType::P256 | KeyType::P384, Hash::Sha256) => with(rfc5912::ECDSA_WITH_SHA_256, None),
        (KeyType::P256 | KeyType::P384, Hash::Sha384) => with(rfc5912::ECDSA_WITH_SHA_384, None),
        (KeyType::P256 | KeyType::P384, Hash::Sha1) => Err(CsrError::Algorithm { key_type, hash }),
    }
}

fn verify(key: &PublicKey, hash: Hash, message: &[u8], signed: &[u8]) -> Result<(), CsrError> {
    let verified = match (key, hash) {
        (PublicKey::Rsa { modulus, exponent }, hash) => {
            let parameters = match hash {
                Hash::Sha1 => &signature::RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
                Hash::Sha256 => &signature::RSA_PKCS1_2048_8192_SHA256,
                Hash::Sha384 => &signature::RSA_PKCS1_2048_8192_SHA384,
            };
            RsaPublicKeyComponents { n: modulus, e: exponent }.verify(parameters, message, signed)
        }
        (PublicKey::P256(point), Hash::Sha256) => {
            UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_ASN1, point).verify(message, signed)
        }
        (PublicKey::P256(point), Hash::Sha384) => {
            UnparsedPublicKey::new(&signature::ECDSA_P256_SHA384_ASN1, point).verify(message, signed)
        }
        (PublicKey::P384(point), Hash::Sha256) => {
            UnparsedPublicKey::new(&signature::ECDSA_P384_SHA256_ASN1, point).verify(message, signed)
        }
        (PublicKey::P384(point), Hash::Sha384) => {
            UnparsedPublicKey::new(&signature::ECDSA_P384_SHA384_ASN1, point).verify(message, signed)
        }
        (PublicKey::P256(_) | PublicKey::P384(_), Hash::Sha1) => {
            return Err(CsrError::Algorithm { key_type: key.key_type(), hash });
        }
    };
    verified.map_err(|_| CsrError::Signature)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key and the signature of a measured enrollment, whose request OpenSSL has verified.
    fn measured() -> PublicKey {
        let text = include_str!("../../fixtures/apdu/gids/enroll-ok.apdu");
        let fixture: crate::reader::fixture::Fixture = text.parse().unwrap();
        let at =
            fixture.exchanges.iter().position(|exchange| exchange.command.to_string().starts_with("0047")).unwrap();
        let pieces = fixture.exchanges[at..at + 2].iter().flat_map(|exchange| {
            let mut answer = exchange.response.bytes().unwrap();
            answer.truncate(answer.len() - 2);
            answer
        });
        PublicKey::from_template(&pieces.collect::<Vec<_>>(), Some(KeyType::Rsa2048)).unwrap()
    }

    #[test]
    fn a_signature_of_another_key_or_text_does_not_leave() {
        let unsigned = || Unsigned::new(&measured(), "CN=Card User,O=example", Hash::Sha256).unwrap();
        for signature in [vec![], vec![0; 255], vec![0; 256], vec![1; 256], vec![0xFF; 256]] {
            assert!(matches!(unsigned().signed(&signature), Err(CsrError::Signature)));
        }
        // The measured signature is one over another text.
        let text = include_str!("../../fixtures/apdu/gids/enroll-ok.apdu");
        let fixture: crate::reader::fixture::Fixture = text.parse().unwrap();
        let signed =
            fixture.exchanges.iter().find(|exchange| exchange.command.to_string().starts_with("002A9E9A")).unwrap();
        let mut signature = signed.response.bytes().unwrap();
        signature.truncate(256);
        assert!(matches!(unsigned().signed(&signature), Err(CsrError::Signature)));
    }

    #[test]
    fn names_and_hashes_that_are_none_are_refused_before_the_card_is_asked() {
        for subject in ["no name", "CN", "=x", "CN=a,"] {
            let refused = Unsigned::new(&measured(), subject, Hash::Sha256).map(drop);
            assert!(matches!(refused, Err(CsrError::Subject { .. })), "{subject:?}");
        }
        assert!(Unsigned::new(&measured(), "", Hash::Sha1).is_ok());
        for point in [PublicKey::P256(vec![4; 65]), PublicKey::P384(vec![4; 97])] {
            let refused = Unsigned::new(&point, "CN=x", Hash::Sha1).map(drop);
            assert!(matches!(refused, Err(CsrError::Algorithm { hash: Hash::Sha1, .. })));
        }
    }

    #[test]
    fn what_is_no_certificate_is_told() {
        for bytes in [&[][..], &[0x30, 0x00], b"-----BEGIN CERTIFICATE-----"] {
            assert!(matches!(check_certificate(bytes, &measured()), Err(CertificateError::Malformed(_))));
        }
    }
}
