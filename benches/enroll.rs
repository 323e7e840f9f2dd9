//! The job against OpenSC's way of doing the same, on one virtual card behind one real pcscd: `make bench`.
//!
//! Both programs run in turns, so that whatever else the machine does meets both alike. Prints a table and writes
//! `target/bench.json`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs
)]

#[path = "early.rs"]
mod early;
#[path = "journal.rs"]
mod journal;
#[path = "spread.rs"]
mod spread;

use std::path::Path;
use std::process::{Command, ExitCode, Output};
use std::time::{Duration, Instant};

use pinwright::sim::card::SharedCard;
use pinwright::sim::gids::{GidsCard, GidsSettings};
use serde_json::{Value, json};
use spread::{Spread, millis};
use support::installation::{Installation, server_for};
use support::opensc::{self, ADMIN_KEY};
use support::pcscd::Pcscd;

const ROUNDS: &str = "PINWRIGHT_BENCH_ROUNDS";
const OPENSC_PIN: &str = "24681357";

/// About how long a contact card takes for a command without public-key cryptography.
const CARD_DELAY: Duration = Duration::from_millis(10);

fn main() -> ExitCode {
    // `cargo test --all-targets` runs benches as well, without this.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    match Pcscd::start(2) {
        Ok(pcscd) => {
            Bench::new(pcscd).run();
            ExitCode::SUCCESS
        }
        Err(reason) => {
            eprintln!("the benchmark can't run here: {reason}");
            ExitCode::FAILURE
        }
    }
}

struct Bench {
    pcscd: Pcscd,
    card: SharedCard<GidsCard>,
    installation: Installation,
    rounds: usize,
}

/// What one run of one program cost.
struct Sample {
    wall_ms: f64,
    apdus: usize,
    output: Output,
}

/// The runs of two programs that ran in turns.
struct Pair {
    name: &'static str,
    programs: [&'static str; 2],
    ours: Vec<Sample>,
    theirs: Vec<Sample>,
}

impl Bench {
    fn new(pcscd: Pcscd) -> Self {
        let settings = GidsSettings::default();
        let rounds = std::env::var(ROUNDS).ok().and_then(|text| text.parse().ok()).unwrap_or(15);
        let card = SharedCard::new(GidsCard::personalised(settings.clone()));
        Self { pcscd, card, installation: Installation::new(server_for(&settings)), rounds: rounds.max(1) }
    }

    fn run(&self) {
        let listing = || {
            self.in_turns("list the readers, no card", ["pinwright readers", "opensc-tool -l"], || {
                (self.pinwright(&["readers"]), self.opensc("opensc-tool", &["--list-readers"]))
            })
        };
        let empty = listing();
        // The second reader stays empty. A card that takes no time shows what the programs cost, a slow one what the job costs.
        let inserted = self.pcscd.insert(0, self.card.clone());
        let enroll = self.enroll("set the PIN, instant card");
        let listed = Pair { name: "list the readers, one card", ..listing() };
        drop(inserted);
        self.pcscd.wait_for_card(0, false);
        let inserted = self.pcscd.insert_slow(0, self.card.clone(), CARD_DELAY);
        let slow = self.enroll("set the PIN, 10 ms per APDU");
        drop(inserted);
        self.pcscd.wait_for_card(0, false);
        let overlap = early::measure(&self.pcscd, self.rounds);

        let parts = Parts::of(&enroll.ours);
        println!("{} rounds in turns; median (min to max)\n", self.rounds);
        println!("{:<30} {:<30} {:<30} theirs / ours", "", "pinwright", "OpenSC");
        for pair in [&slow, &enroll, &empty, &listed] {
            pair.print();
        }
        parts.print();
        println!(
            "\n`pinwright set-pin` also asks a server over TLS and has the card verify the PIN; `gids-tool -U` is told PIN and"
        );
        println!(
            "admin key on its command line. `pinwright readers` also asks a card who it is; `opensc-tool -l` does not."
        );

        overlap.print();
        let journal = journal::measure(self.rounds);
        journal.print();
        let report = json!({
            "schema": "pinwright.bench/1",
            "rounds": self.rounds,
            "versions": self.versions(),
            "pairs": [slow.json(), enroll.json(), empty.json(), listed.json()],
            "enroll_parts_ms": parts.json(),
            "overlap": overlap.json(),
            "journal": journal.json(),
        });
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench.json");
        std::fs::write(&path, format!("{report:#}\n")).expect("the report is written");
        println!("\n{}", path.display());
        journal.insist();
    }

    fn enroll(&self, name: &'static str) -> Pair {
        self.in_turns(name, ["pinwright set-pin", "gids-tool -U"], || {
            let ours = self.pinwright(&["--json", "set-pin", "--yes", "--again"]);
            let pin = self.installation.server.state().last_pin().expect("the server was asked for a PIN");
            assert!(self.card.with(|card| card.pin_is(&pin)), "pinwright has set its PIN");
            let theirs = self.opensc("gids-tool", &["--unblock", "--admin-key", ADMIN_KEY, "--pin", OPENSC_PIN]);
            assert!(self.card.with(|card| card.pin_is(OPENSC_PIN.as_bytes())), "gids-tool has set its PIN");
            (ours, theirs)
        })
    }

    /// Runs both programs in turns. The first turn fills caches and does not count.
    fn in_turns(&self, name: &'static str, programs: [&'static str; 2], turn: impl Fn() -> (Sample, Sample)) -> Pair {
        turn();
        let (ours, theirs) = (0..self.rounds).map(|_| turn()).unzip();
        Pair { name, programs, ours, theirs }
    }

    fn pinwright(&self, arguments: &[&str]) -> Sample {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pinwright"));
        self.installation.furnish(&mut command, &self.pcscd.socket());
        command.args(arguments);
        self.sample(&mut command)
    }

    fn opensc(&self, tool: &str, arguments: &[&str]) -> Sample {
        self.sample(opensc::prepare(&self.pcscd, tool, 0).args(arguments))
    }

    fn sample(&self, command: &mut Command) -> Sample {
        let before = self.card.with(|card| card.commands_seen());
        let start = Instant::now();
        let output = command.output().expect("the program runs");
        let wall = start.elapsed();
        let apdus = self.card.with(|card| card.commands_seen()) - before;
        assert!(output.status.success(), "{command:?}: {output:?}");
        Sample { wall_ms: millis(wall), apdus, output }
    }

    fn versions(&self) -> Value {
        let first_line = |program: &str, argument: &str| {
            let output = Command::new(program).arg(argument).output().ok()?;
            Some(String::from_utf8_lossy(&output.stdout).lines().next()?.to_owned())
        };
        json!({
            "pinwright": env!("CARGO_PKG_VERSION"),
            "opensc": first_line("opensc-tool", "--info"),
            "pcscd": first_line("pcscd", "--version"),
            "kernel": first_line("uname", "-sr"),
            "cpus": std::thread::available_parallelism().ok().map(usize::from),
        })
    }
}

impl Pair {
    fn print(&self) {
        let walls = |samples: &[Sample]| Spread::of(samples.iter().map(|sample| sample.wall_ms));
        let apdus = |samples: &[Sample]| Spread::of(samples.iter().map(|sample| sample.apdus as f64));
        let line = |what: String, ours: String, theirs: String, ratio: String| {
            println!("{what:<30} {ours:<30} {theirs:<30} {ratio}");
        };
        line(self.name.to_owned(), self.programs[0].to_owned(), self.programs[1].to_owned(), String::new());
        let time = |samples| format!("{} ms", walls(samples).text(1));
        line("  wall time".to_owned(), time(&self.ours), time(&self.theirs), self.ratio().text(2));
        line("  APDUs".to_owned(), apdus(&self.ours).text(0), apdus(&self.theirs).text(0), String::new());
    }

    /// Their time divided by ours, turn by turn.
    fn ratio(&self) -> Spread {
        Spread::of(self.ours.iter().zip(&self.theirs).map(|(ours, theirs)| theirs.wall_ms / ours.wall_ms))
    }

    fn json(&self) -> Value {
        let raw = |samples: &[Sample]| {
            json!({
                "wall_ms": samples.iter().map(|sample| sample.wall_ms).collect::<Vec<_>>(),
                "apdus": samples.iter().map(|sample| sample.apdus).collect::<Vec<_>>(),
            })
        };
        json!({
            "name": self.name,
            "programs": self.programs,
            "ours": raw(&self.ours),
            "theirs": raw(&self.theirs),
            "ratio": self.ratio().json(),
        })
    }
}

/// Where the time of `pinwright set-pin` goes, as its own output tells.
struct Parts(Vec<(&'static str, Vec<f64>)>);

impl Parts {
    fn of(samples: &[Sample]) -> Self {
        let mut parts = Self(
            ["card", "server", "pinwright itself", "start and end of the process"]
                .map(|part| (part, Vec::new()))
                .into(),
        );
        for sample in samples {
            let result: Value = serde_json::from_slice(&sample.output.stdout).expect("enroll prints JSON");
            let elapsed = |part: &str| result["elapsed_ms"][part].as_f64().expect("the times are numbers");
            let (total, card, server) = (elapsed("total"), elapsed("card"), elapsed("server"));
            let values = [card, server, total - card - server, sample.wall_ms - total];
            for ((_, part), value) in parts.0.iter_mut().zip(values) {
                part.push(value);
            }
        }
        parts
    }

    fn print(&self) {
        println!("of `pinwright set-pin`, instant card");
        for (part, values) in &self.0 {
            println!("  {part:<28} {} ms", Spread::of(values.iter().copied()).text(1));
        }
    }

    fn json(&self) -> Value {
        self.0
            .iter()
            .map(|(part, values)| ((*part).to_owned(), json!(values)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }
}
