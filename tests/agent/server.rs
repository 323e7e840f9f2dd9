//! A server that is down, overloaded or refuses.

use std::time::{Duration, Instant};

use pinwright::agent::report::{EventKind, Phase};
use pinwright::sim::server::{Endpoint, Fault, FaultKind};

use crate::setup::{Setup, card, card_id};

const READERS: [&str; 3] = ["Reader 00 00", "Reader 01 00", "Reader 02 00"];

#[test]
fn one_card_finds_out_whether_the_server_is_back_and_the_others_follow() {
    let setup = Setup::with(3, |_| {}, "timeout = \"1s\"", std::sync::Arc::new(|_, _| Box::new(crate::setup::Nobody)));
    setup.server.inject(Fault::on(Endpoint::Smartcards, FaultKind::status(500)).always());
    let mut readers = setup.readers.clone();
    let cards: Vec<_> = (0..3).map(card).collect();
    let mut agent = setup.agent();
    for (name, card) in READERS.iter().zip(&cards) {
        readers.add(name).insert(card.clone());
    }
    for _ in READERS {
        let event = agent.until("a card that waits", |event| event.event == EventKind::Phase);
        let report = event.reader.unwrap();
        assert_eq!(report.phase, Phase::ServerDown, "{report:?}");
    }
    // From now on one job at a time asks: the others' reports stand still.
    for _ in 0..3 {
        let event = agent.until("a probe", |event| event.event == EventKind::Phase);
        assert_eq!(event.reader.unwrap().phase, Phase::ServerDown);
        let working = agent.status().readers.iter().filter(|report| report.phase == Phase::Working).count();
        assert!(working <= 1, "{working} jobs ask a server that is down");
    }
    let down = agent.status();
    assert!(down.server_paused_until.is_some());
    assert_eq!(down.totals.server_failures, 1, "one outage is told once");
    setup.server.state().clear_faults();
    let mut done = 0;
    while done < 3 {
        let event = agent.until("the end", |event| event.event == EventKind::Phase);
        done += usize::from(event.reader.unwrap().phase == Phase::Done);
    }
    cards.iter().for_each(|card| setup.assert_done(card, "after the outage"));
    let up = agent.status();
    assert_eq!((up.server_paused_until, up.totals.provisioned), (None, 3));
}

#[test]
fn a_card_has_one_id_from_its_insertion_through_all_its_tries_until_it_is_pulled() {
    let setup = Setup::with(1, |_| {}, "timeout = \"1s\"", std::sync::Arc::new(|_, _| Box::new(crate::setup::Nobody)));
    setup.server.inject(Fault::on(Endpoint::Smartcards, FaultKind::status(500)).always());
    let mut readers = setup.readers.clone();
    let mut agent = setup.agent();
    readers.add(READERS[0]).insert(card(0));
    let id = |kind: EventKind, agent: &mut crate::watcher::Agent| {
        let event = agent.until("an event about the card", |event| event.event == kind);
        let report = event.reader.unwrap();
        (report.phase, report.enrollment.unwrap())
    };
    let (_, first) = id(EventKind::Inserted, &mut agent);
    assert_eq!(first.len(), 8, "{first}");
    for _ in 0..2 {
        assert_eq!(id(EventKind::Phase, &mut agent), (Phase::ServerDown, first.clone()));
    }
    setup.server.state().clear_faults();
    let mut phase = Phase::ServerDown;
    while phase == Phase::ServerDown {
        let told = id(EventKind::Phase, &mut agent);
        assert_eq!(told.1, first);
        phase = told.0;
    }
    assert_eq!(phase, Phase::Done);
    readers.add(READERS[0]).remove();
    assert_eq!(id(EventKind::Removed, &mut agent), (Phase::Empty, first.clone()));
    assert_eq!(agent.status().readers[0].enrollment, None, "the card is not there any more");
    readers.add(READERS[0]).insert(card(0));
    assert_ne!(id(EventKind::Inserted, &mut agent).1, first, "another insertion, another id");
}

#[test]
fn what_the_server_asks_for_is_waited_by_every_card() {
    let setup = Setup::with(2, |_| {}, "timeout = \"1s\"", std::sync::Arc::new(|_, _| Box::new(crate::setup::Nobody)));
    let mut readers = setup.readers.clone();
    setup.server.inject(Fault::on(Endpoint::Smartcards, FaultKind::status_with(503, "Retry-After", "3")).times(1));
    let (first, second) = (card(0), card(1));
    let mut agent = setup.agent();
    readers.add(READERS[0]).insert(first.clone());
    agent.ends(READERS[0], Phase::ServerDown);
    let asked = setup.inquiries();
    let since = Instant::now();
    readers.add(READERS[1]).insert(second.clone());
    let report = agent.ends(READERS[1], Phase::ServerDown);
    assert!(report.card_id.is_some(), "it was looked at: {report:?}");
    assert_eq!(setup.inquiries(), asked, "and the server was left alone");
    agent.until("both done", {
        let mut left = 2;
        move |event| {
            let done = event.event == EventKind::Phase && event.reader.as_ref().is_some_and(|r| r.phase == Phase::Done);
            left -= i32::from(done);
            left == 0
        }
    });
    assert!(since.elapsed() > Duration::from_secs(2), "the server asked for 3 s: {:?}", since.elapsed());
    setup.assert_done(&first, "first");
    setup.assert_done(&second, "second");
}

#[test]
fn a_refusal_is_asked_about_again_later_and_costs_the_card_nothing() {
    for status in [401, 403] {
        let mut setup = Setup::new(1);
        (setup.settings.recheck_first, setup.settings.recheck_longest) =
            (Duration::from_millis(100), Duration::from_millis(100));
        // A token that has run out, a right that is not there: mended at the server's side.
        setup.server.inject(Fault::on(Endpoint::Smartcards, FaultKind::status(status)).times(2));
        let card = card(0);
        setup.readers.add(READERS[0]).insert(card.clone());
        let mut agent = setup.agent();
        let report = agent.ends(READERS[0], Phase::NoAccess);
        assert_eq!(report.exit, Some(5), "{status}: {report:?}");
        assert!(report.next_check.is_some());
        setup.assert_untouched(&card, "refused");
        agent.until("done", |event| event.reader.as_ref().is_some_and(|r| r.phase == Phase::Done));
        setup.assert_done(&card, "after the refusal");
    }
}

#[test]
fn a_server_that_fails_after_the_look_leaves_the_card_and_is_asked_again() {
    for endpoint in [Endpoint::PinByCard, Endpoint::AuthenticationResponse] {
        let setup = Setup::new(1);
        setup.server.inject(Fault::on(endpoint, FaultKind::status(500)).times(4));
        let card = card(0);
        setup.readers.clone().add(READERS[0]).insert(card.clone());
        let mut agent = setup.agent();
        agent.ends(READERS[0], Phase::ServerDown);
        setup.assert_untouched(&card, "no answer");
        agent.until("done", |event| event.reader.as_ref().is_some_and(|r| r.phase == Phase::Done));
        setup.assert_done(&card, "in the end");
    }
}

#[test]
fn one_card_that_the_server_fails_at_does_not_keep_the_others_from_it() {
    let setup = Setup::new(2);
    let mut readers = setup.readers.clone();
    let mut agent = setup.agent();
    // The whole server first, so that both wait for it; then that one card alone.
    setup.server.inject(Fault::on(Endpoint::Smartcards, FaultKind::status(500)).times(2));
    setup
        .server
        .inject(Fault::on(Endpoint::Smartcards, FaultKind::status(500)).about(&card_id(0).to_string()).always());
    let (poison, fine) = (card(0), card(1));
    readers.add(READERS[0]).insert(poison.clone());
    agent.ends(READERS[0], Phase::ServerDown);
    readers.add(READERS[1]).insert(fine.clone());
    agent.until("the other card's end", |event| {
        event.reader.as_ref().is_some_and(|report| report.reader == READERS[1] && report.phase == Phase::Done)
    });
    setup.assert_done(&fine, "beside a card that the server fails at");
    setup.assert_untouched(&poison, "the server fails at it");
}

#[test]
fn a_person_may_have_the_server_asked_before_the_time_that_it_named() {
    let setup = Setup::new(1);
    setup.server.inject(Fault::on(Endpoint::Smartcards, FaultKind::status_with(503, "Retry-After", "86400")));
    let plastic = card(0);
    setup.readers.clone().add(READERS[0]).insert(plastic.clone());
    let mut agent = setup.agent();
    agent.ends(READERS[0], Phase::ServerDown);
    assert!(agent.status().server_paused_until.is_some());
    assert_eq!(agent.sender.recheck(), Ok(1));
    agent.ends(READERS[0], Phase::Done);
    setup.assert_done(&plastic, "at once");
}

#[test]
fn a_token_that_is_renewed_in_its_file_is_used_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "expired-token").unwrap();
    let mut setup = Setup::with(
        1,
        |server| server.token = Some("renewed-token".to_owned()),
        &format!("auth = \"bearer\"\ntoken_file = {token:?}"),
        std::sync::Arc::new(|_, _| Box::new(crate::setup::Nobody)),
    );
    (setup.settings.recheck_first, setup.settings.recheck_longest) =
        (Duration::from_millis(100), Duration::from_millis(100));
    let plastic = card(0);
    setup.readers.clone().add(READERS[0]).insert(plastic.clone());
    let mut agent = setup.agent();
    for _ in 0..2 {
        assert_eq!(agent.ends(READERS[0], Phase::NoAccess).exit, Some(5));
    }
    std::fs::write(&token, "renewed-token").unwrap();
    agent.until("done", |event| event.reader.as_ref().is_some_and(|report| report.phase == Phase::Done));
    setup.assert_done(&plastic, "with the new token");
}
