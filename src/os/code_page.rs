//! Texts of system calls that take bytes: on Windows those of its code page, elsewhere as they are.

use std::borrow::Cow;

/// The same text in UTF-8; the bytes as they are, where they are no text or would not lead back.
#[must_use]
pub fn to_utf8(bytes: &[u8]) -> Cow<'_, [u8]> {
    #[cfg(windows)]
    if !bytes.is_ascii()
        && let Some(text) = super::windows::code_page::decoded(bytes)
        && super::windows::code_page::encoded(&text).as_deref() == Some(bytes)
    {
        return Cow::Owned(text.into_bytes());
    }
    Cow::Borrowed(bytes)
}

/// The text as the system takes it; the bytes as they are, where they are no UTF-8 or the code page lacks a letter.
#[must_use]
pub fn of_utf8(bytes: &[u8]) -> Cow<'_, [u8]> {
    #[cfg(windows)]
    if !bytes.is_ascii()
        && let Ok(text) = std::str::from_utf8(bytes)
        && let Some(encoded) = super::windows::code_page::encoded(text)
    {
        return Cow::Owned(encoded);
    }
    Cow::Borrowed(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_leads_back_to_its_bytes() {
        for bytes in [&b"Gemalto PC Twin 00 00"[..], b"Lecteur \xE9", "Lecteur é".as_bytes(), b"\xFF\xC3", b""] {
            assert_eq!(of_utf8(&to_utf8(bytes)), bytes);
        }
    }
}
