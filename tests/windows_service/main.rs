//! The agent as a service of Windows: the program that is given out, the system's service manager, winscard, and the stand-in for the
//! server over TLS.
//!
//! `.ci/windows` runs it under Wine with a pcscd beside it, as it does `windows`. A machine has one service of this name, and one
//! configuration: the tests make both, and remove them, one test at a time. On a machine that is in use nothing of this may run, so without
//! `PINWRIGHT_VPCD` no test does anything.
//!
//! Wine stops every service when the last program that is none has ended. This program lives longer than what it starts.
#![cfg(all(windows, feature = "sim"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod cards;
mod control;
mod failures;
mod installing;
mod machine;
mod stopping;
