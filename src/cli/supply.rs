//! Secrets that the server does not give: from a descriptor, a file, a systemd credential, or a person.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use thiserror::Error;

use super::error::CliError;
use super::prompt::{Terminal, is_interactive};
use crate::card::{PinCharacters, PinLimits};
use crate::config::{SecretFile, Sources};
use crate::provision::Cause;
use crate::provision::issuer::Watch;
use crate::provision::supplier::{Need, SecretError, Supplier};
use crate::secret::{AdminKey, Code, Pin, SecretBytes};

/// Longest secret read from a file or descriptor.
const SECRET_MAX: usize = 256;

/// Descriptors that a caller opened for us: no secret is ever an argument.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Descriptors {
    /// Read the new PIN from this file descriptor, where the user supplies it.
    #[arg(long, value_name = "N", value_parser = number)]
    pub pin_fd: Option<u32>,
    /// Read the card's current PIN from this file descriptor.
    #[arg(long, value_name = "N", value_parser = number)]
    pub current_pin_fd: Option<u32>,
    /// Read the local admin key (48 hex digits) from this file descriptor.
    #[arg(long, value_name = "N", value_parser = number)]
    pub admin_key_fd: Option<u32>,
    /// Read the PUK of a PIV card from this file descriptor.
    #[arg(long, value_name = "N", value_parser = number)]
    pub puk_fd: Option<u32>,
    /// Read the admin PIN (PW3) of an OpenPGP card from this file descriptor.
    #[arg(long, value_name = "N", value_parser = number)]
    pub admin_pin_fd: Option<u32>,
    /// Read the resetting code of an OpenPGP card from this file descriptor.
    #[arg(long, value_name = "N", value_parser = number)]
    pub resetting_code_fd: Option<u32>,
}

/// What was given instead of a descriptor is not told: it may be the secret.
#[derive(Debug, Error)]
#[error("the number of an open file descriptor is needed, such as 3; the secret itself is never an argument")]
struct NoNumber;

fn number(text: &str) -> Result<u32, NoNumber> {
    text.parse().map_err(|_| NoNumber)
}

impl Descriptors {
    /// One descriptor gives one secret.
    ///
    /// # Errors
    /// Two options name the same descriptor.
    pub fn check(&self) -> Result<(), CliError> {
        let named: Vec<u32> = ALL_NEEDS.into_iter().filter_map(|need| self.of(need)).collect();
        let twice = named.iter().enumerate().any(|(at, number)| named.iter().skip(at + 1).any(|other| other == number));
        if twice { Err(CliError::SharedDescriptor) } else { Ok(()) }
    }

    fn of(&self, need: Need) -> Option<u32> {
        match need {
            Need::NewPin => self.pin_fd,
            Need::CurrentPin => self.current_pin_fd,
            Need::AdminKey => self.admin_key_fd,
            Need::Puk => self.puk_fd,
            Need::AdminPin => self.admin_pin_fd,
            Need::ResettingCode => self.resetting_code_fd,
        }
    }
}

const ALL_NEEDS: [Need; 6] =
    [Need::NewPin, Need::CurrentPin, Need::AdminKey, Need::Puk, Need::AdminPin, Need::ResettingCode];

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

    /// From the descriptor, else the configured file or credential, else a person.
    fn get(&self, need: Need, question: &str) -> Result<SecretBytes, SecretError> {
        match (self.descriptors.of(need), self.sources.of(need)) {
            (Some(number), _) => descriptor(need.what(), number),
            (None, Some(file)) => secret_file(need.what(), file),
            (None, None) => self.ask(need.what(), question),
        }
    }
}

impl Supplier for CommandSupplier {
    fn at_hand(&self, need: Need) -> bool {
        self.descriptors.of(need).is_some() || self.sources.of(need).is_some()
    }

    fn new_pin(&mut self, limits: PinLimits) -> Result<Pin, SecretError> {
        let what = Need::NewPin.what();
        if let Some(number) = self.descriptors.pin_fd {
            return pin(what, &descriptor(what, number)?);
        }
        let characters = match limits.characters {
            PinCharacters::Digits => "digits",
            PinCharacters::Ascii => "characters",
        };
        let question = format!("New PIN ({} to {} {characters}): ", limits.min, limits.max);
        for _ in 0..ENTRIES {
            let first = self.ask(what, &question)?;
            let second = self.ask(what, "New PIN again: ")?;
            if first.is_same_as(&second) {
                return pin(what, &first);
            }
            tracing::warn!("the two entries differ");
        }
        Err(SecretError::Mismatch { what })
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
        pin(Need::CurrentPin.what(), &self.get(Need::CurrentPin, "Current PIN of the card: ")?)
    }

    fn admin_key(&mut self) -> Result<AdminKey, SecretError> {
        let text = self.get(Need::AdminKey, "Admin key (48 hex digits): ")?;
        AdminKey::from_hex(text.expose()).ok_or_else(|| SecretError::Unusable {
            what: Need::AdminKey.what(),
            reason: "48 hexadecimal digits are needed (32, 48 or 64 for AES)".to_owned(),
        })
    }

    fn code(&mut self, need: Need) -> Result<Code, SecretError> {
        let question = match need {
            Need::AdminPin => "Admin PIN (PW3) of the card: ",
            Need::ResettingCode => "Resetting code of the card: ",
            _ => "PUK of the card: ",
        };
        let what = need.what();
        let text = self.get(need, question)?;
        Code::new(line(&text)).map_err(|error| SecretError::Unusable { what, reason: error.to_string() })
    }
}

fn pin(what: &'static str, text: &SecretBytes) -> Result<Pin, SecretError> {
    Pin::new(line(text)).map_err(|error| SecretError::Unusable { what, reason: error.to_string() })
}

/// The secret without the line end that a pipe brings along.
fn line(text: &SecretBytes) -> &[u8] {
    let bytes = text.expose();
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}

/// `/dev/fd/N` opens what the caller handed over, without this program taking a number on trust. A file opened so begins at
/// its start, so we go to where the caller's descriptor stands.
fn descriptor(what: &'static str, number: u32) -> Result<SecretBytes, SecretError> {
    if matches!(number, 1 | 2) {
        let reason = "descriptors 1 and 2 are for output".to_owned();
        return Err(SecretError::Unusable { what, reason });
    }
    // A number that is no open descriptor may be the secret, given by mistake.
    let closed = |source| SecretError::Unreadable { what, origin: "the file descriptor".to_owned(), source };
    let mut file = File::open(format!("/dev/fd/{number}")).map_err(closed)?;
    let origin = format!("file descriptor {number}");
    let unreadable = |source| SecretError::Unreadable { what, origin: origin.clone(), source };
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
