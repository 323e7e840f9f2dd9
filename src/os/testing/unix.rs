//! What Unix lends; some of it Linux alone.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, PipeWriter};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

pub(super) fn folder(path: &Path) -> File {
    File::open(path).unwrap()
}

pub(super) fn full_disk() -> Option<File> {
    cfg!(target_os = "linux").then(|| OpenOptions::new().write(true).open("/dev/full").unwrap())
}

pub(super) fn endless_file() -> Option<PathBuf> {
    Some("/dev/zero".into())
}

pub(super) fn make_named_pipe(path: &Path) {
    #[cfg(target_os = "linux")]
    rustix::fs::mkfifoat(rustix::fs::CWD, path, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
    #[cfg(not(target_os = "linux"))]
    let _ = path;
}

pub(super) fn no_text(name: &str) -> Option<OsString> {
    Some(OsString::from_vec([name.as_bytes(), b"\xFF"].concat()))
}

pub(super) fn mode_of(path: &Path) -> Option<u32> {
    Some(path.metadata().unwrap().permissions().mode() & 0o7777)
}

pub(super) fn open_to_others(path: &Path, open: bool) -> bool {
    let folder = path.is_dir();
    let mode = match (open, folder) {
        (true, true) => 0o777,
        (true, false) => 0o666,
        (false, true) => 0o700,
        (false, false) => 0o600,
    };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    true
}

pub(super) fn let_everybody_read(path: &Path) -> bool {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
    true
}

pub(super) fn make_link(to: &Path, at: &Path) {
    std::os::unix::fs::symlink(to, at).unwrap();
}

pub(super) fn number_of(file: &File) -> Option<u32> {
    Some(file.as_raw_fd().try_into().unwrap())
}

pub(super) fn pipe() -> Option<(File, PipeWriter)> {
    let (reader, writer) = io::pipe().unwrap();
    Some((OwnedFd::from(reader).into(), writer))
}

#[allow(clippy::print_stderr, reason = "says that it was skipped")]
pub(super) fn sockets() -> Option<(File, File)> {
    let (one, other) = UnixStream::pair().unwrap();
    let number = other.as_raw_fd().try_into().unwrap();
    let forbidden = Some(rustix::io::Errno::NXIO.raw_os_error());
    if crate::os::descriptor::duplicate(number).is_err_and(|error| error.raw_os_error() == forbidden) {
        eprintln!("SKIPPED: this container forbids pidfd_getfd");
        return None;
    }
    cfg!(target_os = "linux").then(|| (OwnedFd::from(one).into(), OwnedFd::from(other).into()))
}

pub(super) fn terminal() -> Option<(File, File)> {
    let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&person).and_then(|()| unlockpt(&person)).unwrap();
    let name = ptsname(&person, Vec::new()).unwrap();
    let terminal = OpenOptions::new().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    Some((person.into(), terminal))
}

#[cfg(target_os = "linux")]
pub(super) fn memory_holds(address: usize, bytes: &[u8]) -> Option<bool> {
    use std::os::unix::fs::FileExt as _;
    let mut found = vec![0; bytes.len()];
    let memory = File::open("/proc/self/mem").unwrap();
    let read = memory.read_exact_at(&mut found, address.try_into().unwrap());
    Some(read.is_ok() && found == bytes)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn memory_holds(_address: usize, _bytes: &[u8]) -> Option<bool> {
    None
}
