//! A technician's desk: configuration, MIM CM's stand-in, AD FS's stand-in, a card in a reader, and commands in this process.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};
use std::thread::JoinHandle;

use pinwright::cli::screen::Screen;
use pinwright::cli::{self, context::CommandContext};
use pinwright::sim::gids::{GidsCard, GidsSettings};
use pinwright::sim::reader::VirtualReaders;
use pinwright::sim::server::{Settings, StandIn};
use support::captured::Captured;
use support::repository::with_slashes;
use support::waiting::until;
use tempfile::TempDir;
use uuid::Uuid;

use support::adfs::{CLIENT, RESOURCE, Sts, Version};

/// All that this process logs, at trace level.
static LOGS: LazyLock<Captured> = LazyLock::new(|| {
    let logs = Captured::default();
    let writer = logs.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false);
    subscriber.with_writer(move || writer.clone()).init();
    logs
});

pub struct Desk {
    pub folder: TempDir,
    pub server: Arc<StandIn>,
    pub sts: Sts,
    pub port: u16,
}

/// How a command ended.
#[derive(Debug)]
pub struct Got {
    pub out: String,
    pub err: String,
    pub exit: i32,
}

impl Got {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("{self:?}"))
    }

    #[track_caller]
    pub fn says(&self, exit: i32, parts: &[&str]) {
        assert_eq!(self.exit, exit, "{self:?}");
        for part in parts {
            assert!(self.err.contains(part) || self.out.contains(part), "{part:?} is not in {self:?}");
        }
    }
}

/// A command that is running.
pub struct Running {
    thread: JoinHandle<i32>,
    pub out: Captured,
    pub err: Captured,
    pub interrupted: Arc<AtomicBool>,
}

impl Running {
    /// The address that the browser is sent to, once it is said.
    pub fn address(&self) -> String {
        let find = || self.err.text().lines().find(|line| line.starts_with("http://")).map(str::to_owned);
        until("the address", || find().is_some());
        find().unwrap()
    }

    pub fn finish(self) -> Got {
        let exit = self.thread.join().unwrap();
        Got { out: self.out.text(), err: self.err.text(), exit }
    }
}

/// Below the ephemeral ports (32768).
fn a_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let own = u16::try_from(std::process::id() % 3000).unwrap();
    loop {
        let port = 26_000 + (own + NEXT.fetch_add(1, Ordering::Relaxed) * 7) % 3000;
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

impl Desk {
    pub fn new(version: Version) -> Self {
        LazyLock::force(&LOGS);
        let gids = GidsSettings::default();
        let server = Settings::for_card(Uuid::from_bytes_le(gids.card_id), "", gids.admin_key);
        let server = Arc::new(StandIn::start(server).unwrap());
        server.state().change(|settings| settings.token = Some("nobody-has-this".to_owned()));
        let mim_cm = Arc::clone(&server);
        let sts = Sts::start(version, move |token| {
            mim_cm.state().change(|settings| settings.token = Some(token.to_owned()));
        });
        let desk = Self { folder: tempfile::tempdir().unwrap(), server, sts, port: a_port() };
        desk.configure("");
        desk
    }

    pub fn configure(&self, more: &str) {
        std::fs::write(self.path("ca.pem"), self.server.ca_pem()).unwrap();
        let text = format!(
            "[server]\nurl = \"{}\"\nca_file = \"{}\"\nauth = \"adfs\"\nadfs_url = \"{}\"\nadfs_client_id = \"{CLIENT}\"\n\
             adfs_resource = \"{RESOURCE}\"\nadfs_redirect_port = {}\n{more}\n",
            self.server.base_url(),
            with_slashes(&self.path("ca.pem")),
            self.sts.url,
            self.port
        );
        std::fs::write(self.path("config.toml"), text).unwrap();
    }

    /// Configures the keyring of the session.
    #[cfg(target_os = "linux")]
    pub fn keep_in_keyring(&self) {
        self.configure("adfs_token_store = \"keyring\"");
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn token_file(&self) -> PathBuf {
        self.path("state/pinwright/adfs-token.json")
    }

    /// Begins a command.
    pub fn start(&self, arguments: &[&str]) -> Running {
        let arguments: Vec<String> = ["pinwright"].iter().chain(arguments).map(|word| (*word).to_owned()).collect();
        let environment: Vec<(String, OsString)> = vec![
            ("PINWRIGHT_CONFIG".to_owned(), self.path("config.toml").into()),
            ("XDG_STATE_HOME".to_owned(), self.path("state").into()),
        ];
        let (out, err, interrupted) = (Captured::default(), Captured::default(), Arc::<AtomicBool>::default());
        let (mut out_writer, mut err_writer, flag) = (out.clone(), err.clone(), Arc::clone(&interrupted));
        let thread = std::thread::spawn(move || {
            let mut readers = VirtualReaders::new();
            readers.add("Desk").insert(GidsCard::personalised(GidsSettings::default()));
            let mut context = CommandContext {
                readers: Some(&readers),
                environment,
                out: &mut out_writer,
                err: &mut err_writer,
                screen: Screen::default(),
                colours: Default::default(),
                tells_progress: false,
                may_prompt: false,
                interrupted: flag,
            };
            match cli::parse(&arguments, &mut context) {
                Ok(arguments) => cli::run(&arguments, &mut context) as i32,
                Err(exit) => exit as i32,
            }
        });
        Running { thread, out, err, interrupted }
    }

    pub fn run(&self, arguments: &[&str]) -> Got {
        self.start(arguments).finish()
    }

    /// Signs in with a browser that follows where it is sent.
    pub fn login(&self) -> Got {
        no_browser_of_the_system();
        let running = self.start(&["login", "--json"]);
        let (status, back) = support::adfs::get(&running.address());
        assert_eq!(status, 302);
        support::adfs::get(&back.unwrap());
        running.finish()
    }

    /// Nothing that AD FS has given out, or was proved with, is in a log or in what the command printed.
    #[track_caller]
    pub fn assert_no_secret_in(&self, got: &[&Got]) {
        let mut places = vec![LOGS.text()];
        places.extend(got.iter().flat_map(|got| [got.out.clone(), got.err.clone()]));
        let secrets = self.sts.state().secrets.clone();
        assert!(!secrets.is_empty());
        for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
            let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
            for place in &places {
                let shows = place.contains(secret.as_str()) || place.contains(&encoded);
                assert!(!shows, "a secret is shown: {}", &secret[..secret.len().min(6)]);
            }
        }
    }
}

/// The machine of the tests may have a browser; it is not to open.
pub fn no_browser_of_the_system() {
    static TOLD: OnceLock<()> = OnceLock::new();
    TOLD.get_or_init(|| {
        let has_one = std::env::var_os("PATH")
            .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join("xdg-open").exists()));
        assert!(!has_one || std::env::var_os("DISPLAY").is_none(), "run the tests without DISPLAY");
    });
}
