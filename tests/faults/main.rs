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

#[allow(dead_code, unused_imports)]
#[path = "../provisioning/bench.rs"]
mod bench;
#[path = "../support/forms.rs"]
mod forms;
#[allow(dead_code)]
#[path = "../provisioning/plastic.rs"]
mod plastic;

mod card_faults;
mod diary;
#[cfg(unix)]
mod journal_folder;
mod pairs;
mod resets;
mod server_faults;
mod two_jobs;
mod wire;
