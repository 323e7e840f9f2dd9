//! What another program that lives on keeps of a PIN: GnuPG's scdaemon, on an independent OpenPGP card.

use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use support::pcscd::Pcscd;
use support::vcard::Vcard;

use super::forms::{Canary, Kind};
use super::long_lived::Series;
use super::scan::{Hit, Scanner};
use super::subject::Subject;

/// What the card is born with: known to everybody, and not looked for.
const FACTORY_PIN: &[u8] = b"123456";

/// A conversation that does not end.
pub struct Scdaemon {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    subject: Subject,
    application: String,
    pin: Vec<u8>,
    // After the daemon.
    _card: Vcard,
    pub pcscd: Pcscd,
    _home: tempfile::TempDir,
}

impl Scdaemon {
    pub fn start(pcscd: Pcscd) -> Self {
        let card = Vcard::openpgp(&pcscd, 0, &[]);
        let home = tempfile::Builder::new().prefix("gnupg").tempdir().expect("a temporary folder");
        fs::set_permissions(home.path(), Permissions::from_mode(0o700)).expect("its own folder");
        let reader = &pcscd.readers()[0].name;
        let settings = format!("disable-ccid\npcsc-shared\nreader-port {reader}\n");
        fs::write(home.path().join("scdaemon.conf"), settings).expect("its settings are written");
        // Itself, and no other program around it: its memory is what is looked into.
        let mut command = Command::new(program());
        let subject = Subject::new(&mut command);
        command.args(["--server", "--homedir"]).arg(home.path()).env("PCSCLITE_CSOCK_NAME", pcscd.socket());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("scdaemon starts");
        let input = child.stdin.take().expect("it was asked for");
        let output = BufReader::new(child.stdout.take().expect("it was asked for"));
        let (application, pin) = (String::new(), FACTORY_PIN.to_vec());
        let mut started = Self { child, input, output, subject, application, pin, _card: card, pcscd, _home: home };
        started.answer(&[]);
        let told = started.ask("SERIALNO openpgp", &[]);
        let serial = told.iter().find_map(|line| line.strip_prefix("S SERIALNO ")).expect("the card's number");
        started.application = serial.to_owned();
        started
    }

    /// So many PINs, each set and then verified.
    pub fn pins(&mut self, count: usize) -> Vec<Canary> {
        let pins: Vec<Canary> = (0..count).map(|pin| Canary::text(Kind::Pin, [8, 6, 16, 8][pin % 4])).collect();
        for pin in &pins {
            let old = std::mem::replace(&mut self.pin, pin.bytes.clone());
            self.ask("PASSWD 1", &[&old, &pin.bytes]);
            self.ask(&format!("CHECKPIN {}", self.application), &[&pin.bytes]);
        }
        pins
    }

    /// What is in its memory now.
    pub fn scan(&self, canaries: &[Canary]) -> Vec<Hit> {
        let program = fs::read_link(format!("/proc/{}/exe", self.child.id())).expect("it runs");
        assert!(program.ends_with("scdaemon"), "{program:?}");
        self.subject.scan(self.child.id(), canaries)
    }

    /// One command, with the PINs in the order in which it asks for them; the lines of its answer.
    fn ask(&mut self, command: &str, pins: &[&[u8]]) -> Vec<String> {
        writeln!(self.input, "{command}").expect("it listens");
        self.answer(pins)
    }

    fn answer(&mut self, pins: &[&[u8]]) -> Vec<String> {
        let (mut lines, mut pins) = (Vec::new(), pins.iter());
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).expect("it talks") > 0, "scdaemon has ended: {lines:?}");
            let line = line.trim_end().to_owned();
            assert!(!line.starts_with("ERR "), "{line}: {lines:?}");
            if line.starts_with("INQUIRE NEEDPIN") {
                let pin = pins.next().unwrap_or_else(|| panic!("one PIN too many is asked for: {lines:?}"));
                let text = std::str::from_utf8(pin).expect("a text").replace('%', "%25");
                // It takes a PIN with the NUL of a C string.
                write!(self.input, "D {text}%00\nEND\n").expect("it listens");
            }
            let is_last = line == "OK" || line.starts_with("OK ");
            lines.push(line);
            if is_last {
                assert!(pins.next().is_none(), "a PIN was not asked for: {lines:?}");
                return lines;
            }
        }
    }
}

impl Drop for Scdaemon {
    fn drop(&mut self) {
        // Both fail where it has ended, as it should not have.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Where Debian has it; `gpgconf --list-components` tells.
fn program() -> PathBuf {
    let output = Command::new("gpgconf").arg("--list-components").output().expect("gpgconf runs");
    let listing = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = listing.lines().find(|line| line.starts_with("scdaemon:"));
    let path = line.and_then(|line| line.rsplit(':').next());
    path.map(PathBuf::from).unwrap_or_else(|| panic!("no scdaemon: {listing}"))
}

/// What is left of so many PINs in scdaemon, or in pcscd beside it.
pub fn pins(count: usize, beside: bool) -> Series {
    let mut scdaemon = Scdaemon::start(super::pcscd().expect("the long run needs root and a pcscd"));
    let canaries = scdaemon.pins(count);
    let in_pcscd = || Scanner::new(&canaries).process(scdaemon.pcscd.id()).expect("pcscd's memory can be read");
    let hits = if beside { in_pcscd() } else { scdaemon.scan(&canaries) };
    Series { hits, canaries }
}
