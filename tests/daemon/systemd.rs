//! What it tells systemd (sd_notify(3)).

use std::os::unix::net::UnixDatagram;

use rustix::process::Signal;
use support::waiting::PATIENCE;

use crate::process::Daemon;

/// Hears until one of the lines is this one.
#[track_caller]
fn hear(socket: &UnixDatagram, wanted: &str) -> Vec<String> {
    let mut heard = Vec::new();
    loop {
        let mut message = [0_u8; 4096];
        let length = socket.recv(&mut message).unwrap_or_else(|error| panic!("no {wanted}: {error}, {heard:?}"));
        heard.extend(String::from_utf8_lossy(&message[..length]).lines().map(str::to_owned));
        if heard.iter().any(|line| line == wanted) {
            return heard;
        }
    }
}

#[test]
fn it_says_when_it_is_ready_and_when_it_stops() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify.sock");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut daemon = Daemon::start("stop_timeout = \"10min\"", &[], |command| {
        command.env("NOTIFY_SOCKET", &path);
    });
    hear(&socket, "READY=1");
    // Ready means that it can be asked.
    assert!(daemon.status().is_some());
    daemon.signal(Signal::TERM);
    // As long as it may take, which is more than the unit's own limit, and 15 s more; in one message with the end.
    let heard = hear(&socket, "EXTEND_TIMEOUT_USEC=615000000");
    assert_eq!(heard.iter().rev().nth(1).map(String::as_str), Some("STOPPING=1"), "{heard:?}");
    assert!(daemon.end().success());
}
