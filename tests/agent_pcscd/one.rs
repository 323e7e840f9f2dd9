//! One card after another, and eight at once.

use std::time::Duration;

use pinwright::agent::report::Phase;
use support::agent_process::Daemon;
use support::numbered_cards::{assert_done, card, id, insert, installation_for};
use support::opensc;
use support::pcscd::Pcscd;

#[test]
fn an_inserted_card_gets_its_pin_and_opensc_accepts_it() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let installation = installation_for(1);
    let mut agent = Daemon::start(&installation, &pcscd.socket(), "agent");
    let virtual_card = card(0);
    let handle = insert(&pcscd, 0, &virtual_card, Duration::ZERO);
    agent.finishes(&id(0));
    assert_done(&virtual_card, &installation.server);
    let pin = String::from_utf8(installation.server.state().last_pin().unwrap()).unwrap();
    assert!(opensc::accepts_pin(&pcscd, 0, &pin));

    // In again: nothing is written, and nothing secret is asked for.
    let asked = installation.server.state().pins().len();
    handle.remove();
    pcscd.wait_for_card(0, false);
    let _again = insert(&pcscd, 0, &virtual_card, Duration::ZERO);
    assert_eq!(agent.ends(&id(0)).phase, Phase::AlreadyDone);
    assert_eq!(installation.server.state().pins().len(), asked);
    let status = agent.status(&installation, &pcscd.socket(), "agent");
    assert_eq!((status.totals.insertions, status.totals.provisioned), (2, 1));
}

#[test]
fn a_card_that_is_there_before_the_agent_is_seen_too() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let installation = installation_for(1);
    let virtual_card = card(0);
    let _handle = pcscd.insert(1, virtual_card.clone());
    let mut agent = Daemon::start(&installation, &pcscd.socket(), "agent");
    agent.finishes(&id(0));
    assert_done(&virtual_card, &installation.server);
}

#[test]
fn eight_readers_at_once() {
    const READERS: u16 = 8;
    let Some(pcscd) = Pcscd::start_or_skip(READERS) else { return };
    let installation = installation_for(u32::from(READERS));
    let mut agent = Daemon::start(&installation, &pcscd.socket(), "agent");
    let virtual_cards: Vec<_> = (0..u32::from(READERS)).map(card).collect();
    let handles: Vec<_> =
        virtual_cards.iter().enumerate().map(|(at, card)| insert(&pcscd, at, card, Duration::from_millis(5))).collect();
    agent.all_finish((0..u32::from(READERS)).map(id));
    virtual_cards.iter().for_each(|card| assert_done(card, &installation.server));
    drop(handles);
}
