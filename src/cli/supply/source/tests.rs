use std::io::Write as _;

use super::*;
use crate::os::testing;

/// A pipe that half a secret came through.
fn half() -> Option<(File, io::PipeWriter)> {
    let (reader, mut writer) = testing::pipe()?;
    writer.write_all(b"2468").unwrap();
    Some((reader, writer))
}

#[test]
fn half_a_secret_is_none_when_time_is_up() {
    let Some((reader, _open)) = half() else { return };
    let patience = Patience { until: Instant::now(), interrupted: &AtomicBool::new(false) };
    let result = line("the PIN", &reader, "a pipe", patience);
    assert!(matches!(result, Err(SecretError::TimedOut { .. })), "{result:?}");
}

#[test]
fn an_interruption_ends_the_wait() {
    let Some((reader, _open)) = half() else { return };
    let result = line("the PIN", &reader, "a pipe", Patience::from_now(&AtomicBool::new(true)));
    assert!(matches!(result, Err(SecretError::Cancelled { .. })), "{result:?}");
}

#[test]
fn a_pipe_that_ends_has_given_all_of_the_secret() {
    let Some((reader, writer)) = half() else { return };
    drop(writer);
    let secret = line("the PIN", &reader, "a pipe", Patience::from_now(&AtomicBool::new(false))).unwrap();
    assert_eq!(secret.expose(), b"2468");
}

#[test]
fn two_lines_are_refused_and_line_ends_are_no_second_line() {
    for (text, is_taken) in [("24681357\n", true), ("24681357\r\n\n", true), ("24681357\n87654321\n", false)] {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        io::Seek::rewind(&mut file).unwrap();
        let result = line("the PIN", &file, "a file", Patience::from_now(&AtomicBool::new(false)));
        assert_eq!(result.is_ok(), is_taken, "{text:?}");
        let Some((reader, mut writer)) = testing::pipe() else { continue };
        writer.write_all(text.as_bytes()).unwrap();
        // The writer keeps its end open.
        let result = line("the PIN", &reader, "a pipe", Patience::from_now(&AtomicBool::new(false)));
        assert_eq!(result.is_ok(), is_taken, "{text:?}");
    }
}
