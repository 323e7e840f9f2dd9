//! What ten thousand agents do to a server that comes back after two hours: a simulation in virtual time, with the agent's own
//! back-off. `make bench`.
//!
//! Each agent has a card waiting. All lose the server within one second, as they do when it is the server that fails. With
//! `Retry-After` the server answers 503 and asks for a minute during its last minute of trouble.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::process::ExitCode;
use std::time::Duration;

use pinwright::agent::Settings;
use pinwright::agent::backoff::Backoff;

const AGENTS: usize = 10_000;
const OUTAGE: Duration = Duration::from_secs(2 * 3600);
const LAST_MINUTE: Duration = Duration::from_secs(60);

/// The most requests that the busiest second may have: twice the average of 67, which ten thousand agents with pauses of 150 s
/// make. The busiest second of a random stream is a little above the average; twice as many would mean that agents ask in step.
const PEAK_MAX: usize = 134;

/// How an agent decides when to ask again.
enum RetryPolicy {
    /// The agent's own back-off, with full jitter.
    Ours(Backoff),
    /// The same pauses without the jitter.
    InStep { first: Duration, longest: Duration, failures: u32 },
    /// A poll every half minute.
    Poll,
}

impl RetryPolicy {
    fn pause(&mut self, retry_after: Option<Duration>) -> Duration {
        match self {
            Self::Ours(backoff) => backoff.failed(retry_after),
            Self::InStep { first, longest, failures } => {
                let bound = first.saturating_mul(2_u32.saturating_pow(*failures)).min(*longest);
                *failures += 1;
                bound.max(retry_after.unwrap_or_default())
            }
            Self::Poll => Duration::from_secs(30).max(retry_after.unwrap_or_default()),
        }
    }
}

/// What the server sees.
struct Seen {
    /// Requests in the busiest second once it is back.
    peak: usize,
    /// Until 95 of 100 agents were served.
    most_served: Duration,
    /// Requests a second in the last half hour of the outage, on average.
    during: f64,
}

fn simulate(retry_after: bool, policy: impl Fn() -> RetryPolicy) -> Seen {
    fastrand::seed(0x0070_696e);
    let mut agents: Vec<RetryPolicy> = (0..AGENTS).map(|_| policy()).collect();
    let mut due: BinaryHeap<Reverse<(Duration, usize)>> =
        (0..AGENTS).map(|agent| Reverse((Duration::from_secs(1).mul_f64(fastrand::f64()), agent))).collect();
    let half_hour = OUTAGE - Duration::from_secs(1800);
    let (mut served, mut during) = (Vec::new(), 0_usize);
    while let Some(Reverse((now, agent))) = due.pop() {
        if now >= OUTAGE {
            served.push(now - OUTAGE);
            continue;
        }
        during += usize::from(now >= half_hour);
        let asked = (retry_after && now >= OUTAGE - LAST_MINUTE).then_some(LAST_MINUTE);
        due.push(Reverse((now + agents[agent].pause(asked), agent)));
    }
    let mut per_second = vec![0_usize; 4096];
    for time in &served {
        per_second[usize::try_from(time.as_secs()).unwrap().min(4095)] += 1;
    }
    Seen {
        peak: per_second.into_iter().max().unwrap(),
        most_served: served[AGENTS * 95 / 100],
        during: f64::from(u32::try_from(during).unwrap()) / 1800.0,
    }
}

fn main() -> ExitCode {
    // `cargo test --all-targets` runs benches as well, without this.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let Settings { retry_first: first, retry_longest: longest, .. } = Settings::default();
    let ours = || RetryPolicy::Ours(Backoff::new(first, longest));
    let in_step = || RetryPolicy::InStep { first, longest, failures: 0 };
    println!("{AGENTS} agents, {} h without a server, then it is back\n", OUTAGE.as_secs() / 3600);
    println!("{:<44} {:>12} {:>12} {:>16}", "", "peak /s", "95 % after", "before, /s");
    let mut ours_is_fine = true;
    for retry_after in [false, true] {
        let asked = if retry_after { ", Retry-After: 60" } else { "" };
        let rows = [
            ("pinwright, full jitter 2 s to 5 min", simulate(retry_after, ours)),
            ("the same pauses without jitter", simulate(retry_after, in_step)),
            ("a poll every 30 s", simulate(retry_after, || RetryPolicy::Poll)),
        ];
        ours_is_fine &= rows[0].1.peak <= PEAK_MAX;
        for (name, seen) in rows {
            let name = format!("{name}{asked}");
            println!("{name:<54} {:>6} {:>9} s {:>13.1}", seen.peak, seen.most_served.as_secs(), seen.during);
        }
    }
    if ours_is_fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
