//! What each case does, as a transcript that can be compared with another revision's: `make compare`, not `make test`.
//!
//! `PINWRIGHT_CASES` is the folder of the cases and `PINWRIGHT_TRANSCRIPT` the file to write. With `PINWRIGHT_COMPARE_WITH`,
//! the transcript of the old revision, and `PINWRIGHT_NAMED`, the file of the differences that are meant, both are compared.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};

use serde::{Deserialize, Serialize};
use tracing::field::{Field, Visit};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Context, SubscriberExt as _};

use crate::case::Case;

/// What one case did, without what differs from run to run.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    exit: i32,
    stdout: String,
    stderr: String,
    /// Frames as the log has them, secrets masked; of an answer its length and status word.
    apdus: Vec<String>,
    /// Calls as the stand-in server saw them.
    calls: Vec<String>,
}

type Transcript = BTreeMap<String, Entry>;

#[test]
#[ignore = "make compare: tests/compare/run.sh sets what it needs"]
fn every_case_does_what_the_old_revision_did() {
    let path = |name: &str| PathBuf::from(std::env::var_os(name).unwrap_or_else(|| panic!("{name} is not set")));
    let frames = Frames::default();
    let log = tracing_subscriber::registry()
        .with(frames.clone().with_filter(Targets::new().with_target("pinwright::apdu", LevelFilter::TRACE)));
    tracing::subscriber::set_global_default(log).unwrap();
    let transcript = record(&path("PINWRIGHT_CASES"), &frames);
    std::fs::write(path("PINWRIGHT_TRANSCRIPT"), serde_json::to_vec_pretty(&transcript).unwrap()).unwrap();
    if std::env::var_os("PINWRIGHT_COMPARE_WITH").is_none() {
        return;
    }
    let old: Transcript = serde_json::from_slice(&std::fs::read(path("PINWRIGHT_COMPARE_WITH")).unwrap()).unwrap();
    let named: BTreeMap<String, String> =
        toml::from_str(&std::fs::read_to_string(path("PINWRIGHT_NAMED")).unwrap()).unwrap();
    compare(&old, &transcript, &named);
}

/// Runs every case of a folder.
fn record(folder: &Path, frames: &Frames) -> Transcript {
    let mut transcript = Transcript::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        frames.take();
        let entry = match catch_unwind(AssertUnwindSafe(|| Case::read(&file).run())) {
            Ok(got) => Entry {
                exit: got.exit,
                stdout: without_chance(&got.out),
                stderr: without_chance(&got.err),
                apdus: frames.take(),
                calls: got.calls.iter().map(|call| without_chance(call)).collect(),
            },
            // The case is not for this revision: that is a difference as well.
            Err(_) => Entry { exit: -1, stderr: "this revision can't run the case".to_owned(), ..Entry::default() },
        };
        transcript.insert(name, entry);
    }
    transcript
}

/// Tells every difference, and fails where one is not named, or a named one is none.
fn compare(old: &Transcript, new: &Transcript, named: &BTreeMap<String, String>) {
    let (mut equal, mut meant, mut wrong) = (0, Vec::new(), Vec::new());
    assert!(old.keys().eq(new.keys()), "both revisions run the same cases");
    for (name, entry) in new {
        match (difference(&old[name], entry), named.get(name)) {
            (None, None) => equal += 1,
            (None, Some(_)) => wrong.push(format!("{name}: named as different, and equal")),
            (Some(difference), Some(reason)) => meant.push(format!("{name}: {reason}\n{difference}")),
            (Some(difference), None) => wrong.push(format!("{name}: differs\n{difference}")),
        }
    }
    let total = |part: fn(&Entry) -> usize| new.values().map(part).sum::<usize>();
    println!(
        "{} cases, {} APDUs, {} calls; {equal} equal in outputs, exit code, APDUs and calls, {} different as named:",
        new.len(),
        total(|entry| entry.apdus.iter().filter(|frame| frame.starts_with('>')).count()),
        total(|entry| entry.calls.len()),
        meant.len()
    );
    meant.iter().for_each(|difference| println!("{difference}"));
    assert!(wrong.is_empty(), "{} cases are neither equal nor named:\n{}", wrong.len(), wrong.join("\n"));
}

fn difference(old: &Entry, new: &Entry) -> Option<String> {
    let mut text = String::new();
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    for (name, old, new) in [
        ("exit code", vec![old.exit.to_string()], vec![new.exit.to_string()]),
        ("stdout", lines(&old.stdout), lines(&new.stdout)),
        ("stderr", lines(&old.stderr), lines(&new.stderr)),
        ("APDUs", old.apdus.clone(), new.apdus.clone()),
        ("calls", old.calls.clone(), new.calls.clone()),
    ] {
        if old != new {
            let same = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
            let list =
                |lines: &[String]| lines[same..].iter().map(|line| format!("      {line}\n")).collect::<String>();
            write!(text, "  {name}, from line {}:\n    old\n{}    new\n{}", same + 1, list(&old), list(&new)).unwrap();
        }
    }
    (!text.is_empty()).then_some(text)
}

/// Leaves out what differs from run to run: times, ports, challenges and ids of jobs. Each ends before one of some characters.
fn without_chance(text: &str) -> String {
    let mut out = text.to_owned();
    for (start, end) in [
        ("https://localhost:", "/"),
        ("\"elapsed_ms\":{", "}"),
        ("HTTP requests, ", ")"),
        ("# recorded: ", "\n"),
        ("\"journal\":\"", "\""),
        ("  journal: ", " "),
        ("challenge=", "& "),
        ("verification time ", "\n"),
    ] {
        let mut from = 0;
        while let Some(begin) = out[from..].find(start).map(|at| from + at + start.len()) {
            let Some(length) = out[begin..].find(|next| end.contains(next)) else { break };
            out.replace_range(begin..begin + length, "[..]");
            from = begin;
        }
    }
    out
}

/// Every frame in the log, by the thread that sent it: cards in several readers are asked at the same time.
#[derive(Clone, Default)]
struct Frames(Arc<Mutex<Vec<(ThreadId, String)>>>);

impl Frames {
    /// The frames since the last time, each thread's in its order.
    fn take(&self) -> Vec<String> {
        let mut threads: Vec<(ThreadId, Vec<String>)> = Vec::new();
        for (thread, frame) in std::mem::take(&mut *self.0.lock().unwrap()) {
            match threads.iter_mut().find(|(known, _)| *known == thread) {
                Some((_, frames)) => frames.push(frame),
                None => threads.push((thread, vec![frame])),
            }
        }
        let mut threads: Vec<_> = threads.into_iter().map(|(_, frames)| frames).collect();
        threads.sort();
        threads.concat()
    }
}

impl<S: tracing::Subscriber> Layer<S> for Frames {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        let Message(mut frame) = message;
        if let Some(answer) = frame.strip_prefix("< ") {
            // A challenge is another one in every run.
            frame = format!("< {} characters, …{}", answer.len(), &answer[answer.len().saturating_sub(4)..]);
        }
        self.0.lock().unwrap().push((thread::current().id(), frame));
    }
}

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}
