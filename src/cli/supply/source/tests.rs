use std::io::Write as _;
use std::os::fd::OwnedFd;

use super::*;

/// A pipe that half a secret came through.
fn half() -> (File, io::PipeWriter) {
    let (reader, mut writer) = io::pipe().unwrap();
    writer.write_all(b"2468").unwrap();
    (OwnedFd::from(reader).into(), writer)
}

#[test]
fn half_a_secret_is_none_when_time_is_up() {
    let (reader, _open) = half();
    let patience = Patience { until: Instant::now(), interrupted: &AtomicBool::new(false) };
    let result = line("the PIN", &reader, "a pipe", patience);
    assert!(matches!(result, Err(SecretError::TimedOut { .. })), "{result:?}");
}

#[test]
fn an_interruption_ends_the_wait() {
    let (reader, _open) = half();
    let result = line("the PIN", &reader, "a pipe", Patience::from_now(&AtomicBool::new(true)));
    assert!(matches!(result, Err(SecretError::Cancelled { .. })), "{result:?}");
}

#[test]
fn a_pipe_that_ends_has_given_all_of_the_secret() {
    let (reader, writer) = half();
    drop(writer);
    let secret = line("the PIN", &reader, "a pipe", Patience::from_now(&AtomicBool::new(false))).unwrap();
    assert_eq!(secret.expose(), b"2468");
}

#[test]
fn only_a_regular_file_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    std::fs::write(folder.path().join("file"), "24681357\n").unwrap();
    assert!(open(&folder.path().join("file")).is_ok());
    #[cfg(target_os = "linux")]
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
    for other in [pipe.as_path(), folder.path(), Path::new("/dev/zero")] {
        assert!(open(other).is_err(), "{}", other.display());
    }
}
