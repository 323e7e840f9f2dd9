//! Key pairs of the virtual cards: made and used by crates that the program itself has none of.

use std::collections::VecDeque;
use std::sync::Arc;

use getrandom::SysRng;
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use rsa::traits::PublicKeyParts as _;
use rsa::{BoxedUint, Generate as _, Pkcs1v15Encrypt, Pkcs1v15Sign, PrivateKey, hazmat};

use super::tlv;

/// Bits of the modulus.
const RSA_BITS: usize = 2048;
const RSA_BYTES: usize = RSA_BITS / 8;

/// What a card can make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Rsa2048,
    P256,
    P384,
}

/// A key pair. A test that is not about generation gives its card one that it has made before.
// No derive(Debug): it would print the private key.
#[derive(Clone)]
pub struct CardKey(Arc<Key>);

enum Key {
    Rsa(PrivateKey),
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
}

impl CardKey {
    /// A new key of RSA 2048; `None` where the system has no randomness.
    #[must_use]
    pub fn rsa_2048() -> Option<Self> {
        Self::generate(Kind::Rsa2048)
    }

    pub(super) fn generate(kind: Kind) -> Option<Self> {
        let key = match kind {
            Kind::Rsa2048 => Key::Rsa(PrivateKey::new(&mut SysRng, RSA_BITS).ok()?),
            Kind::P256 => Key::P256(p256::ecdsa::SigningKey::try_generate_from_rng(&mut SysRng).ok()?),
            Kind::P384 => Key::P384(p384::ecdsa::SigningKey::try_generate_from_rng(&mut SysRng).ok()?),
        };
        Some(Self(Arc::new(key)))
    }

    pub(super) fn kind(&self) -> Kind {
        match *self.0 {
            Key::Rsa(_) => Kind::Rsa2048,
            Key::P256(_) => Kind::P256,
            Key::P384(_) => Kind::P384,
        }
    }

    /// `81` modulus and `82` exponent, or `86` the point (ISO 7816-8 §7.2).
    pub(super) fn public_objects(&self) -> Vec<u8> {
        let mut objects = Vec::new();
        match &*self.0 {
            Key::Rsa(key) => {
                tlv::write(&mut objects, 0x81, &key.n_bytes());
                tlv::write(&mut objects, 0x82, &key.e_bytes());
            }
            Key::P256(key) => tlv::write(&mut objects, 0x86, key.verifying_key().to_sec1_point(false).as_bytes()),
            Key::P384(key) => tlv::write(&mut objects, 0x86, key.verifying_key().to_sec1_point(false).as_bytes()),
        }
        objects
    }

    /// The same in its template.
    pub(super) fn public_template(&self) -> Vec<u8> {
        let mut template = Vec::new();
        tlv::write(&mut template, 0x7F49, &self.public_objects());
        template
    }

    /// A signature over data that the card pads (PKCS#1 v1.5, type 1), whatever they are.
    pub(super) fn sign_padded(&self, data: &[u8]) -> Option<Vec<u8>> {
        match &*self.0 {
            Key::Rsa(key) => key.sign(Pkcs1v15Sign::new_unprefixed(), data).ok(),
            Key::P256(_) | Key::P384(_) => None,
        }
    }

    /// The private operation on a whole block of the modulus' length.
    pub(super) fn raw(&self, block: &[u8]) -> Option<Vec<u8>> {
        let Key::Rsa(key) = &*self.0 else { return None };
        if block.len() != RSA_BYTES {
            return None;
        }
        let number = BoxedUint::from_be_slice(block, u32::try_from(RSA_BITS).ok()?).ok()?;
        let result = hazmat::rsa_decrypt_and_check(key, Some(&mut SysRng), &number).ok()?;
        Some(result.to_be_bytes().to_vec())
    }

    /// What was encrypted for the key with PKCS#1 v1.5.
    pub(super) fn decrypt(&self, cipher_text: &[u8]) -> Option<Vec<u8>> {
        match &*self.0 {
            Key::Rsa(key) => key.decrypt(Pkcs1v15Encrypt, cipher_text).ok(),
            Key::P256(_) | Key::P384(_) => None,
        }
    }

    /// The DER of an ECDSA signature over a digest that is as long as the curve.
    pub(super) fn sign_digest(&self, digest: &[u8]) -> Option<Vec<u8>> {
        match &*self.0 {
            Key::P256(key) if digest.len() == 32 => {
                let signature: p256::ecdsa::DerSignature = key.sign_prehash(digest).ok()?;
                Some(signature.as_bytes().to_vec())
            }
            Key::P384(key) if digest.len() == 48 => {
                let signature: p384::ecdsa::DerSignature = key.sign_prehash(digest).ok()?;
                Some(signature.as_bytes().to_vec())
            }
            _ => None,
        }
    }
}

/// Keys that a card is given instead of making them: the next of the kind that it is asked for.
#[derive(Clone, Default)]
pub struct ReadyKeys(VecDeque<CardKey>);

impl ReadyKeys {
    /// These, in this order.
    #[must_use]
    pub fn new(keys: &[CardKey]) -> Self {
        Self(keys.iter().cloned().collect())
    }

    /// The next one of this kind, or a new one.
    pub(super) fn take(&mut self, kind: Kind) -> Option<CardKey> {
        match self.0.iter().position(|key| key.kind() == kind) {
            Some(at) => self.0.remove(at),
            None => CardKey::generate(kind),
        }
    }
}
