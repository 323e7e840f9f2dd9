//! Its log in the journal: the native protocol of journald, in a mount namespace where this test is journald.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::{skip, until};

/// Run as `sh -c` with the socket as `$1` and the command after it.
const NAMESPACE: &str = r#"set -e
mount -t tmpfs none /run
mkdir -p /run/systemd/journal
touch /run/systemd/journal/socket
mount --bind "$1" /run/systemd/journal/socket
shift
exec "$@"
"#;

/// One entry's fields.
type Entry = Vec<(String, String)>;

/// `NAME=value` lines, and `NAME`, length, value for the others.
fn parse(mut bytes: &[u8]) -> Entry {
    let mut fields = Vec::new();
    while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
        let line = String::from_utf8_lossy(&bytes[..end]).into_owned();
        bytes = &bytes[end + 1..];
        if let Some((name, value)) = line.split_once('=') {
            fields.push((name.to_owned(), value.to_owned()));
        } else {
            let length = usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
            fields.push((line, String::from_utf8_lossy(&bytes[8..8 + length]).into_owned()));
            bytes = &bytes[8 + length + 1..];
        }
    }
    fields
}

fn field<'a>(entry: &'a Entry, name: &str) -> Option<&'a str> {
    entry.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
}

/// The entries of a command, and what came out at stderr all the same. `None` where there can be no namespace.
fn entries(folder: &Path, arguments: &[&str], matches: bool) -> Option<(Vec<Entry>, String)> {
    let socket = UnixDatagram::bind(folder.join("journal.sock")).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let err = fs::File::create(folder.join("err")).unwrap();
    let stat = err.metadata().unwrap();
    let inode = if matches { stat.ino() } else { stat.ino() + 1 };
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", NAMESPACE, "sh"]).arg(folder.join("journal.sock"));
    command.arg(env!("CARGO_BIN_EXE_pinwright")).args(arguments).current_dir(folder);
    command.env("JOURNAL_STREAM", format!("{}:{inode}", stat.dev())).env("XDG_STATE_HOME", folder);
    command.env("PCSCLITE_CSOCK_NAME", folder.join("no-pcscd"));
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(err).spawn().unwrap();
    // Read along: the queue is short, and the command waits for a place in it.
    let mut entries = Vec::new();
    let mut message = vec![0_u8; 65536];
    let mut ended = false;
    until("the end of the command", || {
        while let Ok(length) = socket.recv(&mut message) {
            entries.push(parse(&message[..length]));
        }
        // Once more after its end: what it has sent last.
        std::mem::replace(&mut ended, child.try_wait().unwrap().is_some())
    });
    let said = fs::read_to_string(folder.join("err")).unwrap();
    if said.contains("unshare:") || said.contains("mount:") {
        skip(&format!("no mount namespace can be made here: {}", said.trim()));
        return None;
    }
    // The first is the empty one by which the socket is tried.
    entries.retain(|entry| !entry.is_empty());
    Some((entries, said))
}

#[test]
fn lines_of_a_job_carry_its_id_as_a_field() {
    let folder = tempfile::tempdir().unwrap();
    let Some((entries, said)) = entries(folder.path(), &["-vvv", "demo"], true) else { return };
    assert!(said.is_empty(), "{said}");
    for entry in &entries {
        assert!(field(entry, "MESSAGE").is_some(), "{entry:?}");
        assert_eq!(field(entry, "SYSLOG_IDENTIFIER"), Some("pinwright"), "{entry:?}");
        assert!(field(entry, "TARGET").is_some_and(|target| target.starts_with("pinwright")), "{entry:?}");
    }
    let of_job: Vec<&Entry> = entries.iter().filter(|entry| field(entry, "SPAN_NAME") == Some("enrollment")).collect();
    assert!(of_job.len() > 20, "{entries:?}");
    let id = field(of_job[0], "PINWRIGHT_ID").unwrap();
    assert_eq!(id.len(), 8, "{id}");
    for entry in &of_job {
        assert_eq!(field(entry, "PINWRIGHT_ID"), Some(id), "{entry:?}");
    }
    // 6 informational, 7 debug: journalctl -p knows them apart.
    for priority in ["6", "7"] {
        assert!(of_job.iter().any(|entry| field(entry, "PRIORITY") == Some(priority)), "{priority}");
    }
}

#[test]
fn a_stderr_that_is_not_the_journals_gets_the_lines() {
    let folder = tempfile::tempdir().unwrap();
    let Some((entries, said)) = entries(folder.path(), &["-v", "demo"], false) else { return };
    assert!(entries.is_empty(), "{entries:?}");
    assert!(said.contains("INFO enrollment{id="), "{said}");
}
