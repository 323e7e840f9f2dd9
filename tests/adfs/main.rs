//! Sign-in with AD FS: commands as a person runs them, against a stand-in for AD FS, with a scripted browser. Whole jobs on a virtual
//! card, and nothing secret in any log.
#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod agent;
mod desk;
mod jobs;
#[cfg(target_os = "linux")]
mod keyring;
mod login;
