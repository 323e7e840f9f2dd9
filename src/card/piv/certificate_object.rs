//! Certificate objects of a PIV card: `53 { 70 certificate, 71 information, FE }` (SP 800-73-4 part 1, tables 10 and 38).

use std::io::Read as _;

use flate2::read::GzDecoder;

use crate::apdu::tlv::{self, TlvError};

/// Bit of the information: the certificate is compressed with gzip.
const GZIP: u8 = 0x01;
/// The longest certificate that is unfolded from a compressed one.
const LENGTH_MAX: u64 = 65_535;

/// What an object holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Nothing: a certificate was removed.
    Empty,
    /// A certificate, uncompressed.
    Certificate(Vec<u8>),
    /// A certificate in no form that is known.
    Unknown,
}

/// The object of this certificate, which is not compressed.
#[must_use]
pub fn object(certificate: &[u8]) -> Vec<u8> {
    let content = [tlv::encode(0x70, certificate), tlv::encode(0x71, &[0x00]), tlv::encode(0xFE, &[])];
    tlv::encode(0x53, &content.concat())
}

/// Reads an object.
///
/// # Errors
/// Not BER-TLV.
pub fn content(object: &[u8]) -> Result<Content, TlvError> {
    let Some(content) = tlv::find_first(object, 0x53)? else { return Ok(Content::Unknown) };
    if content.is_empty() {
        return Ok(Content::Empty);
    }
    let Some(certificate) = tlv::find(content, 0x70)? else { return Ok(Content::Unknown) };
    let is_compressed =
        tlv::find(content, 0x71)?.is_some_and(|information| information.iter().any(|bits| bits & GZIP != 0));
    Ok(match (certificate, is_compressed) {
        ([], _) => Content::Empty,
        (certificate, false) => Content::Certificate(certificate.to_vec()),
        (compressed, true) => expand(compressed).map_or(Content::Unknown, Content::Certificate),
    })
}

fn expand(compressed: &[u8]) -> Option<Vec<u8>> {
    let mut certificate = Vec::new();
    GzDecoder::new(compressed).take(LENGTH_MAX + 1).read_to_end(&mut certificate).ok()?;
    (u64::try_from(certificate.len()).ok()? <= LENGTH_MAX).then_some(certificate)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    #[test]
    fn a_certificate_is_written_as_measured_and_read_back() {
        let certificate = vec![0x30; 707];
        let object = object(&certificate);
        assert_eq!(hex::encode_upper(&object[..8]), "538202CC708202C3");
        assert!(object.ends_with(&[0x71, 0x01, 0x00, 0xFE, 0x00]));
        assert_eq!(content(&object), Ok(Content::Certificate(certificate)));
        assert_eq!(content(&[0x53, 0x00]), Ok(Content::Empty));
        // As some cards give an object that was emptied.
        assert_eq!(content(&tlv::encode(0x53, &tlv::encode(0x70, &[]))), Ok(Content::Empty));
        assert_eq!(content(&[0x54, 0x00]), Ok(Content::Unknown));
        assert_eq!(content(&tlv::encode(0x53, &tlv::encode(0x71, &[0x00]))), Ok(Content::Unknown));
        assert!(content(&[0x53, 0x05, 0x70]).is_err());
    }

    #[test]
    fn the_gzip_flag_is_followed() {
        let compressed = |certificate: &[u8]| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(certificate).unwrap();
            encoder.finish().unwrap()
        };
        let object =
            |content: &[u8]| tlv::encode(0x53, &[tlv::encode(0x70, content), tlv::encode(0x71, &[0x01])].concat());
        let certificate = vec![0x30; 2000];
        let stream = compressed(&certificate);
        assert_eq!(content(&object(&stream)), Ok(Content::Certificate(certificate)));
        assert_eq!(content(&object(&stream[..stream.len() - 9])), Ok(Content::Unknown));
        assert_eq!(content(&object(&[0x30; 40])), Ok(Content::Unknown));
        // A megabyte out of a thousand bytes is no certificate.
        assert_eq!(content(&object(&compressed(&vec![0; 1 << 20]))), Ok(Content::Unknown));
    }
}
