//! What is said about an X.509 certificate (RFC 5280): whose it is, who may have issued it, how long and for which hosts it is
//! made, its key and its signature. For words and for the choice of anchors only: whether a chain holds is decided by the TLS library.

use std::time::SystemTime;

/// Tags of DER.
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const BMP_STRING: u8 = 0x1E;
const CONTEXT_0: u8 = 0xA0;
const CONTEXT_3: u8 = 0xA3;
const DNS_NAME: u8 = 0x82;
const OCTET_STRING: u8 = 0x04;

const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1D, 19];
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1D, 17];
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
    /// The issuer's, untrusted likewise.
    pub issuer_name: String,
    /// Its beginning and end; `None` where they can't be read.
    pub validity: Option<(SystemTime, SystemTime)>,
    /// The hosts that it is made for; untrusted text.
    pub hosts: Vec<String>,
    subject: Vec<u8>,
    issuer: Vec<u8>,
    pub key: Key,
    pub signature: Signature,
    /// CA:TRUE; `None` in a certificate of version 1, which can't say.
    pub is_authority: Option<bool>,
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
        let named = |name: &[u8]| common_name(name).unwrap_or_else(|| "without a common name".to_owned());
        Some(Self {
            name: named(&subject),
            issuer_name: named(&issuer),
            validity,
            hosts: extensions.map(|(_, extensions)| hosts(extensions)).unwrap_or_default(),
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
        })
    }

    /// Why it is not valid at this moment, as the end of a sentence; `None`: it is, or does not say.
    pub fn is_not_valid(&self, now: SystemTime) -> Option<String> {
        let (first, last) = self.validity?;
        let day = |moment: SystemTime| {
            humantime::format_rfc3339_seconds(moment).to_string().chars().take(10).collect::<String>()
        };
        match () {
            () if now > last => Some(format!("expired on {}", day(last))),
            () if now < first => Some(format!("is not valid before {}", day(first))),
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

fn validity(times: &[u8]) -> Option<(SystemTime, SystemTime)> {
    let mut times = Der(times);
    let (from, until) = (times.next()?, times.next()?);
    Some((time(from)?, time(until)?))
}

/// A time in the forms of RFC 5280 §4.1.2.5: whole seconds, UTC.
fn time((tag, text): (u8, &[u8])) -> Option<SystemTime> {
    let digits = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (year, rest) = match tag {
        GENERALIZED_TIME => digits.split_at_checked(4).map(|(year, rest)| (year.to_owned(), rest))?,
        UTC_TIME => {
            let (year, rest) = digits.split_at_checked(2)?;
            let century = if year < "50" { "20" } else { "19" };
            (format!("{century}{year}"), rest)
        }
        _ => return None,
    };
    let part = |at: usize| rest.get(at..at + 2);
    let text = format!("{year}-{}-{}T{}:{}:{}Z", part(0)?, part(2)?, part(4)?, part(6)?, part(8)?);
    humantime::parse_rfc3339(&text).ok()
}

/// The DNS names of the subject's alternative names.
fn hosts(extensions: &[u8]) -> Vec<String> {
    let Some(mut names) = extension(extensions, SUBJECT_ALT_NAME).and_then(|value| Der(value).only(SEQUENCE)).map(Der)
    else {
        return Vec::new();
    };
    let dns = std::iter::from_fn(|| names.next()).filter(|(tag, _)| *tag == DNS_NAME);
    dns.map(|(_, name)| String::from_utf8_lossy(name).into_owned()).collect()
}

/// The value of the extension with this identifier.
fn extension<'a>(extensions: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    let mut list = Der(Der(extensions).only(SEQUENCE)?);
    while let Some((SEQUENCE, one)) = list.next() {
        let mut one = Der(one);
        if one.expect(OBJECT_IDENTIFIER)? == wanted {
            return std::iter::from_fn(|| one.next()).find(|(tag, _)| *tag == OCTET_STRING).map(|(_, value)| value);
        }
    }
    None
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_both_forms() {
        let told =
            |tag, text: &str| time((tag, text.as_bytes())).map(|time| humantime::format_rfc3339(time).to_string());
        for (tag, text, read) in [
            (UTC_TIME, "261129013000Z", Some("2026-11-29T01:30:00Z")),
            (UTC_TIME, "491231235959Z", Some("2049-12-31T23:59:59Z")),
            (GENERALIZED_TIME, "20500101000000Z", Some("2050-01-01T00:00:00Z")),
            (UTC_TIME, "2611290130Z", None),
            (UTC_TIME, "261129013000", None),
            (UTC_TIME, "26112901300\u{e4}Z", None),
            (GENERALIZED_TIME, "20261340000000Z", None),
            (GENERALIZED_TIME, "Z", None),
            (OCTET_STRING, "261129013000Z", None),
        ] {
            assert_eq!(told(tag, text).as_deref(), read, "{text}");
        }
    }

    #[test]
    fn names_of_hosts_are_those_of_the_extension() {
        let san = b"\x30\x1b\x30\x19\x06\x03\x55\x1d\x11\x04\x12\x30\x10\x82\x02cm\x87\x04\x7f\x00\x00\x01\x82\x04cm.x";
        assert_eq!(hosts(san), ["cm", "cm.x"]);
        for end in 0..san.len() {
            assert!(hosts(&san[..end]).is_empty(), "{end}");
        }
    }
}
