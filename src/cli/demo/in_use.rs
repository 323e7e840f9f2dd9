//! The certificate in use: the card signs a challenge, and who knows nothing but the authority believes it.

use std::sync::Arc;

use der::Decode as _;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use x509_cert::Certificate;

use super::READER;
use crate::card::family::Families;
use crate::card::{Digest, Hash, KeySlot, KeyType};
use crate::cli::error::CliError;
use crate::job::held::OpenCard;
use crate::reader::Readers;
use crate::secret::Pin;

/// Bytes of a challenge.
const CHALLENGE: usize = 32;

/// What a card shows to whoever wants to know whose it is.
pub(super) struct Shown {
    /// What it was asked to sign.
    pub challenge: Vec<u8>,
    /// Its signature: RSA PKCS#1 v1.5 with SHA-256.
    pub signature: Vec<u8>,
    /// The certificate that is on it (DER).
    pub certificate: Vec<u8>,
}

/// Has the card sign a new challenge with the key of this slot, and reads the certificate. A wrong PIN costs a try.
pub(super) fn ask(readers: &dyn Readers, slot: KeySlot, pin: &[u8]) -> Result<Shown, CliError> {
    let pin = Pin::new(pin).map_err(|_| CliError::Demo("the server has given out no PIN that a card takes"))?;
    let mut challenge = vec![0; CHALLENGE];
    getrandom::fill(&mut challenge).map_err(|_| CliError::Demo("the system has no randomness"))?;
    let mut card = OpenCard::open(readers, READER)?.identify(&Families::default())?;
    let digest = Digest::of(Hash::Sha256, &challenge);
    let shown = card
        .show_pin(&pin)
        .and_then(|()| card.sign(slot, KeyType::Rsa2048, &digest))
        .and_then(|signature| Ok((signature, card.certificate(slot)?)));
    let shown = shown.map_err(|cause| card.failure(cause));
    let ended = card.end();
    let (signature, certificate) = shown?;
    ended?;
    let certificate = certificate.ok_or(CliError::Demo("the card has no certificate"))?;
    Ok(Shown { challenge, signature, certificate })
}

impl Shown {
    /// Whether the signature is that of the certificate's key.
    pub(super) fn is_signed_by_its_key(&self) -> bool {
        let Ok(certificate) = Certificate::from_der(&self.certificate) else { return false };
        let key = certificate.tbs_certificate().subject_public_key_info().subject_public_key.raw_bytes();
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key);
        key.verify(&self.challenge, &self.signature).is_ok()
    }

    /// Whether a TLS server that trusts the first of these authorities (PEM) would take the certificate from a client.
    pub(super) fn is_issued_by(&self, authorities: &str) -> bool {
        let authorities: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(authorities.as_bytes()).collect();
        let Ok(authorities) = authorities else { return false };
        let Some((root, between)) = authorities.split_first() else { return false };
        let mut roots = RootCertStore::empty();
        if roots.add(root.clone()).is_err() {
            return false;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
        let certificate = CertificateDer::from(self.certificate.as_slice());
        verifier.is_ok_and(|verifier| verifier.verify_client_cert(&certificate, between, UnixTime::now()).is_ok())
    }
}
