//! A stand-in for journald: its socket, in a mount namespace of the command that is to log there (the native protocol,
//! systemd's `JOURNAL_NATIVE_PROTOCOL`).

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Run as `sh -c` with the socket as `$1` and the command after it.
const NAMESPACE: &str = r#"set -e
mount -t tmpfs none /run
mkdir -p /run/systemd/journal
touch /run/systemd/journal/socket
mount --bind "$1" /run/systemd/journal/socket
shift
exec "$@"
"#;

/// One that reads along: the queue is short, and whoever logs waits for a place in it.
pub struct Journald {
    /// A folder of its own: a socket is no file that could be looked into for secrets.
    folder: tempfile::TempDir,
    stop: Sender<()>,
    reading: JoinHandle<Vec<Vec<u8>>>,
}

/// One entry's fields.
pub type Entry = Vec<(String, String)>;

impl Journald {
    /// Listens.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let socket = UnixDatagram::bind(folder.path().join("journal.sock")).expect("a socket in a folder of our own");
        // How soon it notices that it is to stop.
        socket.set_read_timeout(Some(Duration::from_millis(50))).expect("a time limit");
        let (stop, stopped) = channel();
        let reading = thread::spawn(move || {
            let (mut messages, mut message) = (Vec::new(), vec![0_u8; 65536]);
            loop {
                // Once more after the word to stop: what was sent last.
                let ended = stopped.try_recv().is_ok();
                while let Ok(length) = socket.recv(&mut message) {
                    messages.push(message[..length].to_vec());
                }
                if ended {
                    return messages;
                }
            }
        });
        Self { folder, stop, reading }
    }

    /// Whether this machine lets the user make the namespace.
    pub fn is_possible() -> bool {
        Command::new("unshare").args(["--mount", "true"]).output().is_ok_and(|output| output.status.success())
    }

    /// `unshare`, with arguments after which the program and its own arguments follow.
    pub fn namespace(&self) -> Command {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", NAMESPACE, "sh"]).arg(self.folder.path().join("journal.sock"));
        command
    }

    /// All messages, as they came, once nobody sends any more.
    pub fn finish(self) -> Vec<Vec<u8>> {
        self.stop.send(()).expect("it reads until it is told to stop");
        self.reading.join().expect("it reads")
    }
}

/// What `JOURNAL_STREAM` says where this file is the journal's.
///
/// # Errors
/// Where the file can't be looked at.
pub fn stream(file: &File) -> io::Result<String> {
    let stat = file.metadata()?;
    Ok(format!("{}:{}", stat.dev(), stat.ino()))
}

/// The fields of a message: `NAME=value` lines, and `NAME`, length, value for the others.
pub fn parse(mut bytes: &[u8]) -> Entry {
    let mut fields = Vec::new();
    while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
        let line = String::from_utf8_lossy(&bytes[..end]).into_owned();
        bytes = &bytes[end + 1..];
        if let Some((name, value)) = line.split_once('=') {
            fields.push((name.to_owned(), value.to_owned()));
        } else {
            let length = u64::from_le_bytes(bytes[..8].try_into().expect("a length of eight bytes"));
            let length = usize::try_from(length).expect("no longer than the message");
            fields.push((line, String::from_utf8_lossy(&bytes[8..8 + length]).into_owned()));
            bytes = &bytes[8 + length + 1..];
        }
    }
    fields
}

/// The first field of this name.
pub fn field<'a>(entry: &'a Entry, name: &str) -> Option<&'a str> {
    entry.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
}
