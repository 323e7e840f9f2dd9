//! What others may do with the process: take a core of it, read its memory, write it to swap.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::sync::mpsc;

use support::waiting::skip;

use super::canary_setup::{By, CanarySetup, SET_PIN, Spelling};
use super::command::LOUD;
use super::held::Held;

/// Runs what follows with cores allowed, as far as the caller may.
const WITH_CORES: &str = r#"ulimit -c unlimited; exec "$@""#;

#[test]
fn no_core_is_written() {
    let Some(pcscd) = super::pcscd() else { return };
    let setup = CanarySetup::new(pcscd, By::Server, |_| {});
    let dumped = Command::new("sh")
        .args(["-c", WITH_CORES, "sh", "sh", "-c", "kill -ABRT $$"])
        .current_dir(setup.installation.path("tmp"))
        .status()
        .unwrap();
    if !dumped.core_dumped() {
        return skip("no process leaves a core here");
    }
    setup.arm(8, Spelling::Plain);
    let mut command = Command::new("setsid");
    command.args(["sh", "-c", WITH_CORES, "sh", env!("CARGO_BIN_EXE_pinwright")]);
    let held = Held::start(&setup, command, LOUD, Stdio::null());
    held.wait();
    let ended = held.abort();
    assert_eq!(ended.signal(), Some(6));
    assert!(!ended.core_dumped());
}

#[test]
fn the_same_user_can_not_read_its_memory() {
    let Some(pcscd) = super::pcscd() else { return };
    let nobody = |program: &str| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", program]);
        command
    };
    if !nobody("true").status().is_ok_and(|status| status.success()) {
        return skip("there is no other user here");
    }
    let setup = CanarySetup::new(pcscd, By::Server, |_| {});
    let readable = |pid: u32| {
        let maps = nobody("cat").arg(format!("/proc/{pid}/maps")).output().unwrap();
        maps.status.success() && !maps.stdout.is_empty()
    };
    // That user must be able to run it, wherever it was built.
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = folder.path().join("pinwright");
    fs::copy(env!("CARGO_BIN_EXE_pinwright"), &program).unwrap();
    let mut others = nobody("sleep").arg("60").spawn().unwrap();
    let mut command = Command::new("setsid");
    command.args(["sh", "-c", r#"cd "$0"; exec "$@""#]).arg(folder.path());
    command.args(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program);
    // Its result does not matter: it can't even read its configuration.
    let held = Held::start(&setup, command, &["--json", "history"], Stdio::null());
    held.wait();
    let (open, closed) = (readable(others.id()), readable(held.id()));
    others.kill().and_then(|()| others.wait()).unwrap();
    assert!(open, "that user can read other processes of his");
    assert!(!closed);
}

/// Kilobytes that a process has locked.
fn locked(pid: u32) -> u32 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmLck:"));
    line.and_then(|size| size.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[test]
fn pages_with_secrets_are_locked_while_there_are_any() {
    let Some(pcscd) = super::pcscd() else { return };
    let setup = CanarySetup::new(pcscd, By::Server, |_| {});
    setup.arm(8, Spelling::Plain);
    let (tell, told) = mpsc::channel();
    let (say, said) = mpsc::channel();
    setup.card.with(|card| {
        card.witness = Some(Box::new(move |command| {
            if command.get(1) == Some(&SET_PIN) {
                let pid = told.recv().unwrap();
                say.send(locked(pid)).unwrap();
            }
        }));
    });
    let mut command = Command::new("setsid");
    command.arg(env!("CARGO_BIN_EXE_pinwright"));
    let held = Held::start(&setup, command, LOUD, Stdio::null());
    tell.send(held.id()).unwrap();
    held.wait();
    let during: Vec<u32> = said.try_iter().collect();
    assert!(matches!(during[..], [size] if (4..=1024).contains(&size)), "{during:?} kB");
    assert_eq!(locked(held.id()), 0);
}

#[test]
fn a_limit_on_locked_memory_is_told_and_no_failure() {
    let Some(pcscd) = super::pcscd() else { return };
    let setup = CanarySetup::new(pcscd, By::Server, |_| {});
    let armed = setup.arm(8, Spelling::Plain);
    // Root is exempt by a capability.
    let mut command = Command::new("setsid");
    command.args(["setpriv", "--bounding-set=-ipc_lock", "--inh-caps=-ipc_lock", "sh", "-c"]);
    command.args([r#"ulimit -l 0; exec "$@""#, "sh", env!("CARGO_BIN_EXE_pinwright")]);
    let held = Held::start(&setup, command, &["--json", "set-pin", "--yes", "--again"], Stdio::null());
    held.wait();
    assert_eq!(locked(held.id()), 0);
    assert_eq!(held.release().status.code(), Some(0));
    assert!(setup.has_pin(&armed[0]));
    let said = fs::read_to_string(setup.installation.path("stderr")).unwrap();
    assert_eq!(said.matches("can't be kept out of swap").count(), 1, "{said}");
    assert!(said.contains("LimitMEMLOCK"), "{said}");
}
