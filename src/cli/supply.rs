//! Secrets that the server does not give: from a descriptor, a file, a systemd credential, or a person.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::error::CliError;
use super::prompt::{Terminal, is_interactive};
use crate::card::{PinCharacters, PinLimits};
use crate::config::{SecretFile, Sources};
use crate::provision::Cause;
use crate::provision::issuer::Watch;
use crate::provision::supplier::{Need, SecretError, Supplier};
use crate::secret::{AdminKey, Pin, SecretBytes};

const NEW_PIN: &str = "the new PIN";
const CURRENT_PIN: &str = "the current PIN";
const ADMIN_KEY: &str = "the admin key";

/// Longest secret read from a file or descriptor.
const SECRET_MAX: usize = 256;

/// Descriptors that a caller opened for us: no secret is ever an argument.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Descriptors {
    /// Read the new PIN from this file descriptor, where the user supplies it.
    #[arg(long, value_name = "N")]
    pub pin_fd: Option<u32>,
    /// Read the card's current PIN from this file descriptor.
    #[arg(long, value_name = "N")]
    pub current_pin_fd: Option<u32>,
    /// Read the local admin key (48 hex digits) from this file descriptor.
    #[arg(long, value_name = "N")]
    pub admin_key_fd: Option<u32>,
}

impl Descriptors {
    /// One descriptor gives one secret.
    ///
    /// # Errors
    /// Two options name the same descriptor.
    pub fn check(&self) -> Result<(), CliError> {
        let named: Vec<u32> = [self.pin_fd, self.current_pin_fd, self.admin_key_fd].into_iter().flatten().collect();
        let twice = named.iter().enumerate().any(|(at, number)| named.iter().skip(at + 1).any(|other| other == number));
        if twice { Err(CliError::SharedDescriptor) } else { Ok(()) }
    }
}

/// The command's supplier.
pub struct CommandSupplier {
    descriptors: Descriptors,
    sources: Sources,
    /// Ask before writing.
    confirm: bool,
    /// A person may be asked at all.
    interactive: bool,
    interrupted: Arc<AtomicBool>,
}

/// How often a new PIN is asked for when its two entries differ.
const ENTRIES: u32 = 3;

impl CommandSupplier {
    /// Asks nobody where `allowed` is false or no terminal is there; asks for consent where `yes` is not given.
    #[must_use]
    pub fn new(
        descriptors: Descriptors,
        sources: Sources,
        yes: bool,
        allowed: bool,
        interrupted: Arc<AtomicBool>,
    ) -> Self {
        let interactive = allowed && is_interactive();
        Self { descriptors, sources, confirm: interactive && !yes, interactive, interrupted }
    }

    fn ask(&self, what: &'static str, question: &str) -> Result<SecretBytes, SecretError> {
        if !self.interactive {
            return Err(SecretError::NoTerminal { what });
        }
        let unreadable = |source| SecretError::Unreadable { what, origin: "the terminal".to_owned(), source };
        let mut terminal = Terminal::open().map_err(unreadable)?;
        let mut go_on = || !self.interrupted.load(Ordering::Relaxed);
        terminal.secret(question, &mut go_on).map_err(unreadable)?.ok_or(SecretError::Cancelled { what })
    }
}

impl Supplier for CommandSupplier {
    fn at_hand(&self, need: Need) -> bool {
        match need {
            Need::NewPin => self.descriptors.pin_fd.is_some(),
            Need::CurrentPin => self.descriptors.current_pin_fd.is_some(),
            Need::AdminKey => self.descriptors.admin_key_fd.is_some() || self.sources.admin_key.is_some(),
        }
    }

    fn new_pin(&mut self, limits: PinLimits) -> Result<Pin, SecretError> {
        if let Some(number) = self.descriptors.pin_fd {
            return pin(NEW_PIN, &descriptor(NEW_PIN, number)?);
        }
        let characters = match limits.characters {
            PinCharacters::Digits => "digits",
            PinCharacters::Ascii => "characters",
        };
        let question = format!("New PIN ({} to {} {characters}): ", limits.min, limits.max);
        for _ in 0..ENTRIES {
            let first = self.ask(NEW_PIN, &question)?;
            let second = self.ask(NEW_PIN, "New PIN again: ")?;
            if first.is_same_as(&second) {
                return pin(NEW_PIN, &first);
            }
            tracing::warn!("the two entries differ");
        }
        Err(SecretError::Mismatch { what: NEW_PIN })
    }

    fn consent(&mut self, card: &str, watch: Watch<'_>) -> Result<(), Cause> {
        if !self.confirm {
            return Ok(());
        }
        let what = "the go-ahead";
        let unreadable = |source| SecretError::Unreadable { what, origin: "the terminal".to_owned(), source };
        let mut terminal = Terminal::open().map_err(unreadable)?;
        let mut stopped = None;
        let mut go_on = || match watch() {
            Ok(()) => true,
            Err(cause) => {
                stopped = Some(cause);
                false
            }
        };
        let question = format!("Replace the PIN of {card} by the one that the server proposes? [y/N] ");
        let answer = terminal.confirm(&question, &mut go_on).map_err(unreadable)?;
        match (answer, stopped) {
            (_, Some(cause)) => Err(cause),
            (Some(true), None) => Ok(()),
            (Some(false) | None, None) => Err(SecretError::Declined.into()),
        }
    }

    fn current_pin(&mut self) -> Result<Pin, SecretError> {
        match self.descriptors.current_pin_fd {
            Some(number) => pin(CURRENT_PIN, &descriptor(CURRENT_PIN, number)?),
            None => pin(CURRENT_PIN, &self.ask(CURRENT_PIN, "Current PIN of the card: ")?),
        }
    }

    fn admin_key(&mut self) -> Result<AdminKey, SecretError> {
        let text = match (self.descriptors.admin_key_fd, &self.sources.admin_key) {
            (Some(number), _) => descriptor(ADMIN_KEY, number)?,
            (None, Some(file)) => secret_file(ADMIN_KEY, file)?,
            (None, None) => self.ask(ADMIN_KEY, "Admin key (48 hex digits): ")?,
        };
        AdminKey::from_hex(text.expose()).ok_or_else(|| SecretError::Unusable {
            what: ADMIN_KEY,
            reason: "48 hexadecimal digits are needed".to_owned(),
        })
    }
}

/// The PIN without the line end that a pipe brings along.
fn pin(what: &'static str, text: &SecretBytes) -> Result<Pin, SecretError> {
    let bytes = text.expose();
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    Pin::new(bytes).map_err(|error| SecretError::Unusable { what, reason: error.to_string() })
}

/// `/dev/fd/N` opens what the caller handed over, without this program taking a number on trust. A file opened so begins at
/// its start, so we go to where the caller's descriptor stands.
fn descriptor(what: &'static str, number: u32) -> Result<SecretBytes, SecretError> {
    let origin = format!("file descriptor {number}");
    let unreadable = |source| SecretError::Unreadable { what, origin: origin.clone(), source };
    if matches!(number, 1 | 2) {
        let reason = "descriptors 1 and 2 are for output".to_owned();
        return Err(SecretError::Unusable { what, reason });
    }
    let mut file = File::open(format!("/dev/fd/{number}")).map_err(unreadable)?;
    if file.metadata().is_ok_and(|metadata| metadata.is_file()) {
        position(number).and_then(|position| file.seek(SeekFrom::Start(position))).map_err(unreadable)?;
    }
    read(what, file, origin)
}

/// Where a descriptor of this process stands. Only Linux tells; elsewhere it is taken to stand at the start. A Linux before
/// 5.14 shows it to no process that is closed to others, unless it is root's: an error then, since the start would be a guess.
fn position(number: u32) -> std::io::Result<u64> {
    if !cfg!(target_os = "linux") {
        return Ok(0);
    }
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{number}"))?;
    let line = info.lines().find_map(|line| line.strip_prefix("pos:"));
    line.and_then(|position| position.trim().parse().ok()).ok_or(std::io::ErrorKind::InvalidData.into())
}

fn secret_file(what: &'static str, file: &SecretFile) -> Result<SecretBytes, SecretError> {
    let path = match file {
        SecretFile::Path(path) => path.clone(),
        SecretFile::Credential(name) => {
            let directory = std::env::var_os("CREDENTIALS_DIRECTORY").ok_or_else(|| SecretError::Unusable {
                what,
                reason: "systemd gave this process no credentials (CREDENTIALS_DIRECTORY is not set)".to_owned(),
            })?;
            PathBuf::from(directory).join(name)
        }
    };
    let origin = path.display().to_string();
    match File::open(path) {
        Ok(file) => read(what, file, origin),
        Err(source) => Err(SecretError::Unreadable { what, origin, source }),
    }
}

fn read(what: &'static str, mut file: File, origin: String) -> Result<SecretBytes, SecretError> {
    let unreadable = |source| SecretError::Unreadable { what, origin: origin.clone(), source };
    let mut secret = SecretBytes::with_capacity(SECRET_MAX);
    let mut piece = zeroize::Zeroizing::new([0_u8; SECRET_MAX]);
    loop {
        let read = file.read(piece.as_mut_slice()).map_err(unreadable)?;
        let bytes = piece.get(..read).unwrap_or_default();
        // One line is the secret; what comes after it is not read into it.
        let (line, ended) = match bytes.iter().position(|byte| *byte == b'\n') {
            Some(end) => (bytes.get(..end).unwrap_or_default(), true),
            None => (bytes, read == 0),
        };
        if !secret.append(line) {
            return Err(SecretError::Unusable { what, reason: "it is too long".to_owned() });
        }
        if ended {
            return Ok(secret);
        }
    }
}
