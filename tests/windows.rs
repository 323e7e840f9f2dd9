//! The program on Windows with a card in a reader: PC/SC is winscard, TLS that of the program, and the server the stand-in.
//!
//! `.ci/windows` runs it under Wine with a pcscd beside it. `PINWRIGHT_VPCD` is the port of the first of its two readers,
//! `PINWRIGHT_PROGRAM` the program to try.
#![cfg(all(windows, feature = "sim"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "windows/console.rs"]
mod console;
#[path = "windows/store.rs"]
mod store;

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pinwright::reader::Readers as _;
use pinwright::reader::pcsc::PcscReaders;
use pinwright::sim::card::{SharedCard, VirtualCard};
use pinwright::sim::gids::{GidsCard, GidsSettings};
use pinwright::sim::piv::{PivCard, PivSettings};
use pinwright::sim::server::{Settings, StandIn, TlsKind};
use pinwright::sim::vpcd::{VpcdHandle, VpcdOptions};
use serde_json::{Value, json};
use support::{repository, waiting};
use uuid::Uuid;

const CARD_ID: &str = "33221100-5544-7766-8899-aabbccddeeff";

/// The two readers, which one test has at a time.
struct Readers {
    port: u16,
    _alone: MutexGuard<'static, ()>,
}

impl Readers {
    fn new() -> Option<Self> {
        static ALONE: Mutex<()> = Mutex::new(());
        let Ok(port) = std::env::var("PINWRIGHT_VPCD") else {
            waiting::skip("PINWRIGHT_VPCD names no reader: `make test-windows` has some");
            return None;
        };
        Some(Self { port: port.parse().unwrap(), _alone: ALONE.lock().unwrap_or_else(PoisonError::into_inner) })
    }

    /// Puts a card into one of them, and waits until PC/SC has seen it.
    fn insert<C: VirtualCard + 'static>(&self, slot: u16, card: C) -> Inserted {
        let handle = VpcdHandle::insert(card, &VpcdOptions::local(self.port + slot)).unwrap();
        wait_for_card(slot, true);
        Inserted { slot, handle: Some(handle) }
    }
}

/// A card in a reader, until it is dropped.
struct Inserted {
    slot: u16,
    handle: Option<VpcdHandle>,
}

impl Drop for Inserted {
    fn drop(&mut self) {
        drop(self.handle.take());
        if !std::thread::panicking() {
            wait_for_card(self.slot, false);
        }
    }
}

fn wait_for_card(slot: u16, present: bool) {
    let pcsc = PcscReaders::new(Duration::from_secs(30));
    waiting::until("what PC/SC says of the reader", || {
        let listed = pcsc.list().unwrap();
        let found = listed.iter().find(|entry| entry.name == reader(slot));
        found.unwrap_or_else(|| panic!("{listed:?}")).presence.is_there() == present
    });
}

/// The letters are of no one code page: `.ci/windows-guest` names the readers so.
fn reader(slot: u16) -> String {
    format!("Lecteur é ж 00 {slot:02X}")
}

/// Configuration, journal and server of one test.
struct Desk {
    folder: tempfile::TempDir,
    server: StandIn,
}

struct Run {
    exit: Option<i32>,
    out: String,
    err: String,
}

impl Desk {
    fn new() -> Self {
        let card = GidsSettings::default();
        Self::with(Settings::for_card(Uuid::from_bytes_le(card.card_id), &hex::encode(&card.atr), card.admin_key))
    }

    fn with(settings: Settings) -> Self {
        let desk = Self { folder: tempfile::tempdir().unwrap(), server: StandIn::start(settings).unwrap() };
        std::fs::write(desk.path("ca.pem"), desk.server.ca_pem()).unwrap();
        desk.configure(&desk.server.base_url().to_string());
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn configure(&self, url: &str) {
        let (ca, journal) = (self.path("ca.pem"), self.path("journal"));
        let text = format!(
            "[server]\nurl = \"{url}\"\nca_file = '{}'\n\n[journal]\ndir = '{}'\n",
            ca.display(),
            journal.display()
        );
        std::fs::write(self.path("config.toml"), text).unwrap();
    }

    fn pinwright(&self, arguments: &[&str]) -> Run {
        let program = std::env::var_os("PINWRIGHT_PROGRAM").map_or_else(repository::pinwright, PathBuf::from);
        let ours = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PINWRIGHT_"));
        let mut command = Command::new(program);
        for (name, _) in ours {
            command.env_remove(name);
        }
        let output = command
            .arg("--config")
            .arg(self.path("config.toml"))
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Run { exit: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }
}

impl Run {
    fn exits(self, code: i32) -> Self {
        assert_eq!(self.exit, Some(code), "{}{}", self.out, self.err);
        self
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}{}", self.out, self.err))
    }
}

fn gids() -> SharedCard<GidsCard> {
    SharedCard::new(GidsCard::personalised(GidsSettings::default()))
}

#[test]
fn readers_and_inspect_tell_of_the_card_and_spend_no_try() {
    let Some(readers) = Readers::new() else { return };
    let card = SharedCard::new(GidsCard::personalised(GidsSettings { pin_left: Some(2), ..GidsSettings::default() }));
    let _inserted = readers.insert(1, card.clone());
    let desk = Desk::new();
    let listed = desk.pinwright(&["--json", "readers"]).exits(0).json();
    let two = listed["readers"].as_array().unwrap();
    assert_eq!((two[0]["name"].as_str(), two[0]["state"].as_str()), (Some(reader(0).as_str()), Some("empty")));
    assert_eq!((two[1]["name"].as_str(), two[1]["state"].as_str()), (Some(reader(1).as_str()), Some("card")));
    assert_eq!(two[1]["tries_left"]["left"], 2);
    let inspected = desk.pinwright(&["--json", "inspect"]).exits(0).json();
    assert_eq!(inspected["reader"], reader(1));
    assert_eq!(inspected["card_id"], CARD_ID);
    assert_eq!(card.with(|card| card.tries_left()), 2);
    assert!(desk.server.requests().is_empty(), "looking at cards needs no server");
}

#[test]
fn a_piv_card_is_told_by_its_family() {
    let Some(readers) = Readers::new() else { return };
    let _inserted = readers.insert(0, PivCard::new(PivSettings::default()));
    let desk = Desk::new();
    let listed = desk.pinwright(&["--json", "readers"]).exits(0).json();
    assert_eq!(listed["readers"][0]["family"], "piv", "{listed}");
}

#[test]
fn a_plan_says_that_the_job_is_possible_and_risks_nothing() {
    let Some(readers) = Readers::new() else { return };
    let card = gids();
    let _inserted = readers.insert(0, card.clone());
    let desk = Desk::new();
    let plan = desk.pinwright(&["--json", "plan"]).exits(0).json();
    assert_eq!((plan["outcome"].as_str(), plan["card_id"].as_str()), (Some("possible"), Some(CARD_ID)), "{plan}");
    assert!(card.with(|card| card.pin_is(b"12345678")) && card.with(|card| card.tries_left()) == 3);
}

#[test]
fn a_card_gets_the_pin_of_the_server_in_nine_apdus_and_five_calls() {
    let Some(readers) = Readers::new() else { return };
    let card = gids();
    let _inserted = readers.insert(0, card.clone());
    let desk = Desk::new();
    let before = card.with(|card| card.commands_seen());
    let done = desk.pinwright(&["--json", "set-pin", "--yes"]).exits(0).json();
    assert_eq!(done["outcome"], "done");
    assert_eq!(done["reader"], reader(0));
    assert_eq!(done["pin"], json!({"source": "server", "verified": true}));
    assert_eq!((done["apdus"].as_u64(), done["http_requests"].as_u64()), (Some(9), Some(5)), "{done}");
    assert_eq!(card.with(|card| card.commands_seen()) - before, 9);
    let pin = desk.server.state().last_pin().unwrap();
    assert!(card.with(|card| card.pin_is(&pin)) && card.with(|card| card.tries_left()) == 3);
    assert!(desk.server.violations().is_empty(), "{:?}", desk.server.violations());
    let history = desk.pinwright(&["--json", "history"]).exits(0).json();
    assert_eq!(history["records"].as_array().unwrap().len(), 1, "{history}");
}

#[test]
fn a_reader_is_picked_by_a_name_that_no_code_page_has_all_letters_of() {
    let Some(readers) = Readers::new() else { return };
    let (chosen, other) = (gids(), gids());
    let _inserted = [readers.insert(0, other.clone()), readers.insert(1, chosen.clone())];
    let desk = Desk::new();
    let before = other.with(|card| card.commands_seen());
    let done = desk.pinwright(&["--json", "set-pin", "--yes", "--reader", &reader(1)]).exits(0).json();
    assert_eq!((done["outcome"].as_str(), done["reader"].as_str()), (Some("done"), Some(reader(1).as_str())));
    let pin = desk.server.state().last_pin().unwrap();
    assert!(chosen.with(|card| card.pin_is(&pin)));
    assert_eq!(other.with(|card| card.commands_seen()), before, "the card in the other reader was asked");
}

/// What installers' heuristics, virtual folders and Explorer go by.
#[test]
fn the_program_says_what_it_is_and_wants_no_other_rights() {
    let program = std::env::var_os("PINWRIGHT_PROGRAM").map_or_else(repository::pinwright, PathBuf::from);
    let program = std::fs::read(program).unwrap();
    let has = |wanted: &[u8]| program.windows(wanted.len()).any(|part| part == wanted);
    for text in ["level=\"asInvoker\"", "{8e0f7a12-bfb3-4fe8-b9a5-48fd50a15a9a}", "longPathAware"] {
        assert!(has(text.as_bytes()), "{text}");
    }
    for text in ["pinwright.exe", "ProductVersion", env!("CARGO_PKG_VERSION"), "Apache License 2.0"] {
        assert!(has(&text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()), "{text}");
    }
}

#[test]
fn enroll_takes_a_request_to_its_end() {
    let Some(readers) = Readers::new() else { return };
    let card = gids();
    let _inserted = readers.insert(1, card.clone());
    let known = GidsSettings::default();
    let mut settings =
        Settings::for_card(Uuid::from_bytes_le(known.card_id), &hex::encode(&known.atr), known.admin_key);
    for key in settings.templates.iter_mut().flat_map(|template| &mut template.keys) {
        "SHA256".clone_into(&mut key.hash);
    }
    let desk = Desk::with(settings);
    let done = desk.pinwright(&["--json", "enroll", "--yes"]).exits(0).json();
    assert_eq!(done["outcome"], "done", "{done}");
    assert_eq!(done["certificates"].as_array().map(Vec::len), Some(1), "{done}");
    let pin = desk.server.state().last_pin().unwrap();
    assert!(card.with(|card| card.pin_is(&pin)));
    assert!(desk.server.violations().is_empty(), "{:?}", desk.server.violations());
}

#[test]
fn an_authority_in_a_file_is_trusted_by_name_and_by_address_and_no_other_is() {
    let Some(readers) = Readers::new() else { return };
    let _inserted = readers.insert(0, gids());
    let desk = Desk::new();
    desk.pinwright(&["--json", "plan"]).exits(0);
    desk.configure(&desk.server.base_url().to_string().replace("localhost", "127.0.0.1"));
    desk.pinwright(&["--json", "plan"]).exits(0);
    let card = GidsSettings::default();
    let known = Settings::for_card(Uuid::from_bytes_le(card.card_id), &hex::encode(&card.atr), card.admin_key);
    let other = Desk::with(Settings { tls: TlsKind::OtherAuthority, ..known });
    let run = other.pinwright(&["plan"]);
    assert_ne!(run.exit, Some(0));
    assert!(run.err.contains("ca_file"), "{}", run.err);
}

#[test]
fn a_reader_without_a_card_is_an_error_of_its_own() {
    let Some(_readers) = Readers::new() else { return };
    let desk = Desk::new();
    let run = desk.pinwright(&["inspect"]);
    assert_ne!(run.exit, Some(0));
    assert!(run.err.contains("card"), "{}", run.err);
}

#[test]
fn a_card_that_is_taken_out_and_put_in_again_is_served_again() {
    let Some(readers) = Readers::new() else { return };
    let desk = Desk::new();
    for _ in 0..3 {
        let _inserted = readers.insert(0, gids());
        desk.pinwright(&["--json", "inspect"]).exits(0);
    }
}
