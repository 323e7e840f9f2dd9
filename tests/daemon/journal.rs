//! Its log in the journal.

use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;

use support::journald::{Entry, Journald, field, parse, stream};
use support::waiting::{skip, until};

/// The entries of a command, and what came out at stderr all the same. `None` where there can be no namespace.
fn entries(folder: &Path, arguments: &[&str], matches: bool) -> Option<(Vec<Entry>, String)> {
    let err = File::create(folder.join("err")).unwrap();
    let other = File::create(folder.join("other")).unwrap();
    let journald = Journald::start();
    let mut command = journald.namespace();
    command.arg(env!("CARGO_BIN_EXE_pinwright")).args(arguments).current_dir(folder);
    command.env("JOURNAL_STREAM", stream(if matches { &err } else { &other }).unwrap()).env("XDG_STATE_HOME", folder);
    command.env("PCSCLITE_CSOCK_NAME", folder.join("no-pcscd"));
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(err).spawn().unwrap();
    until("the end of the command", || child.try_wait().unwrap().is_some());
    let messages = journald.finish();
    let said = fs::read_to_string(folder.join("err")).unwrap();
    if said.contains("unshare:") || said.contains("mount:") {
        skip(&format!("no mount namespace can be made here: {}", said.trim()));
        return None;
    }
    // The first is the empty one by which the socket is tried.
    let entries = messages.iter().map(|message| parse(message)).filter(|entry| !entry.is_empty());
    Some((entries.collect(), said))
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

#[test]
fn a_start_that_fails_stands_there_as_an_error() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config.toml"), "[agent]\ncontrol_group = \"no-such-group\"\n").unwrap();
    let Some((_, said)) = entries(folder.path(), &["--config", "config.toml", "agent"], true) else { return };
    assert!(said.starts_with("<3>error: ") && said.contains("\n<3>  hint: "), "{said}");
    let Some((_, said)) = entries(folder.path(), &["--config", "config.toml", "agent"], false) else { return };
    assert!(said.starts_with("error: "), "{said}");
}
