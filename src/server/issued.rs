//! Which of the certificates in an answer to certificate requests is the one for our key.
//!
//! The public key decides, and nothing else: not the order of the answers, nor that of the certificates in one, nor its flags.

mod certified_key;

use std::fmt;

use der::asn1::{AnyRef, ObjectIdentifier};
use der::{Decode, Reader, SliceReader, Tag, TagNumber, Tagged};
use thiserror::Error;
use x509_cert::Certificate;
use x509_cert::request::CertReq;

pub use self::certified_key::CertifiedKey;
use super::detail::printable;
use super::wire::IssuedCertificate;

/// `signedData` (RFC 5652 §5.1): what is called PKCS #7, and what a full response of CMC is packed in.
const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");

/// The most certificates that are looked at in one answer. A chain has a handful.
const MOST: usize = 100;

/// A certificate for a key of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OurCertificate {
    /// The certificate as the server sent it, in DER.
    pub certificate: Vec<u8>,
    /// What came beside it in the same message, in DER and in the order of the message: the authorities, usually.
    pub others: Vec<Vec<u8>>,
    /// The name of the authority's template, as far as the answer says.
    pub template: String,
}

/// Why an answer has no certificate for our key.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CertificateProblem {
    /// What was to be sent is no certificate request.
    #[error("the certificate request is not PKCS #10")]
    Request,
    /// The answer is an empty list.
    #[error("the server answers without a certificate")]
    Empty,
    /// The authority has refused.
    #[error("the authority has issued no certificate: {reason:?}")]
    Denied {
        /// Its words.
        reason: String,
    },
    /// What is in the place of a certificate is none.
    #[error("the server's certificate is not in a CMS message (PKCS #7): {part}")]
    Message {
        /// What of it is something else.
        part: MessagePart,
    },
    /// There are certificates, for other keys.
    #[error("none of the certificates that the server sent is for this card's key: {subjects}")]
    OtherKeys {
        /// Whose they are.
        subjects: Subjects,
    },
    /// Two that differ, for the one key.
    #[error("the server sent {count} different certificates for the one key of this card: {subjects}")]
    Several {
        /// How many.
        count: usize,
        /// Whose they are.
        subjects: Subjects,
    },
}

/// What of a message is not as it has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessagePart {
    /// All of it.
    Whole,
    /// Its kind.
    Kind,
    /// The list of its certificates, which is missing or empty.
    NoCertificates,
    /// The certificates, none of which is X.509.
    Certificates,
    /// Their number.
    TooMany,
}

impl fmt::Display for MessagePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Whole => "it is not DER",
            Self::Kind => "it is of another kind than signed data",
            Self::NoCertificates => "it holds no certificate",
            Self::Certificates => "what it holds is not X.509",
            Self::TooMany => "it holds more certificates than any chain has",
        })
    }
}

/// Names of certificates, as text of the server that may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subjects(Vec<String>);

impl fmt::Display for Subjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 4;
        for (at, subject) in self.0.iter().take(SHOWN).enumerate() {
            write!(f, "{}{subject:?}", if at == 0 { "" } else { ", " })?;
        }
        match self.0.len().checked_sub(SHOWN + 1) {
            Some(more) => write!(f, " and {} more", more + 1),
            None => Ok(()),
        }
    }
}

impl CertificateProblem {
    /// What to do next, as an imperative sentence without a full stop. The call that got the answer is never sent again by
    /// itself: the authority may have issued a certificate, whatever of it arrived.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Request => "report this: it is a defect in pinwright",
            Self::Denied { .. } => {
                "have the authority's log looked at: its template says which keys, sizes and names it takes"
            }
            Self::Empty | Self::Message { .. } | Self::OtherKeys { .. } | Self::Several { .. } => {
                "look in the MIM CM portal which certificates the card has, have what is of no use revoked, and report this with \
                 the server's build number"
            }
        }
    }
}

/// The certificate for the key of this certificate request (PKCS #10, DER) among the answers to it and to others. Answers for
/// other keys, with an error of their own among them, stand in nobody's way while one is for ours.
///
/// The certificate's signature and dates are not looked at: the server has issued it over a trusted connection.
///
/// # Errors
/// There is none, or there are two that differ. See [`CertificateProblem`].
pub fn certificate_for(request: &[u8], answers: &[IssuedCertificate]) -> Result<OurCertificate, CertificateProblem> {
    let request = CertReq::from_der(request).map_err(|_| CertificateProblem::Request)?;
    let key = CertifiedKey::of(&request.info.public_key).ok_or(CertificateProblem::Request)?;
    let mut search = Search::default();
    for answer in answers {
        search.look(&key, answer);
    }
    search.found()
}

/// What the answers had, so far.
#[derive(Default)]
struct Search {
    ours: Vec<(OurCertificate, String)>,
    subjects: Vec<String>,
    denied: Option<String>,
    broken: Option<MessagePart>,
}

impl Search {
    fn look(&mut self, key: &CertifiedKey, answer: &IssuedCertificate) {
        if let Some(reason) = &answer.error {
            // Of a key that the server made: none of our business while ours is there.
            match answer.is_for_another_key {
                true => _ = self.denied.get_or_insert_with(|| reason.clone()),
                false => self.denied = Some(reason.clone()),
            }
            return;
        }
        let Some(message) = &answer.pkcs7 else { return };
        let certificates = match certificates(message) {
            Ok(certificates) => certificates,
            Err(part) => {
                self.broken.get_or_insert(part);
                return;
            }
        };
        let is_ours = |other: &Shown<'_>| other.key.as_ref() == Some(key);
        self.subjects.extend(certificates.iter().filter(|other| !is_ours(other)).map(|other| other.subject.clone()));
        for ours in certificates.iter().filter(|other| is_ours(other)) {
            if self.ours.iter().any(|(known, _)| known.certificate == ours.der) {
                continue;
            }
            let others = certificates.iter().filter(|other| other.der != ours.der).map(|other| other.der.to_vec());
            let (certificate, template) = (ours.der.to_vec(), answer.template.clone());
            self.ours.push((OurCertificate { certificate, others: others.collect(), template }, ours.subject.clone()));
        }
    }

    fn found(mut self) -> Result<OurCertificate, CertificateProblem> {
        match (self.ours.pop(), self.ours.is_empty()) {
            (Some((ours, _)), true) => Ok(ours),
            (Some((_, last)), false) => {
                let subjects: Vec<String> = self.ours.into_iter().map(|(_, subject)| subject).chain([last]).collect();
                Err(CertificateProblem::Several { count: subjects.len(), subjects: Subjects(subjects) })
            }
            // The authority's own words say most; then what of the answer can't be read; then what could be.
            (None, _) => Err(match (self.denied, self.broken) {
                (Some(reason), _) => CertificateProblem::Denied { reason },
                (None, Some(part)) => CertificateProblem::Message { part },
                (None, None) if self.subjects.is_empty() => CertificateProblem::Empty,
                (None, None) => CertificateProblem::OtherKeys { subjects: Subjects(self.subjects) },
            }),
        }
    }
}

/// One certificate of a message.
struct Shown<'a> {
    /// As it was sent: written anew it might differ from what is signed.
    der: &'a [u8],
    key: Option<CertifiedKey>,
    subject: String,
}

/// The X.509 certificates of a message, in its order. What else is among them is passed over.
fn certificates(message: &[u8]) -> Result<Vec<Shown<'_>>, MessagePart> {
    let mut found = Vec::new();
    let mut has_any = false;
    let mut reader = SliceReader::new(certificate_set(message)?).map_err(|_| MessagePart::Whole)?;
    while !reader.is_finished() {
        let der = reader.tlv_bytes().map_err(|_| MessagePart::Whole)?;
        has_any = true;
        if let Ok(certificate) = Certificate::from_der(der) {
            if found.len() == MOST {
                return Err(MessagePart::TooMany);
            }
            let certificate = certificate.tbs_certificate();
            let subject = printable(&certificate.subject().to_string());
            found.push(Shown { der, key: CertifiedKey::of(certificate.subject_public_key_info()), subject });
        }
    }
    match (found.is_empty(), has_any) {
        (false, _) => Ok(found),
        (true, true) => Err(MessagePart::Certificates),
        (true, false) => Err(MessagePart::NoCertificates),
    }
}

/// The content of `certificates` in signed data, whatever is signed: nothing in a message of certificates alone, a status in one of CMC.
fn certificate_set(message: &[u8]) -> Result<&[u8], MessagePart> {
    let (kind, content) = content_info(message).map_err(|_| MessagePart::Whole)?;
    if kind != SIGNED_DATA {
        return Err(MessagePart::Kind);
    }
    signed_certificates(content).map_err(|_| MessagePart::Whole)?.ok_or(MessagePart::NoCertificates)
}

/// `ContentInfo` (RFC 5652 §3): the kind, and the content in its explicit tag.
fn content_info(message: &[u8]) -> der::Result<(ObjectIdentifier, AnyRef<'_>)> {
    AnyRef::from_der(message)?.sequence(|reader| {
        let kind = ObjectIdentifier::decode(reader)?;
        let tagged = AnyRef::decode(reader)?;
        match tagged.tag() == context(0) {
            true => Ok((kind, AnyRef::from_der(tagged.value())?)),
            false => Err(reader.error(Tag::Sequence.value_error())),
        }
    })
}

/// `SignedData` (RFC 5652 §5.1): version, digest algorithms and content are passed over, and so is what follows the certificates.
fn signed_certificates(content: AnyRef<'_>) -> der::Result<Option<&[u8]>> {
    content.sequence(|reader| {
        for _ in 0..3 {
            AnyRef::decode(reader)?;
        }
        let mut certificates = None;
        while !reader.is_finished() {
            let part = AnyRef::decode(reader)?;
            if part.tag() == context(0) && certificates.is_none() {
                certificates = Some(part.value());
            }
        }
        Ok(certificates)
    })
}

fn context(number: u32) -> Tag {
    Tag::ContextSpecific { constructed: true, number: TagNumber(number) }
}

#[cfg(test)]
mod tests;
