//! Whole enrollments inside one process: a virtual card in a virtual reader, the stand-in server with its authority over real TLS, the
//! journal on disk, and everything that can cut a run off.
#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

mod cut_off;
mod good;
mod hostile;
mod server_faults;
mod site;
mod wipe;
