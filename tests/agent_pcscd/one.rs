//! One card after another, and eight at once.

use std::time::Duration;

use pinwright::agent::report::Phase;

use crate::cards::{assert_done, card, id, insert, place_for};
use crate::daemon::Daemon;
use crate::opensc;
use crate::pcscd::Pcscd;

#[test]
fn an_inserted_card_gets_its_pin_and_opensc_accepts_it() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let place = place_for(1);
    let mut agent = Daemon::start(&place, &pcscd.socket(), "agent");
    let plastic = card(0);
    let handle = insert(&pcscd, 0, &plastic, Duration::ZERO);
    agent.finishes(&id(0));
    assert_done(&plastic, &place.server);
    let pin = String::from_utf8(place.server.state().last_pin().unwrap()).unwrap();
    assert!(opensc::accepts_pin(&pcscd, 0, &pin));

    // In again: nothing is written, and nothing secret is asked for.
    let asked = place.server.state().pins().len();
    handle.remove();
    pcscd.wait_for_card(0, false);
    let _again = insert(&pcscd, 0, &plastic, Duration::ZERO);
    assert_eq!(agent.ends(&id(0)).phase, Phase::AlreadyDone);
    assert_eq!(place.server.state().pins().len(), asked);
    let status = agent.status(&place, &pcscd.socket(), "agent");
    assert_eq!((status.totals.insertions, status.totals.provisioned), (2, 1));
}

#[test]
fn a_card_that_is_there_before_the_agent_is_seen_too() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let place = place_for(1);
    let plastic = card(0);
    let _handle = pcscd.insert(1, plastic.clone());
    let mut agent = Daemon::start(&place, &pcscd.socket(), "agent");
    agent.finishes(&id(0));
    assert_done(&plastic, &place.server);
}

#[test]
fn eight_readers_at_once() {
    const READERS: u16 = 8;
    let Some(pcscd) = Pcscd::start_or_skip(READERS) else { return };
    let place = place_for(u32::from(READERS));
    let mut agent = Daemon::start(&place, &pcscd.socket(), "agent");
    let plastic: Vec<_> = (0..u32::from(READERS)).map(card).collect();
    let handles: Vec<_> =
        plastic.iter().enumerate().map(|(at, card)| insert(&pcscd, at, card, Duration::from_millis(5))).collect();
    let mut left: Vec<String> = (0..u32::from(READERS)).map(id).collect();
    while !left.is_empty() {
        let event = agent.until("another end", |event| event.event == pinwright::agent::report::EventKind::Phase);
        let report = event.reader.unwrap();
        if report.phase == Phase::Waiting {
            // Found while pcscd was still giving it power: looked at again.
            continue;
        }
        assert_eq!(report.phase, Phase::Done, "{report:?}");
        left.retain(|id| Some(id) != report.card_id.as_ref());
    }
    plastic.iter().for_each(|card| assert_done(card, &place.server));
    drop(handles);
}
