//! Requests of others: which an agent works on, and how often it asks for all that it may see.

use std::sync::Arc;

use pinwright::agent::report::Phase;
use pinwright::agent::settings::OnInsert;
use pinwright::sim::server::{Endpoint, Fault, FaultKind, RequestStatus, Settings};
use uuid::Uuid;

use crate::setup::{Nobody, Setup, card};

const READER: &str = "Reader 00 00";

const EMPLOYEE: Uuid = Uuid::from_u128(0x50);

/// The request of card 0 and the card are another user's.
fn of_an_employee(settings: &mut Settings) {
    settings.requests[0].user = EMPLOYEE;
    settings.cards[0].user = EMPLOYEE;
}

/// How often all requests were asked for that the agent may see.
fn looks_at_all(setup: &Setup) -> usize {
    setup.server.requests().iter().filter(|call| call.query == "status=Approved").count()
}

#[test]
fn requests_of_others_are_looked_at_where_the_configuration_says_so() {
    for visible in [false, true] {
        let mut setup = Setup::with(1, of_an_employee, "", Arc::new(|_, _| Box::new(Nobody)));
        setup.settings.visible_requests = visible;
        let plastic = card(0);
        setup.readers.clone().add(READER).insert(plastic.clone());
        let mut agent = setup.agent();
        let report = agent.ends(READER, if visible { Phase::Done } else { Phase::Waiting });
        match visible {
            true => setup.assert_done(&plastic, "visible"),
            false => setup.assert_untouched(&plastic, "own"),
        }
        assert_eq!(looks_at_all(&setup), usize::from(visible));
        // Metrics are made from events: what is in none of them is in no metric.
        let told = serde_json::to_string(&(report, agent.rest(), agent.status())).unwrap();
        assert!(!told.contains(&EMPLOYEE.to_string()), "{told}");
    }
}

/// All that can be seen is asked for once an insertion, and never in a recheck; what was found then is asked for by its id.
#[test]
fn a_recheck_does_not_ask_for_the_requests_of_others() {
    let mut setup = Setup::with(
        1,
        |settings| {
            of_an_employee(settings);
            settings.requests[0].status = RequestStatus::Pending;
        },
        "",
        Arc::new(|_, _| Box::new(Nobody)),
    );
    setup.settings.visible_requests = true;
    let slot = setup.readers.clone().add(READER);
    slot.insert(card(0));
    let mut agent = setup.agent();
    agent.ends(READER, Phase::Waiting);
    for _ in 0..3 {
        agent.sender.recheck().unwrap();
        agent.ends(READER, Phase::Waiting);
    }
    assert_eq!(looks_at_all(&setup), 1);
    // Another insertion is another look.
    setup.server.state().change(|settings| settings.requests[0].status = RequestStatus::Approved);
    slot.remove();
    slot.insert(card(0));
    agent.ends(READER, Phase::Done);
    assert_eq!(looks_at_all(&setup), 2);
}

#[test]
fn a_request_of_others_that_was_found_is_asked_for_by_its_id() {
    let mut setup = Setup::with(1, of_an_employee, "", Arc::new(|_, _| Box::new(Nobody)));
    setup.settings.visible_requests = true;
    setup.settings.on_insert = OnInsert::Report;
    setup.readers.clone().add(READER).insert(card(0));
    let mut agent = setup.agent();
    for _ in 0..3 {
        agent.ends(READER, Phase::Reported);
        agent.sender.recheck().unwrap();
    }
    agent.ends(READER, Phase::Reported);
    assert_eq!(looks_at_all(&setup), 1);
    // It is over: then it is as if there were none.
    setup.server.state().change(|settings| settings.requests[0].status = RequestStatus::Completed);
    agent.sender.recheck().unwrap();
    agent.ends(READER, Phase::Waiting);
    assert_eq!(looks_at_all(&setup), 1);
}

/// A request in Executing is somebody else's work, unless this agent has begun it: the first question for a secret may count as a
/// beginning.
#[test]
fn work_that_others_have_begun_is_theirs() {
    let setup = Setup::with(
        1,
        |settings| settings.requests[0].status = RequestStatus::Executing,
        "",
        Arc::new(|_, _| Box::new(Nobody)),
    );
    let plastic = card(0);
    setup.readers.clone().add(READER).insert(plastic.clone());
    let mut agent = setup.agent();
    for _ in 0..3 {
        let report = agent.ends(READER, Phase::Waiting);
        assert!(report.reason.as_ref().unwrap().contains("somebody else has begun"), "{report:?}");
        agent.sender.recheck().unwrap();
    }
    setup.assert_untouched(&plastic, "begun elsewhere");

    let setup = Setup::with(1, |settings| settings.moves_to_executing = true, "", Arc::new(|_, _| Box::new(Nobody)));
    setup.server.inject(Fault::on(Endpoint::AuthenticationResponse, FaultKind::status(500)));
    let plastic = card(0);
    setup.readers.clone().add(READER).insert(plastic.clone());
    let mut agent = setup.agent();
    agent.ends(READER, Phase::ServerDown);
    agent.ends(READER, Phase::Done);
    setup.assert_done(&plastic, "its own work");
}
