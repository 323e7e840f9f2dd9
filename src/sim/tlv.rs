//! BER-TLV (ISO 7816-4:2005 §5.2.2) in the small dialect cards use: tags of one or two bytes, definite
//! lengths of at most two bytes.

/// What stands in front of a value.
pub(super) struct Head {
    /// Tag, one byte (`5C`) or two (`DF20`).
    pub(super) tag: u16,
    /// Announced length of the value.
    pub(super) length: usize,
    /// Bytes taken by tag and length.
    pub(super) size: usize,
}

/// Reads a tag; gives it with the bytes it took.
pub(super) fn tag(bytes: &[u8]) -> Option<(u16, usize)> {
    match bytes {
        [first, second, ..] if first & 0x1F == 0x1F => {
            // A set top bit announces a third byte; no card here has such tags.
            (second & 0x80 == 0).then(|| (u16::from_be_bytes([*first, *second]), 2))
        }
        [first, ..] if first & 0x1F != 0x1F => Some((u16::from(*first), 1)),
        _ => None,
    }
}

/// Reads tag and length. The value may be incomplete (command chaining).
pub(super) fn head(bytes: &[u8]) -> Option<Head> {
    let (tag, tag_size) = tag(bytes)?;
    let (length, length_size) = match bytes.get(tag_size..)? {
        [n @ 0..=0x7F, ..] => (usize::from(*n), 1),
        [0x81, n, ..] => (usize::from(*n), 2),
        [0x82, a, b, ..] => (usize::from(u16::from_be_bytes([*a, *b])), 3),
        _ => return None,
    };
    Some(Head { tag, length, size: tag_size + length_size })
}

/// Reads one complete element; gives tag, value and what follows.
pub(super) fn element(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let head = head(bytes)?;
    let body = bytes.get(head.size..)?;
    let (value, rest) = body.split_at_checked(head.length)?;
    Some((head.tag, value, rest))
}

/// Reads elements until nothing is left; `None` where anything does not fit.
pub(super) fn elements(mut bytes: &[u8]) -> Option<Vec<(u16, &[u8])>> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let (tag, value, rest) = element(bytes)?;
        all.push((tag, value));
        bytes = rest;
    }
    Some(all)
}

/// Writes one element. Values are at most 65535 bytes long here; more would be cut.
pub(super) fn write(out: &mut Vec<u8>, tag: u16, value: &[u8]) {
    let [high, low] = tag.to_be_bytes();
    if high != 0 {
        out.push(high);
    }
    out.push(low);
    let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
    let [high, low] = length.to_be_bytes();
    match length {
        0..=0x7F => out.push(low),
        0x80..=0xFF => out.extend_from_slice(&[0x81, low]),
        _ => out.extend_from_slice(&[0x82, high, low]),
    }
    out.extend(value.iter().take(usize::from(length)));
}
