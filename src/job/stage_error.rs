//! Why a stage of an enrollment that works on the card fails: the administrator's key, key pairs and certificates.

use thiserror::Error;

use super::challenge::Unanswerable;
use crate::card::{AdminKeyHindrance, CardError, Family, Hash, KeySlot, KeyType};
use crate::operation::Operation;

/// A stage that did not succeed, beyond what reader, card and server say of themselves.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StageError {
    /// The card's administrator key can't become one that the server knows: nothing was written.
    #[error("the card's admin key is left as it is: {}", .0.reason())]
    AdminKeyKept(KeptKey),
    /// The card refuses the answer that the server has made with the key that was written: it has another one.
    #[error("the card refuses the server's answer with the diversified admin key")]
    AdminKeyUnproven(#[source] CardError),
    /// A PIV card whose management key the server can't answer for.
    #[error("the server can't prove the management key of this card")]
    Management(#[source] Unanswerable),
    /// What the server wants of a key pair can't be had.
    #[error("the server wants a key pair that this card is not given: {0}")]
    KeyOptions(#[from] KeyOptionsProblem),
    /// There are no key pairs on cards of this family.
    #[error("no key pair is made on cards of the family {family}: {reason}")]
    NoKeys {
        /// The family.
        family: Family,
        /// Why, as a clause.
        reason: &'static str,
    },
    /// The certificate request was not made.
    #[error("the certificate request for the card's key was not made")]
    Request(#[from] CsrError),
    /// The certificate is not one for the card's key.
    #[error("the certificate is not written")]
    Certificate(#[from] CertificateError),
    /// The card gives back something else than was written.
    #[error("the card gives back another certificate from {slot} than was written to it")]
    NotAsWritten {
        /// Where it was written.
        slot: KeySlot,
    },
}

impl StageError {
    /// Of a card of this family that is asked for a key pair or a certificate.
    #[must_use]
    pub fn no_keys(family: Family) -> Self {
        let reason = family.why_no_keys().unwrap_or("this card has none");
        Self::NoKeys { family, reason }
    }

    /// What to do next, as an imperative sentence without a full stop.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::AdminKeyKept(_) => {
                "use another card, or have the template's policy leave the admin key as it is (DiversifyAdminKey): \
                 nothing was written"
                    .to_owned()
            }
            Self::AdminKeyUnproven(_) => format!(
                "don't repeat this blindly: cards may count wrong admin answers. Find out at the server which admin key the \
                 card has, and say so (`--admin-key`); `{}` shows what was written",
                Operation::History
            ),
            Self::Management(_) => {
                "answer with the card's own key: `card.management = \"admin-key\"` (nothing was sent that the card counts)"
                    .to_owned()
            }
            Self::KeyOptions(problem) => problem.remedy(),
            Self::NoKeys { .. } => "use a card of the family gids or piv".to_owned(),
            Self::Request(CsrError::Subject { .. }) => {
                "have the subject in the server's certificate settings mended, or left empty: the authority knows it".to_owned()
            }
            Self::Request(CsrError::Signature) => {
                "don't use this card: it signs with another key than the one that it tells".to_owned()
            }
            Self::Request(_) => "report this: nothing was sent to the server".to_owned(),
            Self::Certificate(_) => {
                "have the certificate authority's answer looked at (request and template): nothing was written to the card"
                    .to_owned()
            }
            Self::NotAsWritten { .. } => {
                "run the command again: it writes the certificate once more; if that does not help, the card is faulty".to_owned()
            }
        }
    }
}

/// Why an administrator's key is left as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeptKey {
    /// The card says so.
    Hindrance(AdminKeyHindrance),
    /// The server answers challenges of one Triple DES block, and the card's are others.
    Challenge,
    /// The family has no such key.
    Family,
    /// The server has none for it.
    NoKey,
}

impl KeptKey {
    /// As a clause.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Hindrance(hindrance) => hindrance.reason(),
            Self::Challenge => "its challenge is one that the server has no answer to",
            Self::Family => "cards of its family have no key that a server could replace",
            Self::NoKey => "the server's key for it is no Triple DES key",
        }
    }
}

/// Why a key pair that the server wants is not made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeyOptionsProblem {
    /// An algorithm or size that no card here has.
    #[error("a key pair of {algorithm}{}", bits_told(*.bits))]
    Algorithm {
        /// As the server names it.
        algorithm: String,
        /// Its size, where the server names one.
        bits: Option<u64>,
    },
    /// One that cards of this family have not.
    #[error("a key pair of {}, and cards of the family {family} have {takes}", .key_type.name())]
    KeyType {
        /// What the server wants.
        key_type: KeyType,
        /// The family.
        family: Family,
        /// What they have.
        takes: String,
    },
    /// SHA-1, which the configuration does not allow.
    #[error("a request signed with SHA-1: the server's policy asks for SHA1, and `card.allow_sha1` is false")]
    Sha1,
    /// A hash that requests are not signed with here.
    #[error("a request signed with {hash}")]
    Hash {
        /// As the server names it.
        hash: String,
    },
    /// A hash that does not go with the key.
    #[error("a request signed with {} by a key of {}", .hash.name(), .key_type.name())]
    Pair {
        /// The hash.
        hash: Hash,
        /// The key.
        key_type: KeyType,
    },
    /// More key pairs than the card has places.
    #[error("{wanted} key pairs, and a card of the family {family} has places for {places}")]
    Places {
        /// How many the server wants.
        wanted: usize,
        /// The family.
        family: Family,
        /// How many there are.
        places: usize,
    },
    /// No randomness for the name of a container.
    #[error("the operating system gives no random bytes for the name of its container")]
    NoRandomness(#[source] getrandom::Error),
}

impl KeyOptionsProblem {
    /// What to do next, as an imperative sentence without a full stop.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::Sha1 => {
                "have the certificate template's hash changed to SHA256, or allow the old one with `card.allow_sha1 = true`"
                    .to_owned()
            }
            Self::Algorithm { .. } | Self::KeyType { .. } => {
                "have the certificate template changed to RSA of 2048 bits (on PIV also ECDSA_P256 or ECDSA_P384): nothing was \
                 asked for or written"
                    .to_owned()
            }
            Self::Hash { .. } | Self::Pair { .. } => {
                "have the certificate template's hash changed to SHA256 or SHA384: nothing was asked for or written".to_owned()
            }
            Self::Places { .. } => "have the profile template want fewer certificates, or use a GIDS card".to_owned(),
            Self::NoRandomness(_) => "find out why the system has no randomness, and run the command again".to_owned(),
        }
    }
}

fn bits_told(bits: Option<u64>) -> String {
    bits.map_or_else(String::new, |bits| format!(" with {bits} bits"))
}

/// A certificate request that was not made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CsrError {
    /// The subject is no distinguished name.
    #[error("{subject:?} is no distinguished name (RFC 4514)")]
    Subject {
        /// As it was given.
        subject: String,
        /// Why.
        #[source]
        source: der::Error,
    },
    /// Key, name or request can't be written.
    #[error("the request can't be written")]
    Encoding(#[from] der::Error),
    /// There is no signature algorithm of this pair.
    #[error("a {} key does not sign {} digests", .key_type.name(), .hash.name())]
    Algorithm {
        /// The key.
        key_type: KeyType,
        /// The hash.
        hash: Hash,
    },
    /// The card has not signed.
    #[error("the card has not signed the request")]
    Card(#[from] CardError),
    /// What the card has signed does not verify with the public key that it has given.
    #[error("the signature on the request does not verify with the card's own public key")]
    Signature,
}

/// A certificate that is not the one that was asked for.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// Not an X.509 certificate.
    #[error("the certificate can't be read")]
    Malformed(#[from] der::Error),
    /// It has another key than the request.
    #[error("the certificate is for another key than the card's")]
    OtherKey,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<StageError> {
        let refused = || CardError::Unproven;
        let algorithm = || KeyOptionsProblem::Algorithm { algorithm: "RSA".to_owned(), bits: Some(4096) };
        let key_type = || KeyOptionsProblem::KeyType {
            key_type: KeyType::P256,
            family: Family::Gids,
            takes: "RSA 2048".to_owned(),
        };
        vec![
            StageError::AdminKeyKept(KeptKey::Hindrance(AdminKeyHindrance::PinProtected)),
            StageError::AdminKeyKept(KeptKey::Challenge),
            StageError::AdminKeyKept(KeptKey::Family),
            StageError::AdminKeyKept(KeptKey::NoKey),
            StageError::AdminKeyUnproven(refused()),
            StageError::Management(Unanswerable { length: 16 }),
            algorithm().into(),
            key_type().into(),
            KeyOptionsProblem::Sha1.into(),
            KeyOptionsProblem::Hash { hash: "MD5".to_owned() }.into(),
            KeyOptionsProblem::Pair { hash: Hash::Sha1, key_type: KeyType::P256 }.into(),
            KeyOptionsProblem::Places { wanted: 4, family: Family::Piv, places: 3 }.into(),
            StageError::no_keys(Family::OpenPgp),
            CsrError::Signature.into(),
            CsrError::Card(refused()).into(),
            CertificateError::OtherKey.into(),
            StageError::NotAsWritten { slot: KeySlot::Container { index: 0, usage: crate::card::KeyUsage::Exchange } },
        ]
    }

    #[test]
    fn each_says_what_is_true_and_what_to_do() {
        let with_source = |error: &StageError| {
            let source = std::error::Error::source(error).map(ToString::to_string);
            format!("{error}{}", source.map_or_else(String::new, |source| format!(": {source}")))
        };
        let texts: Vec<String> = all().iter().map(with_source).collect();
        for (error, text) in all().iter().zip(&texts) {
            let remedy = error.remedy();
            assert!(!remedy.is_empty() && !remedy.ends_with('.') && !text.ends_with('.'), "{text}: {remedy}");
            assert_eq!(texts.iter().filter(|other| *other == text).count(), 1, "{text}");
        }
        assert!(texts.iter().any(|text| text.contains("RSA with 4096 bits")));
        assert!(StageError::from(KeyOptionsProblem::Sha1).remedy().contains("card.allow_sha1 = true"));
        assert!(StageError::Management(Unanswerable { length: 16 }).remedy().contains("card.management"));
    }
}
