//! ykman, for its count of commands. The card needs `--lenient`.

use support::pcscd::Pcscd;
use support::vcard::Vcard;

use super::judge::{Verdict, command, run};

/// ykman, for one card.
pub struct Ykman<'a> {
    pcscd: &'a Pcscd,
    card: &'a Vcard,
}

impl<'a> Ykman<'a> {
    pub fn new(pcscd: &'a Pcscd, card: &'a Vcard) -> Self {
        Self { pcscd, card }
    }

    pub fn is_installed() -> bool {
        std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
            .any(|folder| folder.join("ykman").is_file())
    }

    fn run(&self, arguments: &[&str]) -> Verdict {
        let reader = &self.pcscd.readers()[self.card.reader()].name;
        run(command(self.pcscd, "ykman").args(["--reader", reader, "piv", "access"]).args(arguments))
    }

    /// CHANGE REFERENCE DATA of the PIN; ykman does not have it verified.
    pub fn change_pin(&self, old: &str, new: &str) -> Verdict {
        self.run(&["change-pin", "--pin", old, "--new-pin", new])
    }

    /// RESET RETRY COUNTER with the PUK; ykman does not have the PIN verified.
    pub fn unblock_pin(&self, puk: &str, new: &str) -> Verdict {
        self.run(&["unblock-pin", "--puk", puk, "--new-pin", new])
    }
}
