//! Two agents on the same readers and the same journal: each card is written once.

use std::collections::BTreeMap;
use std::time::Duration;

use pinwright::agent::report::Phase;
use support::agent_process::Daemon;
use support::numbered_cards::{assert_done, card, id, insert, installation_for};
use support::pcscd::Pcscd;

#[test]
fn of_two_agents_one_writes_and_the_other_finds_it_done() {
    const CARDS: u32 = 12;
    let Some(pcscd) = Pcscd::start_or_skip(4) else { return };
    let installation = installation_for(CARDS);
    let mut agents = [
        Daemon::start(&installation, &pcscd.socket(), "first"),
        Daemon::start(&installation, &pcscd.socket(), "second"),
    ];
    let mut ends: BTreeMap<String, Vec<Phase>> = BTreeMap::new();
    for round in 0..CARDS / 4 {
        let numbers: Vec<u32> = (0..4).map(|at| round * 4 + at).collect();
        let virtual_cards: Vec<_> = numbers.iter().map(|number| card(*number)).collect();
        let handles: Vec<_> = virtual_cards
            .iter()
            .enumerate()
            .map(|(reader, card)| insert(&pcscd, reader, card, Duration::from_millis(2)))
            .collect();
        for agent in &mut agents {
            for report in agent.all_end(numbers.iter().map(|number| id(*number))) {
                assert!(matches!(report.phase, Phase::Done | Phase::AlreadyDone), "{report:?}");
                ends.entry(report.card_id.unwrap_or_default()).or_default().push(report.phase);
            }
        }
        virtual_cards.iter().for_each(|card| assert_done(card, &installation.server));
        drop(handles);
        (0..4).for_each(|reader| pcscd.wait_for_card(reader, false));
    }
    assert_eq!(ends.len(), CARDS as usize);
    for (card, phases) in ends {
        assert_eq!(phases.iter().filter(|phase| **phase == Phase::Done).count(), 1, "{card}: {phases:?}");
    }
}
