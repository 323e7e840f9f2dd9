//! A whole enrollment by a person at a terminal: the question, the time of the key pair, the end.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use pinwright::sim::gids::GidsSettings;
use pinwright::sim::server::RequestStatus;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use support::installation::{Installation, server_for};

use super::{OLD_PIN, pcscd_with, personalised};

#[test]
fn an_enrollment_asks_once_and_shows_how_long_the_key_pair_takes() {
    let Some(pcscd) = pcscd_with(2) else { return };
    let card = personalised();
    let _inserted = pcscd.insert(0, card.clone());
    let mut settings = server_for(&GidsSettings::default());
    settings.cards.clear();
    settings.requests[0].new_card = None;
    settings.templates[0].keys.iter_mut().for_each(|keys| keys.hash = "SHA256".to_owned());
    let installation = Installation::new(settings);
    let status = || installation.server.state().change(|settings| settings.requests[0].status);

    for (keys, exit) in [(&b"n\n"[..], 10), (b"y\n", 0)] {
        let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&person).and_then(|()| unlockpt(&person)).unwrap();
        let name = ptsname(&person, Vec::new()).unwrap();
        let terminal = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        let end = || Stdio::from(terminal.try_clone().unwrap());
        let mut command = Command::new("setsid");
        command.args(["--wait", "--ctty", env!("CARGO_BIN_EXE_pinwright")]);
        installation.furnish(&mut command, &pcscd.socket());
        command.arg("enroll").env("NO_COLOR", "1").stdin(end()).stdout(end()).stderr(end());
        let mut child = command.spawn().unwrap();
        // What is not given to the command keeps the terminal open.
        drop((command, terminal));
        let mut person = File::from(person);
        let (mut shown, mut byte) = (Vec::new(), [0]);
        while !shown.ends_with(b"[y/N] ") {
            person.read_exact(&mut byte).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&shown)));
            shown.extend(byte);
        }
        person.write_all(keys).unwrap();
        // Nobody else has the terminal once the command is over: then it ends with an error.
        while matches!(person.read(&mut byte), Ok(1..)) {
            shown.extend(byte);
        }
        let shown = String::from_utf8(shown).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(exit), "{shown}");
        assert_eq!(shown.matches("[y/N]").count(), 1, "{shown}");
        for words in ["Carry out request a9b4b42c-", "  1. bind the card to it", "  2. set a new PIN", "Go on? [y/N]"] {
            assert!(shown.contains(words), "{words}: {shown}");
        }
        let is_done = exit == 0;
        assert_eq!(shown.contains("\r· generate the key pair (0 s)"), is_done, "{shown}");
        assert_eq!(shown.contains("and a certificate; request a9b4b42c-"), is_done, "{shown}");
        assert_eq!(status(), if is_done { RequestStatus::Completed } else { RequestStatus::Approved });
        assert_eq!(card.with(|card| card.pin_is(OLD_PIN.as_bytes())), !is_done, "{shown}");
    }
    assert!(installation.server.violations().is_empty(), "{:?}", installation.server.violations());
}
