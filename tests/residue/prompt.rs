//! Secrets that a person types.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

use super::canary_setup::{By, CanarySetup, Spelling};
use super::command::LOUD;
use super::forms::{Canary, Kind};
use super::held::Held;
use super::long_lived::assert_none;
use super::scan::Scanner;

/// The person's side of a terminal, and the command on the other.
struct Conversation {
    person: File,
    held: Held,
}

impl Conversation {
    fn begin(setup: &CanarySetup) -> Self {
        let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&person).and_then(|()| unlockpt(&person)).expect("a terminal that can be opened");
        let name = ptsname(&person, Vec::new()).expect("it has a name");
        let terminal = File::options().read(true).write(true).open(name.to_str().unwrap()).expect("the other side");
        let mut command = Command::new("setsid");
        command.args(["--ctty", env!("CARGO_BIN_EXE_pinwright")]);
        let held = Held::start(setup, command, LOUD, Stdio::from(terminal));
        Self { person: File::from(person), held }
    }

    /// Waits for the question and types.
    fn answer(&mut self, question: &str, keys: &[u8]) {
        let mut said = Vec::new();
        let mut byte = [0];
        while !said.ends_with(question.as_bytes()) {
            self.person.read_exact(&mut byte).expect("the command talks");
            said.extend(byte);
        }
        self.person.write_all(keys).expect("the command listens");
    }

    /// Until it is over: the exit code, and nothing left.
    fn end(self, setup: &CanarySetup, mut canaries: Vec<Canary>) -> i32 {
        self.held.wait();
        // A terminal that shows what is typed again, however it ended.
        assert!(tcgetattr(&self.person).unwrap().local_modes.contains(LocalModes::ECHO | LocalModes::ICANON));
        canaries.extend(setup.answers());
        assert_none(&self.held.scan(&canaries));
        assert_none(&setup.left_on_disk(&Scanner::new(&canaries)));
        self.held.release().status.code().expect("an exit code")
    }
}

#[test]
fn a_typed_pin_leaves_nothing_whether_it_is_set_mistyped_or_cancelled() {
    let Some(pcscd) = super::pcscd() else { return };
    let setup = CanarySetup::new(pcscd, By::Server, |_| {});
    let (first, again) = ("New PIN: ", "New PIN again: ");

    let canaries = setup.arm(8, Spelling::Nothing);
    let mut person = Conversation::begin(&setup);
    person.answer(first, &[&canaries[0].bytes, &b"\r"[..]].concat());
    person.answer(again, &[&canaries[0].bytes, &b"\r"[..]].concat());
    assert_eq!(person.end(&setup, canaries.clone()), 0);
    assert!(setup.has_pin(&canaries[0]));

    // Corrected with backspaces, wiped as a whole, typed wrong the second time, cancelled at last.
    let mut canaries = setup.arm(8, Spelling::Nothing);
    let other = Canary::text(Kind::Pin, 12);
    let mut person = Conversation::begin(&setup);
    person.answer(first, &[&other.bytes, &[0x7F; 12][..], &canaries[0].bytes, b"\r"].concat());
    person.answer(again, &[&canaries[0].bytes, &b"\x15"[..], &other.bytes, b"\r"].concat());
    person.answer(first, &[&canaries[0].bytes, &b"\x03"[..]].concat());
    canaries.push(other);
    assert_eq!(person.end(&setup, canaries.clone()), 10);
    assert!(!setup.has_pin(&canaries[0]));
}

#[test]
fn a_typed_admin_key_leaves_nothing() {
    let Some(pcscd) = super::pcscd() else { return };
    let setup = CanarySetup::new(pcscd, By::AdminKey, |_| {});
    setup.installation.configure(
        &format!("auth = \"bearer\"\ntoken_file = {:?}", setup.secret(Kind::Token)),
        "[card]\nauthority = [\"admin-key\"]",
    );
    let canaries = setup.arm(8, Spelling::Plain);
    let mut person = Conversation::begin(&setup);
    person.answer("hex digits): ", format!("{}\r", hex::encode(&canaries[1].bytes)).as_bytes());
    assert_eq!(person.end(&setup, canaries.clone()), 0);
    assert!(setup.has_pin(&canaries[0]));
}
