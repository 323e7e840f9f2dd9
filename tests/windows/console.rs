//! What a person types on the console, and what they see of it: the real one (`CONIN$`), on a terminal outside of Wine.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use pinwright::sim::server::PinMaker;
use support::{native, repository, waiting};

use super::*;

/// The program on a console of its own.
struct Seat {
    connection: TcpStream,
    /// All that came, with what moves the cursor and colours.
    came: Vec<u8>,
    /// How much of the text has been waited for.
    seen: usize,
}

impl Seat {
    fn start(desk: &Desk, arguments: &[&str]) -> Self {
        let program = std::env::var_os("PINWRIGHT_PROGRAM").map_or_else(repository::pinwright, PathBuf::from);
        let (program, config) = (program.display().to_string(), desk.path("config.toml").display().to_string());
        let all = [&[program.as_str(), "--config", config.as_str(), "--color", "never"], arguments].concat();
        let connection = native::start("PINWRIGHT_CONSOLE", desk.folder.path(), &all);
        let connection = connection.expect("PINWRIGHT_CONSOLE names a port: `make test-windows` has one");
        Self { connection, came: Vec::new(), seen: 0 }
    }

    /// Waits for a text after those that were waited for before.
    #[track_caller]
    fn shows(&mut self, text: &str) {
        assert!(self.comes(text, waiting::PATIENCE), "{text} does not come: {}", plain(&self.came));
    }

    /// Whether it comes before nothing has come for so long.
    fn comes(&mut self, text: &str, within: Duration) -> bool {
        self.connection.set_read_timeout(Some(within)).unwrap();
        loop {
            let shown = plain(&self.came);
            if let Some(at) = shown.get(self.seen..).and_then(|rest| rest.find(text)) {
                self.seen += at + text.len();
                return true;
            }
            let mut some = [0; 512];
            match self.connection.read(&mut some) {
                Ok(0) | Err(_) => return false,
                Ok(count) => self.came.extend(&some[..count]),
            }
        }
    }

    fn types(&mut self, keys: &str) {
        self.connection.write_all(keys.as_bytes()).unwrap();
    }

    /// Its exit code, and all that was shown.
    #[track_caller]
    fn ends(mut self) -> (i32, String) {
        self.shows(END);
        self.finish()
    }

    /// The same after keys that give up. They are pressed again where nothing comes of them: under Wine that happens, and why is not known.
    #[track_caller]
    fn gives_up(mut self, keys: &str) -> (i32, String) {
        for _ in 0..10 {
            self.types(keys);
            if self.comes(END, Duration::from_secs(5)) {
                return self.finish();
            }
        }
        panic!("{keys:?} ends nothing: {}", plain(&self.came))
    }

    #[track_caller]
    fn finish(mut self) -> (i32, String) {
        self.connection.read_to_end(&mut self.came).unwrap();
        let shown = plain(&self.came);
        let code = shown[self.seen..].split_whitespace().next().and_then(|code| code.parse().ok());
        (code.expect("a number comes last"), shown)
    }
}

/// What `.ci/windows-native` says at the end, before the exit code.
const END: &str = "ended with ";

/// The text of what a terminal is sent, with a new line wherever the cursor goes elsewhere; an unfinished command at the end is none yet.
fn plain(came: &[u8]) -> String {
    let text = String::from_utf8_lossy(came);
    let mut out = String::new();
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        match character {
            '\r' => {}
            '\u{1B}' => match rest.next() {
                Some('[') => {
                    let last = rest.by_ref().find(|character| character.is_ascii_alphabetic());
                    if matches!(last, Some('H' | 'E' | 'B' | 'd')) {
                        out.push('\n');
                    }
                }
                Some(']') => drop(rest.by_ref().find(|character| *character == '\u{7}')),
                _ => {}
            },
            other => out.push(other),
        }
    }
    out
}

/// A server whose template has the user choose the PIN.
fn desk() -> Desk {
    let card = GidsSettings::default();
    let mut settings = Settings::for_card(Uuid::from_bytes_le(card.card_id), &hex::encode(&card.atr), card.admin_key);
    settings.pin_maker = PinMaker::UserProvided;
    Desk::with(settings)
}

fn is_untouched(card: &SharedCard<GidsCard>) -> bool {
    card.with(|card| card.pin_is(b"12345678") && card.tries_left() == 3)
}

/// Ctrl-C, Ctrl-D, Ctrl-Z. Esc alone begins a key's name on a terminal, and Wine waits for the rest of it: `os::prompt::keys` tries it.
const GIVE_UP: [&str; 3] = ["\u{3}", "\u{4}", "\u{1A}"];

#[test]
fn a_pin_is_typed_twice_and_seen_by_nobody() {
    let Some(readers) = Readers::new() else { return };
    let card = gids();
    let _inserted = readers.insert(0, card.clone());
    let desk = desk();
    let mut seat = Seat::start(&desk, &["set-pin"]);
    seat.shows("[y/N]");
    seat.types("y\r");
    // Too short, then two that differ, then one with a digit taken back.
    seat.shows("New PIN:");
    seat.types("246\r");
    seat.shows("That PIN can't be taken: it has fewer than");
    seat.shows("New PIN:");
    seat.types("13572468\r");
    seat.shows("New PIN again:");
    seat.types("97531864\r");
    seat.shows("The two entries differ; nothing was changed. Once more.");
    seat.shows("New PIN:");
    seat.types("864209753\u{7F}\r");
    seat.shows("New PIN again:");
    seat.types("86420975\r");
    let (code, shown) = seat.ends();
    assert_eq!(code, 0, "{shown}");
    for secret in ["13572468", "97531864", "864209"] {
        assert!(!shown.contains(secret), "{secret} was shown: {shown}");
    }
    assert!(!shown.contains("****"), "{shown}");
    assert!(card.with(|card| card.pin_is(b"86420975") && card.tries_left() == 3), "{shown}");
    assert!(desk.server.violations().is_empty(), "{:?}", desk.server.violations());
}

#[test]
fn whoever_gives_up_at_a_question_leaves_the_card_as_it_was() {
    let Some(readers) = Readers::new() else { return };
    let card = gids();
    let _inserted = readers.insert(0, card.clone());
    for keys in GIVE_UP {
        let desk = desk();
        let mut seat = Seat::start(&desk, &["set-pin"]);
        seat.shows("[y/N]");
        let (code, shown) = seat.gives_up(keys);
        assert!(code == 10 && is_untouched(&card), "{keys:?}: {code}: {shown}");
        for at in ["New PIN:", "New PIN again:"] {
            let mut seat = Seat::start(&desk, &["set-pin"]);
            seat.shows("[y/N]");
            seat.types("y\r");
            seat.shows("New PIN:");
            if at != "New PIN:" {
                seat.types("13572468\r");
                seat.shows(at);
            }
            seat.types("1357");
            let (code, shown) = seat.gives_up(keys);
            assert!(code == 10 && is_untouched(&card), "{keys:?} at {at}: {code}: {shown}");
            assert!(!shown.contains("1357"), "{keys:?} at {at}: {shown}");
        }
        assert!(desk.server.violations().is_empty(), "{:?}", desk.server.violations());
    }
}

#[test]
fn only_a_yes_is_one() {
    let Some(readers) = Readers::new() else { return };
    let card = gids();
    let _inserted = readers.insert(0, card.clone());
    for (keys, exit) in [("n\r", 10), ("\r", 10), ("yesterday\r", 10), ("ny\u{8}\u{8}yes\r", 0)] {
        let desk = Desk::new();
        let mut seat = Seat::start(&desk, &["set-pin"]);
        seat.shows("[y/N]");
        seat.types(keys);
        let (code, shown) = seat.ends();
        assert_eq!((code, is_untouched(&card)), (exit, exit != 0), "{keys:?}: {shown}");
    }
}

#[test]
fn nothing_is_written_at_the_server_before_a_yes() {
    let Some(_readers) = Readers::new() else { return };
    let request = "a9b4b42c-cc50-4c9b-89d1-bbc0bcd5a099";
    for (keys, exit, words) in [
        ("n\r", 10, "declined: nothing was changed at the server"),
        ("\u{4}", 10, "nothing was changed at the server"),
        ("\u{3}", 10, "interrupted: nothing was changed at the server"),
        ("y\r", 0, "Enroll"),
    ] {
        let mut settings = Settings::for_card(Uuid::from_u128(7), "", [7; 24]);
        settings.requests[0].new_card = None;
        let desk = Desk::with(settings);
        let mut seat = Seat::start(&desk, &["request", "cancel", request]);
        seat.shows("Cancel request a9b4b42c");
        seat.shows("[y/N]");
        let (code, shown) = match keys {
            "\u{3}" | "\u{4}" => seat.gives_up(keys),
            keys => {
                seat.types(keys);
                seat.ends()
            }
        };
        assert!(code == exit && shown.contains(words), "{code}, {keys:?}: {shown}");
        let changes = desk.server.requests().into_iter().filter(|call| call.method != "GET").count();
        assert_eq!(changes, usize::from(exit == 0), "{keys:?}: {shown}");
    }
}
