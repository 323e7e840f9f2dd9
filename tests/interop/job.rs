//! pinwright's part: its commands with a stand-in for the server, on the card in this pcscd.

use pinwright::sim::server::{PinMaker, Settings};
use serde_json::Value;
use support::installation::{Installation, Run};
use support::pcscd::Pcscd;
use uuid::Uuid;

/// The ATR that the cards have unless told otherwise.
const ATR: &str = "3b951381018073ff01000b";

/// A workplace whose server knows one card.
pub struct Job<'a> {
    pcscd: &'a Pcscd,
    /// The configuration, the journal and the server.
    pub installation: Installation,
}

/// What a job proves its right with: the name in `card.authority`, and the secret.
#[derive(Debug, Clone, Copy)]
pub struct Authority<'a> {
    pub name: &'static str,
    pub secret: &'a str,
}

impl<'a> Job<'a> {
    /// The server has an approved request for the card of this ID, and makes its PIN of eight random digits.
    pub fn new(pcscd: &'a Pcscd, card_id: &str) -> Self {
        Self::with(pcscd, card_id, PinMaker::Random(8))
    }

    /// The same with another maker of PINs.
    pub fn with(pcscd: &'a Pcscd, card_id: &str, pin_maker: PinMaker) -> Self {
        let card_id = Uuid::parse_str(card_id).unwrap();
        // Neither family has an admin key that could set a PIN: the server's is nobody's.
        let settings = Settings { pin_maker, ..Settings::for_card(card_id, ATR, [0x5A; 24]) };
        Self { pcscd, installation: Installation::new(settings) }
    }

    /// `inspect --json`.
    pub fn inspect(&self) -> Value {
        self.installation.pinwright(self.pcscd, &["--json", "inspect"]).exits(0).json()
    }

    /// `set-pin --json` by this authority alone.
    pub fn enroll(&self, authority: Authority<'_>) -> Run {
        self.run(authority, &["--json", "set-pin", "--yes", "--again"])
    }

    /// A command that takes the secret of this authority from a descriptor.
    pub fn run(&self, authority: Authority<'_>, command: &[&str]) -> Run {
        self.installation.configure("", &format!("[card]\nauthority = [\"{}\"]", authority.name));
        let descriptor = format!("--{}-fd", authority.name);
        let arguments = [command, &[&descriptor, "9"]].concat();
        self.installation.start_with_secret(&self.pcscd.socket(), &arguments, authority.secret.as_bytes()).finish()
    }

    /// The PIN that the server gave out last.
    pub fn pin(&self) -> String {
        String::from_utf8(self.installation.server.state().last_pin().expect("a PIN was asked for")).unwrap()
    }
}

/// Insists on a job that is done, by this authority, and that has counted its commands right.
#[track_caller]
pub fn assert_done(run: &Run, family: &str, card_id: &str, authority: &str, apdus: usize) {
    let result = run.exits(0).json();
    assert_eq!(result["outcome"], "done");
    assert_eq!(result["family"], family);
    assert_eq!(result["card_id"], card_id);
    assert_eq!(result["authority"], authority);
    assert_eq!(result["atr"], ATR);
    assert_eq!(result["pin"]["verified"], true);
    assert_eq!(result["apdus"], apdus, "the card has counted otherwise: {run}");
}

/// Insists on a job that the card was spared: exit code, state, and words that say why.
#[track_caller]
pub fn assert_refused(run: &Run, exit: i32, state: &str, word: &str) {
    let result = run.exits(exit).json();
    assert_eq!(result["outcome"], "failed");
    assert_eq!(result["card_state"], state, "{run}");
    run.says(word);
    assert!(result["error"]["hint"].is_string(), "no next step: {run}");
}

/// Tries left of one of the secrets that `inspect --json` lists; nothing where the card does not tell.
#[track_caller]
pub fn counted(inspected: &Value, name: &str) -> Option<u64> {
    let secrets = inspected["secrets"].as_array().expect("a list of secrets");
    let secret =
        secrets.iter().find(|secret| secret["name"] == name).unwrap_or_else(|| panic!("no {name}: {inspected}"));
    secret["tries_left"]["left"].as_u64()
}
