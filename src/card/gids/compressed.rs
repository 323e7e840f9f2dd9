//! Certificate files of a GIDS card: `01 00`, the length in two bytes, and the certificate compressed with zlib.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

const COMPRESSED: [u8; 2] = [0x01, 0x00];

/// The file of this certificate; `None` where it is too long for the length's two bytes.
#[must_use]
pub fn compress(certificate: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(certificate.len()).ok()?;
    let head = [COMPRESSED, length.to_le_bytes()].concat();
    let mut encoder = ZlibEncoder::new(head, Compression::best());
    encoder.write_all(certificate).ok()?;
    encoder.finish().ok()
}

/// The certificate of this file; `None` where the file has another form or another length than it says.
#[must_use]
pub fn expand(file: &[u8]) -> Option<Vec<u8>> {
    let ([1, 0, low, high], stream) = file.split_first_chunk::<4>()? else { return None };
    let length = u16::from_le_bytes([*low, *high]);
    let mut certificate = Vec::new();
    // One byte more than it says would be read, and no more than that, whatever the stream unfolds to.
    ZlibDecoder::new(stream).take(u64::from(length) + 1).read_to_end(&mut certificate).ok()?;
    (certificate.len() == usize::from(length)).then_some(certificate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compressed_is_read_back() {
        for length in [0, 1, 700, 65_535] {
            let certificate: Vec<u8> = (0..=255).cycle().take(length).collect();
            let file = compress(&certificate).unwrap();
            assert_eq!(file[..4], [1, 0, length.to_le_bytes()[0], length.to_le_bytes()[1]]);
            assert_eq!(expand(&file).unwrap(), certificate);
        }
        assert_eq!(compress(&vec![0; 65_536]), None);
    }

    #[test]
    fn a_file_of_another_form_is_none() {
        let file = compress(&[7; 1000]).unwrap();
        for end in 0..file.len() {
            assert_eq!(expand(&file[..end]), None, "{end}");
        }
        // Another compression, a shorter and a longer length than the stream has, and a stream that is none.
        for changed in [(0, 2), (1, 1), (2, 0xE7), (2, 0xE9), (4, 0x79)] {
            let mut other = file.clone();
            other[changed.0] = changed.1;
            assert_eq!(expand(&other), None, "{changed:?}");
        }
    }
}
