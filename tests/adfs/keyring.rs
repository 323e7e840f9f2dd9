//! A person's sign-in in a real keyring: GNOME's, on a bus of its own, with a folder of its own.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use support::adfs::Version;
use support::waiting::skip;

use crate::desk::Desk;

/// What has to be here, with Debian's packages.
const PROGRAMS: [(&str, &str); 3] = [
    ("/usr/bin/dbus-run-session", "dbus-daemon"),
    ("/usr/bin/gnome-keyring-daemon", "gnome-keyring"),
    ("/usr/bin/secret-tool", "libsecret-tools"),
];

/// Plays a test in a session of its own, after these words to its shell.
#[track_caller]
fn in_session(words: &str, test: &str) -> Option<Output> {
    if let Some((program, package)) = PROGRAMS.iter().find(|(program, _)| !Path::new(program).exists()) {
        skip(&format!("no {program} (Debian: {package})"));
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let runtime = folder.path().join("run");
    std::fs::create_dir(&runtime).unwrap();
    std::fs::set_permissions(&runtime, std::fs::Permissions::from_mode(0o700)).unwrap();
    let mut command = Command::new("dbus-run-session");
    command.args(["--", "sh", "-c", &format!("{words}; exec \"$@\""), "sh"]).arg(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--ignored", "--nocapture"]);
    command.env("HOME", folder.path()).env("XDG_DATA_HOME", folder.path().join("data"));
    command.env("XDG_CONFIG_HOME", folder.path().join("config")).env("XDG_RUNTIME_DIR", &runtime);
    command.env("XDG_CACHE_HOME", folder.path().join("cache")).env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY");
    let output = command.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.contains("1 passed"), "{out}\n{err}");
    // The keyring's file is encrypted, and nothing else of the session has a token.
    let mut search = Command::new("grep");
    let found = search.args(["-rl", "refresh-token-secret"]).arg(folder.path()).output().unwrap();
    assert!(found.stdout.is_empty(), "{}", String::from_utf8_lossy(&found.stdout));
    Some(output)
}

/// Unlocked with a password, as a session of a desktop does.
const UNLOCKED: &str = "printf password | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1";

#[test]
fn a_sign_in_is_kept_in_the_keyring_and_removed_from_it() {
    in_session(UNLOCKED, "keyring::plays_a_person");
}

#[test]
#[ignore = "played by a process of its own"]
fn plays_a_person() {
    let desk = Desk::new(Version::V2019);
    desk.sts.state().rotates = true;
    desk.keep_in_keyring();
    desk.run(&["whoami"]).says(5, &["the keyring has no sign-in for this AD FS", "pinwright login"]);
    let login = desk.login();
    login.says(0, &["alice@contoso.com", "\"token_store\":\"keyring\""]);
    assert!(!desk.token_file().exists());
    let job = desk.run(&["--json", "set-pin", "--yes"]);
    job.says(0, &["\"outcome\":\"done\""]);
    // Renewed in the keyring, and no second entry.
    desk.sts.state().lifetime = 10;
    desk.login();
    desk.sts.state().lifetime = 3600;
    desk.run(&["plan"]).says(0, &[]);
    assert_eq!(desk.sts.asked("refresh_token"), 1);
    let doctor = desk.run(&["doctor"]);
    assert!(doctor.out.contains("a refresh token renews it for 7 h"), "{doctor:?}");
    // Longer than secret-tool takes: told, and what was there is still there.
    desk.sts.state().padding = 9000;
    desk.login().says(2, &["longer than the 8000 bytes that secret-tool takes", "\"file\\\""]);
    desk.sts.state().padding = 0;
    desk.run(&["whoami"]).says(0, &["alice@contoso.com"]);
    let logout = desk.run(&["logout"]);
    logout.says(0, &["is removed"]);
    assert_eq!(desk.run(&["--json", "logout"]).json()["removed"], false);
    desk.run(&["whoami"]).says(5, &["nobody is signed in"]);
    desk.assert_no_secret_in(&[&login, &job, &doctor, &logout]);
}

/// A machine without a session: the file is named as the way.
#[test]
fn without_a_session_the_file_is_named() {
    in_session("unset DBUS_SESSION_BUS_ADDRESS; XDG_RUNTIME_DIR=/nonexistent", "keyring::plays_without_a_session");
    in_session("PATH=/nonexistent", "keyring::plays_without_the_program");
}

#[test]
#[ignore = "played by a process of its own"]
fn plays_without_a_session() {
    let desk = Desk::new(Version::V2019);
    desk.keep_in_keyring();
    desk.run(&["whoami"]).says(2, &["because: secret-tool says: ", "server.adfs_token_store"]);
}

#[test]
#[ignore = "played by a process of its own"]
fn plays_without_the_program() {
    let desk = Desk::new(Version::V2019);
    desk.keep_in_keyring();
    desk.run(&["whoami"]).says(2, &["secret-tool can't be started", "libsecret-tools"]);
}
