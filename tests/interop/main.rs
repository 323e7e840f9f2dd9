//! Independent cards and independent clients around pinwright: who wrote the commands is not who judges them.
//!
//! The cards are Nitrokey's PIV and OpenPGP applications (`tests/vcard`) in readers of a real pcscd; the judges are OpenSC,
//! yubico-piv-tool and GnuPG. Each judge is first shown to work on the cards alone, in its own file; then `piv` and `openpgp`
//! let them say what pinwright has done. No wrong PIN, PUK or code is offered but where the test is about one: each card
//! counts, and fails the test that has not declared it.
//!
//! Where there can't be a pcscd, a test says `SKIPPED` and passes; with `CI=true` it fails. A missing card or judge is a failure
//! everywhere: `make interop` installs and builds them.
#![cfg(all(feature = "sim", target_os = "linux"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs
)]

mod apdu;
mod certificates;
mod counts;
mod enrollment;
mod gnupg;
mod harness;
mod job;
mod judge;
mod keys;
mod openpgp;
mod opensc;
mod piv;
mod plan;
mod recordings;
mod stand_ins;
mod ykman;
mod yubico;

/// The GUID of PIV cards in these tests, and the serial number of OpenPGP cards.
const GUID: &str = "00112233445566778899aabbccddeeff";
const SERIAL: &str = "12345678";
/// A manufacturer that is in nobody's table.
const VENDOR: &str = "000F";

/// What the cards are born with.
const PIN: &str = "123456";
const PUK: &str = "12345678";
const ADMIN_PIN: &str = "12345678";
