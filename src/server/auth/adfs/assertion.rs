//! The assertion with which a client proves by its certificate who it is (RFC 7523 §2.2), as AD FS takes it: RS256, the certificate's
//! thumbprint in the head, good once and for a few minutes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use rustls::SignatureScheme;
use rustls::sign::CertifiedKey;
use serde::Serialize;
use zeroize::Zeroizing;

use super::own_error::{OwnError, Showed};
use crate::foreign_text::escaped;
use crate::secret::SecretBytes;
use crate::server::auth::identity::{self, Identity};
use crate::server::certificate::Certificate;

/// What the form calls this kind of proof.
pub(super) const KIND: &[u8] = b"urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// For how many seconds it is good.
const LIFETIME: u64 = 300;

/// The longest text of it: claims, and a signature of 8192 bits.
const MOST: usize = 4096;

#[derive(Serialize)]
struct Head<'a> {
    alg: &'static str,
    typ: &'static str,
    x5t: &'a str,
}

#[derive(Serialize)]
struct Claims<'a> {
    aud: &'a str,
    iss: &'a str,
    sub: &'a str,
    jti: String,
    nbf: u64,
    exp: u64,
}

/// Certificate and key, read and found to be what AD FS takes.
pub(super) struct ClientKey {
    pair: std::sync::Arc<CertifiedKey>,
    certificate: Vec<u8>,
}

impl ClientKey {
    /// Reads both.
    ///
    /// # Errors
    /// [`OwnError::Certificate`] and [`OwnError::NotRsa`].
    pub fn read(identity: &Identity) -> Result<Self, OwnError> {
        let provider = rustls::crypto::ring::default_provider();
        let pair = identity::read(identity, &provider).map_err(OwnError::Certificate)?;
        if pair.key.algorithm() != rustls::SignatureAlgorithm::RSA {
            let path = identity.key.location().unwrap_or_default();
            return Err(OwnError::NotRsa { path });
        }
        // It was read, so it has one.
        let certificate = pair.cert.first().map(|leaf| leaf.to_vec()).unwrap_or_default();
        Ok(Self { pair, certificate })
    }

    /// What is told of it.
    pub fn told(&self) -> Showed {
        let name = Certificate::read(&self.certificate).map(|certificate| certificate.name).unwrap_or_default();
        Showed::Certificate { name: escaped(&name).into_owned(), thumbprint: hex::encode_upper(self.thumbprint()) }
    }

    fn thumbprint(&self) -> Vec<u8> {
        digest(&SHA1_FOR_LEGACY_USE_ONLY, &self.certificate).as_ref().to_vec()
    }

    /// The assertion of a client for the token endpoint, from `now` on, in seconds since 1970.
    ///
    /// # Errors
    /// [`OwnError::Unsigned`].
    pub fn assertion(&self, client_id: &str, endpoint: &str, now: u64) -> Result<SecretBytes, OwnError> {
        let unsigned = |reason: &str| OwnError::Unsigned(rustls::Error::General(reason.to_owned()));
        let x5t = URL_SAFE_NO_PAD.encode(self.thumbprint());
        let head = Head { alg: "RS256", typ: "JWT", x5t: &x5t };
        let jti = uuid::Builder::from_random_bytes(random().ok_or_else(|| unsigned("no random numbers"))?);
        let claims = Claims {
            aud: endpoint,
            iss: client_id,
            sub: client_id,
            jti: jti.into_uuid().to_string(),
            nbf: now,
            exp: now.saturating_add(LIFETIME),
        };
        let mut text = SecretBytes::with_capacity(MOST);
        let encoded = |value: Result<Vec<u8>, serde_json::Error>| {
            Ok(Zeroizing::new(URL_SAFE_NO_PAD.encode(value.map_err(|error| unsigned(&error.to_string()))?)))
        };
        let (head, claims) = (encoded(serde_json::to_vec(&head))?, encoded(serde_json::to_vec(&claims))?);
        let mut fits = text.append(head.as_bytes()) && text.append(b".") && text.append(claims.as_bytes());
        let signer = self.pair.key.choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA256]);
        let signer = signer.ok_or_else(|| unsigned("the key does not sign with RS256"))?;
        let signature = Zeroizing::new(signer.sign(text.expose()).map_err(OwnError::Unsigned)?);
        let signature = Zeroizing::new(URL_SAFE_NO_PAD.encode(&*signature));
        fits = fits && text.append(b".") && text.append(signature.as_bytes());
        if fits { Ok(text) } else { Err(unsigned("client and endpoint are too long for an assertion")) }
    }
}

fn random() -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).ok().map(|()| bytes)
}
