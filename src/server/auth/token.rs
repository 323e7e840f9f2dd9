//! OAuth 2.0 bearer tokens (RFC 6750) as they lie in a file or a systemd credential. The token is a secret.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Once;

use reqwest::header::HeaderValue;
use thiserror::Error;

use super::lifetime::{self, Lifetime};
use super::secret_file::{self, Others, SecretFileError};
use crate::os::files::{Exposure, open_regular, refuse_readable};
use crate::os::service::credentials;
use crate::secret::SecretBytes;

/// The largest token that we read: AD FS tokens with many claims stay far below.
const TOKEN_MAX: usize = 16 * 1024;

/// Where the token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenSource {
    /// A file that holds the token and nothing else.
    File(PathBuf),
    /// A systemd credential of this unit (`LoadCredential=`), by name.
    Credential(String),
}

/// Why there is no usable token.
#[derive(Debug, Error)]
pub enum TokenError {
    /// Its file.
    #[error(transparent)]
    File(#[from] SecretFileError),
    /// Nothing in it.
    #[error("{} is empty", .path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// UTF-16, as Windows' editors and shells write it.
    #[error("{} is UTF-16 text: it has to be UTF-8 or ASCII", .path.display())]
    Utf16 {
        /// The file.
        path: PathBuf,
    },
    /// More than one line.
    #[error("{} has more than one line", .path.display())]
    Lines {
        /// The file.
        path: PathBuf,
    },
    /// Too long, or characters that no token has.
    #[error("{} does not hold a bearer token", .path.display())]
    NotAToken {
        /// The file.
        path: PathBuf,
    },
}

impl TokenError {
    /// What to do about the rights of the file, as an imperative sentence without a full stop; `None` where it is not about them.
    #[must_use]
    pub fn remedy_of_rights(&self) -> Option<String> {
        match self {
            Self::File(error) => error.remedy_of_rights(),
            _ => None,
        }
    }
}

impl TokenSource {
    /// The file; `None` where systemd gave this process no credentials.
    #[must_use]
    pub fn location(&self) -> Option<PathBuf> {
        match self {
            Self::File(path) => Some(path.clone()),
            Self::Credential(name) => credentials().map(|folder| folder.join(name)),
        }
    }

    fn path(&self) -> Result<PathBuf, TokenError> {
        Ok(self.location().ok_or(SecretFileError::NoCredentials)?)
    }

    /// What it holds now, a token or a password; nothing where it can't be read.
    pub(in crate::server) fn hand_over(&self, to: &mut dyn FnMut(&[u8])) {
        static TOLD: Once = Once::new();
        if let Ok((_, text, _)) = self.read("a secret of the server's", &TOLD) {
            to(bare(text.expose()));
        }
    }

    /// How long the token is valid that is there now, by its own word and by its file.
    ///
    /// # Errors
    /// It can't be read or is none.
    pub(super) fn lifetime(&self) -> Result<Lifetime, TokenError> {
        let header = self.header()?;
        let token = header.as_bytes().get(BEARER.len() + 1..).unwrap_or_default();
        let written = self.path().and_then(|path| {
            std::fs::metadata(&path)
                .and_then(|file| file.modified())
                .map_err(|source| SecretFileError::unreadable(&path, source).into())
        });
        Ok(Lifetime { written: written.ok(), told: lifetime::told(token) })
    }

    /// What a person should know of the file: everybody can read it.
    pub(super) fn warning(&self) -> Option<Exposure> {
        let path = self.path().ok()?;
        refuse_readable(&open_regular(&path).ok()?, &path).err()
    }

    /// The password for the proxy that it holds, without the end of its line.
    pub(in crate::server) fn secret(&self) -> Result<SecretBytes, TokenError> {
        static TOLD: Once = Once::new();
        let (path, text, fits) = self.read("the password for server.proxy", &TOLD)?;
        match text.expose().trim_ascii_end() {
            b"" => Err(TokenError::Empty { path }),
            line if line.contains(&b'\n') => Err(TokenError::Lines { path }),
            _ if !fits => {
                Err(SecretFileError::unreadable(&path, std::io::Error::other("it is larger than 16 KiB")).into())
            }
            secret => Ok(SecretBytes::copy_of(secret)),
        }
    }

    /// Its path, what it holds now, and whether that is all of it. That everybody can read it is told once a process, since it is
    /// read for each call.
    fn read(&self, what: &str, told: &Once) -> Result<(PathBuf, SecretBytes, bool), TokenError> {
        let path = self.path()?;
        let mut text = SecretBytes::with_capacity(TOKEN_MAX);
        let file = secret_file::as_it_is(&path, Others::MayRead)?;
        if let Err(exposure) = refuse_readable(&file, &path) {
            told.call_once(|| tracing::warn!("{what}: {exposure}: {}", exposure.remedy()));
        }
        let mut file = secret_file::content(file, &path)?;
        let mut piece = zeroize::Zeroizing::new([0_u8; 1024]);
        let mut fits = true;
        while fits {
            let read = file.read(piece.as_mut_slice()).map_err(|source| SecretFileError::unreadable(&path, source))?;
            if read == 0 {
                break;
            }
            fits = text.append(piece.get(..read).unwrap_or_default());
        }
        Ok((path, text, fits))
    }

    /// The value of `Authorization` with the token as it is now, marked sensitive.
    pub(super) fn header(&self) -> Result<HeaderValue, TokenError> {
        static TOLD: Once = Once::new();
        let (path, text, fits) = self.read("the bearer token", &TOLD)?;
        if matches!(text.expose(), [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] | [_, 0, ..] | [0, _, ..]) {
            return Err(TokenError::Utf16 { path });
        }
        let token = bare(text.expose());
        if token.is_empty() {
            return Err(TokenError::Empty { path });
        }
        // RFC 6750 §2.1: letters, digits and -._~+/=
        let is_token = fits && token.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte));
        let mut value = SecretBytes::with_capacity(TOKEN_MAX + BEARER.len() + 1);
        let is_token = is_token && value.append(BEARER) && value.append(b" ") && value.append(token);
        match HeaderValue::from_bytes(value.expose()) {
            Ok(mut header) if is_token => {
                header.set_sensitive(true);
                Ok(header)
            }
            _ => Err(TokenError::NotAToken { path }),
        }
    }
}

const BEARER: &[u8] = b"Bearer";

/// The token without what people and programs leave around it: a byte order mark, white space, quotation marks, and the word
/// that the header begins with.
fn bare(text: &[u8]) -> &[u8] {
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text).trim_ascii();
    let text = match text {
        [b'"', inner @ .., b'"'] | [b'\'', inner @ .., b'\''] => inner.trim_ascii(),
        text => text,
    };
    match text.split_at_checked(BEARER.len()) {
        Some((word, rest)) if word.eq_ignore_ascii_case(BEARER) && rest.first().is_none_or(u8::is_ascii_whitespace) => {
            rest.trim_ascii()
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::testing;

    fn header(content: &[u8]) -> Result<HeaderValue, TokenError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, content).unwrap();
        TokenSource::File(path).header()
    }

    #[test]
    fn a_token_is_trimmed_and_marked() {
        let value = header(b"eyJ0.abc-_~+/==\n").unwrap();
        assert_eq!(value.as_bytes(), b"Bearer eyJ0.abc-_~+/==");
        assert!(value.is_sensitive());
        assert!(!format!("{value:?}").contains("eyJ0"));
    }

    #[test]
    fn what_is_no_token_is_refused_without_being_shown() {
        for content in [&b"two words"[..], b"line\nbreak", b"nul\0", "ü".as_bytes(), &[b'a'; 20_000]] {
            let error = header(content).unwrap_err();
            assert!(matches!(error, TokenError::NotAToken { .. }), "{error}");
        }
        assert!(matches!(header(b" \n").unwrap_err(), TokenError::Empty { .. }));
    }

    #[test]
    fn a_password_is_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        let secret = |content: &str| {
            std::fs::write(&path, content).unwrap();
            TokenSource::File(path.clone()).secret()
        };
        assert_eq!(secret(" two words\r\n").unwrap().expose(), b" two words");
        assert!(matches!(secret("one\ntwo\n").err(), Some(TokenError::Lines { .. })));
        assert!(matches!(secret("\n\n").err(), Some(TokenError::Empty { .. })));
    }

    #[test]
    fn what_is_no_file_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        for path in [Some(folder.path().into()), testing::endless_file()].into_iter().flatten() {
            let error = TokenSource::File(path).header().unwrap_err();
            assert!(matches!(error, TokenError::File(SecretFileError::Unreadable { .. })), "{error}");
        }
    }

    #[test]
    fn a_token_that_others_can_write_to_is_refused_and_one_that_they_can_read_is_warned_of() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "one").unwrap();
        let source = TokenSource::File(path.clone());
        if !testing::open_to_others(&path, true) {
            return;
        }
        let error = source.header().unwrap_err();
        assert!(matches!(error, TokenError::File(SecretFileError::Exposed { .. })), "{error}");
        assert!(error.remedy_of_rights().is_some_and(|remedy| remedy.contains("chmod go-w")), "{error}");
        assert!(matches!(source.warning(), Some(Exposure::Readable { .. })));
        testing::open_to_others(&path, false);
        assert!(source.header().is_ok() && source.warning().is_none());
    }
}
