//! `pinwright agent` as a process: its start and end, who it becomes, what it tells systemd, where its log goes.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[cfg(feature = "sim")]
mod journal;
mod process;
mod systemd;

use std::io::Write as _;
use std::time::{Duration, Instant};

/// Far beyond every deadline under test.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until it is so.
#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what} did not come about");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Says that a test can't be done here; in CI it has to be.
fn skip(reason: &str) {
    assert!(std::env::var("CI").map_or(true, |ci| ci != "true"), "{reason}");
    // Not by `eprintln!`, which the harness keeps to itself for tests that pass.
    drop(writeln!(std::io::stderr(), "SKIPPED: {reason}"));
}
