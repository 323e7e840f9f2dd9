use std::io::{Seek as _, SeekFrom, Write as _};
use std::sync::atomic::AtomicBool;

use super::*;
use crate::os::testing;

fn claim(file: &File) -> Option<Descriptor> {
    testing::number_of(file).map(Descriptor::claim)
}

fn secret(descriptor: &Descriptor) -> Result<Vec<u8>, SecretError> {
    let quiet = AtomicBool::new(false);
    let secret = descriptor.secret("the PIN", Patience::from_now(&quiet))?;
    Ok(secret.expose().to_vec())
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
fn what_cannot_be_opened_anew_is_read() {
    let Some((mut caller, ours)) = testing::sockets() else { return };
    caller.write_all(b"24681357\n").unwrap();
    let descriptor = claim(&ours).unwrap();
    assert_eq!(secret(&descriptor).unwrap(), b"24681357");
    caller.write_all(b"24681357\nmore\n").unwrap();
    assert!(matches!(secret(&descriptor), Err(SecretError::Unusable { .. })));
}

#[test]
fn a_file_is_read_from_where_it_stands_and_holds_one_line_there() {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"first\nsecond\n").unwrap();
    file.seek(SeekFrom::Start(6)).unwrap();
    let Some(descriptor) = claim(&file) else { return };
    assert_eq!(secret(&descriptor).unwrap(), b"second");
    file.seek(SeekFrom::Start(0)).unwrap();
    assert!(matches!(secret(&descriptor), Err(SecretError::Unusable { .. })));
}

#[test]
fn what_is_open_for_writing_only_is_not_read() {
    let mut path = tempfile::NamedTempFile::new().unwrap();
    path.write_all(b"24681357\n").unwrap();
    let writer = std::fs::OpenOptions::new().write(true).open(path.path()).unwrap();
    let Some(descriptor) = claim(&writer) else { return };
    assert_eq!(cause(secret(&descriptor)), "it is open for writing only");
}

#[test]
fn a_number_that_is_not_open_is_not_told() {
    for number in [87_654_321, u32::MAX] {
        let Err(SecretError::Unreadable { origin, source, .. }) = secret(&Descriptor::claim(number)) else {
            panic!("{number} was read");
        };
        assert_eq!(origin, "the file descriptor");
        assert_eq!(source.to_string(), duplicate(number).unwrap_err().to_string());
    }
}

#[test]
fn a_pipe_is_at_hand_when_something_is_in_it() {
    let Some((reader, mut writer)) = testing::pipe() else { return };
    let descriptor = claim(&reader).unwrap();
    assert!(!descriptor.is_ready());
    writer.write_all(b"2").unwrap();
    assert!(descriptor.is_ready());
}
