//! The certificate that we show to a server which asks for one in the TLS handshake, and its private key.

use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::client::ResolvesClientCert;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, SignatureScheme};
use thiserror::Error;

use super::secret_file::{self, Others, SecretFileError};
use super::token::TokenSource;
use crate::secret::SecretBytes;
use crate::server::certificate::Certificate;

/// More than a chain of certificates or a key has.
const CERTIFICATES_MAX: usize = 256 * 1024;
const KEY_MAX: usize = 64 * 1024;

/// How PEM begins a key that a password protects.
const ENCRYPTED: [&[u8]; 2] = [b"BEGIN ENCRYPTED PRIVATE KEY", b"Proc-Type: 4,ENCRYPTED"];

/// Where a client certificate and its key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate, and those between it and its authority, in PEM.
    pub certificate: PathBuf,
    /// The private key, in PEM and without a password.
    pub key: TokenSource,
}

/// Why the client certificate can't be shown.
#[derive(Debug, Error)]
pub enum IdentityError {
    /// One of the files.
    #[error(transparent)]
    File(#[from] SecretFileError),
    /// No certificate in PEM.
    #[error("{} holds no certificate in PEM", .path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// No key in PEM, or of a kind that is not taken.
    #[error("{} holds no private key in PEM that can be used", .path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// A password protects the key.
    #[error("the private key in {} is protected by a password, and nobody is asked for it", .path.display())]
    Encrypted {
        /// The file.
        path: PathBuf,
    },
    /// The key is another certificate's.
    #[error("the private key in {} is not that of the certificate in {}", .key.display(), .certificate.display())]
    Mismatch {
        /// The key's file.
        key: PathBuf,
        /// The certificate's file.
        certificate: PathBuf,
    },
    /// Outside of its time.
    #[error("the client certificate {name:?} in {} {when}", .path.display())]
    NotNow {
        /// The file.
        path: PathBuf,
        /// Its common name.
        name: String,
        /// Since or until when, as the end of a sentence.
        when: String,
    },
}

impl IdentityError {
    /// What to do next, as an imperative sentence without a full stop.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::File(SecretFileError::Exposed { source, .. }) => source.remedy(),
            Self::File(SecretFileError::Unreadable { path, .. }) => format!("let this user read {}", path.display()),
            Self::File(SecretFileError::NoCredentials) => {
                "add LoadCredential= with that name to the unit, or set `server.client_key_file`".to_owned()
            }
            Self::NoCertificate { path } => format!(
                "write the certificate in PEM (`openssl x509 -in FILE -out {0}`; out of a PKCS #12 file `openssl pkcs12 -in FILE -clcerts \
                 -nokeys -out {0}`)",
                path.display()
            ),
            Self::NoKey { path } | Self::Encrypted { path } => format!(
                "write the key in PEM without a password (`openssl pkey -in FILE -out {0}`; out of a PKCS #12 file `openssl pkcs12 -in FILE \
                 -nocerts -nodes -out {0}`), with mode 0600; it is RSA, or EC on P-256, P-384 or P-521",
                path.display()
            ),
            Self::Mismatch { .. } => {
                "set `server.client_certificate_file` and `server.client_key_file` to one pair".to_owned()
            }
            Self::NotNow { .. } => {
                "check this machine's clock; if it is right, have the certificate renewed".to_owned()
            }
        }
    }
}

/// Shows our certificate, where we have one, and notes whether the server has asked for one.
#[derive(Debug)]
pub(in crate::server) struct Shown {
    pub key: Option<Arc<CertifiedKey>>,
    pub was_asked: Arc<AtomicBool>,
}

impl ResolvesClientCert for Shown {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.was_asked.store(true, Ordering::Relaxed);
        self.key.clone()
    }

    fn has_certs(&self) -> bool {
        self.key.is_some()
    }
}

/// Reads certificate and key, and looks whether they can be used now.
pub(in crate::server) fn read(
    identity: &Identity,
    provider: &CryptoProvider,
) -> Result<Arc<CertifiedKey>, IdentityError> {
    let path = identity.certificate.clone();
    let text = content(&path, CERTIFICATES_MAX, Others::MayRead)?;
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(text.expose()).collect::<Result<_, _>>().unwrap_or_default();
    let leaf = chain.first().and_then(|leaf| Certificate::read(leaf));
    let leaf = leaf.ok_or_else(|| IdentityError::NoCertificate { path: path.clone() })?;
    if let Some(when) = leaf.is_not_valid(std::time::SystemTime::now()) {
        return Err(IdentityError::NotNow { path, name: leaf.name, when });
    }
    let key_path = identity.key.location().ok_or(SecretFileError::NoCredentials)?;
    let text = content(&key_path, KEY_MAX, Others::MayNothing)?;
    if ENCRYPTED.iter().any(|mark| text.expose().windows(mark.len()).any(|part| part == *mark)) {
        return Err(IdentityError::Encrypted { path: key_path });
    }
    let no_key = || IdentityError::NoKey { path: key_path.clone() };
    let key = PrivateKeyDer::from_pem_slice(text.expose()).map_err(|_| no_key())?;
    let key = provider.key_provider.load_private_key(key).map_err(|_| no_key())?;
    let pair = CertifiedKey::new(chain, key);
    match pair.keys_match() {
        Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            Err(IdentityError::Mismatch { key: key_path, certificate: path })
        }
        // Where it can't be told here (a certificate of version 1) the server tells.
        _ => Ok(Arc::new(pair)),
    }
}

/// What a file holds that is nobody else's to change, nor, where it is a secret, to read.
fn content(path: &std::path::Path, most: usize, others: Others) -> Result<SecretBytes, IdentityError> {
    let unreadable = |source| SecretFileError::unreadable(path, source);
    let mut file = secret_file::open(path, others)?;
    let mut text = SecretBytes::with_capacity(most);
    let mut piece = zeroize::Zeroizing::new([0_u8; 1024]);
    loop {
        let read = file.read(piece.as_mut_slice()).map_err(unreadable)?;
        if read == 0 {
            return Ok(text);
        }
        if !text.append(piece.get(..read).unwrap_or_default()) {
            return Err(unreadable(std::io::Error::other(format!("it is larger than {} KiB", most / 1024))).into());
        }
    }
}
