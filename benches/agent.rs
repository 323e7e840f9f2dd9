//! What the workstation agent costs and how quick it is, against a real pcscd: `make bench`.
//!
//! It measures an idle agent beside two other programs that wait for cards on the same pcscd, the time from an insertion to
//! the card's first command, and eight readers against one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs
)]

use std::io::Write as _;
use std::process::{Child, ExitCode, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use pinwright::agent::report::{EventKind, Phase};
use pinwright::sim::card::{LinkFault, VirtualCard};
use pinwright::sim::vpcd::{VpcdHandle, VpcdOptions};
use serde_json::{Value, json};
use support::agent_process::Daemon;
use support::numbered_cards::{Card, card, id, insert, installation_for};
use support::pcscd::Pcscd;

/// The agent's budget when idle.
const RESIDENT_KIB: u64 = 12 * 1024;

/// Context switches in up to a minute: libpcsclite ends its endless status call every 60 s and begins it again.
const LIBRARY: u64 = 5;

/// How long a slow card takes for each command.
const DELAY: Duration = Duration::from_millis(20);

const READERS: u16 = 8;

/// How long to wait before idle processes are measured. Until then the card is let go of and loses its power, and pcscd tells
/// every program that waits of both.
const SETTLED: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    // `cargo test --all-targets` runs benches as well, without this.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let (idle, fine) = idle();
    let report = json!({
        "schema": "pinwright.bench-agent/1",
        "idle": idle,
        "reaction_ms": reaction(),
        "eight_readers": eight(),
    });
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench-agent.json");
    std::fs::write(&path, format!("{report:#}\n")).expect("the report is written");
    println!("\n{}", path.display());
    if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What a process has used.
#[derive(Clone, Copy)]
struct Usage {
    switches: u64,
    ticks: u64,
    resident_kib: u64,
}

impl Usage {
    fn of(process: u32) -> Self {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let number = |text: &str, name: &str| -> u64 {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        let switches = std::fs::read_dir(format!("/proc/{process}/task")).unwrap().map(|task| {
            let text = std::fs::read_to_string(task.unwrap().path().join("status")).unwrap();
            number(&text, "voluntary_ctxt_switches") + number(&text, "nonvoluntary_ctxt_switches")
        });
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
        // Fields 3 and following of proc(5) come after the name in brackets, which may hold anything.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        let tick = |at: usize| fields[at].parse::<u64>().unwrap();
        Self { switches: switches.sum(), ticks: tick(11) + tick(12), resident_kib: number(&status, "VmRSS:") }
    }
}

/// Another program, ended with the benchmark.
struct OtherProgram(Child);

impl Drop for OtherProgram {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Measures for some seconds what processes use once they are idle. Says whether the first one keeps the agent's budget.
fn watch(seconds: u64, processes: &[(&str, u32)], rows: &mut serde_json::Map<String, Value>) -> bool {
    std::thread::sleep(SETTLED);
    let before: Vec<Usage> = processes.iter().map(|(_, process)| Usage::of(*process)).collect();
    std::thread::sleep(Duration::from_secs(seconds));
    let mut used = Vec::new();
    for ((name, process), before) in processes.iter().zip(before) {
        let after = Usage::of(*process);
        let (switches, ticks) = (after.switches - before.switches, after.ticks - before.ticks);
        println!("{name:<20} {switches:>16} {ticks:>12} {:>14}", after.resident_kib);
        rows.insert(
            (*name).to_owned(),
            json!({"switches": switches, "ticks": ticks, "resident_kib": after.resident_kib}),
        );
        used.push((switches, after.resident_kib));
    }
    used.first().is_some_and(|(switches, resident)| *switches <= LIBRARY && *resident <= RESIDENT_KIB)
}

fn idle() -> (Value, bool) {
    let seconds = std::env::var("PINWRIGHT_BENCH_IDLE").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    let pcscd = Pcscd::start(2).unwrap_or_else(|skip| panic!("{skip}"));
    let installation = installation_for(1);
    let mut agent = Daemon::start(&installation, &pcscd.socket(), "agent");
    let plastic = card(0);
    let _inserted = insert(&pcscd, 0, &plastic, Duration::ZERO);
    agent.finishes(&id(0));
    let scan = OtherProgram(
        pcscd.command("pcsc_scan").stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("pcsc_scan"),
    );
    println!("idle for {seconds} s with a card in one of two readers");
    println!("{:<20} {:>16} {:>12} {:>14}", "", "context switches", "CPU ticks", "resident KiB");
    let mut rows = serde_json::Map::new();
    let fine = watch(seconds, &[("pinwright agent", agent.id()), ("pcsc_scan", scan.0.id())], &mut rows);
    drop(scan);
    // scdaemon is measured in a minute of its own, since it goes on using the card for a while and pcscd tells every program
    // that waits of each change.
    let home = installation.path("gnupg");
    std::fs::create_dir(&home).unwrap();
    std::fs::write(home.join("scdaemon.conf"), "disable-ccid\n").unwrap();
    let mut scdaemon = OtherProgram(
        pcscd
            .command("/usr/lib/gnupg/scdaemon")
            .arg("--server")
            .env("GNUPGHOME", &home)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("scdaemon"),
    );
    // scdaemon looks for cards only once it was asked for one.
    let mut input = scdaemon.0.stdin.take().unwrap();
    input.write_all(b"SERIALNO\n").unwrap();
    watch(seconds, &[("scdaemon", scdaemon.0.id())], &mut rows);
    drop(input);
    (rows.into(), fine)
}

/// A card that notes when its first command comes.
struct TimedCard {
    card: Card,
    first: Arc<Mutex<Option<SystemTime>>>,
}

impl VirtualCard for TimedCard {
    fn atr(&self) -> &[u8] {
        self.card.atr()
    }

    fn reset(&mut self) {
        self.card.reset();
    }

    fn power_off(&mut self) {
        self.card.power_off();
    }

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, LinkFault> {
        self.first.lock().unwrap().get_or_insert_with(SystemTime::now);
        self.card.transmit(command)
    }
}

fn reaction() -> Value {
    const ROUNDS: u32 = 20;
    let pcscd = Pcscd::start(2).unwrap_or_else(|skip| panic!("{skip}"));
    let installation = installation_for(ROUNDS);
    let mut agent = Daemon::start(&installation, &pcscd.socket(), "agent");
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|round| {
            let first = Arc::new(Mutex::new(None));
            let watched = TimedCard { card: card(round), first: Arc::clone(&first) };
            let handle = VpcdHandle::insert(watched, &VpcdOptions::local(pcscd.readers()[0].port)).unwrap();
            let inserted = agent.until("insertion", |event| event.event == EventKind::Inserted).time;
            agent.finishes(&id(round));
            let first = first.lock().unwrap().expect("a command came");
            drop(handle);
            agent.hears(EventKind::Removed);
            // The event's time is cut to whole milliseconds, so the measured time is up to one too long.
            let inserted = humantime::parse_rfc3339(&inserted).unwrap();
            first.duration_since(inserted).unwrap().as_secs_f64() * 1000.0
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let (median, most) = (times[times.len() / 2], times[times.len() - 1]);
    println!(
        "\nfrom the insertion event to the first command: median {median:.1} ms, most {most:.1} ms ({ROUNDS} cards)"
    );
    json!({"median": median, "max": most})
}

/// The time from the first insertion that an agent sees to its last card done, where all cards are inserted before it starts.
fn batch(readers: u16) -> Duration {
    let pcscd = Pcscd::start(READERS).unwrap_or_else(|skip| panic!("{skip}"));
    let installation = installation_for(u32::from(readers));
    let cards: Vec<Card> = (0..u32::from(readers)).map(card).collect();
    let handles: Vec<_> = cards.iter().enumerate().map(|(at, card)| insert(&pcscd, at, card, DELAY)).collect();
    (0..usize::from(readers)).for_each(|reader| pcscd.wait_for_card(reader, true));
    let mut agent = Daemon::start(&installation, &pcscd.socket(), "agent");
    let time = |text: &str| humantime::parse_rfc3339(text).unwrap();
    let first = time(&agent.until("insertion", |event| event.event == EventKind::Inserted).time);
    let mut last = first;
    let mut left = readers;
    while left > 0 {
        let event = agent.until("an end", |event| event.event == EventKind::Phase);
        if event.reader.as_ref().unwrap().phase == Phase::Waiting {
            continue;
        }
        assert_eq!(event.reader.as_ref().unwrap().phase, Phase::Done, "{event:?}");
        last = time(&event.time);
        left -= 1;
    }
    drop(handles);
    last.duration_since(first).unwrap()
}

fn eight() -> Value {
    const ROUNDS: usize = 5;
    let mut ratios = Vec::new();
    let (mut ones, mut eights) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (one, eight) = (batch(1).as_secs_f64() * 1000.0, batch(READERS).as_secs_f64() * 1000.0);
        ratios.push(eight / one);
        ones.push(one);
        eights.push(eight);
    }
    for values in [&mut ratios, &mut ones, &mut eights] {
        values.sort_by(f64::total_cmp);
    }
    let middle = ROUNDS / 2;
    println!(
        "\n{READERS} readers at once, {} ms per command: {:.0} ms against {:.0} ms for one, {:.2} times ({:.2} to {:.2})",
        DELAY.as_millis(),
        eights[middle],
        ones[middle],
        ratios[middle],
        ratios[0],
        ratios[ROUNDS - 1]
    );
    json!({"one_ms": ones, "eight_ms": eights, "ratio": ratios})
}
