//! OpenSC's tools: programs that share nothing with ours.

use std::process::{Command, Output};

use crate::pcscd::Pcscd;

/// The admin key of a card that nobody has personalised, as OpenSC and the virtual card know it.
pub const ADMIN_KEY: &str = "010203040506070801020304050607080102030405060708";

/// How a tool ended.
pub struct Verdict {
    /// Its own claim.
    pub success: bool,
    /// All that it said.
    pub text: String,
}

/// Runs a tool on a reader of this pcscd.
pub fn run(pcscd: &Pcscd, tool: &str, reader: usize, arguments: &[&str]) -> Verdict {
    let mut command = prepare(pcscd, tool, reader);
    let output = command.args(arguments).output().unwrap_or_else(|error| panic!("{tool}: {error}"));
    verdict(&output)
}

/// The command without its arguments.
pub fn prepare(pcscd: &Pcscd, tool: &str, reader: usize) -> Command {
    let mut command = pcscd.command(tool);
    command.args(["--reader", &reader.to_string()]);
    command
}

fn verdict(output: &Output) -> Verdict {
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text += &String::from_utf8_lossy(&output.stderr);
    Verdict { success: output.status.success(), text }
}

/// Has OpenSC verify a PIN with the card.
pub fn accepts_pin(pcscd: &Pcscd, reader: usize, pin: &str) -> bool {
    run(pcscd, "pkcs15-tool", reader, &["--verify-pin", "--pin", pin]).success
}

/// The ATR as OpenSC sees it, in plain hex.
pub fn atr(pcscd: &Pcscd, reader: usize) -> String {
    run(pcscd, "opensc-tool", reader, &["--atr"]).text.trim().replace(':', "")
}
