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

mod admin_key;
mod certificates;
mod choosing;
mod descriptors;
mod doctor;
mod enroll;
mod faults;
mod holder;
mod killing_card;
mod kills;
mod old_journal;
mod on_terminal;
mod polkit;
mod puk;
mod recordings;
mod resets;
mod secrets;
mod yubico;

use pinwright::sim::card::SharedCard;
use pinwright::sim::gids::{GidsCard, GidsSettings};
use support::pcscd::Pcscd;

/// The PIN that cards have before the job ([`GidsSettings::default`]).
const OLD_PIN: &str = "12345678";

/// A pcscd, or the reason on stderr.
fn pcscd_with(readers: u16) -> Option<Pcscd> {
    Pcscd::start_or_skip(readers)
}

fn personalised() -> SharedCard<GidsCard> {
    SharedCard::new(GidsCard::personalised(GidsSettings::default()))
}
