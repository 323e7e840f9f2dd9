//! A job whose journal is on a full disk, or on one that may only be read.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pinwright::job::journal::{Journal, JournalError, Point};
use pinwright::job::{CardState, Cause, Step};
use support::provisioning::{CARD_A, InsertedCard, JobSetup, Kind, Person, guid, told};
use support::waiting::say_skipped;

use crate::case_journal::KEEP;
use crate::journal_folder::{put, record};

const FOLDER: &str = "TEST_TINY_FOLDER";

/// Takes all the space there is.
fn fill(folder: &Path) {
    let mut filler = File::create(folder.join("filler")).unwrap();
    let mut size = 4096;
    while size > 0 {
        if filler.write_all(&vec![0; size]).is_err() {
            size /= 2;
        }
    }
}

/// Not a test: runs where the folder is a file system of a few pages.
#[test]
#[ignore = "helper process of the test below"]
fn on_a_tiny_disk() {
    let Ok(folder) = std::env::var(FOLDER).map(PathBuf::from) else { return };
    for (full_at, again_at) in [
        (Step::Identify, None),
        (Step::Authorize, None),
        (Step::SetPin, None),
        (Step::Verify, None),
        (Step::Verify, Some(Step::Verify)),
    ] {
        let case = format!("full at {full_at:?}, space again at {again_at:?}");
        let journal = Journal::new(folder.join("journal"), KEEP);
        let mut setup = JobSetup::new(Kind::Gids, "server");
        setup.journal = Some(journal.clone());
        let inserted = InsertedCard::new(Kind::Gids);
        if again_at.is_some() {
            // The card verifies the PIN between the record's last two points.
            let filler = folder.join("filler");
            inserted.forge(move |command, answer| {
                if command.starts_with(&[0x00, 0x20]) && command.len() > 5 {
                    drop(fs::remove_file(&filler));
                }
                answer
            });
        }
        let run = setup.run_over(&inserted.readers.clone(), &mut Person::default(), |step| {
            if step == full_at {
                fill(&folder);
            }
        });
        drop(fs::remove_file(folder.join("filler")));
        let records = journal.history().unwrap();
        assert!(records.unreadable.is_empty(), "{case}");
        let points: Vec<Point> = records.records.iter().map(pinwright::job::journal::Record::point).collect();
        match (full_at, again_at) {
            (Step::Identify | Step::Authorize | Step::SetPin, _) => {
                let failure = run.failed(&case);
                assert!(
                    matches!(*failure.cause, Cause::Journal(JournalError::Io { .. })),
                    "{case}: {}",
                    told(&failure)
                );
                assert_eq!(failure.card_state(), CardState::Untouched, "{case}");
                assert!(inserted.pin_is(support::provisioning::OLD) && !inserted.authenticated(), "{case}");
                // Proved, and stopped before the write: the record says less than is known, and nothing wrong.
                let left: &[Point] = if full_at == Step::SetPin { &[Point::Authorizing] } else { &[] };
                assert_eq!(points, left, "{case}");
            }
            (_, again) => {
                let outcome = run.ok(&case);
                assert!(inserted.pin_is(&setup.server.state().last_pin().unwrap()), "{case}");
                assert_eq!(outcome.journal_failed.is_none(), again.is_some(), "{case}");
                assert_eq!(points, [if again.is_some() { Point::Done } else { Point::Setting }], "{case}");
            }
        }
        let outcome = setup.run(&inserted, &mut Person::default()).ok(&case);
        assert!(outcome.journal_failed.is_none(), "{case}");
        assert!(journal.history().unwrap().records.iter().all(|record| !record.is_open()), "{case}");
        fs::remove_dir_all(journal.folder()).unwrap();
    }
    println!("\nTINY DISK PASSED");
}

#[test]
fn a_disk_that_is_full_at_any_point() {
    let folder = tempfile::tempdir().unwrap();
    let mounted = "mount -t tmpfs -o size=64k,mode=700 none \"$1\" || { echo NO MOUNT; exit 0; }; shift; exec \"$@\"";
    for options in [&["--mount"][..], &["--map-root-user", "--mount"]] {
        let output = Command::new("unshare")
            .args(options)
            .args(["sh", "-c", mounted, "sh"])
            .arg(folder.path())
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "journal_disk::on_a_tiny_disk", "--ignored", "--nocapture"])
            .env(FOLDER, folder.path())
            .stdin(Stdio::null())
            .output();
        let Ok(output) = output else { continue };
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        if text.contains("NO MOUNT") || text.contains("unshare failed") {
            continue;
        }
        assert!(text.contains("TINY DISK PASSED"), "{text}");
        return;
    }
    say_skipped("no file system can be mounted here");
}

/// Not a test: runs as a user who may only read.
#[test]
#[ignore = "helper process of the test below"]
fn in_a_folder_for_reading() {
    let Ok(folder) = std::env::var(FOLDER).map(PathBuf::from) else { return };
    let journal = Journal::new(folder, KEEP);
    assert_eq!(journal.history().unwrap().records.len(), 1, "reading is enough for the history");
    let error = journal.claim(guid(CARD_A)).err().unwrap();
    let JournalError::Io { path, source } = error else { panic!("{error}") };
    println!("\nREFUSED {} {:?}", path.display(), source.kind());
}

#[test]
fn a_folder_that_may_only_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("journal");
    put(&journal, &record(guid(CARD_A), Point::Done));
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    // This test's own program may lie where nobody else comes.
    let program = folder.path().join("program");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    mode(folder.path(), 0o755);
    mode(&journal, 0o555);
    mode(&program, 0o755);
    let root = rustix::process::geteuid().is_root();
    let mut command = Command::new(if root { "setpriv" } else { "env" });
    if root {
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
    }
    let output = command
        .arg(&program)
        .args(["--exact", "journal_disk::in_a_folder_for_reading", "--ignored", "--nocapture"])
        .env(FOLDER, &journal)
        .output();
    mode(&journal, 0o755);
    let Ok(output) = output else {
        return say_skipped("no setpriv");
    };
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if text.contains("setpriv: ") {
        return say_skipped(&text);
    }
    assert!(text.contains("REFUSED") && text.contains("PermissionDenied"), "{text}");
}
