//! No card is lost: every fault of card, link and server at every point of a job, and what card and journal say afterwards.
#![cfg(feature = "sim")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs
)]

mod card_faults;
mod case_journal;
#[cfg(unix)]
mod journal_disk;
mod journal_folder;
mod pairs;
mod resets;
mod risky_frames;
mod server_faults;
mod two_jobs;
mod wire;
