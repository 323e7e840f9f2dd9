//! Secrets that a person types into the agent's dialog, which here is a script.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use super::canary_setup::{By, CanarySetup, Spelling};
use super::daemon::{Daemon, scene_without_card};
use super::forms::{Canary, Kind};
use super::long_lived::assert_none;

/// A pinentry that answers GETPIN with the next file, and then does what that file says.
struct Person {
    // Outside of what is searched: it has what is typed.
    folder: tempfile::TempDir,
}

impl Person {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let script = format!(
            r#"#!/bin/sh
cd {:?}
echo "OK Pleased to meet you"
while read -r line; do
    case $line in
        GETPIN) . ./answer ;;
        BYE) echo OK; exit 0 ;;
        *) echo OK ;;
    esac
done
"#,
            folder.path()
        );
        let program = folder.path().join("pinentry");
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
        Self { folder }
    }

    /// What happens at the next question.
    fn will(&self, commands: &str) {
        fs::write(self.folder.path().join("answer"), commands).unwrap();
    }

    /// In their dialog, and none longer than the least that can be configured.
    fn configure(&self, setup: &CanarySetup) {
        let program = self.folder.path().join("pinentry");
        setup.configure("", &format!("[agent]\npinentry = {program:?}\npinentry_timeout = \"10s\"\n"));
    }
}

/// A line of the protocol with the secret in it.
fn line_with(secret: &Canary) -> String {
    let text = secret.as_text().replace('%', "%25").replace('\'', r"'\''");
    format!("printf '%s\\n' 'D {text}'")
}

#[test]
fn a_pin_from_a_dialog_leaves_nothing_whether_it_is_set_cancelled_or_comes_too_late() {
    let Some(pcscd) = super::pcscd() else { return };
    let setup = scene_without_card(pcscd, By::Server);
    let person = Person::new();
    person.configure(&setup);
    let agent = Daemon::start(&setup);
    let mut all = Vec::new();
    // `abandoned`: the program hangs until after the agent has given the dialog up, and then says it all.
    let (cancelled, abandoned) = ("echo 'ERR 83886179 Operation cancelled'", "sleep 16");
    for (what, ends) in [("", "done"), ("", "done"), ("", "done"), (cancelled, "needs-pin"), (abandoned, "needs-pin")] {
        let canaries = agent.next(&setup, 8, Spelling::Nothing);
        person.will(&match what {
            "" => format!("{}\necho OK", line_with(&canaries[0])),
            what if what == abandoned => format!("{what}\n{}\necho OK", line_with(&canaries[0])),
            // Half of it was handed over by then.
            what => format!("{}\n{what}", line_with(&canaries[0])),
        });
        setup.insert();
        let phase = agent.ends();
        assert_eq!(phase, ends, "{what}: {}", fs::read_to_string(setup.installation.path("stderr")).unwrap());
        assert_eq!(setup.has_pin(&canaries[0]), phase == "done");
        all.extend(canaries);
        all.extend(setup.answers());
    }
    assert_none(&agent.left(&setup, &all));
    // The abandoned one has come by then.
    std::thread::sleep(std::time::Duration::from_secs(4));
    assert_none(&agent.left(&setup, &all));
}

#[test]
fn the_current_pin_from_a_dialog_leaves_nothing() {
    let Some(pcscd) = super::pcscd() else { return };
    let setup = scene_without_card(pcscd, By::CurrentPin);
    let person = Person::new();
    let program = person.folder.path().join("pinentry");
    let token = setup.secret(Kind::Token);
    setup.installation.configure(
        &format!("auth = \"bearer\"\ntoken_file = {token:?}"),
        &format!("[card]\nauthority = [\"current-pin\"]\n[agent]\npinentry = {program:?}\n"),
    );
    let agent = Daemon::start(&setup);
    let mut all = Vec::new();
    for _ in 0..3 {
        let canaries = agent.next(&setup, 8, Spelling::Plain);
        let current = canaries.iter().find(|canary| canary.kind == Kind::CurrentPin).unwrap();
        person.will(&format!("{}\necho OK", line_with(current)));
        setup.insert();
        assert_eq!(agent.ends(), "done");
        assert!(setup.has_pin(&canaries[0]));
        all.extend(canaries);
    }
    assert_none(&agent.left(&setup, &all));
}
