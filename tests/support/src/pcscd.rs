//! A pcscd of our own: in its own mount namespace, with nothing but virtual readers, ended with its owner.
//!
//! The system's pcscd and its readers are not touched: sockets go to a folder of ours, and the folder of USB drivers is
//! covered, so that no real reader is claimed. Root is enough, and so is a user who may make user namespaces. A container
//! often allows neither: there root takes the system's own place, where nobody else is in it.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pinwright::sim::card::VirtualCard;
use pinwright::sim::vpcd::{VpcdHandle, VpcdOptions};

use crate::waiting;

const DRIVER: &str = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so";

/// Below the ephemeral ports (32768), where an outgoing connection of any program might sit on one.
const FIRST_PORT: u16 = 12_000;
const PORTS: u16 = 20_000;

const PATIENCE: Duration = Duration::from_secs(10);

/// Run as `sh -c` with the folder as `$1`. A tmpfs over `/run` hides the system's socket.
pub(crate) const NAMESPACE: &str = r#"set -e
mount -t tmpfs none /run
mkdir /run/pcscd
mount --bind "$1/run" /run/pcscd
mount -t tmpfs none /usr/lib/pcsc/drivers
folder=$1
shift
exec pcscd --foreground -c "$folder/reader.conf" "$@"
"#;

/// The same where nothing can be mounted.
const BARE: &str = r#"set -e
mkdir -p /run/pcscd
rm -f /run/pcscd/pcscd.comm /run/pcscd/pcscd.pid
folder=$1
shift
exec pcscd --foreground -c "$folder/reader.conf" "$@"
"#;

const SYSTEM_SOCKET: &str = "/run/pcscd/pcscd.comm";

/// Why there is no pcscd here.
#[derive(Debug)]
pub struct Skip(pub(crate) String);

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A running pcscd; killed when dropped.
pub struct Pcscd {
    daemon: Child,
    home: Home,
    options: &'static [&'static str],
    folder: tempfile::TempDir,
    readers: Vec<VirtualReader>,
}

/// Where a pcscd may live.
pub(crate) enum Home {
    /// A mount namespace of its own, with these options of `unshare`.
    Namespace(&'static [&'static str]),
    /// The same by root, with this script, which is given the folder: a polkit that it asks, or none.
    Polkit(&'static str),
    /// The system's place; one at a time, by this lock.
    System { _lock: File },
}

/// One virtual reader.
pub struct VirtualReader {
    /// As PC/SC clients see it.
    pub name: String,
    /// Where the driver waits for the card.
    pub port: u16,
}

impl Pcscd {
    /// Starts a pcscd with that many readers: none, or pairs (the driver has two slots).
    ///
    /// # Errors
    /// Where this machine can't do it; the reason is for people.
    pub fn start(readers: u16) -> Result<Self, Skip> {
        Self::start_named(readers, "Virtual".as_bytes())
    }

    /// The same with readers whose names begin with these bytes.
    ///
    /// # Errors
    /// As [`Pcscd::start`].
    pub fn start_named(readers: u16, name: &[u8]) -> Result<Self, Skip> {
        Self::start_in(Home::find, readers, name)
    }

    /// The same, told to log every APDU.
    ///
    /// # Errors
    /// As [`Pcscd::start`].
    pub fn start_logging_apdus(readers: u16) -> Result<Self, Skip> {
        Self::start_with(Home::find, readers, b"Virtual", &["--apdu"])
    }

    pub(crate) fn start_in(home: impl Fn() -> Result<Home, Skip>, readers: u16, name: &[u8]) -> Result<Self, Skip> {
        Self::start_with(home, readers, name, &[])
    }

    fn start_with(
        home: impl Fn() -> Result<Home, Skip>,
        readers: u16,
        name: &[u8],
        options: &'static [&'static str],
    ) -> Result<Self, Skip> {
        if !Path::new(DRIVER).exists() {
            return Err(Skip(format!("no {DRIVER} (Debian: vsmartcard-vpcd)")));
        }
        // A port taken between choice and use costs one more attempt, with others.
        let mut last = Skip("no free ports".to_owned());
        for _ in 0..3 {
            match home().and_then(|home| Self::attempt(home, readers, name, options)) {
                Ok(started) => return Ok(started),
                Err(skip) => last = skip,
            }
        }
        Err(last)
    }

    /// The same for a test: nothing, with the reason on stderr, or a panic in CI.
    pub fn start_or_skip(readers: u16) -> Option<Self> {
        Self::start(readers).inspect_err(|reason| waiting::skip(&format!("no pcscd: {reason}"))).ok()
    }

    fn attempt(home: Home, wanted: u16, name: &[u8], options: &'static [&'static str]) -> Result<Self, Skip> {
        let cannot = |what: &'static str| move |error: io::Error| Skip(format!("{what}: {error}"));
        let folder = tempfile::Builder::new().prefix("pcscd").tempdir().map_err(cannot("no temporary folder"))?;
        fs::create_dir(folder.path().join("run")).map_err(cannot("no folder for the socket"))?;
        let mut configuration = Vec::new();
        let mut readers = Vec::new();
        for pair in 0..wanted.div_ceil(2) {
            // The driver keeps its slots in static memory: a second pair needs a library of another name.
            let library = library(folder.path(), pair);
            fs::copy(DRIVER, &library).map_err(cannot("the driver can't be copied"))?;
            let port = free_pair().ok_or_else(|| Skip("no two free ports".to_owned()))?;
            configuration.extend(entry(name, pair, port, &library));
            for slot in 0..2 {
                let name = [name, format!(" {pair} 00 {slot:02X}").as_bytes()].concat();
                readers.push(VirtualReader { name: String::from_utf8_lossy(&name).into_owned(), port: port + slot });
            }
        }
        fs::write(folder.path().join("reader.conf"), configuration).map_err(cannot("reader.conf"))?;
        let log = File::create(folder.path().join("log")).map_err(cannot("no log"))?;
        let stderr = log.try_clone().map_err(cannot("no log"))?;
        let daemon = home
            .command(folder.path())
            .args(options)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(stderr)
            .spawn()
            .map_err(cannot("pcscd can't be run"))?;
        let mut started = Self { daemon, home, options, folder, readers };
        started.wait_until_ready()?;
        Ok(started)
    }

    fn wait_until_ready(&mut self) -> Result<(), Skip> {
        let deadline = Instant::now() + PATIENCE;
        while UnixStream::connect(self.socket()).is_err() {
            let ended = self.daemon.try_wait().ok().flatten();
            if ended.is_some() || Instant::now() > deadline {
                let reason =
                    ended.map_or_else(|| "pcscd did not get ready".to_owned(), |s| format!("pcscd ended: {s}"));
                return Err(Skip(format!("{reason}: {}", self.log())));
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// The socket, for `PCSCLITE_CSOCK_NAME`.
    pub fn socket(&self) -> PathBuf {
        match self.home {
            Home::Namespace(_) | Home::Polkit(_) => self.folder.path().join("run/pcscd.comm"),
            Home::System { .. } => PathBuf::from(SYSTEM_SOCKET),
        }
    }

    /// The readers, in pcscd's order.
    pub fn readers(&self) -> &[VirtualReader] {
        &self.readers
    }

    /// A command that uses this pcscd.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("PCSCLITE_CSOCK_NAME", self.socket()).stdin(Stdio::null());
        command
    }

    /// Puts a card into a reader and waits until pcscd has seen it (it looks every 400 ms).
    pub fn insert(&self, reader: usize, card: impl VirtualCard + 'static) -> VpcdHandle {
        self.insert_slow(reader, card, Duration::ZERO)
    }

    /// The same with a card that takes that long for each command.
    pub fn insert_slow(&self, reader: usize, card: impl VirtualCard + 'static, delay: Duration) -> VpcdHandle {
        let options = VpcdOptions { delay, ..VpcdOptions::local(self.readers[reader].port) };
        let handle = VpcdHandle::insert(card, &options).expect("the driver listens");
        self.wait_for_card(reader, true);
        handle
    }

    /// Waits until pcscd has noticed that a card is in the reader, or is no longer.
    pub fn wait_for_card(&self, reader: usize, present: bool) {
        let deadline = Instant::now() + PATIENCE;
        while self.has_card(reader) != present {
            assert!(
                Instant::now() < deadline,
                "reader {reader} with a card is not {present} for pcscd: {}",
                self.log()
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default().trim().to_owned()
    }

    /// OpenSC's view, which is nobody's who is tested here.
    fn has_card(&self, reader: usize) -> bool {
        let output = self.command("opensc-tool").arg("--list-readers").output().expect("opensc-tool runs");
        let listing = String::from_utf8_lossy(&output.stdout).into_owned();
        let name = self.readers[reader].name.as_str();
        listing.lines().any(|line| line.ends_with(name) && line.split_whitespace().nth(1) == Some("Yes"))
    }

    /// Where its files are.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The daemon's process: each program on the way to it becomes the next.
    pub fn id(&self) -> u32 {
        self.daemon.id()
    }

    /// Ends the daemon as the system's own service manager does.
    pub fn terminate(&mut self) {
        self.signal(rustix::process::Signal::TERM);
        drop(self.daemon.wait());
    }

    /// Starts it again in the same place, with the same readers.
    pub fn start_again(&mut self) {
        for left in ["pcscd.comm", "pcscd.pid"] {
            // A daemon that ended in good order has removed them itself.
            drop(fs::remove_file(self.socket().with_file_name(left)));
        }
        let log = File::options().append(true).open(self.folder.path().join("log")).expect("the log is there");
        let stderr = log.try_clone().expect("a handle");
        let mut command = self.home.command(self.folder.path());
        command.args(self.options).stdin(Stdio::null()).stdout(log).stderr(stderr);
        self.daemon = command.spawn().expect("pcscd runs again");
        self.wait_until_ready().unwrap_or_else(|skip| panic!("{skip}"));
    }

    /// The same with the first pairs of readers only, as if the others were unplugged meanwhile; all of them with a number
    /// that is large enough.
    pub fn start_again_with(&mut self, pairs: usize) {
        let numbered = (0_u16..).zip(self.readers.chunks(2)).take(pairs);
        let of_pair = |(pair, slots): (u16, &[VirtualReader])| {
            entry(b"Virtual", pair, slots[0].port, &library(self.folder.path(), pair))
        };
        let entries: Vec<u8> = numbered.flat_map(of_pair).collect();
        fs::write(self.folder.path().join("reader.conf"), entries).expect("the folder is ours");
        self.start_again();
    }

    /// Makes the daemon hang, as one does whose driver never returns: it takes connections and answers nobody.
    pub fn hang(&self) {
        self.signal(rustix::process::Signal::STOP);
    }

    /// Lets it go on.
    pub fn go_on(&self) {
        self.signal(rustix::process::Signal::CONT);
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let id = rustix::process::Pid::from_child(&self.daemon);
        rustix::process::kill_process(id, signal).expect("the daemon is ours");
    }

    /// Kills the daemon, as a crash would.
    pub fn kill(&mut self) {
        // Fails only where it has ended already.
        drop(self.daemon.kill());
        drop(self.daemon.wait());
    }
}

impl Drop for Pcscd {
    fn drop(&mut self) {
        self.kill();
        if let Home::System { .. } = self.home {
            drop(fs::remove_file(SYSTEM_SOCKET));
            drop(fs::remove_file(Path::new(SYSTEM_SOCKET).with_extension("pid")));
        }
    }
}

impl Home {
    fn find() -> Result<Self, Skip> {
        for options in [&["--mount"][..], &["--map-root-user", "--mount"]] {
            let mut trial = Command::new("unshare");
            trial.args(options).args(["sh", "-c", "mount -t tmpfs none /run"]);
            let silent = trial.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            if silent.status().is_ok_and(|status| status.success()) {
                return Ok(Self::Namespace(options));
            }
        }
        if !rustix::process::geteuid().is_root() {
            return Err(Skip("no mount namespace can be made here (try as root)".to_owned()));
        }
        let cannot = |error: io::Error| Skip(format!("no lock on the system's pcscd: {error}"));
        let lock = File::create(std::env::temp_dir().join("virtual-pcscd.lock")).map_err(cannot)?;
        lock.lock().map_err(cannot)?;
        if UnixStream::connect(SYSTEM_SOCKET).is_ok() {
            return Err(Skip("no mount namespace can be made here, and the system's own pcscd is in use".to_owned()));
        }
        Ok(Self::System { _lock: lock })
    }

    /// The daemon with the files in this folder. One that is built with polkit would ask it over the system bus, which the namespace
    /// hides, and refuse everybody.
    fn command(&self, folder: &Path) -> Command {
        let (mut command, script) = match self {
            Self::Namespace(options) => {
                let mut unshare = Command::new("unshare");
                unshare.args(*options).arg("setpriv");
                (unshare, NAMESPACE)
            }
            Self::Polkit(script) => {
                let mut unshare = Command::new("unshare");
                unshare.args(["--mount", "setpriv"]);
                (unshare, *script)
            }
            Self::System { .. } => (Command::new("setpriv"), BARE),
        };
        command.args(["--pdeathsig", "KILL", "sh", "-c", script, "pcscd"]).arg(folder);
        if !matches!(self, Self::Polkit(_)) {
            command.args(asks_polkit().then_some("--disable-polkit"));
        }
        command
    }
}

/// Whether this machine's pcscd is built with polkit.
pub fn asks_polkit() -> bool {
    static ASKS: OnceLock<bool> = OnceLock::new();
    *ASKS.get_or_init(|| {
        let help = Command::new("pcscd").arg("--help").stdin(Stdio::null()).output();
        help.is_ok_and(|help| [help.stdout, help.stderr].concat().windows(16).any(|part| part == b"--disable-polkit"))
    })
}

fn library(folder: &Path, pair: u16) -> PathBuf {
    folder.join(format!("vpcd-{pair}.so"))
}

/// What pcscd's configuration says of a pair. An entry is complete at LIBPATH: it must be the last line.
fn entry(name: &[u8], pair: u16, port: u16, library: &Path) -> Vec<u8> {
    let rest = format!(" {pair}\"\nDEVICENAME /dev/null:{port}\nLIBPATH {}\n\n", library.display());
    [b"FRIENDLYNAME \"", name, rest.as_bytes()].concat()
}

/// Two ports in a row that nobody listens on. Test processes start in different places and each counts on from its own.
pub fn free_pair() -> Option<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = (std::process::id() % u32::from(PORTS / 64)) as u16 * 64;
    (0..PORTS / 2).find_map(|_| {
        let offset = NEXT.fetch_add(2, Ordering::Relaxed);
        let port = FIRST_PORT + start.wrapping_add(offset) % PORTS;
        let free = |port: u16| std::net::TcpListener::bind(("0.0.0.0", port)).is_ok();
        (free(port) && free(port + 1)).then_some(port)
    })
}
