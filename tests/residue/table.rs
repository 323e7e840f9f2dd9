//! The long run behind the book's table of jobs: `make residue`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde_json::json;
use uuid::Uuid;

use super::agent::Agent;
use super::canary_setup::{By, CanarySetup, Spelling};
use super::command::{self, LOUD};
use super::daemon;
use super::forms::{Canary, Kind};
use super::long_lived::{self, Series};
use super::scan::{Hit, Scanner, count};
use super::scdaemon;

pub const RUNS: usize = 5;
pub const JOBS: usize = 50;

/// What was found in each run, and what was looked for.
pub struct Row {
    name: &'static str,
    runs: Vec<Series>,
    /// Nothing may be found.
    clean: bool,
}

impl Row {
    fn print(&self, kinds: &[Kind]) {
        let cells: Vec<String> = kinds
            .iter()
            .map(|kind| {
                if self.runs.iter().all(|run| run.canaries.iter().all(|canary| canary.kind != *kind)) {
                    return "–".to_owned();
                }
                let found: Vec<usize> = self.runs.iter().map(|run| count(&run.hits, *kind)).collect();
                let (least, most) = (found.iter().min().unwrap(), found.iter().max().unwrap());
                if least == most { least.to_string() } else { format!("{least}–{most}") }
            })
            .collect();
        println!("| {} | {} |", self.name, cells.join(" | "));
    }

    fn hits(&self) -> Vec<Hit> {
        self.runs.iter().flat_map(|run| run.hits.clone()).collect()
    }
}

/// The kinds of secrets that a table is about, a column each.
pub struct Columns(pub &'static [Kind]);

impl Columns {
    /// Prints the head.
    pub fn print(&self) {
        let names: Vec<&str> = self.0.iter().map(|kind| kind.name()).collect();
        println!("| | {} |", names.join(" | "));
        println!("|{}", "---|".repeat(1 + names.len()));
    }

    /// `RUNS` times a set-up of its own, and the row that comes of it.
    pub fn row(&self, name: &'static str, clean: bool, run: impl Fn() -> Series) -> Row {
        let row = Row { name, runs: (0..RUNS).map(|_| run()).collect(), clean };
        row.print(self.0);
        row
    }
}

/// Prints where the copies of each row are, and insists on rows without any, and on copies in those of `found`.
pub fn conclude(rows: &[Row], found: &[&str]) {
    for row in rows {
        let mut places: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
        for hit in row.hits() {
            let whole = if hit.found >= hit.of { "whole" } else { "in part" };
            *places.entry(format!("{} {whole}, {}, in {}", hit.kind.name(), hit.form, hit.place)).or_default() += 1;
        }
        if !places.is_empty() {
            println!("\n{}:", row.name);
            places.iter().for_each(|(place, times)| println!("  {times} × {place}"));
        }
    }
    for row in rows.iter().filter(|row| row.clean) {
        long_lived::assert_none(&row.hits());
    }
    // Or the search is blind to what it is for.
    for name in found {
        let row = rows.iter().find(|row| row.name == *name).expect("a row of the table");
        assert!(row.runs.iter().all(|run| !run.hits.is_empty()), "nothing is found in {name}");
    }
}

fn setup(by: By, http2: bool) -> CanarySetup {
    let pcscd = super::pcscd().expect("the long run needs root and a pcscd");
    CanarySetup::new(pcscd, by, |settings| settings.http2 = http2)
}

/// A process a job, in the order of lengths and spellings that one process has.
fn commands() -> Series {
    let setup = setup(By::Server, true);
    let mut all = Series { hits: Vec::new(), canaries: Vec::new() };
    for job in 0..JOBS {
        let left = command::job(&setup, [8, 6, 16, 8][job % 4], Spelling::After(job % 32), LOUD);
        assert_eq!(left.code, 0);
        all.hits.extend(left.hits);
        all.canaries.extend(left.canaries);
    }
    all
}

/// One process for all jobs.
fn one_process(by: By, http2: bool, jobs: usize) -> Series {
    let setup = setup(by, http2);
    let mut agent = Agent::new(&setup);
    let series = long_lived::jobs(&setup, &mut agent, jobs);
    // Registers are in a core, too.
    long_lived::assert_none(&agent.core(&setup, &series.canaries).expect("the long run needs gdb"));
    series
}

/// The agent, which lives on between its cards, and pcscd beside it.
fn agent(by: By, cards: usize) -> Series {
    let pcscd = super::pcscd().expect("the long run needs root and a pcscd");
    let setup = daemon::scene_without_card(pcscd, by);
    let running = daemon::Daemon::start(&setup);
    let series = daemon::cards(&setup, &running, cards);
    long_lived::assert_none(&running.core(&setup, &series.canaries).expect("the long run needs gdb"));
    long_lived::assert_none(&setup.left_in_pcscd(&series.canaries));
    series
}

/// Every family and every authority, a process for each, as many jobs in all.
fn all_ways(run: impl Fn(By, usize) -> Series) -> Series {
    let mut all = Series { hits: Vec::new(), canaries: Vec::new() };
    for by in By::ALL {
        let Series { hits, canaries } = run(by, JOBS.div_ceil(By::ALL.len()));
        all.hits.extend(hits);
        all.canaries.extend(canaries);
    }
    all
}

/// The example that takes the same orders under the usual allocator.
pub fn plain_client() -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_pinwright")).with_file_name("examples").join("plain-client");
    assert!(path.exists(), "build the example plain-client first: `make residue` does");
    path
}

fn without_measures() -> Series {
    let setup = setup(By::Server, true);
    let mut command = Command::new(plain_client());
    command.arg("--pinwright");
    let mut agent = Agent::start(&setup, command);
    long_lived::jobs(&setup, &mut agent, JOBS)
}

/// The usual client: its own memory, or that of pcscd beside it, whose context stays open.
fn usual(http2: bool, beside: bool) -> Series {
    let setup = setup(By::Server, http2);
    let mut agent = Agent::start(&setup, Command::new(plain_client()));
    let canaries = usual_jobs(&setup, &mut agent);
    let hits = if beside { pcscd(&setup, &canaries) } else { agent.scan(&canaries) };
    Series { hits, canaries }
}

fn usual_jobs(setup: &CanarySetup, agent: &mut Agent) -> Vec<Canary> {
    let mut canaries = Vec::new();
    for job in 0..JOBS {
        let armed = setup.arm([8, 6, 16, 8][job % 4], Spelling::After(job % 32));
        let order = setup.installation.server.state().change(|settings| {
            json!({
                "ca": setup.installation.path("ca.pem"),
                "url": setup.installation.server.base_url(),
                "reader": setup.pcscd.readers()[0].name,
                "token": setup.secret(Kind::Token),
                "card_id": settings.cards[0].card_id,
                "smartcard": settings.cards[0].uuid,
                "request": settings.requests[0].uuid,
                "template": settings.templates.first().map_or(Uuid::nil(), |template| template.uuid),
            })
        });
        assert_eq!(agent.order(&order), "0");
        assert!(setup.has_pin(&armed[0]));
        canaries.extend(armed);
        canaries.extend(setup.answers());
    }
    canaries
}

fn pcscd(setup: &CanarySetup, canaries: &[Canary]) -> Vec<Hit> {
    Scanner::new(canaries).process(setup.pcscd.id()).expect("pcscd's memory can be read")
}

/// pcscd after as many jobs of ours, in one process that lives on.
fn pcscd_beside_ours() -> Series {
    let setup = setup(By::Server, true);
    let mut agent = Agent::new(&setup);
    let canaries = long_lived::jobs(&setup, &mut agent, JOBS).canaries;
    Series { hits: setup.left_in_pcscd(&canaries), canaries }
}

#[test]
#[ignore = "the long run: make residue"]
fn the_table() {
    println!("Copies found after {JOBS} jobs, each with secrets of its own; least to most of {RUNS} runs.\n");
    let table = Columns(&Kind::SECRETS);
    table.print();
    let rows = [
        table.row("`pinwright set-pin`, one process a job", true, commands),
        table.row("all jobs in one process, HTTP/2", true, || one_process(By::Server, true, JOBS)),
        table.row("the same, HTTP/1.1", true, || one_process(By::Server, false, JOBS)),
        table.row("the same, every family and authority", true, || all_ways(|by, jobs| one_process(by, true, jobs))),
        table.row("`pinwright agent`, all cards in one process", true, || agent(By::Server, JOBS)),
        table.row("the same, every family and authority", true, || all_ways(agent)),
        table.row("pcscd beside either", true, pcscd_beside_ours),
        table.row("pinwright under the usual allocator", false, without_measures),
        table.row("reqwest client with `Zeroizing`, HTTP/2", false, || usual(true, false)),
        table.row("the same, HTTP/1.1", false, || usual(false, false)),
        table.row("pcscd beside that one", false, || usual(true, true)),
        table.row("scdaemon after 50 PINs", false, || scdaemon::pins(JOBS, false)),
        table.row("pcscd beside that one", false, || scdaemon::pins(JOBS, true)),
    ];
    conclude(&rows, &["pinwright under the usual allocator", "reqwest client with `Zeroizing`, HTTP/2"]);
}

/// What the measures cost, each in turns with what it is compared with. `PINWRIGHT_BASELINE` names a build without them.
#[test]
#[ignore = "the long run: make residue"]
fn the_cost() {
    let setup = setup(By::Server, true);
    let mut ours = Agent::new(&setup);
    let mut usual = Agent::start(&setup, Command::new(plain_client()));
    for size in [64, 1024, 16 * 1024, 256 * 1024] {
        let order = json!({ "allocate": size.to_string() });
        let mut once = || {
            let time = |agent: &mut Agent| agent.order(&order).parse::<f64>().expect("nanoseconds");
            time(&mut ours) / time(&mut usual)
        };
        println!(
            "a block of {size} bytes, zeroing allocator / usual one: {}",
            spread((0..9).map(|_| once()).collect())
        );
    }
    let Some(baseline) = std::env::var_os("PINWRIGHT_BASELINE") else { return };
    let wall = |program: &Path| {
        setup.arm(8, Spelling::Plain);
        let mut command = Command::new(program);
        setup.installation.furnish(&mut command, &setup.pcscd.socket());
        let start = Instant::now();
        let output = command.args(["--json", "set-pin", "--yes", "--again"]).output().expect("it runs");
        let elapsed = start.elapsed();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        elapsed.as_secs_f64() * 1000.0
    };
    let (mut ratios, mut times) = (Vec::new(), Vec::new());
    for _ in 0..100 {
        let time = wall(Path::new(env!("CARGO_BIN_EXE_pinwright")));
        ratios.push(time / wall(Path::new(&baseline)));
        times.push(time);
    }
    println!("`pinwright set-pin`, this build / baseline, pair by pair: {}", spread(ratios));
    println!("this build, ms: {}", spread(times));
}

/// Median, and the middle half.
fn spread(mut values: Vec<f64>) -> String {
    values.sort_by(f64::total_cmp);
    let at = |part: usize| values[(values.len() - 1) * part / 4];
    format!("{:.2} ({:.2}–{:.2})", at(2), at(1), at(3))
}
