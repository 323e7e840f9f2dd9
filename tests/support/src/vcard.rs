//! Independent cards (`tests/vcard`) in readers of a pcscd of our own, and their account of what they were sent.
//!
//! A card that is dropped says whether a wrong PIN, PUK or code was offered to it. A test that has not declared as many
//! ([`Vcard::declare_wrong_tries`]) fails: nothing in the suite spends a try by the way.

use std::cell::Cell;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::pcscd::Pcscd;
use crate::repository;

/// A card process in a reader; removed and judged when dropped.
pub struct Vcard {
    process: Child,
    folder: tempfile::TempDir,
    reader: usize,
    declared: Cell<usize>,
}

/// A command that the card was sent, with its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// The command APDU.
    pub command: Vec<u8>,
    /// Data and status word.
    pub response: Vec<u8>,
}

/// How long a reset may be on its way to the card.
const RESET: Duration = Duration::from_secs(5);

const VERIFY: u8 = 0x20;
const CHANGE_REFERENCE_DATA: u8 = 0x24;
const RESET_RETRY_COUNTER: u8 = 0x2C;

impl Exchange {
    /// The status word.
    pub fn status(&self) -> u16 {
        let [.., high, low] = self.response[..] else { panic!("an answer without status word: {self:?}") };
        u16::from_be_bytes([high, low])
    }

    /// A short command with data, up to their end: some versions of a tool append Le, others don't.
    pub fn without_le(&self) -> &[u8] {
        let end = self.command.get(4).map_or(self.command.len(), |length| 5 + usize::from(*length));
        self.command.get(..end).unwrap_or(&self.command)
    }

    /// Whether the command carries a PIN, PUK or code for the card to compare. VERIFY without data asks for the counter,
    /// with P1 FF it logs out, and RESET RETRY COUNTER with P1 02 carries the new PIN alone.
    pub fn is_try(&self) -> bool {
        // Nothing but an extended Le: no data either.
        let is_empty = matches!(self.command[..], [_, VERIFY, _, _, 0x00, _, _]);
        !is_empty
            && matches!(
                self.command[..],
                [_, VERIFY | RESET_RETRY_COUNTER, 0x00, _, _, _, ..] | [_, CHANGE_REFERENCE_DATA, ..]
            )
    }

    /// Whether there is a secret in the command: a try, or the new PIN alone.
    pub fn is_secret(&self) -> bool {
        self.is_try() || matches!(self.command[..], [_, RESET_RETRY_COUNTER, ..])
    }

    /// Whether the card found the secret wrong, or its counter at 0.
    pub fn is_refused_try(&self) -> bool {
        self.is_try() && matches!(self.status(), 0x6300 | 0x63C0..=0x63CF | 0x6983)
    }
}

impl Vcard {
    /// A PIV card with these options of `vcard piv`, once pcscd has seen it.
    pub fn piv(pcscd: &Pcscd, reader: usize, options: &[&str]) -> Self {
        Self::insert(pcscd, reader, "piv", options)
    }

    /// An OpenPGP card with these options of `vcard openpgp`, once pcscd has seen it.
    pub fn openpgp(pcscd: &Pcscd, reader: usize, options: &[&str]) -> Self {
        Self::insert(pcscd, reader, "openpgp", options)
    }

    fn insert(pcscd: &Pcscd, reader: usize, kind: &str, options: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("vcard").tempdir().expect("a temporary folder");
        let program = program().unwrap_or_else(|| panic!("{MISSING}"));
        let mut command = Command::new(program);
        command.arg(kind).args(options).arg("--port").arg(pcscd.readers()[reader].port.to_string());
        command.arg("--log").arg(folder.path().join("log")).stdin(Stdio::null()).stdout(Stdio::piped());
        let process = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut card = Self { process, folder, reader, declared: Cell::new(0) };
        let mut ready = String::new();
        let stdout = card.process.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut ready).expect("the card speaks");
        assert!(ready.starts_with("READY "), "the card did not reach its reader: {ready:?}");
        pcscd.wait_for_card(reader, true);
        card
    }

    /// The number of its reader.
    pub fn reader(&self) -> usize {
        self.reader
    }

    /// All that the card was sent so far.
    pub fn exchanges(&self) -> Vec<Exchange> {
        let log = self.log();
        let bytes = |hex: &str| hex::decode(hex).expect("hexadecimal");
        let mut lines = log.lines();
        let mut exchanges = Vec::new();
        while let Some(line) = lines.next() {
            if let Some(command) = line.strip_prefix("> ") {
                let answer = lines.next().and_then(|line| line.strip_prefix("< ")).expect("an answer follows");
                exchanges.push(Exchange { command: bytes(command), response: bytes(answer) });
            }
        }
        exchanges
    }

    /// Whether the last thing that happened to the card is a reset or a loss of power. The driver tells the card of it and waits for no
    /// answer, so that it may come a moment after whoever asked for it has gone on.
    pub fn was_reset(&self) -> bool {
        let deadline = Instant::now() + RESET;
        let is_last = || self.log().lines().last().is_some_and(|line| line.starts_with("# "));
        while !is_last() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
        }
        is_last()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).expect("the card keeps a log")
    }

    /// What the card was sent during this call.
    pub fn watch<R>(&self, act: impl FnOnce() -> R) -> (R, Vec<Exchange>) {
        let before = self.exchanges().len();
        let result = act();
        (result, self.exchanges().split_off(before))
    }

    /// This test offers so many wrong PINs, PUKs and codes, beyond those declared before: neither more nor fewer.
    pub fn declare_wrong_tries(&self, count: usize) {
        self.declared.set(self.declared.get() + count);
    }

    fn verdict(&mut self) -> Result<(), String> {
        if let Ok(Some(status)) = self.process.try_wait() {
            return Err(format!("the card's process has ended: {status}"));
        }
        let refused: Vec<_> = self.exchanges().into_iter().filter(Exchange::is_refused_try).collect();
        let declared = self.declared.get();
        if refused.len() == declared {
            return Ok(());
        }
        let commands: Vec<_> = refused.iter().map(|exchange| hex::encode_upper(&exchange.command)).collect();
        Err(format!("{declared} wrong tries were declared, and {} were made: {commands:?}", refused.len()))
    }
}

impl Drop for Vcard {
    fn drop(&mut self) {
        let verdict = self.verdict();
        // Fails only where it has ended, which the verdict tells.
        drop(self.process.kill());
        drop(self.process.wait());
        // A test that is failing already has said why.
        if let (Err(reason), false) = (verdict, thread::panicking()) {
            panic!("{reason}");
        }
    }
}

/// What to do where there is no card to be had: a suite that skips its judges would prove nothing.
pub const MISSING: &str = "there is no `vcard` beside the test's own programs: `make interop` builds it (or `cargo build \
                           --manifest-path tests/vcard/Cargo.toml --target-dir target/vcard`)";

/// The program, in the folder `vcard` of the target folder.
fn program() -> Option<PathBuf> {
    let own = repository::pinwright();
    own.ancestors().map(|folder| folder.join("vcard/debug/vcard")).find(|program| program.is_file())
}
