//! Hashes as a key signs them: the digest, and its forms for RSA.

use ring::digest::{self, SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA384};

use super::key_pair::KeyType;

/// A hash function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// SHA-1: for policies that still ask for it.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
}

impl Hash {
    /// Every hash function.
    pub const ALL: [Self; 3] = [Self::Sha1, Self::Sha256, Self::Sha384];

    /// The one that is as strong as the key.
    #[must_use]
    pub fn of_key(key_type: KeyType) -> Self {
        match key_type {
            KeyType::Rsa2048 | KeyType::P256 => Self::Sha256,
            KeyType::P384 => Self::Sha384,
        }
    }

    /// In words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA-1",
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
        }
    }

    /// What stands before the digest in a `DigestInfo`, as RFC 8017 §9.2 (note 1) prints it.
    fn digest_info_prefix(self) -> &'static [u8] {
        match self {
            Self::Sha1 => b"\x30\x21\x30\x09\x06\x05\x2B\x0E\x03\x02\x1A\x05\x00\x04\x14",
            Self::Sha256 => b"\x30\x31\x30\x0D\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20",
            Self::Sha384 => b"\x30\x41\x30\x0D\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30",
        }
    }
}

/// A hash and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    hash: Hash,
    value: Vec<u8>,
}

impl Digest {
    /// The digest of a message.
    #[must_use]
    pub fn of(hash: Hash, message: &[u8]) -> Self {
        let algorithm = match hash {
            Hash::Sha1 => &SHA1_FOR_LEGACY_USE_ONLY,
            Hash::Sha256 => &SHA256,
            Hash::Sha384 => &SHA384,
        };
        Self { hash, value: digest::digest(algorithm, message).as_ref().to_vec() }
    }

    /// A digest that was recorded.
    #[cfg(test)]
    pub(super) fn of_value(hash: Hash, value: &[u8]) -> Self {
        Self { hash, value: value.to_vec() }
    }

    /// The hash function.
    #[must_use]
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    /// The `DigestInfo` that a card pads by itself (RFC 8017 §9.2, T).
    #[must_use]
    pub fn info(&self) -> Vec<u8> {
        [self.hash.digest_info_prefix(), &self.value].concat()
    }

    /// The whole block of a modulus of so many bytes, for a card that pads nothing: `00 01`, `FF`…, `00`, `DigestInfo` (RFC 8017
    /// §9.2, EMSA-PKCS1-v1_5).
    #[must_use]
    pub fn padded(&self, length: usize) -> Vec<u8> {
        let info = self.info();
        let filling = vec![0xFF; length.saturating_sub(3 + info.len())];
        [&[0x00, 0x01], &filling[..], &[0x00], &info].concat()
    }

    /// What a curve of this many bytes signs: the digest, with zeros in front of one that is shorter, the beginning of one that
    /// is longer (FIPS 186-5 §6.4.1).
    #[must_use]
    pub fn of_curve(&self, length: usize) -> Vec<u8> {
        let zeros = vec![0; length.saturating_sub(self.value.len())];
        zeros.into_iter().chain(self.value.iter().copied()).take(length).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_has_the_forms_that_keys_sign() {
        let digest = Digest::of(Hash::Sha256, b"abc");
        let value = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hex::encode(digest.value()), value);
        assert_eq!(hex::encode(digest.info()), format!("3031300d060960864801650304020105000420{value}"));
        let block = digest.padded(256);
        assert_eq!(block.len(), 256);
        assert!(block.starts_with(&[0, 1, 0xFF]) && block.ends_with(&digest.info()));
        assert!(block[2..204].iter().all(|byte| *byte == 0xFF) && block[204] == 0);
        assert_eq!(digest.of_curve(32), digest.value());
        assert_eq!(digest.of_curve(48), [vec![0; 16], digest.value().to_vec()].concat());
        assert_eq!(Digest::of(Hash::Sha384, b"abc").of_curve(32).len(), 32);
    }

    #[test]
    fn each_prefix_tells_the_length_of_what_follows() {
        for hash in Hash::ALL {
            let info = Digest::of(hash, b"").info();
            assert_eq!(usize::from(info[1]), info.len() - 2, "{}", hash.name());
            let prefix = hash.digest_info_prefix();
            assert_eq!(usize::from(prefix[prefix.len() - 1]), Digest::of(hash, b"").value().len(), "{}", hash.name());
        }
    }
}
