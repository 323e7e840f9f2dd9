//! `pinwright agent` as a process, against a real pcscd with virtual readers, for as long as it takes: insertions, restarts of the
//! service, pulled cards, other agents, signals.
//!
//! Every wait is for one of the agent's own events. `PINWRIGHT_SOAK=10` makes the long tests ten times as long.
#![cfg(all(feature = "sim", target_os = "linux"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs
)]

mod command;
mod hangs;
mod holder;
mod one;
mod rivals;
mod service;
mod signals;
mod soak;
mod yanks;

/// How much longer than usual the long tests are.
fn soak() -> u32 {
    std::env::var("PINWRIGHT_SOAK").ok().and_then(|times| times.parse().ok()).unwrap_or(1)
}
