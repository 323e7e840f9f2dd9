//! The agent's keytab: where it is, and whether it may be used. Its keys are read by the Kerberos library alone.

use std::ffi::OsString;
use std::io::Read as _;
use std::path::PathBuf;

use thiserror::Error;

use crate::server::auth::secret_file::{self, Others, SecretFileError};
use crate::server::auth::token::TokenSource;

/// How a keytab begins (MIT's format, version 2).
const MAGIC: [u8; 2] = [5, 2];

/// The variable that names the keytab to the library, and the one that names the ticket cache.
const CLIENT_KEYTAB: &str = "KRB5_CLIENT_KTNAME";
const TICKET_CACHE: &str = "KRB5CCNAME";

/// The ticket cache of an agent with a keytab: in its own memory, and nobody else's.
const OWN_CACHE: &str = "MEMORY:pinwright";

/// What the C library fills memory with that it gives out and takes back, so that tickets and tokens don't lie in it.
const TUNABLES: &str = "glibc.malloc.perturb=170:glibc.malloc.tcache_count=0";

/// The variables that [`kerberos_environment`] sets.
pub const KERBEROS_VARIABLES: [&str; 4] = [CLIENT_KEYTAB, TICKET_CACHE, "GSS_MECH_CONFIG", "GLIBC_TUNABLES"];

/// The environment in which the Kerberos library signs in with this keytab and nothing else; `None` where systemd gave no credentials.
#[must_use]
pub fn kerberos_environment(keytab: &TokenSource) -> Option<Vec<(&'static str, OsString)>> {
    let [keytab_variable, cache, mechanisms, tunables] = KERBEROS_VARIABLES;
    let mut name = OsString::from("FILE:");
    name.push(keytab.location()?);
    Some(vec![
        (keytab_variable, name),
        (cache, OWN_CACHE.into()),
        // No mechanism beside Kerberos: NTLM would be one.
        (mechanisms, "/dev/null".into()),
        (tunables, TUNABLES.into()),
    ])
}

/// Whether this process was started with that environment, as far as it decides who signs in.
pub(super) fn was_started_for(keytab: &TokenSource) -> bool {
    let is_set = |(name, value): &(&str, OsString)| std::env::var_os(name).is_some_and(|found| found == *value);
    kerberos_environment(keytab).is_some_and(|variables| variables.iter().take(2).all(is_set))
}

/// Why a keytab is not used.
#[derive(Debug, Error)]
pub enum KeytabError {
    /// Its file. Whoever has it is the agent.
    #[error(transparent)]
    File(#[from] SecretFileError),
    /// Something else.
    #[error("{} is no keytab", .path.display())]
    NotAKeytab {
        /// The file.
        path: PathBuf,
    },
}

impl KeytabError {
    /// What to do next, as an imperative sentence without a full stop.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::File(SecretFileError::Exposed { source, .. }) => source.remedy(),
            Self::File(SecretFileError::NoCredentials) => {
                "add LoadCredential= with that name to the unit, or set `agent.keytab_file`".to_owned()
            }
            Self::File(SecretFileError::Unreadable { path, .. }) => {
                format!(
                    "put the keytab there, for the agent's user alone (`chmod 0600 {0}`, `chown` to that user)",
                    path.display()
                )
            }
            Self::NotAKeytab { .. } => "make it anew with `ktpass`, `msktutil`, `adcli` or `kadmin`".to_owned(),
        }
    }
}

/// Where the keytab is, once it is known that it is one, that it can be read, and that nobody else can get at it.
///
/// # Errors
/// [`KeytabError`].
pub fn look(source: &TokenSource) -> Result<PathBuf, KeytabError> {
    let path = source.location().ok_or(SecretFileError::NoCredentials)?;
    let mut file = secret_file::open(&path, Others::MayNothing)?;
    let mut start = [0; 2];
    match file.read_exact(&mut start) {
        Ok(()) if start == MAGIC => Ok(path),
        Ok(()) => Err(KeytabError::NotAKeytab { path }),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Err(KeytabError::NotAKeytab { path }),
        Err(error) => Err(SecretFileError::unreadable(&path, error).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::testing;

    #[test]
    fn a_keytab_is_looked_at_before_the_library_is_asked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keytab");
        let look = || look(&TokenSource::File(path.clone()));
        assert!(matches!(look(), Err(KeytabError::File(SecretFileError::Unreadable { .. }))));
        for content in [&b""[..], b"\x05", b"\x05\x01", b"-----BEGIN"] {
            std::fs::write(&path, content).unwrap();
            testing::open_to_others(&path, false);
            assert!(matches!(look(), Err(KeytabError::NotAKeytab { .. })), "{content:?}");
        }
        std::fs::write(&path, b"\x05\x02\x00").unwrap();
        assert_eq!(look().unwrap(), path);
        if testing::open_to_others(&path, true) {
            let error = look().unwrap_err();
            assert!(
                matches!(error, KeytabError::File(SecretFileError::Exposed { .. })) && error.remedy().contains("chmod"),
                "{error:?}"
            );
        }
    }
}
