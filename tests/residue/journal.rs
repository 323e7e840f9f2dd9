//! What the journal is told.

use std::fs::{self, File};
use std::process::{Command, Stdio};

use support::journald::{Journald, stream};
use support::waiting::skip;

use super::command::LOUD;
use super::held::Held;
use super::long_lived::assert_none;
use super::scan::Scanner;
use super::scene::{By, Scene, Spelling};

#[test]
fn the_journal_is_told_no_secret() {
    let Some(pcscd) = super::pcscd() else { return };
    if !Journald::is_possible() {
        return skip("no mount namespace can be made here");
    }
    let scene = Scene::new(pcscd, By::Server, |_| {});
    let mut canaries = scene.arm(8, Spelling::Plain);
    let journald = Journald::start();
    // That descriptor 2 is the journal's is said by naming the file that it is.
    let errors = File::create(scene.place.path("stderr")).unwrap();
    let namespace = journald.namespace();
    let mut command = Command::new("setsid");
    command.arg(namespace.get_program()).args(namespace.get_args()).arg(env!("CARGO_BIN_EXE_pinwright"));
    command.env("JOURNAL_STREAM", stream(&errors).unwrap());
    let held = Held::start(&scene, command, LOUD, Stdio::null());
    held.wait();
    canaries.extend(scene.answers());
    assert_none(&held.scan(&canaries));
    assert_eq!(held.release().status.code(), Some(0));
    assert!(scene.has_pin(&canaries[0]));
    let told = journald.finish().concat();
    // The commands that carried secrets are among what was told.
    let text = String::from_utf8_lossy(&told);
    for header in ["00870000", "002C0280", "00200080"] {
        assert!(text.contains(&format!("> {header}")), "{header}: {text}");
    }
    fs::write(scene.place.path("journal"), &told).unwrap();
    assert_none(&scene.left_on_disk(&Scanner::new(&canaries)));
}
