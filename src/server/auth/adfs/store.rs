//! Where a sign-in is kept, a file of this user alone or the keyring of the session: replaced as a whole, and renewed by one process at a
//! time.

use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::AdfsError;
use super::tokens::{MOST, Purpose, Tokens};
use crate::os::files::{create_private_dir_all, private_options, refuse_shared_folder, rename, sync_dir};
use crate::os::keyring::{self, Entry};
use crate::secret::SecretBytes;
use crate::server::auth::secret_file::{self, Others, SecretFileError};

/// How long to wait before asking for the lock again.
const PAUSE: Duration = Duration::from_millis(20);

/// Where a sign-in is kept, and what it has to be for.
#[derive(Debug, Clone)]
pub(super) struct Store {
    /// The file. For the keyring only the lock lies beside it.
    pub path: PathBuf,
    pub place: Place,
    pub purpose: Purpose,
}

/// Where a person's sign-in at AD FS is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In a file, mode 0600.
    File,
    /// In the keyring of the person's session.
    Keyring,
}

/// Nobody else renews or removes the sign-in while this is held.
pub(super) struct Lock {
    _file: File,
}

impl Store {
    fn failed(&self, source: std::io::Error) -> AdfsError {
        AdfsError::File { path: self.path.clone(), source }
    }

    fn exposed(&self, source: crate::os::files::Exposure) -> AdfsError {
        SecretFileError::Exposed { path: self.path.clone(), source }.into()
    }

    fn entry(&self) -> Entry {
        let Purpose { authority, client_id, resource } = &self.purpose;
        let attributes = [("authority", authority), ("client", client_id), ("resource", resource)];
        let attributes = attributes.map(|(name, value)| (name, value.clone()));
        let attributes = [("application", "pinwright".to_owned())].into_iter().chain(attributes).collect();
        Entry { label: "pinwright: sign-in at AD FS", attributes }
    }

    /// The sign-in as it is now.
    pub fn read(&self) -> Result<Tokens, AdfsError> {
        match self.place {
            Place::File => self.read_file(),
            Place::Keyring => {
                let found = keyring::read(&self.entry())?.and_then(|text| Tokens::of_file(text.expose()));
                let (_, tokens) =
                    found.filter(|(purpose, _)| *purpose == self.purpose).ok_or(AdfsError::NotInKeyring)?;
                Ok(tokens)
            }
        }
    }

    /// The same on a thread that may wait, where somebody may have to unlock a keyring.
    pub async fn read_soon(&self) -> Result<Tokens, AdfsError> {
        match self.place {
            Place::File => self.read_file(),
            Place::Keyring => {
                let store = self.clone();
                let read = tokio::task::spawn_blocking(move || store.read()).await;
                read.map_err(|error| AdfsError::System(error.into()))?
            }
        }
    }

    fn read_file(&self) -> Result<Tokens, AdfsError> {
        let mut file = secret_file::open(&self.path, Others::MayNothing).map_err(|error| match error {
            SecretFileError::Unreadable { source, .. } if source.kind() == ErrorKind::NotFound => {
                AdfsError::NotSignedIn { path: self.path.clone() }
            }
            SecretFileError::Unreadable { source, .. } => self.failed(source),
            error => error.into(),
        })?;
        let mut text = SecretBytes::with_capacity(MOST);
        let mut piece = zeroize::Zeroizing::new([0_u8; 1024]);
        let no_sign_in = || AdfsError::NotASignIn { path: self.path.clone() };
        loop {
            let read = file.read(piece.as_mut_slice()).map_err(|error| self.failed(error))?;
            if read == 0 {
                break;
            }
            if !text.append(piece.get(..read).unwrap_or_default()) {
                return Err(no_sign_in());
            }
        }
        match Tokens::of_file(text.expose()) {
            Some((purpose, tokens)) if purpose == self.purpose => Ok(tokens),
            Some(_) => Err(AdfsError::OtherSignIn { path: self.path.clone() }),
            None => Err(no_sign_in()),
        }
    }

    /// Puts a sign-in in the place of the one before: after a power cut it is the one or the other.
    pub fn write(&self, tokens: &Tokens) -> Result<(), AdfsError> {
        let text = tokens.to_file(&self.purpose).ok_or_else(|| self.failed(ErrorKind::FileTooLarge.into()))?;
        if self.place == Place::Keyring {
            return Ok(keyring::write(&self.entry(), &text)?);
        }
        let folder = self.folder()?;
        let new = self.beside("new");
        // Left by a process that was ended meanwhile; only who holds the lock is here.
        drop(std::fs::remove_file(&new));
        let written = (|| {
            let mut file = private_options().write(true).create_new(true).open(&new)?;
            file.write_all(&text)?;
            file.sync_all()?;
            rename(&new, &self.path)?;
            sync_dir(folder)
        })();
        written.map_err(|error| {
            drop(std::fs::remove_file(&new));
            self.failed(error)
        })
    }

    /// Removes the sign-in; whether there was one.
    pub fn remove(&self) -> Result<bool, AdfsError> {
        if self.place == Place::Keyring {
            return Ok(keyring::remove(&self.entry())?);
        }
        match std::fs::remove_file(&self.path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Waits until no other process renews the sign-in. Whoever gives up waiting drops the future.
    pub async fn lock(&self) -> Result<Lock, AdfsError> {
        self.folder()?;
        let path = self.beside("lock");
        let opened = private_options().write(true).create(true).truncate(false).open(path);
        let file = opened.map_err(|error| self.failed(error))?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Lock { _file: file }),
                Err(TryLockError::WouldBlock) => tokio::time::sleep(PAUSE).await,
                Err(TryLockError::Error(error)) => return Err(self.failed(error)),
            }
        }
    }

    /// The folder, made where it is missing, in which nobody else can put a file.
    fn folder(&self) -> Result<&Path, AdfsError> {
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        create_private_dir_all(folder).map_err(|error| self.failed(error))?;
        refuse_shared_folder(folder).map_err(|source| self.exposed(source))?;
        Ok(folder)
    }

    fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(".");
        name.push(ending);
        name.into()
    }
}
