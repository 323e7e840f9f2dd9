//! A machine with pinwright on it: the program in a folder of its own, the machine's configuration, a server, two readers.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pinwright::sim::card::SharedCard;
use pinwright::sim::gids::{GidsCard, GidsSettings};
use pinwright::sim::server::{Settings, StandIn};
use pinwright::sim::vpcd::{VpcdHandle, VpcdOptions};
use serde_json::Value;
use support::{repository, waiting};
use uuid::Uuid;
use windows_service::service::{Service, ServiceAccess, ServiceExitCode, ServiceState, ServiceStatus};
use windows_service::service_manager::{ServiceManager, ServiceManagerAccess};

pub const CARD_ID: &str = "33221100-5544-7766-8899-aabbccddeeff";
pub const TOKEN: &str = "dG9rZW4gb2YgdGhlIHNlcnZpY2U";

/// With a space, as most folders of programs have it.
const PROGRAMS: &str = r"C:\Program Files\pinwright under test";

pub type Card = SharedCard<GidsCard>;

/// The machine, which one test has at a time.
pub struct Machine {
    pub server: StandIn,
    pub program: PathBuf,
    pub data: PathBuf,
    port: u16,
    _alone: MutexGuard<'static, ()>,
}

/// What a command has said.
pub struct Run {
    exit: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Machine {
    /// Without a service, with a server that has an approved request for the card; `None` where there are no readers to try it with.
    pub fn new() -> Option<Self> {
        static ALONE: Mutex<()> = Mutex::new(());
        let Ok(port) = std::env::var("PINWRIGHT_VPCD") else {
            waiting::skip("PINWRIGHT_VPCD names no reader: `make test-windows` has some");
            return None;
        };
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let card = GidsSettings::default();
        let settings = Settings::for_card(Uuid::from_bytes_le(card.card_id), &hex::encode(&card.atr), card.admin_key);
        let server = StandIn::start(Settings { token: Some(TOKEN.to_owned()), ..settings }).unwrap();
        let data = PathBuf::from(std::env::var_os("ProgramData").unwrap()).join("pinwright");
        let program = Path::new(PROGRAMS).join("pinwright.exe");
        let machine = Self { server, program, data, port: port.parse().unwrap(), _alone: alone };
        machine.clear();
        waiting::until("the end of the service of another test", || open(ServiceAccess::QUERY_STATUS).is_none());
        fs::create_dir_all(PROGRAMS).unwrap();
        let given = std::env::var_os("PINWRIGHT_PROGRAM").map_or_else(repository::pinwright, PathBuf::from);
        fs::copy(given, &machine.program).unwrap();
        Some(machine)
    }

    /// Without failing: a test that fails has to leave nothing, either.
    fn clear(&self) {
        if let Some(service) = open(ServiceAccess::ALL_ACCESS) {
            drop(service.stop());
            for _ in 0..600 {
                if service.query_status().is_ok_and(|status| status.current_state == ServiceState::Stopped) {
                    break;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            drop(service.delete());
        }
        drop(fs::remove_dir_all(&self.data));
        drop(fs::remove_dir_all(PROGRAMS));
    }

    /// Makes the service and its configuration, with a token as credential and these lines of `[agent]`.
    pub fn install(&self, agent: &str) {
        self.run(&["agent", "install"]).exits(0);
        self.configure(agent);
        self.protect("token");
    }

    /// The machine's configuration.
    pub fn configure(&self, agent: &str) {
        let (ca, url) = (self.data.join("ca.pem"), self.server.base_url());
        fs::write(&ca, self.server.ca_pem()).unwrap();
        let text = format!(
            "[server]\nurl = \"{url}\"\nca_file = '{}'\nauth = \"bearer\"\ntoken_credential = \"token\"\n\n[agent]\n{agent}\n",
            ca.display()
        );
        fs::write(self.data.join("config.toml"), text).unwrap();
    }

    /// Runs the program as a person does.
    pub fn run(&self, arguments: &[&str]) -> Run {
        self.run_with(arguments, "")
    }

    /// Keeps the token as this credential.
    pub fn protect(&self, name: &str) {
        self.run_with(&["agent", "protect", name], TOKEN).exits(0);
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).stdout(Stdio::piped());
        // They are the test's, and the program would say that it knows no such settings.
        command.env_remove("PINWRIGHT_VPCD").env_remove("PINWRIGHT_PROGRAM");
        command
    }

    fn run_with(&self, arguments: &[&str], input: &str) -> Run {
        let mut child = self.command(arguments).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).unwrap();
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Run { exit: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// What the service's journal holds, for when it does not answer any more.
    pub fn journal(&self) -> Value {
        let own = self.data.join("own.toml");
        fs::write(&own, format!("[journal]\ndir = '{}'\n", self.data.join("journal").display())).unwrap();
        self.run(&["--config", &own.display().to_string(), "--json", "history"]).exits(0).json()
    }

    /// Starts the service, and waits until it runs.
    pub fn start(&self) -> Service {
        let service = self.service();
        service.start::<&str>(&[]).unwrap();
        wait_for(&service, ServiceState::Running);
        service
    }

    pub fn service(&self) -> Service {
        open(ServiceAccess::ALL_ACCESS).expect("there is a service")
    }

    /// What the agent tells of the first reader, as soon as it is so.
    #[track_caller]
    pub fn reader_when(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let mut reader = Value::Null;
        let mut status = Value::Null;
        let deadline = std::time::Instant::now() + waiting::PATIENCE;
        while std::time::Instant::now() < deadline {
            status = self.run(&["--json", "agent", "status"]).exits(0).json();
            reader = status["readers"][0].clone();
            if is_so(&reader) {
                return reader;
            }
        }
        panic!("{what} did not come about: {reader}\n{status}");
    }

    /// The reader's phase becomes this one.
    #[track_caller]
    pub fn reaches(&self, phase: &str) -> Value {
        self.reader_when(phase, |reader| reader["phase"] == phase)
    }

    /// The events from now on.
    pub fn events(&self) -> Events {
        let mut child = self.command(&["--json", "agent", "status", "--follow"]).stdin(Stdio::null()).spawn().unwrap();
        let (sender, lines) = channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let status = lines.recv_timeout(waiting::PATIENCE).unwrap();
        assert!(status.contains("pinwright.agent-status/"), "{status}");
        Events { child, lines, seen: Vec::new() }
    }

    /// Puts a card into the first reader, which answers each command that much later.
    pub fn insert(&self, card: &Card, delay: Duration) -> VpcdHandle {
        VpcdHandle::insert(card.clone(), &VpcdOptions { delay, ..VpcdOptions::local(self.port) }).unwrap()
    }

    /// A port that nobody has, and no connection gets.
    pub fn free_port() -> u16 {
        (20_000..32_000).step_by(7).find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.clear();
    }
}

/// The events of a running agent.
pub struct Events {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Events {
    /// Waits for a step of a job.
    #[track_caller]
    pub fn reaches(&mut self, step: &str) {
        loop {
            let Ok(line) = self.lines.recv_timeout(waiting::PATIENCE) else {
                panic!("no {step}; before: {:#?}", self.seen);
            };
            let event: Value = serde_json::from_str(&line).unwrap();
            if event["event"] == "step" && event["step"] == step {
                return;
            }
            self.seen.push(line);
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Run {
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.exit, Some(code), "{}{}", self.out, self.err);
        self
    }

    /// It fails with words that have this in them.
    #[track_caller]
    pub fn says(self, code: i32, words: &[&str]) {
        let run = self.exits(code);
        for word in words {
            assert!(run.err.contains(word), "no {word:?} in {}", run.err);
        }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}{}", self.out, self.err))
    }
}

fn open(access: ServiceAccess) -> Option<Service> {
    let manager = ServiceManager::local_computer(None::<&str>, ServiceManagerAccess::CONNECT).unwrap();
    manager.open_service("pinwright", access).ok()
}

/// Waits for a state. The process may be there a little longer than the service is.
#[track_caller]
pub fn wait_for(service: &Service, state: ServiceState) -> ServiceStatus {
    waiting::until(&format!("{state:?}"), || service.query_status().unwrap().current_state == state);
    service.query_status().unwrap()
}

/// It has ended as it should.
#[track_caller]
pub fn assert_ended(service: &Service, code: u32) {
    let status = wait_for(service, ServiceState::Stopped);
    let expected = if code == 0 { ServiceExitCode::Win32(0) } else { ServiceExitCode::ServiceSpecific(code) };
    assert_eq!(status.exit_code, expected, "{status:?}");
}

pub fn card() -> Card {
    SharedCard::new(GidsCard::personalised(GidsSettings::default()))
}

/// The server's PIN is on the card, and no try is spent.
#[track_caller]
pub fn assert_done(card: &Card, server: &StandIn) {
    let pins = server.state().pins();
    card.with(|card| {
        assert!(pins.iter().any(|pin| card.pin_is(pin)), "another PIN than the server's");
        assert_eq!((card.tries_left(), card.admin_failures()), (3, 0), "tries");
    });
    assert!(server.violations().is_empty(), "{:?}", server.violations());
}

/// The card is as it came.
#[track_caller]
pub fn assert_untouched(card: &Card) {
    card.with(|card| {
        assert!(card.pin_is(b"12345678"), "the PIN was changed");
        assert_eq!((card.tries_left(), card.admin_failures()), (3, 0), "tries");
    });
}
