//! What is left of secrets in memory and on disk when a job is over: nothing. `make residue` prints the long table.
//!
//! Reading the memory of a process that is closed to others takes root. A user who may make user namespaces is root in one;
//! where that is not possible either, a test says `SKIPPED` and passes; with `CI=true` it fails.
#![cfg(all(feature = "sim", target_os = "linux"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs
)]

mod adfs;
mod agent;
mod canary_setup;
mod command;
mod daemon;
mod enrollment;
mod failures;
mod families;
mod forms;
mod held;
mod journal;
#[cfg(feature = "kerberos")]
mod kerberos;
mod long_lived;
mod pinentry;
mod process;
mod prompt;
mod scan;
mod scdaemon;
mod sign_ins;
mod subject;
mod table;
mod ways;

use std::alloc::System;
use std::process::Command;

use pinwright::secret::ZeroAlloc;
use support::pcscd::Pcscd;
use support::waiting::skip;

/// As in the binary: this program plays the agent, too.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

/// Set in a test that was started again as root of a user namespace.
const AGAIN: &str = "RESIDUE_AGAIN";

/// A pcscd and the right to read memory; `None` where this test has run elsewhere, or can't run, with the reason on stderr.
fn pcscd() -> Option<Pcscd> {
    if !rustix::process::geteuid().is_root() && std::env::var_os(AGAIN).is_none() && namespaces() {
        // The harness names a test's thread after it.
        let thread = std::thread::current();
        let mut again = Command::new("unshare");
        again.arg("--map-root-user").arg(std::env::current_exe().expect("this program has a path"));
        again.args(["--exact", thread.name().expect("a test"), "--nocapture"]).env(AGAIN, "1");
        assert!(again.status().expect("unshare runs").success(), "it failed as root of a user namespace");
        return None;
    }
    let reason = match Pcscd::start(2) {
        Ok(started) if rustix::process::geteuid().is_root() => return Some(started),
        Ok(_) => "only root can read the memory of a closed process".to_owned(),
        Err(skip) => skip.to_string(),
    };
    skip(&reason);
    None
}

fn namespaces() -> bool {
    Command::new("unshare").args(["--map-root-user", "true"]).output().is_ok_and(|output| output.status.success())
}
