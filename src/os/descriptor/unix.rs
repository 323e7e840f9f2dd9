//! Descriptors of a Unix process.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, fcntl_getfl, open};
use rustix::io::Errno;

pub(super) fn duplicate(number: u32) -> io::Result<File> {
    Ok(duplicate_number(number)?.into())
}

pub(super) fn standard_output() -> io::Result<File> {
    Ok(io::stdout().as_fd().try_clone_to_owned()?.into())
}

pub(super) fn is_write_only(file: &File) -> bool {
    fcntl_getfl(file).is_ok_and(|flags| flags & OFlags::ACCMODE == OFlags::WRONLY)
}

pub(super) fn is_ready(file: &File, within: Duration) -> io::Result<bool> {
    let mut polled = [PollFd::new(file, PollFlags::IN)];
    let wait = Timespec::try_from(within).map_err(|_| io::ErrorKind::InvalidInput)?;
    match poll(&mut polled, Some(&wait)) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// By the kernel's own check of the number, so that nothing is taken on trust.
#[cfg(target_os = "linux")]
fn duplicate_number(number: u32) -> Result<OwnedFd, Errno> {
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
fn duplicate_number(number: u32) -> Result<OwnedFd, Errno> {
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
