//! One card, and what becomes of it.

use std::sync::Arc;
use std::time::Duration;

use pinwright::agent::report::{EventKind, Phase};
use pinwright::agent::settings::OnInsert;
use pinwright::job::journal::Point;
use pinwright::reader::{EndAction, Readers as _};
use pinwright::sim::card::SharedCard;
use pinwright::sim::fault::{Fault, Faulty};
use pinwright::sim::gids::ATR;
use pinwright::sim::iso7816::{Iso7816Card, Iso7816Settings};
use pinwright::sim::server::RequestStatus;

use crate::setup::{Nobody, Setup, card, card as card_of, card_id, card_with_atrs, writes};

const READER: &str = "Reader 00 00";
const OTHER: &str = "Reader 00 01";

#[test]
fn a_card_that_is_inserted_has_its_pin_set() {
    let mut setup = Setup::new(1);
    let slot = setup.readers.add(READER);
    let mut agent = setup.agent();
    agent.sees(READER, EventKind::ReaderAdded);
    let card = card(0);
    slot.insert(card.clone());
    assert_eq!(agent.sees(READER, EventKind::Inserted).insertion, 1);
    let done = agent.ends(READER, Phase::Done);

    setup.assert_done(&card, "inserted");
    setup.assert_no_violations();
    assert_eq!(done.family.as_deref(), Some("gids"));
    assert_eq!(done.card_id, Some(card_id(0).to_string()));
    assert_eq!(done.request, Some(setup.server.state().change(|settings| settings.requests[0].uuid)));
    assert_eq!((done.exit, done.reason, done.next_check), (None, None, None));
    assert_eq!(done.journal, Some(setup.records()[0].id.clone()));
    assert_eq!(setup.points(), [Point::Done]);

    slot.remove();
    let empty = agent.sees(READER, EventKind::Removed);
    assert_eq!((empty.phase, empty.card_id, empty.insertion), (Phase::Empty, None, 0));
    let totals = agent.status().totals;
    assert_eq!((totals.insertions, totals.provisioned, totals.failed, totals.attention), (1, 1, 0, 0));
    assert!(agent.stop().unfinished.is_empty());
}

#[test]
fn a_card_that_is_there_when_the_agent_starts_is_not_overlooked() {
    let mut setup = Setup::new(1);
    let card = card(0);
    setup.readers.add(READER).insert(card.clone());
    let mut agent = setup.agent();
    agent.ends(READER, Phase::Done);
    setup.assert_done(&card, "was there");
}

#[test]
fn a_request_that_is_done_already_costs_no_secret() {
    let mut setup = Setup::new(1);
    let card = card(0);
    let slot = setup.readers.add(READER);
    slot.insert(card.clone());
    let mut agent = setup.agent();
    agent.ends(READER, Phase::Done);
    setup.server.state().clear_log();
    for insertion in 2..5 {
        slot.remove();
        agent.sees(READER, EventKind::Removed);
        slot.insert(card.clone());
        let report = agent.ends(READER, Phase::AlreadyDone);
        assert_eq!(report.insertion, insertion);
        assert_eq!(report.journal, Some(setup.records()[0].id.clone()));
    }
    assert_eq!(setup.secret_calls(), 0);
    assert_eq!(setup.inquiries(), 3);
    setup.assert_done(&card, "inserted again");
    // A new request for the same card is another matter.
    setup.server.state().change(|settings| settings.requests[0].uuid = uuid::Uuid::from_u128(7));
    slot.remove();
    slot.insert(card.clone());
    agent.ends(READER, Phase::Done);
    assert_eq!(writes(&card), 2);
}

#[test]
fn a_card_without_a_request_waits_and_is_done_when_one_is_approved() {
    let mut setup = Setup::new(1);
    (setup.settings.recheck_first, setup.settings.recheck_longest) =
        (Duration::from_millis(100), Duration::from_millis(200));
    let request = setup.server.state().change(|settings| settings.requests[0].uuid);
    setup.server.state().set_request_status(request, RequestStatus::Pending);
    let card = card(0);
    setup.readers.add(READER).insert(card.clone());
    let mut agent = setup.agent();
    let waiting = agent.ends(READER, Phase::Waiting);
    assert!(waiting.next_check.is_some() && waiting.reason.unwrap().contains("no approved request"));
    let opened = card.with(|card| card.exchanges());
    for _ in 0..3 {
        agent.ends(READER, Phase::Waiting);
    }
    assert_eq!(card.with(|card| card.exchanges()), opened, "the card itself is not asked again");
    assert_eq!(setup.secret_calls(), 0);
    setup.server.state().set_request_status(request, RequestStatus::Approved);
    agent.until("done", |event| event.reader.as_ref().is_some_and(|report| report.phase == Phase::Done));
    setup.assert_done(&card, "approved");
}

#[test]
fn a_recheck_that_is_asked_for_is_done_at_once() {
    let mut setup = Setup::new(1);
    let request = setup.server.state().change(|settings| settings.requests[0].uuid);
    setup.server.state().set_request_status(request, RequestStatus::Pending);
    let card = card(0);
    setup.readers.add(READER).insert(card.clone());
    setup.readers.add(OTHER);
    let mut agent = setup.agent();
    agent.ends(READER, Phase::Waiting);
    assert_eq!(agent.sender.recheck(), Ok(1), "the empty reader does not wait");
    agent.ends(READER, Phase::Waiting);
    setup.server.state().set_request_status(request, RequestStatus::Approved);
    // The next check by itself is an hour away.
    assert_eq!(agent.sender.recheck(), Ok(1));
    agent.ends(READER, Phase::Done);
    assert_eq!(agent.sender.recheck(), Ok(0), "what is done waits for nothing");
    setup.assert_done(&card, "asked for");
}

#[test]
fn a_card_that_the_server_does_not_know_waits() {
    let mut setup = Setup::new(1);
    let stranger = card(9);
    setup.readers.add(READER).insert(stranger.clone());
    let mut agent = setup.agent();
    let report = agent.ends(READER, Phase::Waiting);
    assert!(report.reason.as_deref().unwrap().contains("knows no card with ID"), "{report:?}");
    assert_eq!(report.exit, Some(5));
    setup.assert_untouched(&stranger, "unknown to the server");
    // It may be registered while it is in the reader.
    setup.server.state().change(|settings| settings.add_card(card_id(9), &hex::encode(ATR)));
    agent.sender.recheck().unwrap();
    agent.ends(READER, Phase::Done);
}

/// An ATR that a reader gave while the card was still being pushed in: another card's, by the server's record.
#[test]
fn a_recheck_looks_at_a_card_again_that_the_record_did_not_fit() {
    let mut setup = Setup::with(1, |_| {}, "[card]\natr = \"strict\"", Arc::new(|_, _| Box::new(Nobody)));
    let card = card_with_atrs(&ATR[..3], &ATR);
    setup.readers.add(READER).insert(card.clone());
    let mut agent = setup.agent();
    let report = agent.ends(READER, Phase::Waiting);
    assert!(report.reason.as_deref().unwrap().contains("its Atr is"), "{report:?}");
    setup.assert_untouched(&card, "another ATR");
    // As long as it stays so nothing but the card is looked at.
    agent.sender.recheck().unwrap();
    agent.ends(READER, Phase::Waiting);
    setup.readers.open(READER).unwrap().end(EndAction::Reset).unwrap();
    agent.sender.recheck().unwrap();
    agent.ends(READER, Phase::Done);
    setup.assert_done(&card, "looked at again");
}

#[test]
fn a_card_of_no_known_family_is_opened_once_and_never_again() {
    let mut setup = Setup::new(1);
    (setup.settings.recheck_first, setup.settings.recheck_longest) =
        (Duration::from_millis(50), Duration::from_millis(50));
    let foreign = SharedCard::new(Faulty::new(Iso7816Card::new(Iso7816Settings::default())));
    let slot = setup.readers.add(READER);
    slot.insert(foreign.clone());
    let mut agent = setup.agent();
    let report = agent.ends(READER, Phase::NotOurs);
    assert_eq!(report.next_check, None);
    let looked = foreign.with(|card| card.exchanges());
    assert!(looked <= 3, "{looked} commands: one SELECT for each built-in family");
    agent.sender.recheck().unwrap();
    // Another reader's card shows that time goes on.
    let ours = card(0);
    setup.readers.add(OTHER).insert(ours.clone());
    agent.ends(OTHER, Phase::Done);
    assert_eq!(foreign.with(|card| card.exchanges()), looked);
    assert_eq!(agent.report(READER).phase, Phase::NotOurs);
    assert_eq!(setup.inquiries(), 1, "the server is not asked about it");
    assert_eq!(agent.status().totals.failed, 0);
}

#[test]
fn report_mode_writes_nothing_and_fetches_no_secret() {
    let mut setup = Setup::new(1);
    setup.settings.on_insert = OnInsert::Report;
    let card = card(0);
    let slot = setup.readers.add(READER);
    slot.insert(card.clone());
    let mut agent = setup.agent();
    let report = agent.ends(READER, Phase::Reported);
    assert!(report.request.is_some() && report.next_check.is_some());
    agent.sender.recheck().unwrap();
    agent.ends(READER, Phase::Reported);
    assert_eq!(setup.secret_calls(), 0);
    assert!(setup.records().is_empty());
    setup.assert_untouched(&card, "report");
}

#[test]
fn a_card_that_refuses_fails_and_is_not_tried_again() {
    // Of the job's nine commands the one that proves ourselves, and the one that writes. Three commands have looked at the card.
    for command in [6, 7] {
        let mut setup = Setup::new(2);
        let card = card(0);
        card.with(|card| card.after(3 + command, Fault::StatusWord(0x6982)));
        setup.readers.add(READER).insert(card.clone());
        let mut agent = setup.agent();
        let report = agent.ends(READER, Phase::Failed);
        assert_eq!((report.exit, report.next_check.is_none()), (Some(4), true), "{report:?}");
        let (sent, asked) = (card.with(|card| card.exchanges()), setup.secret_calls());
        assert_eq!((sent, asked), (3 + command + 1, 2));
        assert_eq!(agent.sender.recheck(), Ok(0));
        // Another reader's card shows that time goes on.
        setup.readers.add(OTHER).insert(card_of(1));
        agent.ends(OTHER, Phase::Done);
        assert_eq!(card.with(|card| card.exchanges()), sent, "not tried again");
        setup.assert_untouched(&card, "refused");
    }
}

#[test]
fn a_reader_that_the_configuration_ignores_is_left_alone() {
    let mut setup = Setup::new(2);
    setup.ignored_readers = vec!["Windows Hello".to_owned()];
    let foreign = card(0);
    setup.readers.add("Windows Hello for Business 1").insert(foreign.clone());
    let ours = card(1);
    let mut agent = setup.agent();
    setup.readers.add(READER).insert(ours.clone());
    agent.ends(READER, Phase::Done);
    assert_eq!(foreign.with(|card| card.exchanges()), 0);
    let status = agent.status();
    assert_eq!((status.readers.len(), status.hidden), (1, 1));
    // Readers that go are no longer counted, nor are those of a service that is lost.
    setup.readers.unplug(READER);
    agent.sees(READER, EventKind::ReaderRemoved);
    let status = agent.status();
    assert_eq!((status.readers.len(), status.hidden), (0, 1), "all are hidden");
    setup.readers.set_service(false);
    agent.hears(EventKind::ServiceLost);
    assert_eq!(agent.status().hidden, 0);
    setup.readers.set_service(true);
    agent.hears(EventKind::ServiceFound);
    setup.readers.unplug("Windows Hello for Business 1");
    setup.readers.add(READER);
    agent.sees(READER, EventKind::ReaderAdded);
    assert_eq!(agent.status().hidden, 0);
}

#[test]
fn a_mute_card_is_told_of_and_not_opened() {
    let mut setup = Setup::new(1);
    let slot = setup.readers.add(READER);
    let card = card(0);
    slot.insert(card.clone());
    slot.set_mute();
    let mut agent = setup.agent();
    let report = agent.sees(READER, EventKind::Inserted);
    assert_eq!(report.phase, Phase::Failed);
    assert!(report.reason.unwrap().contains("does not respond to a reset"));
    // Turned round.
    slot.remove();
    agent.sees(READER, EventKind::Removed);
    slot.insert(card.clone());
    agent.ends(READER, Phase::Done);
    setup.assert_done(&card, "turned round");
}

#[test]
fn a_card_swapped_between_two_looks_is_another_insertion() {
    let mut setup = Setup::new(2);
    let slot = setup.readers.add(READER);
    let (first, second) = (card(0), card(1));
    slot.insert(first.clone());
    let mut agent = setup.agent();
    agent.ends(READER, Phase::Done);
    // The reader's count goes up by two in one step: no look in between can see the reader empty.
    slot.insert(second.clone());
    agent.sees(READER, EventKind::Removed);
    assert_eq!(agent.sees(READER, EventKind::Inserted).insertion, 2);
    agent.ends(READER, Phase::Done);
    setup.assert_done(&first, "first");
    setup.assert_done(&second, "second");
}

#[test]
fn cards_in_two_readers_are_done_at_the_same_time() {
    let mut setup = Setup::new(2);
    setup.server.state().change(|settings| settings.latency = Duration::from_millis(300));
    let readers = [READER, OTHER];
    let cards = [card(0), card(1)];
    let slots = readers.map(|reader| setup.readers.add(reader));
    let mut agent = setup.agent();
    slots.iter().zip(&cards).for_each(|(slot, card)| slot.insert(card.clone()));
    let mut at_work = [false; 2];
    let mut together = false;
    let mut done = 0;
    agent.until("two that are done", |event| {
        let Some(report) = &event.reader else { return false };
        let index = usize::from(report.reader != READER);
        at_work[index] = report.phase == Phase::Working && report.step.is_some();
        together |= at_work == [true, true];
        done += usize::from(event.event == EventKind::Phase && report.phase == Phase::Done);
        done == 2
    });
    assert!(together, "one after the other");
    cards.iter().for_each(|card| setup.assert_done(card, "two readers"));
    setup.assert_no_violations();
}
