//! What is installed beside the program: systemd takes the units, they are as closed as they say, and they name options, keys
//! and files that exist.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use pinwright::config::Config;
use support::waiting::skip;

const UNITS: [&str; 2] = ["systemd/pinwright-agent.service", "systemd/user/pinwright-agent.service"];

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging").join(name)).unwrap()
}

/// What a unit sets, in its order; lists may be set more than once.
fn settings(unit: &str) -> Vec<(String, String)> {
    read(unit)
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

fn setting(unit: &str, key: &str) -> String {
    let found = settings(unit).into_iter().find(|(name, _)| name == key);
    found.unwrap_or_else(|| panic!("{unit} has no {key}=")).1
}

/// The unit as it is installed, with the program that was built.
fn installed(folder: &Path, unit: &str) -> PathBuf {
    let path = folder.join(unit);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let text = read(unit);
    // Once a line: what `make install` replaces.
    let lines = text.lines().filter(|line| line.contains("/usr/local/bin/pinwright")).count();
    assert_eq!((text.matches("/usr/local/bin/pinwright").count(), lines), (2, 2), "{unit}");
    fs::write(&path, text.replace("/usr/local/bin/pinwright", env!("CARGO_BIN_EXE_pinwright"))).unwrap();
    path
}

/// `None`, said aloud, where the tool is not there.
fn run(program: &str, arguments: &[&str], runtime: &Path) -> Option<Output> {
    let output = Command::new(program).args(arguments).env("XDG_RUNTIME_DIR", runtime).output();
    match output {
        Ok(output) => Some(output),
        Err(error) => {
            skip(&format!("{program}: {error}"));
            None
        }
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn systemd_takes_the_units() {
    let folder = tempfile::tempdir().unwrap();
    for unit in UNITS {
        let path = installed(folder.path(), unit);
        let mode = if unit.contains("/user/") { "--user" } else { "--system" };
        let arguments = [mode, "verify", "--man=no", path.to_str().unwrap()];
        let Some(output) = run("systemd-analyze", &arguments, folder.path()) else { return };
        // A key that it does not know is a warning only.
        let complaints: Vec<String> =
            said(&output).lines().filter(|line| line.contains("pinwright")).map(str::to_owned).collect();
        assert!(output.status.success() && complaints.is_empty(), "{unit}: {}", said(&output));
    }
}

#[test]
fn the_systems_unit_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let path = installed(folder.path(), UNITS[0]);
    let arguments = ["security", "--no-pager", "--offline=true", "--threshold=15", path.to_str().unwrap()];
    let Some(output) = run("systemd-analyze", &arguments, folder.path()) else { return };
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("Overall exposure level for pinwright-agent.service: 1."), "{}", said(&output));
}

#[test]
fn the_units_start_the_agent_with_options_that_it_has() {
    for unit in UNITS {
        for (key, help) in [("ExecStart", "--check"), ("ExecReload", "ask the server now")] {
            let line = setting(unit, key);
            let mut words = line.split_whitespace();
            assert_eq!(words.next(), Some("/usr/local/bin/pinwright"));
            // An option that there is not would be told before the help.
            let output = Command::new(env!("CARGO_BIN_EXE_pinwright")).args(words).arg("--help").output().unwrap();
            assert!(output.status.success(), "{unit}: {}", said(&output));
            assert!(said(&output).contains(help), "{unit}: {}", said(&output));
        }
    }
}

#[test]
fn the_units_wait_longer_than_the_agent() {
    let stop = Config::from_toml("").unwrap().agent.stop_timeout;
    for unit in UNITS {
        let limit = humantime::parse_duration(&setting(unit, "TimeoutStopSec")).unwrap();
        assert!(limit > stop, "{unit}: {limit:?}");
        // A wrong configuration, and nothing else: all that may pass is tried again.
        assert_eq!(setting(unit, "RestartPreventExitStatus"), "2", "{unit}");
        assert_eq!(setting(unit, "Restart"), "on-failure", "{unit}");
    }
}

#[test]
fn the_users_agent_does_not_start_beside_the_systems() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    fs::write(&config, "").unwrap();
    // As systemd tells the unit.
    let runtime = format!("/run/{}", setting(UNITS[0], "RuntimeDirectory"));
    let environment = [("RUNTIME_DIRECTORY".to_owned(), runtime.into())];
    let control = Config::load(Some(&config), &environment).unwrap().agent.control.unwrap();
    assert_eq!(setting(UNITS[1], "ConditionPathExists"), format!("!{}", control.display()));
}

#[test]
fn every_key_that_is_named_exists() {
    let sample = read("config.toml");
    let mut named = 0;
    for unit in UNITS.into_iter().chain(["sysusers.d/pinwright.conf", "tmpfiles.d/pinwright.conf"]) {
        let text = read(unit);
        let words = text.split(|c: char| !(c.is_ascii_lowercase() || matches!(c, '.' | '_')));
        let keys = words.filter_map(|word| word.trim_end_matches('.').split_once('.')).filter(|(section, key)| {
            ["agent", "server", "card", "reader", "journal"].contains(section) && !["service", "sock"].contains(key)
        });
        for (section, key) in keys {
            let body = sample.split_once(&format!("\n[{section}]\n")).unwrap().1;
            let body = body.split("\n[").next().unwrap();
            let is_there = |line: &str| line.trim_start_matches('#').starts_with(&format!("{key} = "));
            assert!(body.lines().any(is_there), "{unit} names {section}.{key}");
            named += 1;
        }
        for (key, value) in settings_of_environment(&text) {
            assert_eq!((key.as_str(), value.as_str()), ("XDG_STATE_HOME", "%S"), "{unit}");
        }
    }
    assert!(named > 5, "{named}");
}

fn settings_of_environment(unit: &str) -> Vec<(String, String)> {
    let lines = unit.lines().filter_map(|line| line.strip_prefix("Environment="));
    lines.filter_map(|line| line.split_once('=')).map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

#[test]
fn no_secret_is_kept_where_systemd_removes_it() {
    let runtime = format!("/run/{}/", setting(UNITS[0], "RuntimeDirectory"));
    let folder = "/etc/pinwright/secrets";
    let sample = read("config.toml");
    let files: Vec<&str> =
        sample.lines().filter(|line| line.contains("_file = ") && !line.contains("ca_file")).collect();
    assert!(files.len() >= 4, "{files:?}");
    // The agent writes its sign-in at AD FS itself, which it can do in its state folder alone.
    let state = format!("/var/lib/{}", setting(UNITS[0], "StateDirectory"));
    for line in files.iter().filter(|line| !line.contains("profile_files")) {
        let folder = if line.contains("adfs_token_file") { &state } else { folder };
        assert!(line.contains(&format!("\"{folder}/")) && !line.contains(&runtime), "{line}");
    }
    // Made for a user who may read and not write there; named by unit and README.
    assert!(read("tmpfiles.d/pinwright.conf").contains(&format!("d {folder} 0750 root pinwright -")));
    assert!(read(UNITS[0]).contains(&format!("{folder}/token")));
    assert!(read("../README.md").contains(&format!("token_file = \"{folder}/token\"")));
}

#[test]
fn one_user_is_meant_everywhere() {
    assert_eq!(setting(UNITS[0], "User"), "pinwright");
    assert!(read("polkit/50-pinwright.rules").contains("subject.user === \"pinwright\""));
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_str().unwrap();
    let file = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging").join(name).display().to_string();
    fs::create_dir(folder.path().join("etc")).unwrap();
    let users = run("systemd-sysusers", &["--root", root, &file("sysusers.d/pinwright.conf")], folder.path());
    let Some(users) = users else { return };
    assert!(users.status.success(), "{}", said(&users));
    let accounts = fs::read_to_string(folder.path().join("etc/passwd")).unwrap();
    assert!(accounts.lines().any(|line| line.starts_with("pinwright:") && line.ends_with("/nologin")), "{accounts}");
    if nix::unistd::geteuid().is_root() {
        let files = ["--create", "--root", root, &file("tmpfiles.d/pinwright.conf")];
        let Some(made) = run("systemd-tmpfiles", &files, folder.path()) else { return };
        assert!(made.status.success(), "{}", said(&made));
        assert!(folder.path().join("etc/pinwright").is_dir() && folder.path().join("var/lib/pinwright").is_dir());
    }
}

/// `packaging/system-packages` on a Debian of its own: nothing is installed yet, and one package is not to be had.
fn system_packages(target: &str, unknown: &str, programs: &[&str]) -> (Output, Vec<String>) {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let installed = folder.path().join("installed");
    let apt = format!(
        "for word; do [ \"$word\" != '{unknown}' ] || exit 100; done; for word; do echo \"$word\" >>{0}; done",
        installed.display()
    );
    let dpkg = format!("grep -qx \"$2\" {} && echo 'Status: install ok installed'", installed.display());
    let pkg_config = format!("grep -qx libpcsclite-dev {}", installed.display());
    let stand_ins =
        [("apt-get", apt.as_str()), ("dpkg", &dpkg), ("pkg-config", &pkg_config), ("id", "echo 0"), ("cargo", ":")];
    for (name, script) in stand_ins.into_iter().filter(|(name, _)| programs.contains(name)) {
        let path = folder.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    // Of the real ones those that the script and its stand-ins are made of.
    for name in ["sh", "env", "grep", "uname"] {
        let real =
            ["/usr/bin", "/bin"].map(|folder| Path::new(folder).join(name)).into_iter().find(|path| path.exists());
        std::os::unix::fs::symlink(real.unwrap(), folder.path().join(name)).unwrap();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/system-packages");
    let output = Command::new(script).arg(target).env_clear().env("PATH", folder.path()).output().unwrap();
    let list = fs::read_to_string(&installed).unwrap_or_default();
    (output, list.lines().filter(|word| !word.starts_with('-')).map(str::to_owned).collect())
}

const DEBIAN: [&str; 5] = ["apt-get", "dpkg", "pkg-config", "id", "cargo"];

#[test]
fn no_package_is_named_by_its_version() {
    for target in [
        "demo",
        "test",
        "ci",
        "compare",
        "compare-builds",
        "interop",
        "lint",
        "soak",
        "bench",
        "fuzz",
        "residue",
        "mutants",
        "install",
        "deb",
        "rpm",
        "sbom",
        "reproducible",
        "dist",
    ] {
        let (output, packages) = system_packages(target, "-", &DEBIAN);
        assert!(output.status.success(), "{target}: {}", said(&output));
        assert!(packages.iter().any(|package| package == "libpcsclite-dev"), "{target}: {packages:?}");
        // As libclang1-14: another release of Debian has another.
        let versioned =
            |package: &&String| package.split('-').skip(1).any(|part| part.starts_with(|c: char| c.is_ascii_digit()));
        assert_eq!(packages.iter().find(versioned), None, "{target}");
    }
}

#[test]
fn a_package_that_cannot_be_had_is_named_and_the_others_are_installed() {
    let (output, packages) = system_packages("test", "libclang1", &DEBIAN);
    assert!(output.status.success(), "what can be tested is tested: {}", said(&output));
    assert!(said(&output).contains("could not install: libclang1 \n"), "{}", said(&output));
    assert!(!said(&output).contains("libpcsclite was not found"), "{}", said(&output));
    assert!(packages.iter().any(|package| package == "pcscd"), "{packages:?}");
    // Without this one there is no building.
    let (output, _) = system_packages("test", "libpcsclite-dev", &DEBIAN);
    assert!(!output.status.success() && said(&output).contains("libpcsclite was not found"), "{}", said(&output));
}

#[test]
fn debians_own_rust_is_named_where_there_is_none() {
    let (output, packages) = system_packages("demo", "-", &DEBIAN[..4]);
    assert!(!output.status.success() && packages.is_empty());
    for word in ["rustup.rs", "rustc-web", "cargo-web", "1.89"] {
        assert!(said(&output).contains(word), "{word}: {}", said(&output));
    }
}

/// A tree to install into, and a release build that is there already.
struct Installation {
    folder: tempfile::TempDir,
    root: PathBuf,
}

impl Installation {
    fn new() -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let (programs, release) = (folder.path().join("bin"), folder.path().join("target/release"));
        let root = folder.path().join("root");
        for made in [&programs, &release, &root] {
            fs::create_dir_all(made).unwrap();
        }
        fs::copy(env!("CARGO_BIN_EXE_pinwright"), release.join("pinwright")).unwrap();
        // Nothing is built, and who wants a package fails.
        let refuses = "echo a package is wanted >&2; exit 1";
        for (name, script) in [("cargo", ":"), ("apt-get", refuses), ("dpkg", refuses), ("sudo", refuses)] {
            fs::write(programs.join(name), format!("#!/bin/sh\n{script}\n")).unwrap();
            fs::set_permissions(programs.join(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        Self { folder, root }
    }

    /// `None`, said aloud, where there is no make.
    fn make(&self, words: &[&str]) -> Option<Output> {
        let mut make = Command::new("make");
        make.args(words).current_dir(env!("CARGO_MANIFEST_DIR")).env_remove("MAKEFLAGS").env_remove("MAKELEVEL");
        make.env("PATH", format!("{}:/usr/bin:/bin", self.folder.path().join("bin").display()));
        make.env("HOME", self.folder.path()).env("DESTDIR", &self.root);
        make.env("CARGO_TARGET_DIR", self.folder.path().join("target"));
        match make.output() {
            Ok(output) => Some(output),
            Err(error) => {
                skip(&format!("make: {error}"));
                None
            }
        }
    }

    fn mode(&self, path: &str) -> u32 {
        use std::os::unix::fs::PermissionsExt as _;
        fs::metadata(self.root.join(path)).unwrap().permissions().mode() & 0o7777
    }

    /// All that is below the root, folders with `/` at the end.
    fn content(&self) -> Vec<String> {
        fn below(folder: &Path, root: &Path, found: &mut Vec<String>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(root).unwrap().display().to_string();
                if path.is_dir() {
                    found.push(format!("{name}/"));
                    below(&path, root, found);
                } else {
                    found.push(name);
                }
            }
        }
        let mut found = Vec::new();
        below(&self.root, &self.root, &mut found);
        found.sort();
        found
    }
}

#[test]
fn an_installation_leaves_the_rights_of_folders_that_are_there() {
    use std::os::unix::fs::PermissionsExt as _;
    let installation = Installation::new();
    let root = &installation.root;
    for (made, mode) in [("etc/polkit-1/rules.d", 0o700), ("usr/local/bin", 0o2775)] {
        fs::create_dir_all(root.join(made)).unwrap();
        fs::set_permissions(root.join(made), fs::Permissions::from_mode(mode)).unwrap();
    }
    let Some(output) = installation.make(&["install"]) else { return };
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!((installation.mode("etc/polkit-1/rules.d"), installation.mode("usr/local/bin")), (0o700, 0o2775));
    assert_eq!(installation.mode("usr/local/lib/systemd/system"), 0o755, "one that was not there");
    assert!(root.join("etc/polkit-1/rules.d/50-pinwright.rules").is_file());
    for (file, holds) in [
        ("man/man1/pinwright-set-pin.1", "risk\\-uncounted"),
        ("bash-completion/completions/pinwright", "complete -F _pinwright"),
        ("zsh/site-functions/_pinwright", "#compdef pinwright"),
        ("fish/vendor_completions.d/pinwright.fish", "complete -c pinwright"),
        ("doc/pinwright/LICENSE", "Apache License"),
        ("doc/pinwright/README.md", "(book/getting-started.md)"),
        ("doc/pinwright/CHANGELOG.md", "## Unreleased"),
        ("doc/pinwright/book/getting-started.md", "# Getting started"),
        ("pinwright/profiles/generic-iso7816.toml", "[[card.profile]]"),
    ] {
        let text = fs::read_to_string(root.join("usr/local/share").join(file)).unwrap();
        assert!(text.contains(holds), "{file}");
    }
    let unit = fs::read_to_string(root.join("usr/local/lib/systemd/system/pinwright-agent.service")).unwrap();
    assert!(unit.contains("ExecStart=/usr/local/bin/pinwright agent"));
}

#[test]
fn what_is_installed_can_be_used_and_sets_nothing() {
    let installation = Installation::new();
    let Some(output) = installation.make(&["install", "PREFIX=/usr"]) else { return };
    assert!(output.status.success(), "{}", said(&output));
    let root = &installation.root;
    // A package's rule belongs where Debian 12's polkit looks, too.
    assert!(
        root.join("usr/share/polkit-1/rules.d/50-pinwright.rules").is_file() && !root.join("etc/polkit-1").exists()
    );
    for unit in ["system", "user"] {
        let unit = root.join("usr/lib/systemd").join(unit).join("pinwright-agent.service");
        assert!(fs::read_to_string(unit).unwrap().contains("ExecStart=/usr/bin/pinwright agent"));
    }
    let sample = Config::explained(Some(&root.join("etc/pinwright/config.toml")), &[]).unwrap().settings;
    let empty = root.join("empty.toml");
    fs::write(&empty, "").unwrap();
    let defaults = Config::explained(Some(&empty), &[]).unwrap().settings;
    let shown = |setting: &pinwright::config::Setting| format!("{} = {:?}", setting.key, setting.value);
    let [sample, defaults] = [sample, defaults].map(|settings| settings.iter().map(shown).collect::<Vec<_>>());
    assert_eq!(sample, defaults);
    let text = fs::read_to_string(root.join("etc/pinwright/config.toml")).unwrap();
    assert!(text.contains("#url = \"https://cm.contoso.com/CertificateManagement\""));
    let profiles = text.lines().find_map(|line| line.strip_prefix("#profile_files = [\"")).unwrap();
    assert!(root.join(profiles.trim_start_matches('/').trim_end_matches("\"]")).is_file(), "{profiles}");
}

#[test]
fn what_was_installed_is_removed_and_what_was_not_stays() {
    let installation = Installation::new();
    let before = installation.content();
    // Twice, as an upgrade is.
    for _ in 0..2 {
        let Some(output) = installation.make(&["install"]) else { return };
        assert!(output.status.success(), "{}", said(&output));
    }
    let output = installation.make(&["uninstall"]).unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(installation.content(), before);
    let again = installation.make(&["uninstall"]).unwrap();
    assert!(!again.status.success() && said(&again).contains("nothing is known to be installed"), "{}", said(&again));

    assert!(installation.make(&["install"]).unwrap().status.success());
    let stay = ["etc/pinwright/config.toml", "etc/pinwright/secrets/token", "usr/local/bin/another"];
    for (file, text) in stay.iter().zip(["[server]\n", "token", "another"]) {
        fs::create_dir_all(installation.root.join(file).parent().unwrap()).unwrap();
        fs::write(installation.root.join(file), text).unwrap();
    }
    fs::create_dir_all(installation.root.join("var/lib/pinwright")).unwrap();
    // A changed configuration is not overwritten either.
    assert!(installation.make(&["install"]).unwrap().status.success());
    let output = installation.make(&["uninstall"]).unwrap();
    assert!(output.status.success(), "{}", said(&output));
    for told in ["config.toml stays: it was changed", "the journal in"] {
        assert!(said(&output).contains(told), "{told}: {}", said(&output));
    }
    let left: Vec<String> = installation.content().into_iter().filter(|path| !path.ends_with('/')).collect();
    assert_eq!(left, stay);
    assert_eq!(fs::read_to_string(installation.root.join(stay[0])).unwrap(), "[server]\n");
}

#[test]
fn the_whole_check_names_tiers_that_there_are() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for script in ["run", "debian-13", "boot", "boot-guest", "boot-cases", "packages", "package-cases", "tree"] {
        let parsed = Command::new("bash").arg("-n").arg(root.join(".ci").join(script)).output().unwrap();
        assert!(parsed.status.success() && parsed.stderr.is_empty(), "{script}: {}", said(&parsed));
    }
    let script = fs::read_to_string(root.join(".ci/run")).unwrap();
    // tier NAME MINUTES COMMAND: the last word but one is the budget.
    let tiers = script.lines().filter_map(|line| line.trim_start().strip_prefix("tier "));
    let budgets: Vec<u32> = tiers.map(|tier| tier.rsplit(' ').nth(1).unwrap().parse().unwrap()).collect();
    assert!(budgets.len() >= 5 && budgets.iter().sum::<u32>() <= 90, "{budgets:?}");
    for script in ["build", "deb", "dist", "install", "notices", "release", "reproducible", "rpm", "sbom", "tool"] {
        let parsed = Command::new("sh").arg("-n").arg(root.join("packaging").join(script)).output().unwrap();
        assert!(parsed.status.success() && parsed.stderr.is_empty(), "{script}: {}", said(&parsed));
    }
    let script = fs::read_to_string(root.join(".ci/debian-13")).unwrap();
    let tiers = script.lines().find_map(|line| line.strip_prefix("tiers='")?.strip_suffix('\'')).unwrap();
    for needed in ["pcscd", "interop", "agent", "agent_pcscd"] {
        assert!(tiers.split(' ').any(|tier| tier == needed), "{needed} does not run on Debian 13");
    }
    for tier in tiers.split(' ') {
        let sources = [format!("tests/{tier}.rs"), format!("tests/{tier}/main.rs")];
        assert!(sources.iter().any(|source| root.join(source).exists()), "{tier} is no tier");
    }
}
