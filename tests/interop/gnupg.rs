//! GnuPG as a judge: `gpg --card-status` for what the card says of itself, and its scdaemon for PINs.
//!
//! Each judge has a home of its own, and so an scdaemon of its own, which is ended with it.

use std::fs::{self, File, Permissions};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use support::pcscd::Pcscd;
use support::vcard::Vcard;

use super::judge::{Verdict, command, run};
use super::{ADMIN_PIN, PIN, SERIAL, VENDOR};

/// How long an scdaemon may take to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where Debian has it; `gpgconf --list-components` tells.
fn scdaemon() -> String {
    let output = Command::new("gpgconf").arg("--list-components").output().expect("gpgconf runs");
    let listing = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = listing.lines().find(|line| line.starts_with("scdaemon:"));
    let path = line.and_then(|line| line.rsplit(':').next()).unwrap_or_else(|| panic!("no scdaemon: {listing}"));
    path.to_owned()
}

/// GnuPG, for one card.
pub struct GnuPg<'a> {
    pcscd: &'a Pcscd,
    home: tempfile::TempDir,
    aid: String,
}

/// What `--card-status` says.
#[derive(Debug, PartialEq, Eq)]
pub struct Status {
    /// The whole application identifier, in upper-case hex.
    pub aid: String,
    /// Tries left: PW1, resetting code, PW3.
    pub tries_left: [u8; 3],
}

impl<'a> GnuPg<'a> {
    pub fn new(pcscd: &'a Pcscd, card: &'a Vcard) -> Self {
        let home = tempfile::Builder::new().prefix("gnupg").tempdir().expect("a temporary folder");
        fs::set_permissions(home.path(), Permissions::from_mode(0o700)).expect("its own folder");
        let reader = &pcscd.readers()[card.reader()].name;
        // Shared: a client that pcscd has not quite seen off yet is no sharing violation.
        let settings = format!("disable-ccid\npcsc-shared\nreader-port {reader}\n");
        fs::write(home.path().join("scdaemon.conf"), settings).unwrap();
        Self { pcscd, home, aid: aid() }
    }

    fn command(&self, tool: &str) -> Command {
        let mut command = command(self.pcscd, tool);
        command.env("GNUPGHOME", self.home.path());
        command
    }

    /// Card ID and counters.
    pub fn status(&self) -> Status {
        let text = run(self.command("gpg").args(["--batch", "--with-colons", "--card-status"])).accepted();
        // It would hold the card for as long as it lives.
        self.end_scdaemon();
        let field = |name: &str, at: usize| {
            let line = text.lines().find(|line| line.split(':').any(|field| field == name));
            line.and_then(|line| line.split(':').nth(at)).unwrap_or_else(|| panic!("no {name}: {text}")).to_owned()
        };
        let tries = |at| field("pinretry", at).parse().unwrap();
        Status { aid: field("AID", 3), tries_left: [tries(1), tries(2), tries(3)] }
    }

    /// Has the card verify PW1.
    pub fn verify_pin(&self, pin: &str) -> Verdict {
        self.converse(&format!("CHECKPIN {}", self.aid), &[pin])
    }

    /// CHANGE REFERENCE DATA of PW1.
    pub fn change_pin(&self, old: &str, new: &str) -> Verdict {
        self.converse("PASSWD 1", &[old, new])
    }

    /// RESET RETRY COUNTER after VERIFY of PW3.
    pub fn reset_pin_as_admin(&self, admin_pin: &str, new: &str) -> Verdict {
        self.converse("PASSWD --reset 1", &[admin_pin, new])
    }

    /// Sets the resetting code, after VERIFY of PW3.
    pub fn set_resetting_code(&self, admin_pin: &str, code: &str) -> Verdict {
        self.converse("PASSWD --reset 2", &[admin_pin, code])
    }

    /// RESET RETRY COUNTER with the resetting code.
    pub fn unblock_pin(&self, code: &str, new: &str) -> Verdict {
        self.converse("PASSWD 2", &[code, new])
    }

    /// One command to an scdaemon that lives as long as the conversation, with the PINs in the order it asks for them.
    ///
    /// All is said beforehand: where it ends early, it takes the PINs left over for commands, and answers that it knows
    /// none such.
    fn converse(&self, request: &str, pins: &[&str]) -> Verdict {
        let mut script = format!("SERIALNO openpgp\n{request}\n");
        for pin in pins {
            // It takes a PIN with the NUL of a C string.
            script += &format!("D {pin}%00\nEND\n");
        }
        script += "BYE\n";
        let path = self.home.path().join("script");
        fs::write(&path, script).unwrap();
        let mut command = self.command(&scdaemon());
        let script = File::open(path).unwrap();
        let Verdict { text, .. } = run(command.args(["--server", "--homedir"]).arg(self.home.path()).stdin(script));
        // OK for the greeting, for SERIALNO, for the request and for BYE.
        let success = text.lines().filter(|line| *line == "OK" || line.starts_with("OK ")).count() == 4
            && !text.lines().any(|line| line.starts_with("ERR "));
        Verdict { success, text }
    }

    /// Ends what `gpg` has started, and waits until its scdaemon is gone: `gpgconf` is done when the message is sent.
    fn end_scdaemon(&self) {
        run(self.command("gpgconf").args(["--kill", "all"])).accepted();
        let deadline = Instant::now() + PATIENCE;
        while self.is_scdaemon_alive() {
            assert!(Instant::now() < deadline, "scdaemon does not end");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Whether a process of scdaemon works in this home. One that has ended and waits for its parent has no command line.
    fn is_scdaemon_alive(&self) -> bool {
        let home = self.home.path().as_os_str().as_bytes();
        let processes = fs::read_dir("/proc").expect("this is Linux").flatten();
        let mut lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
        lines.any(|line| {
            let words: Vec<_> = line.split(|byte| *byte == 0).collect();
            words.first().is_some_and(|program| program.ends_with(b"scdaemon")) && words.contains(&home)
        })
    }
}

impl Drop for GnuPg<'_> {
    fn drop(&mut self) {
        // Fails only where nothing of it runs.
        drop(self.command("gpgconf").args(["--kill", "all"]).output());
    }
}

/// The application identifier of the card that these tests use with GnuPG.
pub fn aid() -> String {
    format!("D27600012401{VERSION}{VENDOR}{SERIAL}0000")
}

/// OpenPGP card 3.4.
const VERSION: &str = "0304";

#[test]
fn gnupg_reads_and_changes_an_openpgp_card_by_itself() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let card = Vcard::openpgp(&pcscd, 1, &["--vendor", VENDOR, "--serial", SERIAL]);
    let gnupg = GnuPg::new(&pcscd, &card);
    assert_eq!(gnupg.status(), Status { aid: aid(), tries_left: [3, 0, 3] });
    gnupg.verify_pin(PIN).accepted();
    gnupg.change_pin(PIN, "2468135").accepted();
    gnupg.verify_pin("2468135").accepted();
    gnupg.reset_pin_as_admin(ADMIN_PIN, "97531024").accepted();
    gnupg.verify_pin("97531024").accepted();
    gnupg.set_resetting_code(ADMIN_PIN, "resetting").accepted();
    gnupg.unblock_pin("resetting", "1029384756").accepted();
    gnupg.verify_pin("1029384756").accepted();
    assert_eq!(gnupg.status().tries_left, [3, 3, 3]);
}

#[test]
fn gnupg_tells_a_wrong_pin_from_a_right_one() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let card = Vcard::openpgp(&pcscd, 0, &["--vendor", VENDOR, "--serial", SERIAL]);
    card.declare_wrong_tries(1);
    let gnupg = GnuPg::new(&pcscd, &card);
    gnupg.verify_pin("999999").refused();
    assert_eq!(gnupg.status().tries_left, [2, 0, 3]);
}
