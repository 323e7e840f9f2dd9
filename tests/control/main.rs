//! The agent's control socket: who is answered, what is answered, and what clients that misbehave can't do.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, missing_docs)]

mod about_card;
mod agent;
mod clients;
mod endpoints;
mod peers;
