//! Another program that holds a card: the test's own binary, run again.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};

use crate::pcscd::Pcscd;

const READER: &str = "TEST_HOLDER_READER";
const SHARED: &str = "TEST_HOLDER_SHARED";

/// What [`Holder`] runs, by a test of the binary that is ignored and called `holder::hold_the_card`.
pub fn hold_the_card() {
    let Ok(reader) = std::env::var(READER) else { return };
    let context = pcsc::Context::establish(pcsc::Scope::User).unwrap();
    let reader = std::ffi::CString::new(reader).unwrap();
    let mode = if std::env::var_os(SHARED).is_some() { pcsc::ShareMode::Shared } else { pcsc::ShareMode::Exclusive };
    let mut card = context.connect(&reader, mode, pcsc::Protocols::ANY).unwrap();
    let transaction = card.transaction().unwrap();
    println!("\nHOLDING");
    // Until the parent closes the pipe or dies.
    drop(std::io::stdin().read_to_end(&mut Vec::new()));
    transaction.end(pcsc::Disposition::LeaveCard).map_err(|(_, code)| code).unwrap();
    card.disconnect(pcsc::Disposition::LeaveCard).map_err(|(_, code)| code).unwrap();
}

/// A running one; killed when dropped.
pub struct Holder(Child);

impl Holder {
    /// The card for itself.
    pub fn take(pcscd: &Pcscd, reader: usize) -> Self {
        Self::start(pcscd, reader, &mut Command::new(std::env::current_exe().unwrap()))
    }

    /// A transaction on a card that is shared.
    pub fn transact(pcscd: &Pcscd, reader: usize) -> Self {
        Self::start(pcscd, reader, Command::new(std::env::current_exe().unwrap()).env(SHARED, "1"))
    }

    fn start(pcscd: &Pcscd, reader: usize, command: &mut Command) -> Self {
        let mut child = command
            .args(["--exact", "holder::hold_the_card", "--ignored", "--nocapture"])
            .env("PCSCLITE_CSOCK_NAME", pcscd.socket())
            .env(READER, &pcscd.readers()[reader].name)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
        assert!(lines.map_while(Result::ok).any(|line| line == "HOLDING"), "the helper holds the card");
        Self(child)
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Has it let go of the card, and end.
    pub fn release(mut self) {
        drop(self.0.stdin.take());
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
