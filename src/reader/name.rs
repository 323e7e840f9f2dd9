//! A reader's name: bytes of the driver's choice, and the text that stands for them.
//!
//! PC/SC takes and gives bytes; on Windows they are wide characters, and UTF-8 here. Text stands for them everywhere else, one text for
//! each name: UTF-8 as it is, and each byte that is no UTF-8 as `\xE9`. A name that has such an escape in it by itself has its backslash
//! escaped (`\x5C`), so the text always leads back to the bytes it was made of.

use std::ffi::{CStr, CString};
use std::fmt::Write as _;

/// The text that stands for a name.
pub(super) fn text_of(name: &CStr) -> String {
    let mut text = String::new();
    for chunk in name.to_bytes().utf8_chunks() {
        let mut rest = chunk.valid();
        while let Some((before, after)) = rest.split_once('\\') {
            let backslash = if escape(rest.get(before.len()..).unwrap_or_default()).is_some() { "\\x5C" } else { "\\" };
            text.extend([before, backslash]);
            rest = after;
        }
        text.push_str(rest);
        for byte in chunk.invalid() {
            // Writing to a String does not fail.
            let _ = write!(text, "\\x{byte:02X}");
        }
    }
    text
}

/// The name that a text stands for; `None` for a text with NUL in it, which no name has.
pub(super) fn of_text(text: &str) -> Option<CString> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        bytes.extend_from_slice(before.as_bytes());
        let (byte, next) = match escape(rest.get(before.len()..).unwrap_or_default()) {
            Some(byte) => (byte, after.get(ESCAPE - 1..).unwrap_or_default()),
            None => (b'\\', after),
        };
        bytes.push(byte);
        rest = next;
    }
    bytes.extend_from_slice(rest.as_bytes());
    CString::new(bytes).ok()
}

/// The length of `\xE9`.
const ESCAPE: usize = 4;

/// The byte whose escape the text begins with.
fn escape(text: &str) -> Option<u8> {
    let digits = text.strip_prefix("\\x")?.get(..ESCAPE - 2)?;
    let digits = digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then_some(digits)?;
    u8::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_leads_back_to_the_very_bytes() {
        for (bytes, text) in [
            (&b"Gemalto PC Twin 00 00"[..], "Gemalto PC Twin 00 00"),
            (b"Lecteur \xE9 00", "Lecteur \\xE9 00"),
            ("Lecteur é 00".as_bytes(), "Lecteur é 00"),
            (b"\xC3", "\\xC3"),
            (b"\xC3\xA9\xC3", "é\\xC3"),
            (b"\\?PnP?\\Notification", "\\?PnP?\\Notification"),
            (b"as typed: \\xE9", "as typed: \\x5CxE9"),
            (b"\\\xE9", "\\\\xE9"),
            (b"\\x\xE9", "\\x\\xE9"),
            (b"\\xE\xE9", "\\xE\\xE9"),
            (b"\\\\xE9", "\\\\x5CxE9"),
            (b"\x1B[31m\xFF", "\u{1B}[31m\\xFF"),
            (b"\\x\xC3\xA9", "\\xé"),
        ] {
            let name = CString::new(bytes).unwrap();
            assert_eq!(text_of(&name), text);
            assert_eq!(of_text(text).as_ref(), Some(&name), "{text}");
        }
        assert_eq!(of_text("a\0b"), None);
    }

    #[test]
    fn two_names_never_share_a_text() {
        // Every name of up to five bytes of what escapes are made of.
        let alphabet = [b'\\', b'x', b'E', b'9', 0xE9, 0xC3];
        let mut names = vec![Vec::new()];
        for _ in 0..5 {
            let longer = names
                .iter()
                .flat_map(|name: &Vec<u8>| alphabet.iter().map(move |byte| [name.as_slice(), &[*byte]].concat()));
            names = longer.chain([Vec::new()]).collect();
        }
        for name in names {
            let name = CString::new(name).unwrap();
            assert_eq!(of_text(&text_of(&name)), Some(name));
        }
    }
}
