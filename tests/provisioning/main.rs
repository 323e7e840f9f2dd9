//! The PIN step from end to end inside one process: virtual cards in virtual readers, the stand-in server over real TLS, and
//! everything that either end, the wire between them or a person can do to a job.
#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

mod admin_key;
mod already_done;
mod card_answers;
mod codes;
mod consent;
mod early;
mod elsewhere;
mod good;
mod held;
mod identity;
mod last_tries;
mod misbehaving;
mod odd_atrs;
mod other_atrs;
mod pins;
mod piv_pins;
mod plan;
mod proxy;
mod records;
mod refused_answers;
mod swaps;
mod tls;
mod whose_request;
