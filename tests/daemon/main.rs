//! `pinwright agent` as a process: its start and end, who it becomes, what it tells systemd, where its log goes.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod check;
#[cfg(feature = "sim")]
mod journal;
mod process;
mod systemd;
