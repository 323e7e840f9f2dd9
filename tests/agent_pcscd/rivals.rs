//! Two agents on the same readers and the same journal: each card is written once.

use std::collections::BTreeMap;
use std::time::Duration;

use pinwright::agent::report::{EventKind, Phase};

use crate::cards::{assert_done, card, id, insert, place_for};
use crate::daemon::Daemon;
use crate::pcscd::Pcscd;

#[test]
fn of_two_agents_one_writes_and_the_other_finds_it_done() {
    const CARDS: u32 = 12;
    let Some(pcscd) = Pcscd::start_or_skip(4) else { return };
    let place = place_for(CARDS);
    let mut agents =
        [Daemon::start(&place, &pcscd.socket(), "first"), Daemon::start(&place, &pcscd.socket(), "second")];
    let mut ends: BTreeMap<String, Vec<Phase>> = BTreeMap::new();
    for round in 0..CARDS / 4 {
        let numbers: Vec<u32> = (0..4).map(|at| round * 4 + at).collect();
        let plastic: Vec<_> = numbers.iter().map(|number| card(*number)).collect();
        let handles: Vec<_> = plastic
            .iter()
            .enumerate()
            .map(|(reader, card)| insert(&pcscd, reader, card, Duration::from_millis(2)))
            .collect();
        for agent in &mut agents {
            let mut left: Vec<String> = numbers.iter().map(|number| id(*number)).collect();
            while !left.is_empty() {
                let report = agent.until("an end", |event| event.event == EventKind::Phase).reader.unwrap();
                // In use, reset by the other, claimed by the other: both come back to it.
                if report.phase == Phase::Waiting {
                    continue;
                }
                let card_id = report.card_id.clone().unwrap_or_default();
                assert!(matches!(report.phase, Phase::Done | Phase::AlreadyDone), "{report:?}");
                left.retain(|id| *id != card_id);
                ends.entry(card_id).or_default().push(report.phase);
            }
        }
        plastic.iter().for_each(|card| assert_done(card, &place.server));
        drop(handles);
        (0..4).for_each(|reader| pcscd.wait_for_card(reader, false));
    }
    assert_eq!(ends.len(), CARDS as usize);
    for (card, phases) in ends {
        assert_eq!(phases.iter().filter(|phase| **phase == Phase::Done).count(), 1, "{card}: {phases:?}");
    }
}
