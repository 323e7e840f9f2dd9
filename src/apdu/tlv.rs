//! BER-TLV (ISO 7816-4 §5.2.2): definite lengths, tags of up to three bytes, never a panic, never a read outside the input.
//!
//! Bytes `00` without a meaning may stand before, between and after data objects (§5.2.2.1): no tag begins with `00`. Older
//! editions allow `FF`, too. Private tags begin with it, so that it is taken for filling only at the end.

use thiserror::Error;

/// A data object: tag bytes as one number (`DF20`, `7F71`, `53`) and its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tlv<'a> {
    /// The tag.
    pub tag: u32,
    /// The value field.
    pub value: &'a [u8],
}

/// Where and how a byte string stops being BER-TLV.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum TlvError {
    /// The input ends inside a tag, a length or a value.
    #[error("data object at byte {at} is cut off")]
    Truncated {
        /// Offset of the data object.
        at: usize,
    },
    /// A tag of more than three bytes.
    #[error("data object at byte {at} has a tag of more than three bytes")]
    LongTag {
        /// Offset of the data object.
        at: usize,
    },
    /// Indefinite, or more than four length bytes.
    #[error("data object at byte {at} has a length field that ISO 7816-4 does not use")]
    LengthForm {
        /// Offset of the data object.
        at: usize,
    },
}

/// All data objects of one level, in order.
///
/// # Errors
/// The input is not well-formed, wherever that is: an answer that breaks off is not used in part.
pub fn parse(input: &[u8]) -> Result<Vec<Tlv<'_>>, TlvError> {
    let mut objects = Vec::new();
    let mut end = 0;
    while let Some(at) = next_object(input, end) {
        let (object, next) = object_at(input, at)?;
        objects.push(object);
        end = next;
    }
    Ok(objects)
}

/// The value of the first object with this tag, one level deep.
///
/// # Errors
/// As [`parse`].
pub fn find(input: &[u8], tag: u32) -> Result<Option<&[u8]>, TlvError> {
    Ok(parse(input)?.into_iter().find(|object| object.tag == tag).map(|object| object.value))
}

/// As [`find`], for a file: what follows the object is not looked at, since a file may be longer than its content.
///
/// # Errors
/// As [`parse`], up to the object.
pub fn find_first(input: &[u8], tag: u32) -> Result<Option<&[u8]>, TlvError> {
    let mut end = 0;
    while let Some(at) = next_object(input, end) {
        let (object, next) = object_at(input, at)?;
        if object.tag == tag {
            return Ok(Some(object.value));
        }
        end = next;
    }
    Ok(None)
}

/// Tag, length and value, the length in its shortest form. For values of at most 65,535 bytes; the tag's leading zero bytes are
/// dropped, but for the last.
#[must_use]
pub fn encode(tag: u32, value: &[u8]) -> Vec<u8> {
    let [head @ .., last] = tag.to_be_bytes();
    let mut out: Vec<u8> = head.into_iter().skip_while(|byte| *byte == 0).chain([last]).collect();
    match value.len() {
        length @ 0..=0x7F => out.push(length.to_be_bytes()[size_of::<usize>() - 1]),
        length => {
            let bytes: Vec<u8> = length.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
            out.push(0x80 | bytes.len().to_be_bytes()[size_of::<usize>() - 1]);
            out.extend_from_slice(&bytes);
        }
    }
    out.extend_from_slice(value);
    out
}

/// Where the next object begins, given the `end` of the one before; `None` where nothing but filling follows.
fn next_object(input: &[u8], end: usize) -> Option<usize> {
    let rest = input.get(end..).unwrap_or_default();
    let filler = rest.iter().take_while(|byte| **byte == 0x00).count();
    let nothing = rest.iter().skip(filler).all(|byte| *byte == 0xFF);
    (!nothing).then_some(end + filler)
}

/// The object that begins at this offset, and the offset behind it.
fn object_at(input: &[u8], at: usize) -> Result<(Tlv<'_>, usize), TlvError> {
    let truncated = TlvError::Truncated { at };
    let byte = |offset: usize| input.get(offset).copied().ok_or(truncated);
    let first = byte(at)?;
    let mut tag = u32::from(first);
    let mut next = at + 1;
    if first & 0x1F == 0x1F {
        loop {
            if next - at == 3 {
                return Err(TlvError::LongTag { at });
            }
            let more = byte(next)?;
            tag = tag << 8 | u32::from(more);
            next += 1;
            if more & 0x80 == 0 {
                break;
            }
        }
    }
    let form = byte(next)?;
    next += 1;
    let length = match form {
        0x00..=0x7F => usize::from(form),
        0x81..=0x84 => {
            let mut length = 0;
            for _ in 0..form & 0x0F {
                length = length << 8 | usize::from(byte(next)?);
                next += 1;
            }
            length
        }
        _ => return Err(TlvError::LengthForm { at }),
    };
    let end = next.checked_add(length).ok_or(truncated)?;
    let value = input.get(next..end).ok_or(truncated)?;
    Ok((Tlv { tag, value }, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measured_answers_are_read() {
        let status = hex::decode("7F7106970103930103").unwrap();
        let inner = find(&status, 0x7F71).unwrap().unwrap();
        assert_eq!(find(inner, 0x97).unwrap(), Some(&[3_u8][..]));
        assert_eq!(find(inner, 0x93).unwrap(), Some(&[3_u8][..]));
        assert_eq!(find(inner, 0x9F17).unwrap(), None);
    }

    #[test]
    fn malformed_input_is_refused_where_it_breaks() {
        let cases: [(&str, TlvError); 11] = [
            ("0000DF20", TlvError::Truncated { at: 2 }),
            ("5300005310AA", TlvError::Truncated { at: 3 }),
            // A private tag, and no filler: something follows.
            ("5300FF5A", TlvError::Truncated { at: 2 }),
            ("53850000000000", TlvError::LengthForm { at: 0 }),
            ("538400000002AA", TlvError::Truncated { at: 0 }),
            ("DF", TlvError::Truncated { at: 0 }),
            ("DF20", TlvError::Truncated { at: 0 }),
            ("DF2010AABB", TlvError::Truncated { at: 0 }),
            ("5300538100DF", TlvError::Truncated { at: 5 }),
            ("5380", TlvError::LengthForm { at: 0 }),
            ("1F8181810100", TlvError::LongTag { at: 0 }),
        ];
        for (input, expected) in cases {
            assert_eq!(parse(&hex::decode(input).unwrap()).unwrap_err(), expected, "{input}");
        }
    }

    #[test]
    fn a_file_may_be_longer_than_its_content() {
        let file = hex::decode("5A02AABBFFFF5A").unwrap();
        assert_eq!(find_first(&file, 0x5A).unwrap(), Some(&[0xAA, 0xBB][..]));
        assert!(find(&file, 0x5A).is_err());
        assert_eq!(find_first(&file[..4], 0x53).unwrap(), None);
        assert!(find_first(&file[..3], 0x5A).is_err());
    }

    #[test]
    fn bytes_without_a_meaning_are_passed_over() {
        for input in [
            "5A02AABB530100",
            "00005A02AABB0000530100",
            "5A02AABB5301000000",
            "5A02AABB530100FFFF",
            "5A02AABB53010000FF",
        ] {
            let input = hex::decode(input).unwrap();
            let (card, object) = (Tlv { tag: 0x5A, value: &[0xAA, 0xBB] }, Tlv { tag: 0x53, value: &[0x00] });
            assert_eq!(parse(&input).unwrap(), [card, object], "{input:02X?}");
            assert_eq!(find_first(&input, 0x53), Ok(Some(&[0x00][..])), "{input:02X?}");
        }
        for nothing in ["", "00", "0000", "FF", "FFFFFFFF", "0000FF"] {
            assert_eq!(parse(&hex::decode(nothing).unwrap()), Ok(Vec::new()), "{nothing}");
        }
        // In front FF is the private tag's that it may begin.
        let private = hex::decode("FF5A01AA").unwrap();
        assert_eq!(parse(&private).unwrap(), [Tlv { tag: 0xFF5A, value: &[0xAA] }]);
    }

    #[test]
    fn a_length_may_have_four_bytes() {
        let long = hex::decode("538400000002AABB").unwrap();
        assert_eq!(find(&long, 0x53), Ok(Some(&[0xAA, 0xBB][..])));
    }

    #[test]
    fn what_is_encoded_is_read_back() {
        for length in [0, 1, 127, 128, 255, 256, 4000] {
            let value = vec![0x5A; length];
            for tag in [0x53, 0xFF5A, 0xDF20, 0x7F49] {
                let bytes = encode(tag, &value);
                assert_eq!(parse(&bytes).unwrap(), vec![Tlv { tag, value: &value }]);
            }
            // No tag, but written as one: whoever reads it finds filling.
            assert_eq!(encode(0x00, &value)[0], 0x00);
        }
    }

    #[test]
    fn no_input_of_three_bytes_panics() {
        for number in 0..=0x00FF_FFFF_u32 {
            if number % 7 == 0 {
                drop(parse(&number.to_be_bytes()[1..]));
            }
        }
    }
}
