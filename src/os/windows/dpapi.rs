//! Secrets in a form that only this machine reads (DPAPI).

#![allow(unsafe_code)]

use std::io;
use std::ptr::{null, null_mut};

use windows_sys::Win32::Foundation::LocalFree;
use windows_sys::Win32::Security::Cryptography::{
    CRYPT_INTEGER_BLOB, CRYPTPROTECT_LOCAL_MACHINE, CRYPTPROTECT_UI_FORBIDDEN, CryptProtectData, CryptUnprotectData,
};
use zeroize::Zeroize as _;

use super::done;
use crate::secret::SecretBytes;

/// The secret for the disk. One that was made under another name is not read under this one.
///
/// # Errors
/// The system's.
pub fn protected(secret: &[u8], name: &str) -> io::Result<Vec<u8>> {
    let (input, entropy, mut output) = (blob(secret)?, blob(name.as_bytes())?, CRYPT_INTEGER_BLOB::default());
    let flags = CRYPTPROTECT_LOCAL_MACHINE | CRYPTPROTECT_UI_FORBIDDEN;
    // SAFETY: input and entropy are as long as they say and only read; the place for the output is ours.
    done(unsafe {
        CryptProtectData(&raw const input, null(), &raw const entropy, null(), null(), flags, &raw mut output)
    })?;
    Ok(Output(output).bytes().to_vec())
}

/// The secret that was protected under this name, on this machine.
///
/// # Errors
/// The system's: another machine's, another name's, or not protected at all.
pub fn secret(protected: &[u8], name: &str) -> io::Result<SecretBytes> {
    let (input, entropy, mut output) = (blob(protected)?, blob(name.as_bytes())?, CRYPT_INTEGER_BLOB::default());
    // SAFETY: input and entropy are as long as they say and only read; no description is asked for; the place for the output is ours.
    done(unsafe {
        CryptUnprotectData(
            &raw const input,
            null_mut(),
            &raw const entropy,
            null(),
            null(),
            CRYPTPROTECT_UI_FORBIDDEN,
            &raw mut output,
        )
    })?;
    Ok(SecretBytes::copy_of(Output(output).bytes()))
}

fn blob(bytes: &[u8]) -> io::Result<CRYPT_INTEGER_BLOB> {
    let length = u32::try_from(bytes.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    // Only read, though the type does not say so.
    Ok(CRYPT_INTEGER_BLOB { cbData: length, pbData: bytes.as_ptr().cast_mut() })
}

/// What the system has put into memory of its own, zeroed before it is freed.
struct Output(CRYPT_INTEGER_BLOB);

impl Output {
    fn bytes(&self) -> &[u8] {
        if self.0.pbData.is_null() {
            return &[];
        }
        // SAFETY: so many bytes are there by the system's word, and nothing else has them.
        unsafe { std::slice::from_raw_parts(self.0.pbData, self.0.cbData as usize) }
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if !self.0.pbData.is_null() {
            // SAFETY: as above; freed once, as the system wants it.
            unsafe {
                std::slice::from_raw_parts_mut(self.0.pbData, self.0.cbData as usize).zeroize();
                LocalFree(self.0.pbData.cast());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_comes_back_under_its_name_alone() {
        let kept = protected(b"24681357", "admin-key").unwrap();
        assert!(!kept.windows(8).any(|part| part == b"24681357"));
        assert_eq!(secret(&kept, "admin-key").unwrap().expose(), b"24681357");
        assert!(secret(&kept, "token").is_err());
        assert!(secret(b"24681357", "admin-key").is_err());
    }
}
