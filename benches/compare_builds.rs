//! The PIN job of another build of pinwright and of this one, in turns on one virtual card behind one real pcscd, with one stand-in
//! server and the journal in memory: `make compare-builds OLD=/path/to/pinwright`.
//!
//! What is judged is the time of the whole job, pair by pair, which must not have grown. A program's own time, that of the job
//! without its waits for card and server, is printed beside it: it means the same in both builds only where both wait for the same. A
//! build that has the connection made while the card is identified waits less for the server, and spends in its own time what it does
//! for the connection meanwhile.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs
)]

#[path = "spread.rs"]
mod spread;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use pinwright::sim::card::SharedCard;
use pinwright::sim::gids::{GidsCard, GidsSettings};
use serde_json::{Map, Value, json};
use spread::{Spread, millis};
use support::installation::{Installation, server_for};
use support::pcscd::Pcscd;

const ROUNDS: &str = "PINWRIGHT_BENCH_ROUNDS";

/// The most that the new build's job may take of the old one's: one, and what two runs of one build differ by.
const LIMIT: f64 = 1.02;

/// The state of a program that both builds find as they have left it, or as new.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Journal {
    Fresh,
    Growing,
}

fn main() -> ExitCode {
    // `cargo test --all-targets` runs benches as well, without this.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let mut programs = std::env::args().skip(1).filter(|argument| !(argument.is_empty() || argument.starts_with("--")));
    let Some(old) = programs.next() else {
        eprintln!("which other build? make compare-builds OLD=/path/to/pinwright");
        return ExitCode::FAILURE;
    };
    let new = programs.next().unwrap_or_else(|| env!("CARGO_BIN_EXE_pinwright").to_owned());
    let pcscd = match Pcscd::start(1) {
        Ok(pcscd) => pcscd,
        Err(reason) => {
            eprintln!("the builds can't be compared here: {reason}");
            return ExitCode::FAILURE;
        }
    };
    let settings = GidsSettings::default();
    let card = SharedCard::new(GidsCard::personalised(settings.clone()));
    let _inserted = pcscd.insert(0, card.clone());
    let memory = Some(Path::new("/dev/shm")).filter(|path| path.is_dir());
    let state = memory.map_or_else(tempfile::tempdir, tempfile::tempdir_in).expect("a folder for the journals");
    let bench = Bench {
        pcscd,
        card,
        installation: Installation::new(server_for(&settings)),
        arguments: [arguments(&old), arguments(&new)],
        programs: [PathBuf::from(old), PathBuf::from(new)],
        state,
    };
    let rounds = std::env::var(ROUNDS).ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    let both = [("a new journal for each job", Journal::Fresh), ("a journal that grows", Journal::Growing)];
    let ratios = both.map(|(name, journal)| (name, bench.compare(name, journal, rounds)));
    let report = json!({
        "schema": "pinwright.compare-builds/1",
        "pairs": rounds,
        "job_new_to_old": ratios.iter().map(|(name, ratios)| ((*name).to_owned(), ratios.job.json())).collect::<Map<_, _>>(),
        "own_time_new_to_old": ratios.iter().map(|(name, ratios)| ((*name).to_owned(), ratios.own.json())).collect::<Map<_, _>>(),
    });
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("compare-builds.json");
    fs::write(&path, format!("{report:#}\n")).expect("the report is written");
    println!("{}", path.display());
    if ratios.iter().all(|(_, ratios)| ratios.job.median <= LIMIT) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The PIN job by the name that every build has for it. One that does not do a request anew unasked is asked to.
fn arguments(program: &str) -> Vec<&'static str> {
    let help = |command| Command::new(program).args([command, "--help"]).output().expect("the program runs");
    // Old builds call it `enroll`.
    let command = if help("set-pin").status.success() { "set-pin" } else { "enroll" };
    let again = String::from_utf8_lossy(&help(command).stdout).contains("--again").then_some("--again");
    ["--json", command, "--yes"].into_iter().chain(again).collect()
}

struct Bench {
    pcscd: Pcscd,
    card: SharedCard<GidsCard>,
    installation: Installation,
    /// The old one and the new one.
    programs: [PathBuf; 2],
    /// What each is called with.
    arguments: [Vec<&'static str>; 2],
    state: tempfile::TempDir,
}

/// What one job cost.
struct Sample {
    wall_ms: f64,
    total_ms: f64,
    own_ms: f64,
    apdus: usize,
    calls: usize,
}

/// The new build's times in those of the old one, pair by pair.
struct Ratios {
    job: Spread,
    own: Spread,
}

impl Bench {
    /// Prints the medians of both builds, and gives the ratios.
    fn compare(&self, name: &str, journal: Journal, rounds: usize) -> Ratios {
        let mut samples = [Vec::new(), Vec::new()];
        // The first turn fills caches and does not count.
        for round in 0..=rounds {
            let order = if round % 2 == 0 { [0, 1] } else { [1, 0] };
            for which in order {
                let sample = self.job(which, journal);
                if round > 0 {
                    samples[which].push(sample);
                }
            }
        }
        let [old, new] = samples;
        println!("{name}, {rounds} pairs in turns; median (min to max)");
        println!("  {:<32} {:<26} {:<26} new / old", "", "old", "new");
        let row = |what: &str, decimals: usize, of: fn(&Sample) -> f64| {
            let [before, after] = [&old, &new].map(|samples| Spread::of(samples.iter().map(of)));
            let ratio = after.median / before.median;
            println!("  {what:<32} {:<26} {:<26} {ratio:.3}", before.text(decimals), after.text(decimals));
        };
        row("start to end of the process, ms", 2, |sample| sample.wall_ms);
        row("the job, ms", 2, |sample| sample.total_ms);
        row("its own time, ms", 3, |sample| sample.own_ms);
        row("APDUs", 0, |sample| sample.apdus as f64);
        row("calls to the server", 0, |sample| sample.calls as f64);
        let pairs = |of: fn(&Sample) -> f64| Spread::of(old.iter().zip(&new).map(move |(old, new)| of(new) / of(old)));
        let ratios = Ratios { job: pairs(|sample| sample.total_ms), own: pairs(|sample| sample.own_ms) };
        println!("  pair by pair: the job {}, its own time {}\n", ratios.job.text(3), ratios.own.text(3));
        ratios
    }

    fn job(&self, which: usize, journal: Journal) -> Sample {
        let state = self.state.path().join(format!("{which}"));
        if journal == Journal::Fresh && state.exists() {
            fs::remove_dir_all(&state).expect("the journal can be removed");
        }
        let mut command = Command::new(&self.programs[which]);
        self.installation.furnish(&mut command, &self.pcscd.socket());
        command.env("XDG_STATE_HOME", &state).args(&self.arguments[which]);
        let before = self.card.with(|card| card.commands_seen());
        self.installation.server.state().clear_log();
        let start = Instant::now();
        let output = command.output().expect("the program runs");
        let wall_ms = millis(start.elapsed());
        assert!(output.status.success(), "{command:?}: {output:?}");
        let result: Value = serde_json::from_slice(&output.stdout).expect("the result is JSON");
        let elapsed = |part: &str| result["elapsed_ms"][part].as_f64().expect("the times are numbers");
        Sample {
            wall_ms,
            total_ms: elapsed("total"),
            own_ms: elapsed("total") - elapsed("card") - elapsed("server"),
            apdus: self.card.with(|card| card.commands_seen()) - before,
            calls: self.installation.server.requests().len(),
        }
    }
}
