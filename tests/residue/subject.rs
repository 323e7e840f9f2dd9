//! A process that is looked into, with a control in it that every look must find.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::forms::{Canary, Kind};
use super::scan::{Hit, Scanner, count};

/// The variable with the control: what is in the environment is in the memory of the process.
const CONTROL: &str = "RESIDUE_CONTROL";

pub struct Subject {
    control: Canary,
}

impl Subject {
    /// Puts the control into the environment of the process to come.
    pub fn new(command: &mut Command) -> Self {
        let control = Canary::text(Kind::Control, 16);
        command.env(CONTROL, control.as_text());
        Self { control }
    }

    /// What of the secrets is in the memory of the process now.
    pub fn scan(&self, pid: u32, canaries: &[Canary]) -> Vec<Hit> {
        self.look(canaries, |scanner| scanner.process(pid).expect("the memory can be read"))
    }

    /// What is in a core that is taken of it now; `None` without gdb.
    pub fn core(&self, pid: u32, folder: &Path, canaries: &[Canary]) -> Option<Vec<Hit>> {
        let prefix = folder.join("taken");
        let taken = Command::new("gcore").arg("-o").arg(&prefix).arg(pid.to_string()).output().ok()?;
        let core = PathBuf::from(format!("{}.{pid}", prefix.display()));
        assert!(core.exists(), "{}", String::from_utf8_lossy(&taken.stderr));
        let hits = self.look(canaries, |scanner| scanner.core(&core, pid).expect("the core can be read"));
        std::fs::remove_file(core).expect("the core can be removed");
        Some(hits)
    }

    fn look(&self, canaries: &[Canary], scan: impl FnOnce(&Scanner) -> Vec<Hit>) -> Vec<Hit> {
        let mut wanted = canaries.to_vec();
        wanted.push(self.control.clone());
        // Chance would find these as often as those.
        wanted.extend(canaries.iter().map(Canary::decoy));
        let mut hits = scan(&Scanner::new(&wanted));
        assert!(count(&hits, Kind::Control) > 0, "the control is not found: this is not the process's memory");
        assert_eq!(count(&hits, Kind::Decoy), 0, "what was never used is found: {hits:?}");
        hits.retain(|hit| hit.kind != Kind::Control);
        hits
    }
}
