//! pinwright as a person has it: a home, a configuration, a server (the stand-in), and the command without a terminal.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use pinwright::sim::gids::GidsSettings;
use pinwright::sim::server::{PinMaker, Settings, StandIn};
use uuid::Uuid;

use crate::pcscd::Pcscd;
use crate::repository;

/// Longer than any deadline under test: a command that needs it hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// Home, configuration and server.
pub struct Installation {
    folder: tempfile::TempDir,
    /// The stand-in.
    pub server: StandIn,
}

/// What the server holds for that card: an approved request, and a PIN of eight random digits.
pub fn server_for(card: &GidsSettings) -> Settings {
    Settings::for_card(Uuid::from_bytes_le(card.card_id), &hex::encode(&card.atr), card.admin_key)
}

impl Installation {
    /// With a server that knows the GIDS card of the default settings, and makes its PIN so.
    pub fn for_gids(pin_maker: PinMaker) -> Self {
        Self::new(Settings { pin_maker, ..server_for(&GidsSettings::default()) })
    }

    /// With a server over TLS.
    pub fn new(settings: Settings) -> Self {
        let folder = tempfile::Builder::new().prefix("installation").tempdir().expect("a temporary folder");
        let server = StandIn::start(settings).expect("the stand-in starts");
        fs::write(folder.path().join("ca.pem"), server.ca_pem()).expect("the CA is written");
        let installation = Self { folder, server };
        installation.configure("", "");
        installation
    }

    /// Writes the configuration anew: more keys for `[server]`, and more sections.
    pub fn configure(&self, server: &str, sections: &str) {
        let url = self.server.base_url();
        let ca = self.path("ca.pem");
        let text = format!("[server]\nurl = \"{url}\"\nca_file = \"{}\"\n{server}\n{sections}\n", ca.display());
        fs::write(self.path("config.toml"), text).expect("the configuration is written");
    }

    /// A file here.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `pinwright --config … ARGUMENTS` with this pcscd, to its end.
    pub fn pinwright(&self, pcscd: &Pcscd, arguments: &[&str]) -> Run {
        self.start(&pcscd.socket(), arguments).finish()
    }

    /// The same in the background, with any socket.
    pub fn start(&self, socket: &Path, arguments: &[&str]) -> Running {
        // A session of its own: no terminal to ask on, whatever the tests were started from.
        let mut command = Command::new("setsid");
        command.arg(repository::pinwright());
        self.launch(command, socket, arguments)
    }

    /// The same with this secret on descriptor 9.
    pub fn start_with_secret(&self, socket: &Path, arguments: &[&str], secret: &[u8]) -> Running {
        let file = self.path("secret-pin");
        fs::write(&file, secret).expect("the secret is written");
        self.start_by(socket, &format!("exec 9<'{}'", file.display()), arguments)
    }

    /// The same after these words to the shell.
    pub fn start_by(&self, socket: &Path, words: &str, arguments: &[&str]) -> Running {
        // The shell opens descriptors and becomes the command.
        let mut command = Command::new("setsid");
        command.args(["sh", "-c", &format!("{words}; exec \"$@\""), "sh"]).arg(repository::pinwright());
        self.launch(command, socket, arguments)
    }

    /// Where the command keeps its journal.
    pub fn journal(&self) -> PathBuf {
        self.path("state/pinwright")
    }

    fn launch(&self, mut command: Command, socket: &Path, arguments: &[&str]) -> Running {
        let out = tempfile::tempfile().expect("a file for stdout");
        let err = tempfile::tempfile().expect("a file for stderr");
        self.furnish(&mut command, socket);
        command.args(arguments).stdout(out.try_clone().expect("a handle")).stderr(err.try_clone().expect("a handle"));
        let started = Instant::now();
        let child = command.spawn().expect("the command starts");
        Running { child, started, out, err, arguments: arguments.join(" ") }
    }

    /// Configuration, environment and no input.
    pub fn furnish(&self, command: &mut Command, socket: &Path) {
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PINWRIGHT_") {
                command.env_remove(name);
            }
        }
        command
            .arg("--config")
            .arg(self.path("config.toml"))
            .env("PCSCLITE_CSOCK_NAME", socket)
            .env("HOME", self.folder.path())
            .env("XDG_CONFIG_HOME", self.path("xdg"))
            .env("XDG_STATE_HOME", self.path("state"))
            .stdin(Stdio::null());
    }
}

/// A command under way; killed when dropped.
pub struct Running {
    child: Child,
    started: Instant,
    out: File,
    err: File,
    arguments: String,
}

impl Running {
    /// The process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it has said that on stderr.
    pub fn says(&mut self, part: &str) {
        loop {
            let said = text(&mut self.err);
            if said.contains(part) {
                return;
            }
            assert!(self.started.elapsed() < LIMIT, "`pinwright {}` does not say {part:?}: {said}", self.arguments);
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits for the end.
    pub fn finish(mut self) -> Run {
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("the command can be waited for") {
                break status;
            }
            assert!(
                self.started.elapsed() < LIMIT,
                "`pinwright {}` does not end: {}",
                self.arguments,
                text(&mut self.err)
            );
            thread::sleep(Duration::from_millis(2));
        };
        let elapsed = self.started.elapsed();
        Run {
            arguments: self.arguments.clone(),
            status,
            elapsed,
            stdout: text(&mut self.out),
            stderr: text(&mut self.err),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail where the command has ended, as it should have.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn text(file: &mut File) -> String {
    use std::io::{Read as _, Seek as _};
    let mut bytes = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut bytes)).expect("the output can be read");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A command that has ended.
#[derive(Debug)]
pub struct Run {
    /// What was asked.
    pub arguments: String,
    /// How it ended.
    pub status: ExitStatus,
    /// Wall time from before the start to the end.
    pub elapsed: Duration,
    /// Its data.
    pub stdout: String,
    /// Its talk.
    pub stderr: String,
}

impl Run {
    /// Insists on an exit code.
    #[track_caller]
    pub fn exits(&self, code: i32) -> &Self {
        assert_eq!(self.code(), code, "{self}");
        self
    }

    /// The exit code; a signal is none.
    #[track_caller]
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| panic!("no exit code: {self}"))
    }

    /// The one JSON object on stdout.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self}"))
    }

    /// Insists on a part of what was said, to people or in JSON.
    #[track_caller]
    pub fn says(&self, part: &str) -> &Self {
        assert!(self.stderr.contains(part) || self.stdout.contains(part), "no {part:?}: {self}");
        self
    }

    /// Insists on an end within that time.
    #[track_caller]
    pub fn within(&self, limit: Duration) -> &Self {
        assert!(self.elapsed < limit, "took longer than {limit:?}: {self}");
        self
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { arguments, status, elapsed, stdout, stderr } = self;
        write!(f, "`pinwright {arguments}`: {status} after {elapsed:?}\nstdout: {stdout}\nstderr: {stderr}")
    }
}
