//! OAuth 2.0 bearer tokens (RFC 6750) as they lie in a file or a systemd credential. The token is a secret.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Once;

use reqwest::header::HeaderValue;
use thiserror::Error;

use crate::os::files::{Exposure, open_regular, refuse_readable, refuse_writable};
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
    /// Not under systemd, or the unit has no credentials.
    #[error("systemd gave this process no credentials (CREDENTIALS_DIRECTORY is not set)")]
    NoCredentials,
    /// The file can't be read.
    #[error("{} can't be read", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Others can write to it.
    #[error("{} is not used as bearer token", .path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// How.
        #[source]
        source: Exposure,
    },
    /// Nothing in it.
    #[error("{} is empty", .path.display())]
    Empty {
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

impl TokenSource {
    fn path(&self) -> Result<PathBuf, TokenError> {
        match self {
            Self::File(path) => Ok(path.clone()),
            Self::Credential(name) => credentials().map(|folder| folder.join(name)).ok_or(TokenError::NoCredentials),
        }
    }

    /// What a person should know of the file: everybody can read it.
    pub(super) fn warning(&self) -> Option<Exposure> {
        let path = self.path().ok()?;
        refuse_readable(&open_regular(&path).ok()?, &path).err()
    }

    /// The value of `Authorization` with the token as it is now, marked sensitive.
    pub(super) fn header(&self) -> Result<HeaderValue, TokenError> {
        let path = self.path()?;
        let mut text = SecretBytes::with_capacity(TOKEN_MAX + 7);
        let unreadable = |source| TokenError::Unreadable { path: path.clone(), source };
        let mut file = open_regular(&path).map_err(unreadable)?;
        refuse_writable(&file, &path).map_err(|source| TokenError::Exposed { path: path.clone(), source })?;
        if let Err(exposure) = refuse_readable(&file, &path) {
            // Once a process: it is read for each call.
            static TOLD: Once = Once::new();
            TOLD.call_once(|| tracing::warn!("the bearer token: {exposure}: {}", exposure.remedy()));
        }
        let mut piece = zeroize::Zeroizing::new([0_u8; 1024]);
        let mut fits = text.append(b"Bearer ");
        while fits {
            let read = file.read(piece.as_mut_slice()).map_err(unreadable)?;
            if read == 0 {
                break;
            }
            fits = text.append(piece.get(..read).unwrap_or_default());
        }
        let token = text.expose().trim_ascii();
        if token == b"Bearer" {
            return Err(TokenError::Empty { path });
        }
        // RFC 6750 §2.1: letters, digits and -._~+/=
        let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte);
        let is_token = fits && token.get(7..).is_some_and(|value| !value.is_empty() && value.iter().all(allowed));
        match HeaderValue::from_bytes(token) {
            Ok(mut header) if is_token => {
                header.set_sensitive(true);
                Ok(header)
            }
            _ => Err(TokenError::NotAToken { path }),
        }
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
    fn what_is_no_file_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        for path in [Some(folder.path().into()), testing::endless_file()].into_iter().flatten() {
            let error = TokenSource::File(path).header().unwrap_err();
            assert!(matches!(error, TokenError::Unreadable { .. }), "{error}");
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
        assert!(matches!(source.header().unwrap_err(), TokenError::Exposed { .. }));
        assert!(matches!(source.warning(), Some(Exposure::Readable { .. })));
        testing::open_to_others(&path, false);
        assert!(source.header().is_ok() && source.warning().is_none());
    }
}
