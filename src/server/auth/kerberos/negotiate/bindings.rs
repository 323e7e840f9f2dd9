//! What a sign-in is bound to so that nobody in between can pass it on: the server's certificate (RFC 5929 §4).

use ring::digest::{Algorithm, SHA256, SHA384, SHA512, digest};

const PREFIX: &[u8] = b"tls-server-end-point:";

/// The last bytes of the object identifiers of signatures with a longer hash than SHA-256: RSA (1.2.840.113549.1.1.12 and 13), ECDSA
/// (1.2.840.10045.4.3.3 and 4).
const LONGER: [(&[u8], &Algorithm); 4] = [
    (&[0x2A, 0x86, 0x48, 0x86, 0xF7, 13, 1, 1, 12], &SHA384),
    (&[0x2A, 0x86, 0x48, 0x86, 0xF7, 13, 1, 1, 13], &SHA512),
    (&[0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 3], &SHA384),
    (&[0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 4], &SHA512),
];

/// RSASSA-PSS, whose parameters name the hash.
const PSS: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 13, 1, 1, 10];

/// SHA-384 and SHA-512 as those parameters name them.
const HASHES: [(&[u8], &Algorithm); 2] = [
    (&[6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2], &SHA384),
    (&[6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3], &SHA512),
];

/// The binding to a certificate, whose own signature's hash it is made with; SHA-256 in place of MD5 and SHA-1.
pub(super) fn of(certificate: &[u8]) -> Vec<u8> {
    let algorithm = signature(certificate).map_or(&SHA256, hash_of);
    [PREFIX, digest(algorithm, certificate).as_ref()].concat()
}

fn hash_of((identifier, parameters): (&[u8], &[u8])) -> &'static Algorithm {
    if identifier == PSS {
        let named = HASHES.iter().find(|(name, _)| parameters.windows(name.len()).any(|part| part == *name));
        return named.map_or(&SHA256, |(_, algorithm)| algorithm);
    }
    LONGER.iter().find(|(known, _)| *known == identifier).map_or(&SHA256, |(_, algorithm)| algorithm)
}

/// The signature's object identifier and its parameters: the second member of a certificate (RFC 5280 §4.1).
fn signature(certificate: &[u8]) -> Option<(&[u8], &[u8])> {
    let (members, _) = element(certificate, 0x30)?;
    let (_, rest) = element(members, 0x30)?;
    let (algorithm, _) = element(rest, 0x30)?;
    element(algorithm, 0x06)
}

/// The content of the element of DER that stands first, and what comes behind it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&first, mut rest) = rest.split_first()?;
    let mut length = usize::from(first);
    if first & 0x80 != 0 {
        let (digits, behind) =
            rest.split_at_checked(usize::from(first & 0x7F)).filter(|(digits, _)| digits.len() <= 4)?;
        length = digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit));
        rest = behind;
    }
    rest.split_at_checked(length).filter(|_| found == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A certificate as far as it is read.
    fn certificate(algorithm: &[u8]) -> Vec<u8> {
        let member = |tag: u8, content: &[u8]| [&[tag, u8::try_from(content.len()).unwrap()], content].concat();
        member(0x30, &[member(0x30, &[2, 1, 1]), member(0x30, algorithm), member(3, &[0, 1])].concat())
    }

    #[test]
    fn the_hash_is_that_of_the_signature_and_sha_256_at_least() {
        let rsa = |last: u8| [&[6, 9, 0x2A, 0x86, 0x48, 0x86, 0xF7, 13, 1, 1, last][..], &[5, 0]].concat();
        let ecdsa = |last: u8| vec![6, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, last];
        let pss = |last: u8| [&rsa(10)[..11], &[6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, last]].concat();
        for (algorithm, length) in [
            (rsa(4), 32),
            (rsa(5), 32),
            (rsa(11), 32),
            (rsa(12), 48),
            (rsa(13), 64),
            (ecdsa(2), 32),
            (ecdsa(3), 48),
            (ecdsa(4), 64),
            (pss(1), 32),
            (pss(2), 48),
            (pss(3), 64),
            (vec![], 32),
        ] {
            let binding = of(&certificate(&algorithm));
            assert!(binding.starts_with(PREFIX));
            assert_eq!(binding.len() - PREFIX.len(), length, "{algorithm:?}");
        }
        assert_eq!(of(b"no certificate").len(), PREFIX.len() + 32);
    }
}
