//! Start, end, and the user that it works as.

use std::fs::{self, File, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

use nix::unistd::{User, geteuid};
use pinwright::agent::Settings;
use pinwright::agent::control::client::ask;
use pinwright::agent::control::protocol;
use pinwright::agent::report::Snapshot;
use rustix::process::{Pid, Signal, kill_process};
use support::waiting::{skip, until};

/// A running agent.
pub struct Daemon {
    pub folder: tempfile::TempDir,
    process: Process,
}

/// Killed when dropped.
struct Process(Child);

impl Daemon {
    /// With more lines for `[agent]`, in a home of its own and without a PC/SC service.
    pub fn start(lines: &str, arguments: &[&str], furnish: impl FnOnce(&mut Command)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let here = folder.path().display();
        let config = format!(
            "[server]\nurl = \"https://localhost:1/x\"\n[agent]\ncontrol = \"{here}/run/agent.sock\"\n{lines}\n[journal]\ndir = \"{here}/journal\"\n"
        );
        fs::write(folder.path().join("config.toml"), config).unwrap();
        fs::create_dir(folder.path().join("journal")).unwrap();
        Self::start_in(folder, arguments, furnish)
    }

    fn start_in(folder: tempfile::TempDir, arguments: &[&str], furnish: impl FnOnce(&mut Command)) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pinwright"));
        command.arg("--config").arg(folder.path().join("config.toml")).args(arguments).arg("agent");
        let file = |name: &str| File::create(folder.path().join(name)).unwrap();
        command.stdin(Stdio::null()).stdout(file("out")).stderr(file("err"));
        command.env("PCSCLITE_CSOCK_NAME", folder.path().join("no-pcscd")).env("HOME", folder.path());
        for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "JOURNAL_STREAM", "RUNTIME_DIRECTORY"] {
            command.env_remove(name);
        }
        furnish(&mut command);
        let process = Process(command.spawn().unwrap());
        Self { folder, process }
    }

    /// Another one in the same place, after this one.
    fn again(self) -> Self {
        let Self { folder, process } = self;
        drop(process);
        Self::start_in(folder, &[], |_| {})
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("run/agent.sock")
    }

    pub fn text(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    pub fn status(&self) -> Option<Snapshot> {
        let settings = Settings { control: Some(self.socket()), ..Settings::default() };
        ask(&settings, protocol::Command::Status).ok()?.expect().ok().map(|(_, snapshot)| snapshot)
    }

    #[track_caller]
    pub fn wait_until_it_answers(&mut self) {
        until("an answer", || {
            if let Some(status) = self.process.0.try_wait().unwrap() {
                panic!("it has ended: {status}, {}", fs::read_to_string(self.folder.path().join("err")).unwrap());
            }
            self.status().is_some()
        });
    }

    pub fn pid(&self) -> u32 {
        self.process.0.id()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.process.0.id().try_into().unwrap()).unwrap(), signal).unwrap();
    }

    #[track_caller]
    pub fn end(&mut self) -> ExitStatus {
        let mut ended = None;
        until("the end", || {
            ended = self.process.0.try_wait().unwrap();
            ended.is_some()
        });
        ended.unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail where it has ended, as it should have.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn it_ends_when_asked_and_takes_its_socket_along() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut daemon = Daemon::start("", &[], |_| {});
        daemon.wait_until_it_answers();
        assert_eq!(daemon.status().unwrap().pid, daemon.pid());
        // Not the end: a request for a re-check.
        daemon.signal(Signal::HUP);
        assert!(daemon.status().is_some());
        daemon.signal(signal);
        let status = daemon.end();
        assert!(status.success(), "{signal:?}: {status} {}", daemon.text("err"));
        assert!(!daemon.socket().exists());
    }
}

#[test]
fn a_second_one_on_the_same_socket_ends_with_3() {
    let mut first = Daemon::start("", &[], |_| {});
    first.wait_until_it_answers();
    let second = Command::new(env!("CARGO_BIN_EXE_pinwright"))
        .arg("--config")
        .arg(first.folder.path().join("config.toml"))
        .arg("agent")
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(3));
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("an agent is running already and answers on"), "{said}");
    assert!(first.status().is_some(), "the first goes on");
}

#[test]
fn a_wrong_configuration_ends_it_with_2_and_a_journal_that_cannot_be_written_is_waited_for() {
    let mut wrong = Daemon::start("user = \"no-such-user\"", &[], |_| {});
    assert_eq!(wrong.end().code(), Some(2), "{}", wrong.text("err"));
    // No folder can be made in a file, not even by root.
    let mut daemon = Daemon::start("", &[], |command| {
        command.env("PINWRIGHT_JOURNAL_DIR", "/dev/null/journal");
    });
    daemon.wait_until_it_answers();
    assert!(daemon.text("err").contains("no card is written to until it can be"), "{}", daemon.text("err"));
    daemon.signal(Signal::TERM);
    assert!(daemon.end().success());
}

#[test]
fn the_second_agent_at_one_pcscd_says_so_whoever_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let service = folder.path().join("no-pcscd");
    let start = || {
        let mut daemon = Daemon::start("", &[], |command| {
            command.env("PCSCLITE_CSOCK_NAME", &service);
        });
        daemon.wait_until_it_answers();
        daemon
    };
    let (first, second) = (start(), start());
    let (uid, pid) = (geteuid(), first.pid());
    assert!(!first.text("err").contains("another agent"), "{}", first.text("err"));
    let said = second.text("err");
    assert!(said.contains(&format!("another agent (process {pid} of user {uid}) sees to the same cards")), "{said}");
    drop(first);
    drop(second);
    let after = start();
    assert!(!after.text("err").contains("another agent"), "{}", after.text("err"));
}

#[test]
fn a_service_that_is_away_is_a_warning_and_a_normal_end_is_none() {
    let mut daemon = Daemon::start("metrics = \"127.0.0.1:0\"", &[], |_| {});
    daemon.wait_until_it_answers();
    until("a word of the service", || daemon.text("err").contains("PC/SC"));
    let warnings =
        |said: &str| said.lines().filter(|line| line.contains("WARN")).map(str::to_owned).collect::<Vec<_>>();
    let before = warnings(&daemon.text("err"));
    assert!(before.iter().any(|line| line.contains("PC/SC")), "{before:?}");
    daemon.signal(Signal::TERM);
    assert!(daemon.end().success());
    assert_eq!(warnings(&daemon.text("err")), before);
}

#[test]
fn a_killed_one_leaves_nothing_that_keeps_the_next_from_starting() {
    let mut daemon = Daemon::start("", &[], |_| {});
    daemon.wait_until_it_answers();
    daemon.signal(Signal::KILL);
    daemon.end();
    assert!(daemon.socket().exists(), "a dead socket");
    let mut daemon = daemon.again();
    daemon.wait_until_it_answers();
    daemon.signal(Signal::TERM);
    assert!(daemon.end().success());
}

#[test]
fn root_is_given_up_for_good() {
    let nobody = User::from_name("nobody").ok().flatten();
    let (true, Some(nobody)) = (geteuid().is_root(), nobody) else {
        return skip("becoming another user needs root and an account `nobody`");
    };
    let mut daemon = Daemon::start("user = \"nobody\"", &[], |_| {});
    // It waits where it can't use its journal: the folder is root's.
    daemon.wait_until_it_answers();
    assert!(daemon.text("err").contains("the journal can't be kept in"), "{}", daemon.text("err"));
    daemon.signal(Signal::TERM);
    assert!(daemon.end().success());
    let folder = daemon.folder.path().join("journal");
    std::os::unix::fs::chown(folder, Some(nobody.uid.as_raw()), Some(nobody.gid.as_raw())).unwrap();
    let mut daemon = daemon.again();
    daemon.wait_until_it_answers();
    // Each thread by itself: the kernel keeps users by thread.
    let threads = fs::read_dir(format!("/proc/{}/task", daemon.pid())).unwrap();
    // One that has ended since has none.
    let threads: Vec<_> =
        threads.filter_map(|thread| fs::read_to_string(thread.unwrap().path().join("status")).ok()).collect();
    assert!(threads.len() > 1, "{threads:?}");
    for status in threads {
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(field("Uid:"), vec![nobody.uid.to_string(); 4]);
        assert_eq!(field("Gid:"), vec![nobody.gid.to_string(); 4]);
        assert!(!field("Groups:").contains(&"0".to_owned()), "{status}");
        for set in ["CapPrm:", "CapEff:", "CapAmb:"] {
            assert_eq!(field(set), ["0000000000000000"], "{set}");
        }
        assert_eq!(field("NoNewPrivs:"), ["1"]);
    }
    assert_eq!(fs::metadata(daemon.socket()).unwrap().uid(), nobody.uid.as_raw());
    daemon.signal(Signal::TERM);
    assert!(daemon.end().success());
    assert!(!daemon.socket().exists(), "its folder was handed over with it");
}

/// What `agent --check` says of `agent.metrics`, and whether that is well.
fn check_of_metrics(daemon: &Daemon) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pinwright"));
    command.arg("--config").arg(daemon.folder.path().join("config.toml")).args(["--json", "agent", "--check"]);
    let output = command.output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let checks = report["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["check"] == "agent.metrics").unwrap_or_else(|| panic!("{report}"));
    (check["ok"].as_bool().unwrap(), check["detail"].as_str().unwrap().to_owned())
}

#[test]
fn the_check_tells_an_address_that_is_taken_from_one_that_the_agent_has() {
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap();
    let mut daemon = Daemon::start(&format!("metrics = \"{address}\""), &[], |_| {});
    assert_eq!(daemon.end().code(), Some(3), "{}", daemon.text("err"));
    let (ok, detail) = check_of_metrics(&daemon);
    assert!(!ok && detail.contains("in use"), "{detail}");
    drop(other);
    assert_eq!(check_of_metrics(&daemon), (true, address.to_string()));
    let mut daemon = daemon.again();
    daemon.wait_until_it_answers();
    assert_eq!(check_of_metrics(&daemon), (true, format!("{address} (in use: an agent is running)")));
}

#[test]
fn it_ends_when_asked_although_nobody_reads_its_events() {
    let (unread, mut full) = std::io::pipe().unwrap();
    let flags = rustix::fs::fcntl_getfl(&full).unwrap();
    rustix::fs::fcntl_setfl(&full, flags | rustix::fs::OFlags::NONBLOCK).unwrap();
    while full.write(&[b' '; 4096]).is_ok() {}
    // The pipe's end is one for us and the agent, which is to wait in it.
    rustix::fs::fcntl_setfl(&full, flags).unwrap();
    let mut daemon = Daemon::start("", &["--json"], |command| {
        command.stdout(full);
    });
    daemon.wait_until_it_answers();
    daemon.signal(Signal::TERM);
    assert!(daemon.end().success(), "{}", daemon.text("err"));
    assert!(daemon.text("err").contains("nobody reads standard output"), "{}", daemon.text("err"));
    drop(unread);
}

#[test]
fn events_are_json_lines_on_standard_output() {
    let mut daemon = Daemon::start("", &["--json"], |_| {});
    daemon.wait_until_it_answers();
    daemon.signal(Signal::TERM);
    assert!(daemon.end().success());
    for line in daemon.text("out").lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(event["schema"], "pinwright.agent-event/1", "{line}");
    }
}
