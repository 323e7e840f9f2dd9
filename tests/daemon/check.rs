//! `agent --check` asks as the unit would live.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use nix::unistd::{User, geteuid};
use pinwright::cli::screen::{Colours, Screen};
use pinwright::cli::{self, context::CommandContext};
use pinwright::reader::{Connection, ReaderEntry, ReaderError, Readers};

/// A systemd that has the packaged unit of the agent, as far as is asked, for this user; of a key that is there twice the first
/// counts.
fn systemctl(folder: &Path, user: &str, more: &str) {
    let script = format!(
        "#!/bin/sh\nprintf '%s\\n' '{more}' LoadState=loaded User={user} Group= SupplementaryGroups= ProtectHome=yes ProtectSystem=strict \
         PrivateTmp=yes StateDirectory=pinwright RuntimeDirectory=pinwright Environment=XDG_STATE_HOME=/var/lib\n"
    );
    fs::write(folder.join("systemctl"), script).unwrap();
    fs::set_permissions(folder.join("systemctl"), Permissions::from_mode(0o755)).unwrap();
}

/// What is said of each thing that was looked at.
fn check(user: &str, unit: &str, config: &str) -> impl Fn(&str) -> Option<(bool, String)> + use<> {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    systemctl(folder.path(), user, unit);
    let path = folder.path().join("config.toml");
    fs::write(&path, config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_pinwright"));
    command.arg("--config").arg(&path).args(["--json", "agent", "--check"]);
    command.env("PATH", format!("{}:/usr/bin:/bin", folder.path().display())).env("HOME", folder.path());
    command.env("PCSCLITE_CSOCK_NAME", folder.path().join("no-pcscd"));
    let output = command.output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let checks = report["checks"].as_array().unwrap_or_else(|| panic!("{report}")).clone();
    move |name| {
        let found = checks.iter().find(|check| check["check"] == name)?;
        Some((found["ok"].as_bool().unwrap(), found["detail"].as_str().unwrap().to_owned()))
    }
}

/// The unit's user: for root another one, which it becomes.
fn user() -> String {
    let own = User::from_uid(geteuid()).unwrap().unwrap().name;
    if geteuid().is_root() { "nobody".to_owned() } else { own }
}

#[test]
fn what_the_unit_would_fail_at_is_a_failure() {
    let user = user();
    let said = check(
        &user,
        "",
        "[server]\nurl = \"https://localhost:9/x\"\nauth = \"bearer\"\ntoken_file = \"/home/anna/token\"\n[card]\n\
         puk_file = \"/run/user/1000/puk\"\nadmin_key_file = \"/var/tmp/key\"\n[agent]\ncontrol_group = \"root\"\n\
         [journal]\ndir = \"/srv/pinwright\"\n",
    );
    assert_eq!(said("unit"), Some((true, format!("pinwright-agent.service, as user {user}"))));
    for (name, words) in [
        ("agent.control_group", ["root: the agent's user is not in it", "Group="]),
        ("server.auth", ["/home/anna/token: the unit does not see it (ProtectHome=yes)", "/etc/pinwright/secrets"]),
        ("card.puk", ["/run/user/1000/puk: the unit does not see it (ProtectHome=yes)", "credential"]),
        ("card.admin_key", ["/var/tmp/key: the unit does not see it (PrivateTmp=yes)", "credential"]),
        ("journal", ["can't write to /srv/pinwright (ProtectSystem=strict)", "ReadWritePaths=/srv/pinwright"]),
    ] {
        let (ok, detail) = said(name).unwrap();
        assert!(!ok && words.iter().all(|word| detail.contains(word)), "{name}: {detail}");
    }
}

#[test]
fn what_the_unit_opens_is_none() {
    let config = "[agent]\ncontrol_group = \"root\"\n[journal]\ndir = \"/srv/pinwright\"\n";
    let said = check(&user(), "SupplementaryGroups=root\nReadWritePaths=/srv/pinwright", config);
    let (_, detail) = said("journal").unwrap();
    assert!(!detail.contains("ReadWritePaths"), "{detail}");
    assert_eq!(said("agent.control_group"), Some((true, "root".to_owned())));
}

#[test]
fn the_unit_has_the_environment_that_it_has() {
    let said = check(&user(), "", "[server]\nurl = \"https://localhost:9/x\"\n");
    assert_eq!(said("agent.control"), Some((true, "/run/pinwright/agent.sock".to_owned())));
    let (_, journal) = said("journal").unwrap();
    assert!(journal.contains("/var/lib/pinwright"), "{journal}");
    assert_eq!(said("PC/SC").map(|(ok, _)| ok), Some(true), "one that does not run is waited for");
    // Of a unit that is not there nothing is said.
    let said = check(&user(), "LoadState=not-found", "");
    assert_eq!(said("unit"), None);
}

/// A service that takes nobody in.
struct Refusing;

impl Readers for Refusing {
    fn list(&self) -> Result<Vec<ReaderEntry>, ReaderError> {
        Err(ReaderError::AccessDenied)
    }

    fn open(&self, _: &str) -> Result<Box<dyn Connection>, ReaderError> {
        Err(ReaderError::AccessDenied)
    }
}

#[test]
fn a_polkit_rule_that_is_missing_is_named() {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let folder = tempfile::tempdir().unwrap();
    let mut context = CommandContext {
        readers: Some(&Refusing),
        environment: vec![
            ("XDG_STATE_HOME".to_owned(), folder.path().into()),
            ("HOME".to_owned(), folder.path().into()),
        ],
        out: &mut out,
        err: &mut err,
        screen: Screen::default(),
        colours: Colours::default(),
        tells_progress: false,
        may_prompt: false,
        interrupted: Arc::new(AtomicBool::new(false)),
    };
    let words = ["pinwright", "--config", "/dev/null", "agent", "--check"];
    let arguments = cli::parse(words, &mut context).unwrap();
    assert_eq!(cli::run(&arguments, &mut context) as u8, 2);
    let said = String::from_utf8(out).unwrap();
    let line = said.lines().find(|line| line.starts_with("FAIL PC/SC")).unwrap_or_else(|| panic!("{said}"));
    assert!(line.contains("50-pinwright.rules") && line.contains("polkit"), "{line}");
}
