//! Descriptors of a Unix process.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::fs::{Mode, OFlags, fcntl_getfl, open};
use rustix::io::Errno;

use crate::cli::supply::source::{self, Patience};
use crate::job::secrets::SecretError;
use crate::secret::SecretBytes;

/// What the caller handed over under a number, or why it can't be had.
pub struct Descriptor {
    number: u32,
    file: Result<File, Errno>,
}

impl Descriptor {
    /// Takes hold of it.
    pub fn claim(number: u32) -> Self {
        Self { number, file: duplicate(number).map(File::from) }
    }

    /// Whether it would show what is typed.
    pub fn is_terminal(&self) -> bool {
        self.file.as_ref().is_ok_and(|file| file.is_terminal())
    }

    /// Whether something can be read now, be it an end or an error.
    pub fn is_ready(&self) -> bool {
        self.file.as_ref().map_or(true, |file| source::is_ready(file, Duration::ZERO).unwrap_or(true))
    }

    /// The secret: one line, from where the descriptor stands. What follows it stays for whoever reads next.
    ///
    /// # Errors
    /// It is not open, not open for reading, too long, or not there while `patience` lasts.
    pub fn secret(&self, what: &'static str, patience: Patience<'_>) -> Result<SecretBytes, SecretError> {
        if matches!(self.number, 1 | 2) {
            let reason = "descriptors 1 and 2 are for output".to_owned();
            return Err(SecretError::Unusable { what, reason });
        }
        let file = self.file.as_ref().map_err(|error| {
            // A number that is no open descriptor may be the secret, given by mistake.
            SecretError::Unreadable { what, origin: "the file descriptor".to_owned(), source: (*error).into() }
        })?;
        let origin = format!("file descriptor {}", self.number);
        if fcntl_getfl(file).is_ok_and(|flags| flags & OFlags::ACCMODE == OFlags::WRONLY) {
            let source = io::Error::new(io::ErrorKind::InvalidInput, "it is open for writing only");
            return Err(SecretError::Unreadable { what, origin, source });
        }
        source::line(what, file, &origin, patience)
    }
}

/// By the kernel's own check of the number, so that nothing is taken on trust.
#[cfg(target_os = "linux")]
fn duplicate(number: u32) -> Result<OwnedFd, Errno> {
    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
    let raw = i32::try_from(number).map_err(|_| Errno::BADF)?;
    let own = pidfd_open(getpid(), PidfdFlags::empty());
    match own.and_then(|own| pidfd_getfd(own, raw, PidfdGetfdFlags::empty())) {
        // A Linux before 5.6, or a container that forbids it.
        Err(Errno::NOSYS | Errno::PERM) => reopen(number),
        duplicate => duplicate,
    }
}

/// Elsewhere opening `/dev/fd/N` is duplicating.
#[cfg(not(target_os = "linux"))]
fn duplicate(number: u32) -> Result<OwnedFd, Errno> {
    open_by_name(number)
}

/// On Linux what is opened so begins at its start, so we go to where the caller's descriptor stands.
#[cfg(target_os = "linux")]
fn reopen(number: u32) -> Result<OwnedFd, Errno> {
    let file = open_by_name(number)?;
    let status = rustix::fs::fstat(&file)?;
    if rustix::fs::FileType::from_raw_mode(status.st_mode).is_file() {
        rustix::fs::seek(&file, rustix::fs::SeekFrom::Start(position(number)?))?;
    }
    Ok(file)
}

/// Where a descriptor of this process stands. A Linux before 5.14 shows it to no process that is closed to others, unless it
/// is root's: an error then, since the start would be a guess.
#[cfg(target_os = "linux")]
fn position(number: u32) -> Result<u64, Errno> {
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{number}"))
        .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    let line = info.lines().find_map(|line| line.strip_prefix("pos:"));
    line.and_then(|position| position.trim().parse().ok()).ok_or(Errno::IO)
}

fn open_by_name(number: u32) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    open(format!("/dev/fd/{number}"), flags, Mode::empty())
        .map_err(|error| if error == Errno::NOENT { Errno::BADF } else { error })
}

#[cfg(test)]
mod tests;
