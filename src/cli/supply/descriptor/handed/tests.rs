use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::AtomicBool;

use super::*;

fn claim(number: RawFd) -> Descriptor {
    Descriptor::claim(number.try_into().unwrap())
}

fn secret(descriptor: &Descriptor) -> Result<Vec<u8>, SecretError> {
    let quiet = AtomicBool::new(false);
    let secret = descriptor.secret("the PIN", Patience::from_now(&quiet))?;
    Ok(secret.expose().to_vec())
}

/// Three lines, and a descriptor that stands before the second.
fn lines() -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"first\nsecond\nthird\n").unwrap();
    file.seek(SeekFrom::Start(6)).unwrap();
    file
}

/// Why the source could not be read.
#[track_caller]
fn cause(result: Result<Vec<u8>, SecretError>) -> String {
    match result {
        Err(SecretError::Unreadable { source, .. }) => source.to_string(),
        other => panic!("{other:?}"),
    }
}

/// A socket can't be opened by its name, and neither can what another user opened.
#[test]
#[cfg(target_os = "linux")]
#[allow(clippy::print_stderr, reason = "says that it was skipped")]
fn what_cannot_be_opened_anew_is_read() {
    let (mut caller, ours) = UnixStream::pair().unwrap();
    caller.write_all(b"24681357\nmore\n").unwrap();
    let descriptor = claim(ours.as_raw_fd());
    if matches!(descriptor.file, Err(Errno::NXIO)) {
        eprintln!("SKIPPED: this container forbids pidfd_getfd");
        return;
    }
    assert_eq!(secret(&descriptor).unwrap(), b"24681357");
    assert_eq!(secret(&descriptor).unwrap(), b"more");
}

#[test]
#[cfg(target_os = "linux")]
fn a_file_is_read_from_where_it_stands_and_no_further_than_its_line() {
    let mut file = lines();
    assert_eq!(secret(&claim(file.as_raw_fd())).unwrap(), b"second");
    let mut rest = String::new();
    file.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "third\n");
}

/// Where duplicating is forbidden.
#[test]
#[cfg(target_os = "linux")]
fn a_file_that_is_opened_anew_is_read_from_where_it_stands() {
    let file = lines();
    let reopened = reopen(file.as_raw_fd().try_into().unwrap()).unwrap();
    assert_eq!(secret(&Descriptor { number: 9, file: Ok(reopened.into()) }).unwrap(), b"second");
}

#[test]
fn what_is_open_for_writing_only_is_not_read() {
    let mut path = tempfile::NamedTempFile::new().unwrap();
    path.write_all(b"24681357\n").unwrap();
    let writer = std::fs::OpenOptions::new().write(true).open(path.path()).unwrap();
    assert_eq!(cause(secret(&claim(writer.as_raw_fd()))), "it is open for writing only");
}

#[test]
fn a_number_that_is_not_open_is_not_told() {
    for number in [87_654_321, u32::MAX] {
        let Err(SecretError::Unreadable { origin, .. }) = secret(&Descriptor::claim(number)).map(|_| ()) else {
            panic!("{number} was read");
        };
        assert_eq!(origin, "the file descriptor");
    }
    #[cfg(target_os = "linux")]
    assert_eq!(reopen(87_654_321).unwrap_err(), Errno::BADF);
}

#[test]
fn a_pipe_is_at_hand_when_something_is_in_it() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let descriptor = claim(reader.as_raw_fd());
    assert!(!descriptor.is_ready());
    writer.write_all(b"2").unwrap();
    assert!(descriptor.is_ready());
}
