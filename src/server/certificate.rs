//! What is said about an X.509 certificate (RFC 5280): whose it is, who may have issued it, its key and its signature. For words
//! and for the choice of anchors only: whether a chain holds is decided by the TLS library.

/// Tags of DER.
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const BMP_STRING: u8 = 0x1E;
const CONTEXT_0: u8 = 0xA0;
const CONTEXT_3: u8 = 0xA3;

const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1D, 19];
const RSA: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 13, 1, 1, 1];
const EC: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 2, 1];
const P_256: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 3, 1, 7];
const P_384: &[u8] = &[0x2B, 0x81, 4, 0, 34];
const P_521: &[u8] = &[0x2B, 0x81, 4, 0, 35];
const RSA_MD5: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 13, 1, 1, 4];
const RSA_SHA_1: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 13, 1, 1, 5];
const ECDSA_SHA_1: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 1];
const ECDSA_SHA_512: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 4];
const SIGNED_DATA: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 13, 1, 7, 2];

/// A public key, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// RSA of that many bits.
    Rsa(usize),
    /// An elliptic curve that is taken.
    TakenCurve,
    /// P-521.
    P521,
    /// Anything else.
    Other,
}

/// How a certificate is signed, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signature {
    Md5,
    Sha1,
    EcdsaSha512,
    Other,
}

/// One certificate.
#[derive(Debug, Clone)]
pub(super) struct Certificate {
    /// The common name, or what stands for it; untrusted text.
    pub name: String,
    subject: Vec<u8>,
    issuer: Vec<u8>,
    pub key: Key,
    pub signature: Signature,
    /// CA:TRUE; `None` in a certificate of version 1, which can't say.
    pub is_authority: Option<bool>,
    /// First and last moment, as `YYYYMMDDhhmmss`; `None` where it is written in no known form.
    validity: Option<[String; 2]>,
}

impl Certificate {
    /// Reads one; `None` where it is none.
    pub fn read(der: &[u8]) -> Option<Self> {
        let mut outer = Der(Der(der).only(SEQUENCE)?);
        let mut body = Der(outer.expect(SEQUENCE)?);
        let mut signature = Der(outer.expect(SEQUENCE)?);
        outer.expect(BIT_STRING)?;
        let is_version_1 = body.optional(CONTEXT_0).is_none();
        body.expect(INTEGER)?;
        body.expect(SEQUENCE)?;
        let issuer = body.expect(SEQUENCE)?.to_vec();
        let validity = validity(body.expect(SEQUENCE)?);
        let subject = body.expect(SEQUENCE)?.to_vec();
        let key = key(body.expect(SEQUENCE)?)?;
        let extensions = std::iter::from_fn(|| body.next()).find(|(tag, _)| *tag == CONTEXT_3);
        let is_authority = match extensions {
            None if is_version_1 => None,
            None => Some(false),
            Some((_, extensions)) => Some(is_authority(extensions)?),
        };
        Some(Self {
            name: common_name(&subject).unwrap_or_else(|| "without a common name".to_owned()),
            subject,
            issuer,
            key,
            signature: match signature.expect(OBJECT_IDENTIFIER)? {
                RSA_MD5 => Signature::Md5,
                RSA_SHA_1 | ECDSA_SHA_1 => Signature::Sha1,
                ECDSA_SHA_512 => Signature::EcdsaSha512,
                _ => Signature::Other,
            },
            is_authority,
            validity,
        })
    }

    /// Why it is not valid at this moment, as the end of a sentence; `None`: it is, or does not say.
    pub fn is_not_valid(&self, now: jiff::Timestamp) -> Option<String> {
        let [first, last] = self.validity.as_ref()?;
        let now = now.strftime("%Y%m%d%H%M%S").to_string();
        let day = |moment: &str| format!("{}-{}-{}", &moment[..4], &moment[4..6], &moment[6..8]);
        match () {
            () if now > *last => Some(format!("expired on {}", day(last))),
            () if now < *first => Some(format!("is not valid before {}", day(first))),
            () => None,
        }
    }

    /// Whether it names itself as its issuer.
    pub fn is_self_issued(&self) -> bool {
        self.subject == self.issuer
    }

    /// Whether it names `other` as its issuer.
    pub fn is_from(&self, other: &Self) -> bool {
        self.issuer == other.subject
    }
}

/// The certificates in a PKCS #7 message without content (RFC 2315 §9.1: `.p7b`); `None` where it is none.
pub(super) fn of_pkcs7(der: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut outer = Der(Der(der).only(SEQUENCE)?);
    if outer.expect(OBJECT_IDENTIFIER)? != SIGNED_DATA {
        return None;
    }
    let mut signed = Der(Der(outer.expect(CONTEXT_0)?).only(SEQUENCE)?);
    signed.expect(INTEGER)?;
    signed.expect(SET)?;
    signed.expect(SEQUENCE)?;
    let mut all = Der(signed.optional(CONTEXT_0).unwrap_or_default());
    let mut found = Vec::new();
    while !all.0.is_empty() {
        let before = all.0;
        all.expect(SEQUENCE)?;
        found.push(before.get(..before.len() - all.0.len())?.to_vec());
    }
    Some(found)
}

/// Two moments in UTC (RFC 5280 §4.1.2.5), as text that is in order of time.
fn validity(content: &[u8]) -> Option<[String; 2]> {
    let mut both = Der(content);
    let mut moment = || {
        let (tag, text) = both.next()?;
        let digits = str::from_utf8(text).ok()?.strip_suffix('Z')?;
        let is_of = |length| digits.len() == length && digits.bytes().all(|digit| digit.is_ascii_digit());
        match tag {
            // Two digits of the year: 50 to 99 are of the 20th century.
            UTC_TIME if is_of(12) => Some(format!("{}{digits}", if digits >= "50" { "19" } else { "20" })),
            GENERALIZED_TIME if is_of(14) => Some(digits.to_owned()),
            _ => None,
        }
    };
    Some([moment()?, moment()?])
}

fn key(info: &[u8]) -> Option<Key> {
    let mut info = Der(info);
    let mut algorithm = Der(info.expect(SEQUENCE)?);
    let bits = info.expect(BIT_STRING)?;
    Some(match algorithm.expect(OBJECT_IDENTIFIER)? {
        RSA => {
            let modulus = Der(Der(bits.get(1..)?).only(SEQUENCE)?).expect(INTEGER)?;
            let first = modulus.iter().position(|byte| *byte != 0).unwrap_or(modulus.len());
            let zeros = modulus.get(first).map_or(0, |byte| byte.leading_zeros() as usize);
            Key::Rsa(((modulus.len() - first) * 8).saturating_sub(zeros))
        }
        EC => match algorithm.optional(OBJECT_IDENTIFIER) {
            Some(P_256 | P_384) => Key::TakenCurve,
            Some(P_521) => Key::P521,
            _ => Key::Other,
        },
        _ => Key::Other,
    })
}

fn is_authority(extensions: &[u8]) -> Option<bool> {
    let mut list = Der(Der(extensions).only(SEQUENCE)?);
    while let Some((SEQUENCE, extension)) = list.next() {
        let mut extension = Der(extension);
        if extension.expect(OBJECT_IDENTIFIER)? == BASIC_CONSTRAINTS {
            // Perhaps "critical" before the value, which begins with a BOOLEAN where it says CA:TRUE.
            let value = std::iter::from_fn(|| extension.next()).last()?.1;
            return Some(matches!(Der(value).only(SEQUENCE)?, [1, 1, flag, ..] if *flag != 0));
        }
    }
    Some(false)
}

/// The last common name of a distinguished name.
fn common_name(name: &[u8]) -> Option<String> {
    let mut sets = Der(name);
    let mut found = None;
    while let Some((SET, set)) = sets.next() {
        let mut attributes = Der(set);
        while let Some((SEQUENCE, attribute)) = attributes.next() {
            let mut attribute = Der(attribute);
            if attribute.expect(OBJECT_IDENTIFIER)? == COMMON_NAME {
                let (tag, text) = attribute.next()?;
                found = Some(match tag {
                    BMP_STRING => {
                        let units: Vec<u16> =
                            text.chunks_exact(2).map(|pair| u16::from(pair[0]) << 8 | u16::from(pair[1])).collect();
                        String::from_utf16_lossy(&units)
                    }
                    _ => String::from_utf8_lossy(text).into_owned(),
                });
            }
        }
    }
    found
}

/// DER (X.690), from the left.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The next tag and its content.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let [tag, length, rest @ ..] = self.0 else { return None };
        let (length, rest) = match usize::from(*length) {
            short @ 0..=0x7F => (short, rest),
            long @ 0x81..=0x83 => {
                let (digits, rest) = rest.split_at_checked(long - 0x80)?;
                (digits.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, content))
    }

    /// The content of the next element, which has to have this tag.
    fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, content)| content)
    }

    /// The content of the next element if it has this tag; else it stays.
    fn optional(&mut self, tag: u8) -> Option<&'a [u8]> {
        match self.0.first() {
            Some(found) if *found == tag => self.expect(tag),
            _ => None,
        }
    }

    /// The content of the only element.
    fn only(mut self, tag: u8) -> Option<&'a [u8]> {
        self.expect(tag).filter(|_| self.0.is_empty())
    }
}
