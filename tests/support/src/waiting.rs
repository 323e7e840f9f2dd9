//! How a test waits for something, and how it says that it can't be done here.

use std::io::Write as _;
use std::thread;
use std::time::{Duration, Instant};

/// Far beyond every deadline under test.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until it is so.
#[track_caller]
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what} did not come about");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Says on stderr that a test can't be done here; with `CI=true` it has to be, and fails.
#[track_caller]
pub fn skip(reason: &str) {
    assert!(std::env::var("CI").map_or(true, |ci| ci != "true"), "the test can't run here: {reason}");
    say_skipped(reason);
}

/// The same for a test that may be left out in CI, too.
pub fn say_skipped(reason: &str) {
    // Not by `eprintln!`, which the harness keeps to itself for tests that pass.
    drop(writeln!(std::io::stderr(), "SKIPPED: {reason}"));
}
