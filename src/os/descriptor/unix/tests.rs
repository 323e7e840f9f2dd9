use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::fd::AsRawFd as _;

use super::*;

/// Three lines, and a descriptor that stands before the second.
fn lines() -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"first\nsecond\nthird\n").unwrap();
    file.seek(SeekFrom::Start(6)).unwrap();
    file
}

fn rest(mut file: File) -> String {
    let mut rest = String::new();
    file.read_to_string(&mut rest).unwrap();
    rest
}

#[test]
fn a_duplicate_stands_where_the_file_stands() {
    let file = lines();
    assert_eq!(rest(duplicate(file.as_raw_fd().try_into().unwrap()).unwrap()), "second\nthird\n");
    // One file: what was read by one is read.
    #[cfg(target_os = "linux")]
    assert_eq!(rest(file), "");
}

/// Where duplicating is forbidden.
#[test]
#[cfg(target_os = "linux")]
fn a_file_that_is_opened_anew_is_read_from_where_it_stands() {
    let file = lines();
    let reopened = reopen(file.as_raw_fd().try_into().unwrap()).unwrap();
    assert_eq!(rest(reopened.into()), "second\nthird\n");
    assert_eq!(reopen(87_654_321).unwrap_err(), Errno::BADF);
}

#[test]
fn a_number_that_is_not_open_is_an_error() {
    for number in [87_654_321, u32::MAX] {
        assert_eq!(duplicate(number).unwrap_err().raw_os_error(), Some(Errno::BADF.raw_os_error()));
    }
}
