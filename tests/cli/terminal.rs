//! The yes to what `request` writes at the server, on a terminal.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use pinwright::sim::server::{RequestStatus, Settings, StandIn};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use uuid::Uuid;

const REQUEST: &str = "a9b4b42c-cc50-4c9b-89d1-bbc0bcd5a099";

/// Runs a command on a terminal of its own and answers its question: its exit code, and all that the terminal shows.
fn answered(server: &StandIn, arguments: &[&str], keys: &[u8]) -> (i32, String) {
    talked(server, arguments, &[("[y/N] ", keys)])
}

/// The same with several questions, each by its end.
fn talked(server: &StandIn, arguments: &[&str], answers: &[(&str, &[u8])]) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    let (ca, config) = (folder.path().join("ca.pem"), folder.path().join("config.toml"));
    std::fs::write(&ca, server.ca_pem()).unwrap();
    let text = format!("[server]\nurl = \"{}\"\nca_file = \"{}\"\n", server.base_url(), ca.display());
    std::fs::write(&config, text).unwrap();

    let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&person).and_then(|()| unlockpt(&person)).unwrap();
    let name = ptsname(&person, Vec::new()).unwrap();
    let terminal = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    // Else Ctrl-C throws away what the terminal has not shown yet, which may be what the command says of it.
    let mut modes = tcgetattr(&terminal).unwrap();
    modes.local_modes |= LocalModes::NOFLSH;
    tcsetattr(&terminal, OptionalActions::Now, &modes).unwrap();
    let end = || Stdio::from(terminal.try_clone().unwrap());
    let mut child = Command::new("setsid")
        .args(["--wait", "--ctty", env!("CARGO_BIN_EXE_pinwright")])
        .args(arguments)
        .env("PINWRIGHT_CONFIG", &config)
        .env("XDG_STATE_HOME", folder.path())
        .stdin(end())
        .stdout(end())
        .stderr(end())
        .spawn()
        .unwrap();
    drop(terminal);
    let mut person = File::from(person);
    let (mut shown, mut byte) = (Vec::new(), [0]);
    for (question, keys) in answers {
        while !shown.ends_with(question.as_bytes()) {
            person.read_exact(&mut byte).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&shown)));
            shown.extend(byte);
        }
        person.write_all(keys).unwrap();
    }
    // Nobody else has the terminal once the command is over: then it ends with an error.
    while matches!(person.read(&mut byte), Ok(1..)) {
        shown.extend(byte);
    }
    (child.wait().unwrap().code().unwrap(), String::from_utf8(shown).unwrap())
}

fn server() -> StandIn {
    let mut settings = Settings::for_card(Uuid::from_u128(7), "", [7; 24]);
    settings.requests[0].new_card = None;
    StandIn::start(settings).unwrap()
}

/// Requests of this kind that the server has seen.
fn changes(server: &StandIn) -> usize {
    server.requests().into_iter().filter(|call| call.method != "GET").count()
}

#[test]
fn nothing_is_written_at_the_server_before_a_yes() {
    let create = ["request", "create", "--template", "a039b4d0-5ce8-4eff-8651-181c6576fda3"];
    for (arguments, question) in [
        (&create[..], "Create a request to enroll a card for you under template"),
        (&["request", "cancel", REQUEST], "Cancel request a9b4b42c"),
        (&["request", "abandon", REQUEST], "Abandon request a9b4b42c"),
    ] {
        for (keys, exit, words) in [
            (&b"n\n"[..], 10, "declined: nothing was changed at the server"),
            (b"\n", 10, "declined"),
            (b"yesterday\n", 10, "declined"),
            (b"\x03", 10, "interrupted: nothing was changed at the server"),
            (b"y\n", 0, "Enroll"),
        ] {
            let server = server();
            let (code, shown) = answered(&server, arguments, keys);
            assert!(code == exit && shown.contains(question) && shown.contains(words), "{code}, {keys:?}: {shown}");
            assert_eq!(changes(&server), usize::from(exit == 0), "{keys:?}: {shown}");
            assert!(server.violations().is_empty(), "{:?}", server.violations());
        }
    }
}

/// Who would make a second request is told of the first.
#[test]
fn an_open_request_under_the_template_is_told_before() {
    let server = server();
    let create = ["request", "create", "--template", "a039b4d0-5ce8-4eff-8651-181c6576fda3"];
    let (code, shown) = answered(&server, &create, b"n\n");
    assert!(code == 10 && shown.contains(&format!("Note: open already under this template: {REQUEST}.")), "{shown}");
    server.state().set_request_status(REQUEST.parse().unwrap(), RequestStatus::Completed);
    let (_, shown) = answered(&server, &create, b"n\n");
    assert!(!shown.contains("open already"), "{shown}");
}

/// What the template collects and nobody has given is asked for, and is part of the question.
#[test]
fn items_that_are_missing_are_asked_for() {
    let create = ["request", "create", "--template", "a039b4d0-5ce8-4eff-8651-181c6576fda3", "--data", "City=Ulm"];
    for (last, exit) in [(&b"y\n"[..], 0), (b"n\n", 10)] {
        let server = server();
        let items = ["Reason", "City", "Room\u{202e}"].map(str::to_owned).to_vec();
        server.state().change(|settings| settings.templates[0].data_items = items);
        let answers = [("\"Reason\": ", &b"a new = one\n"[..]), ("\"Room\\u{202e}\": ", b"\n"), ("[y/N] ", last)];
        let (code, shown) = talked(&server, &create, &answers);
        assert!(code == exit && shown.contains("\"Reason\" = \"a new = one\""), "{code}: {shown}");
        assert_eq!(changes(&server), usize::from(exit == 0));
        assert!(server.violations().is_empty(), "{:?}", server.violations());
    }
    let server = server();
    server.state().change(|settings| settings.templates[0].data_items = vec!["Reason".to_owned()]);
    let (code, shown) = talked(&server, &create[..4], &[("\"Reason\": ", b"\x04")]);
    assert!(code == 10 && shown.contains("interrupted: nothing was changed at the server"), "{code}: {shown}");
    assert_eq!(changes(&server), 0);
}
