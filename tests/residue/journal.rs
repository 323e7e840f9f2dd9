//! What the journal is told: the native protocol of journald, in a mount namespace where this test is journald.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use super::command::LOUD;
use super::held::Held;
use super::long_lived::assert_none;
use super::scan::Scanner;
use super::scene::{By, Scene, Spelling};

/// Run as `sh -c` with the socket as `$1` and the command after it.
const NAMESPACE: &str = r#"set -e
mount -t tmpfs none /run
mkdir -p /run/systemd/journal
touch /run/systemd/journal/socket
mount --bind "$1" /run/systemd/journal/socket
shift
exec "$@"
"#;

#[test]
fn the_journal_is_told_no_secret() {
    let Some(pcscd) = super::pcscd() else { return };
    if !Command::new("unshare").args(["--mount", "true"]).output().is_ok_and(|output| output.status.success()) {
        return super::skipped("no mount namespace can be made here");
    }
    let scene = Scene::new(pcscd, By::Server, |_| {});
    let mut canaries = scene.arm(8, Spelling::Plain);
    // A socket is no file that could be looked into.
    let folder = tempfile::tempdir().unwrap();
    let socket = UnixDatagram::bind(folder.path().join("journal.sock")).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let (stop, stopped) = channel::<()>();
    // Read along: the queue is short, and the command waits for a place in it.
    let reading = thread::spawn(move || {
        let (mut all, mut message) = (Vec::new(), vec![0_u8; 65536]);
        loop {
            let ended = stopped.try_recv().is_ok();
            while let Ok(length) = socket.recv(&mut message) {
                all.extend_from_slice(&message[..length]);
            }
            if ended {
                return all;
            }
        }
    });
    // That descriptor 2 is the journal's is said by naming the file that it is.
    let errors = File::create(scene.place.path("stderr")).unwrap().metadata().unwrap();
    let mut command = Command::new("setsid");
    command.args(["unshare", "--mount", "sh", "-c", NAMESPACE, "sh"]).arg(folder.path().join("journal.sock"));
    command.arg(env!("CARGO_BIN_EXE_pinwright"));
    command.env("JOURNAL_STREAM", format!("{}:{}", errors.dev(), errors.ino()));
    let held = Held::start(&scene, command, LOUD, Stdio::null());
    held.wait();
    canaries.extend(scene.answers());
    assert_none(&held.scan(&canaries));
    assert_eq!(held.release().status.code(), Some(0));
    assert!(scene.has_pin(&canaries[0]));
    stop.send(()).unwrap();
    let told = reading.join().unwrap();
    // The commands that carried secrets are among what was told.
    let text = String::from_utf8_lossy(&told);
    for header in ["00870000", "002C0280", "00200080"] {
        assert!(text.contains(&format!("> {header}")), "{header}: {text}");
    }
    fs::write(scene.place.path("journal"), &told).unwrap();
    assert_none(&scene.left_on_disk(&Scanner::new(&canaries)));
}
