//! The system's code page for programs that take bytes (`CP_ACP`).

#![allow(unsafe_code)]

use std::ptr::{null, null_mut};

use windows_sys::Win32::Globalization::{
    CP_ACP, MB_ERR_INVALID_CHARS, MultiByteToWideChar, WC_NO_BEST_FIT_CHARS, WideCharToMultiByte,
};

/// The text that these bytes are; `None` where they are none.
pub fn decoded(bytes: &[u8]) -> Option<String> {
    let length = i32::try_from(bytes.len()).ok()?;
    // No byte makes more than two units.
    let mut units = vec![0_u16; 2 * bytes.len()];
    let room = i32::try_from(units.len()).ok()?;
    // SAFETY: both buffers have the lengths that are told.
    let count =
        unsafe { MultiByteToWideChar(CP_ACP, MB_ERR_INVALID_CHARS, bytes.as_ptr(), length, units.as_mut_ptr(), room) };
    let units = units.get(..usize::try_from(count).ok()?).filter(|units| !units.is_empty())?;
    String::from_utf16(units).ok()
}

/// The bytes of a text; `None` where the code page lacks a letter of it. A code page that is UTF-8 lacks none.
pub fn encoded(text: &str) -> Option<Vec<u8>> {
    let units: Vec<u16> = text.encode_utf16().collect();
    let length = i32::try_from(units.len()).ok()?;
    let mut bytes = vec![0_u8; 4 * units.len()];
    let room = i32::try_from(bytes.len()).ok()?;
    // SAFETY: both buffers have the lengths that are told; a letter that is lacking becomes the system's stand-in.
    let count = unsafe {
        WideCharToMultiByte(
            CP_ACP,
            WC_NO_BEST_FIT_CHARS,
            units.as_ptr(),
            length,
            bytes.as_mut_ptr(),
            room,
            null(),
            null_mut(),
        )
    };
    bytes.truncate(usize::try_from(count).ok().filter(|count| *count > 0)?);
    (decoded(&bytes).as_deref() == Some(text)).then_some(bytes)
}
