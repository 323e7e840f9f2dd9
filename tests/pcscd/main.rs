//! The command against a real pcscd with virtual readers, and OpenSC as the judge of what is on the card.
//!
//! Each test has a pcscd of its own. Where there can't be one, a test says `SKIPPED` and passes; with `CI=true` it fails.
#![cfg(all(feature = "sim", target_os = "linux"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs
)]

#[path = "../support/forms.rs"]
mod forms;
#[path = "../support/holder.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod holding;
#[path = "../support/kept.rs"]
mod kept;
#[path = "../support/opensc.rs"]
mod opensc;
#[path = "../support/pcscd.rs"]
mod pcscd;
#[path = "../support/workplace.rs"]
mod workplace;

mod admin_key;
mod choosing;
mod descriptors;
mod enroll;
mod faults;
mod holder;
mod kills;
mod puk;
mod recordings;
mod resets;
mod secrets;
mod trap;

use pcscd::Pcscd;
use pinwright::sim::card::SharedCard;
use pinwright::sim::gids::{GidsCard, GidsSettings};

/// The PIN that cards have before the job ([`GidsSettings::default`]).
const OLD_PIN: &str = "12345678";

/// A pcscd, or the reason on stderr.
fn pcscd_with(readers: u16) -> Option<Pcscd> {
    Pcscd::start_or_skip(readers)
}

fn personalised() -> SharedCard<GidsCard> {
    SharedCard::new(GidsCard::personalised(GidsSettings::default()))
}
