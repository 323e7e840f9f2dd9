//! Credentials: secrets that the service manager hands to a service, by name.
//!
//! systemd decrypts them itself and hands over files (systemd.exec(5), `LoadCredentialEncrypted=`). On Windows they are files in the folder
//! `credentials` of the machine's configuration, which administrators and the service read, and their content is protected for this machine
//! (DPAPI): a copy of the disk, or a backup, has nothing of them without the machine's own keys.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::NotHere;
use super::files::Exposure;
use crate::secret::SecretBytes;

/// Whether this program makes them on this system.
pub const IS_POSSIBLE: bool = cfg!(windows);

/// The longest one.
pub const MOST: usize = 64 * 1024;

/// Why there is no credential.
#[derive(Debug, Error)]
pub enum CredentialError {
    /// Not on this system.
    #[error(transparent)]
    NotHere(#[from] NotHere),
    /// Not a name of a file.
    #[error("{0:?} is no name of a credential")]
    Name(String),
    /// Others could read it, or put another one in its place: what protects it binds it to this machine, and not to a user of it.
    #[error("the credential is not kept")]
    Exposed(#[source] Exposure),
    /// The system refused.
    #[error("{} can't be written", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Whether this may be a credential's name: that of a file in one folder.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    let is_one = matches!((parts.next(), parts.next()), (Some(std::path::Component::Normal(_)), None));
    is_one && !name.contains(['/', '\\', ':'])
}

/// What an opened file holds, as a file: the file itself, or where it is a protected credential its content, as a pipe.
///
/// # Errors
/// The system's: the credential is another machine's, or not protected.
pub fn opened(file: File, path: &Path) -> io::Result<File> {
    #[cfg(windows)]
    {
        match super::service::credentials() {
            Some(folder) if path.starts_with(&folder) => platform::content(file, path),
            _ => Ok(file),
        }
    }
    #[cfg(not(windows))]
    {
        let _ = path;
        Ok(file)
    }
}

/// Keeps the secret as the credential of this name, in the place of what was there. Gives its file.
///
/// # Errors
/// [`CredentialError`].
pub fn keep(name: &str, secret: &SecretBytes) -> Result<PathBuf, CredentialError> {
    if !is_name(name) {
        return Err(CredentialError::Name(name.to_owned()));
    }
    #[cfg(windows)]
    {
        platform::keep(name, secret)
    }
    #[cfg(not(windows))]
    {
        let _ = secret;
        Err(NotHere { what: "keeping a credential by this command" }.into())
    }
}

#[cfg(windows)]
mod platform {
    use std::fs::{self, File};
    use std::io::{self, Read as _, Write as _};
    use std::os::windows::io::OwnedHandle;
    use std::path::{Path, PathBuf};

    use super::{CredentialError, MOST};
    use crate::os::acl::{Share, Sid};
    use crate::os::files::{configuration_folder, make_shared_folder, refuse_readable, refuse_shared_folder, rename};
    use crate::os::service::NAME;
    use crate::os::windows::dpapi;
    use crate::secret::SecretBytes;

    pub fn content(file: File, path: &Path) -> io::Result<File> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let mut protected = Vec::new();
        // What is added for the protection is small.
        file.take(2 * MOST as u64).read_to_end(&mut protected)?;
        let secret = dpapi::secret(&protected, &name)?;
        let (reader, mut writer) = io::pipe()?;
        // A pipe takes a part at a time; who goes away before the end wants no more.
        let write = move || drop(writer.write_all(secret.expose()));
        std::thread::Builder::new().name("credential".to_owned()).spawn(write)?;
        Ok(File::from(OwnedHandle::from(reader)))
    }

    pub fn keep(name: &str, secret: &SecretBytes) -> Result<PathBuf, CredentialError> {
        let configuration = configuration_folder();
        let folder = configuration.join("credentials");
        let path = folder.join(name);
        let failed = |source| CredentialError::Io { path: path.clone(), source };
        make_shared_folder(&configuration, &[(Sid::USERS, Share::Read)]).map_err(failed)?;
        make_shared_folder(&folder, &[(Sid::of_service(NAME), Share::Read)]).map_err(failed)?;
        refuse_shared_folder(&folder).map_err(CredentialError::Exposed)?;
        let protected = dpapi::protected(secret.expose(), name).map_err(failed)?;
        let new = folder.join(format!("{name}.new"));
        let mut file = File::create(&new).map_err(failed)?;
        // Its rights come from the folder, which somebody may have made before us: they are looked at while it is empty, and the folder is
        // what has to be mended.
        if let Err(exposure) = refuse_readable(&file, &folder) {
            drop(file);
            drop(fs::remove_file(&new));
            return Err(CredentialError::Exposed(exposure));
        }
        file.write_all(&protected).and_then(|()| file.sync_all()).map_err(failed)?;
        drop(file);
        rename(&new, &path).map_err(failed)?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_of_a_file() {
        for name in ["admin-key", "token", "a.b"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", ".", "..", "a/b", "../a", "/a", "a\\b", "c:a", "file:stream"] {
            assert!(!is_name(name), "{name}");
        }
    }
}
