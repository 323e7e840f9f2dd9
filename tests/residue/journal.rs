//! What the journal is told.

use std::fs::{self, File};
use std::process::{Command, Stdio};

use support::journald::{Journald, stream};
use support::waiting::skip;

use super::canary_setup::{By, CanarySetup, Spelling};
use super::command::LOUD;
use super::held::Held;
use super::long_lived::assert_none;
use super::scan::Scanner;

#[test]
fn the_journal_is_told_no_secret() {
    let Some(pcscd) = super::pcscd() else { return };
    if !Journald::is_possible() {
        return skip("no mount namespace can be made here");
    }
    let setup = CanarySetup::new(pcscd, By::Server, |_| {});
    let mut canaries = setup.arm(8, Spelling::Plain);
    let journald = Journald::start();
    // That descriptor 2 is the journal's is said by naming the file that it is.
    let errors = File::create(setup.installation.path("stderr")).unwrap();
    let namespace = journald.namespace();
    let mut command = Command::new("setsid");
    command.arg(namespace.get_program()).args(namespace.get_args()).arg(env!("CARGO_BIN_EXE_pinwright"));
    command.env("JOURNAL_STREAM", stream(&errors).unwrap());
    let held = Held::start(&setup, command, LOUD, Stdio::null());
    held.wait();
    canaries.extend(setup.answers());
    assert_none(&held.scan(&canaries));
    assert_eq!(held.release().status.code(), Some(0));
    assert!(setup.has_pin(&canaries[0]));
    let told = journald.finish().concat();
    // The commands that carried secrets are among what was told.
    let text = String::from_utf8_lossy(&told);
    for header in ["00870000", "002C0280", "00200080"] {
        assert!(text.contains(&format!("> {header}")), "{header}: {text}");
    }
    fs::write(setup.installation.path("journal"), &told).unwrap();
    assert_none(&setup.left_on_disk(&Scanner::new(&canaries)));
}
