//! Jobs that are cut off: cards pulled at each exchange, an end at each step, a defect, a crash. (Two agents on one
//! card need the transactions of a real service: tests/agent_pcscd/rivals.rs.)

use std::sync::atomic::Ordering;

use pinwright::agent::report::{Phase, What};
use pinwright::job::journal::Point;
use pinwright::sim::fault::Fault;

use crate::office::{Office, card, writes};

const READER: &str = "Reader 00 00";
const OTHER: &str = "Reader 01 00";

/// Exchanges of a look and a job after it.
const EXCHANGES: usize = 12;

#[test]
fn a_card_pulled_at_any_exchange_is_settled_by_its_next_insertion() {
    for exchange in 0..EXCHANGES {
        for lost in [Fault::Removed, Fault::LostAnswer] {
            let case = format!("exchange {exchange}, {}", matches!(lost, Fault::Removed));
            let office = Office::new(1);
            let plastic = card(0);
            plastic.with(|card| card.after(exchange, lost));
            let slot = office.readers.clone().add(READER);
            slot.insert(plastic.clone());
            let mut agent = office.agent();
            agent.until("what the fault leads to", |event| event.event == What::Removed || event.event == What::Phase);
            slot.remove();
            plastic.with(|card| {
                card.forget();
                card.reinsert();
            });
            slot.insert(plastic.clone());
            let end = agent.until("a good end", |event| {
                let good = |phase| matches!(phase, Phase::Done | Phase::AlreadyDone);
                event.event == What::Phase && event.reader.as_ref().is_some_and(|report| good(report.phase))
            });
            assert!(end.reader.is_some());
            assert!(office.has_server_pin(&plastic), "{case}");
            plastic.with(|card| assert_eq!((card.card().tries_left(), card.card().admin_failures()), (3, 0), "{case}"));
            assert!(office.points().iter().all(|point| !point.is_open()), "{case}: {:?}", office.points());
        }
    }
}

#[test]
fn an_end_at_any_step_leaves_the_card_untouched_or_done() {
    for step in ["identify", "resolve", "challenge", "ask", "bind", "authorize", "set-pin", "verify"] {
        let office = Office::new(1);
        let plastic = card(0);
        office.readers.clone().add(READER).insert(plastic.clone());
        let mut agent = office.agent();
        agent.reaches(READER, step);
        let stopped = agent.stop();
        assert!(stopped.unfinished.is_empty(), "{step}: {stopped:?}");
        match writes(&plastic) {
            0 => office.assert_untouched(&plastic, step),
            _ => office.assert_done(&plastic, step),
        }
        assert!(office.points().iter().all(|point| !point.is_open()), "{step}: {:?}", office.points());
    }
}

#[test]
fn a_defect_in_a_job_is_told_and_the_loop_lives_on() {
    let office = Office::new(2);
    office.staff.defect.store(true, Ordering::SeqCst);
    let mut readers = office.readers.clone();
    let (first, second) = (card(0), card(1));
    readers.add(READER).insert(first.clone());
    let mut agent = office.agent();
    let report = agent.ends(READER, Phase::Failed);
    assert!(report.reason.unwrap().contains("defect"));
    office.assert_untouched(&first, "the defect");
    readers.add(OTHER).insert(second.clone());
    agent.ends(OTHER, Phase::Done);
}

#[test]
fn what_a_crash_has_left_in_doubt_is_settled_by_the_next_insertion() {
    let office = Office::new(1);
    let plastic = card(0);
    // The answer to the write is lost: the job ends in doubt, as after a crash.
    let slot = office.readers.clone().add(READER);
    slot.insert(plastic.clone());
    plastic.with(|card| card.after(EXCHANGES - 2, Fault::LostAnswer));
    let mut agent = office.agent();
    let report = agent.sees(READER, What::Phase);
    if report.phase == Phase::Failed {
        assert_eq!(report.exit, Some(9), "{report:?}");
        assert_eq!(agent.status().totals.attention, 1);
        assert!(office.points().contains(&Point::Unclear), "{:?}", office.points());
        slot.remove();
        slot.insert(plastic.clone());
        agent.ends(READER, Phase::Done);
    }
    assert!(office.has_server_pin(&plastic));
    assert!(office.points().iter().all(|point| !point.is_open()), "{:?}", office.points());
}
