//! How a judge is run: to its end, by the clock, with all that it said.

use std::process::Command;

use support::pcscd::Pcscd;

/// How a judge ended.
#[derive(Debug)]
pub struct Verdict {
    /// Its own claim.
    pub success: bool,
    /// What it said on either output.
    pub text: String,
}

impl Verdict {
    /// Insists on success.
    #[track_caller]
    pub fn accepted(self) -> String {
        assert!(self.success, "the judge refuses: {}", self.text);
        self.text
    }

    /// Insists on a refusal.
    #[track_caller]
    pub fn refused(self) -> String {
        assert!(!self.success, "the judge accepts: {}", self.text);
        self.text
    }
}

/// A command with this pcscd that is killed after a minute: a judge that needs it hangs.
pub fn command(pcscd: &Pcscd, tool: &str) -> Command {
    let mut command = pcscd.command("timeout");
    command.args(["--kill-after=5", "60", tool]);
    command
}

/// Runs it to its end.
pub fn run(command: &mut Command) -> Verdict {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    // What `timeout` says where there is no such program.
    assert_ne!(output.status.code(), Some(127), "{command:?} is not installed: `make interop` installs it");
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text += &String::from_utf8_lossy(&output.stderr);
    Verdict { success: output.status.success(), text }
}
