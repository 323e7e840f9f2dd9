//! The agent in one process: its loop with virtual readers, the server stand-in, a journal in a temporary folder, and a follower of
//! its events as the way to wait.
#![cfg(all(feature = "sim", target_os = "linux"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs
)]

mod setup;
mod watcher;

mod cards;
mod enroll;
mod figures;
mod jobs;
mod others;
mod people;
mod readers;
mod server;
mod tries;
