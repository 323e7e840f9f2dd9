//! Jobs that are cut off: cards pulled at each exchange, an end at each step, a defect, a crash. (Two agents on one
//! card need the transactions of a real service: tests/agent_pcscd/rivals.rs.)

use std::sync::atomic::Ordering;

use pinwright::agent::report::{EventKind, Phase};
use pinwright::job::journal::Point;
use pinwright::sim::fault::Fault;

use crate::setup::{Setup, card, writes};

const READER: &str = "Reader 00 00";
const OTHER: &str = "Reader 01 00";

/// Exchanges of a look and a job after it.
const EXCHANGES: usize = 12;

#[test]
fn a_card_pulled_at_any_exchange_is_settled_by_its_next_insertion() {
    for exchange in 0..EXCHANGES {
        for lost in [Fault::Removed, Fault::LostAnswer] {
            let case = format!("exchange {exchange}, {}", matches!(lost, Fault::Removed));
            let setup = Setup::new(1);
            let plastic = card(0);
            plastic.with(|card| card.after(exchange, lost));
            let slot = setup.readers.clone().add(READER);
            slot.insert(plastic.clone());
            let mut agent = setup.agent();
            agent.until("what the fault leads to", |event| {
                event.event == EventKind::Removed || event.event == EventKind::Phase
            });
            slot.remove();
            plastic.with(|card| {
                card.forget();
                card.reinsert();
            });
            slot.insert(plastic.clone());
            let end = agent.until("a good end", |event| {
                let good = |phase| matches!(phase, Phase::Done | Phase::AlreadyDone);
                event.event == EventKind::Phase && event.reader.as_ref().is_some_and(|report| good(report.phase))
            });
            assert!(end.reader.is_some());
            assert!(setup.has_server_pin(&plastic), "{case}");
            plastic.with(|card| assert_eq!((card.card().tries_left(), card.card().admin_failures()), (3, 0), "{case}"));
            assert!(setup.points().iter().all(|point| !point.is_open()), "{case}: {:?}", setup.points());
        }
    }
}

#[test]
fn an_end_at_any_step_leaves_the_card_untouched_or_done() {
    for step in ["identify", "resolve", "challenge", "ask", "bind", "authorize", "set-pin", "verify"] {
        let setup = Setup::new(1);
        let plastic = card(0);
        setup.readers.clone().add(READER).insert(plastic.clone());
        let mut agent = setup.agent();
        agent.reaches(READER, step);
        let stopped = agent.stop();
        assert!(stopped.unfinished.is_empty(), "{step}: {stopped:?}");
        match writes(&plastic) {
            0 => setup.assert_untouched(&plastic, step),
            _ => setup.assert_done(&plastic, step),
        }
        assert!(setup.points().iter().all(|point| !point.is_open()), "{step}: {:?}", setup.points());
    }
}

#[test]
fn a_defect_in_a_job_is_told_and_the_loop_lives_on() {
    let setup = Setup::new(2);
    setup.services.defect.store(true, Ordering::SeqCst);
    let mut readers = setup.readers.clone();
    let (first, second) = (card(0), card(1));
    readers.add(READER).insert(first.clone());
    let mut agent = setup.agent();
    let report = agent.ends(READER, Phase::Failed);
    assert!(report.reason.unwrap().contains("defect"));
    setup.assert_untouched(&first, "the defect");
    readers.add(OTHER).insert(second.clone());
    agent.ends(OTHER, Phase::Done);
}

#[test]
fn what_a_crash_has_left_in_doubt_is_settled_by_the_next_insertion() {
    let setup = Setup::new(1);
    let plastic = card(0);
    // The answer to the write is lost: the job ends in doubt, as after a crash.
    let slot = setup.readers.clone().add(READER);
    slot.insert(plastic.clone());
    plastic.with(|card| card.after(EXCHANGES - 2, Fault::LostAnswer));
    let mut agent = setup.agent();
    let report = agent.sees(READER, EventKind::Phase);
    if report.phase == Phase::Failed {
        assert_eq!(report.exit, Some(9), "{report:?}");
        assert_eq!(agent.status().totals.attention, 1);
        assert!(setup.points().contains(&Point::Unclear), "{:?}", setup.points());
        slot.remove();
        slot.insert(plastic.clone());
        agent.ends(READER, Phase::Done);
    }
    assert!(setup.has_server_pin(&plastic));
    assert!(setup.points().iter().all(|point| !point.is_open()), "{:?}", setup.points());
}
