//! Many insertions in a row: none is missed, and the agent does not grow.

use std::time::Duration;

use pinwright::agent::report::EventKind;
use pinwright::sim::server::RequestStatus;
use support::agent_process::Daemon;
use support::numbered_cards::{assert_done, card, id, insert, installation_to_come, set};
use support::pcscd::Pcscd;

use crate::soak;

const READERS: u16 = 8;

/// Rounds of [`READERS`] insertions each.
const ROUNDS: u32 = 14;

/// More than this is growth: the allocator's own arenas come and go with threads.
const GROWTH_KIB: u64 = 4 * 1024;

struct Size {
    resident_kib: u64,
    descriptors: usize,
    threads: usize,
}

impl Size {
    fn of(process: u32) -> Self {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        let count = |what: &str| std::fs::read_dir(format!("/proc/{process}/{what}")).unwrap().count();
        Self {
            resident_kib: line.split_whitespace().nth(1).unwrap().parse().unwrap(),
            descriptors: count("fd"),
            threads: count("task"),
        }
    }
}

#[test]
fn many_insertions_leave_nothing_behind() {
    let Some(pcscd) = Pcscd::start_or_skip(READERS) else { return };
    let rounds = ROUNDS * soak();
    let count = rounds * u32::from(READERS);
    let installation = installation_to_come(count);
    let mut agent = Daemon::start(&installation, &pcscd.socket(), "agent");
    let mut early = None;
    for round in 0..rounds {
        let numbers: Vec<u32> = (0..u32::from(READERS)).map(|at| round * u32::from(READERS) + at).collect();
        set(&installation, &numbers, RequestStatus::Approved);
        let virtual_cards: Vec<_> = numbers.iter().map(|number| card(*number)).collect();
        let handles: Vec<_> =
            virtual_cards.iter().enumerate().map(|(at, card)| insert(&pcscd, at, card, Duration::ZERO)).collect();
        agent.all_finish(numbers.iter().map(|number| id(*number)));
        virtual_cards.iter().for_each(|card| assert_done(card, &installation.server));
        set(&installation, &numbers, RequestStatus::Completed);
        drop(handles);
        let mut in_place = usize::from(READERS);
        while in_place > 0 {
            agent.hears(EventKind::Removed);
            in_place -= 1;
        }
        if round + 1 == rounds / 4 {
            early = Some(Size::of(agent.id()));
        }
    }
    let status = agent.status(&installation, &pcscd.socket(), "agent");
    assert_eq!(status.totals.provisioned, u64::from(count), "missed: {status:?}");
    assert_eq!((status.totals.failed, status.totals.attention), (0, 0));
    let (early, late) = (early.unwrap(), Size::of(agent.id()));
    println!(
        "{count} insertions: resident {} to {} KiB, descriptors {} to {}, threads {} to {}",
        early.resident_kib, late.resident_kib, early.descriptors, late.descriptors, early.threads, late.threads
    );
    assert!(late.descriptors <= early.descriptors, "{} descriptors, {} before", late.descriptors, early.descriptors);
    assert!(late.threads <= early.threads, "{} threads, {} before", late.threads, early.threads);
    assert!(
        late.resident_kib < early.resident_kib + GROWTH_KIB,
        "{} KiB, {} before",
        late.resident_kib,
        early.resident_kib
    );
}
