//! An agent that carries out whole requests (`agent.on_insert = "enroll"`).

use std::sync::Arc;

use pinwright::agent::report::Phase;
use pinwright::agent::settings::OnInsert;
use pinwright::sim::server::{RequestStatus, Settings};

use crate::setup::{Nobody, Setup, card};

const READER: &str = "Reader 00 00";

/// A new card for which a request is open, which wants one certificate.
fn new_card(settings: &mut Settings) {
    settings.cards.clear();
    settings.requests[0].new_card = None;
    settings.templates[0].keys.iter_mut().for_each(|keys| keys.hash = "SHA256".to_owned());
}

fn setup(change: impl FnOnce(&mut Settings)) -> Setup {
    let mut setup = Setup::with(1, change, "", Arc::new(|_, _| Box::new(Nobody)));
    setup.settings.on_insert = OnInsert::Enroll;
    setup
}

fn status(setup: &Setup) -> RequestStatus {
    setup.server.state().change(|settings| settings.requests[0].status)
}

#[test]
fn a_request_that_waits_is_carried_out_once_it_is_approved_and_never_again() {
    let setup = setup(|settings| {
        new_card(settings);
        settings.requests[0].status = RequestStatus::Pending;
    });
    let plastic = card(0);
    let slot = setup.readers.clone().add(READER);
    slot.insert(plastic.clone());
    let mut agent = setup.agent();
    let report = agent.ends(READER, Phase::Waiting);
    assert!(report.request.is_some() && report.next_check.is_some(), "{report:?}");
    assert!(report.reason.unwrap().contains("approval"));
    setup.assert_untouched(&plastic, "it waits");
    setup.server.state().change(|settings| settings.requests[0].status = RequestStatus::Approved);
    agent.sender.recheck().unwrap();
    let report = agent.ends(READER, Phase::Done);
    assert_eq!(status(&setup), RequestStatus::Completed, "{report:?}");
    assert_eq!(setup.server.state().change(|settings| settings.certificates.len()), 1);
    assert!(setup.server.violations().is_empty(), "{:?}", setup.server.violations());
    // The next insertion finds nothing to do.
    slot.remove();
    slot.insert(plastic);
    agent.ends(READER, Phase::Waiting);
    assert_eq!(setup.server.state().change(|settings| settings.certificates.len()), 1);
}

#[test]
fn a_request_for_a_pin_alone_is_completed() {
    let setup = setup(|settings| settings.templates[0].keys.clear());
    let plastic = card(0);
    setup.readers.clone().add(READER).insert(plastic);
    let mut agent = setup.agent();
    agent.ends(READER, Phase::Done);
    assert_eq!(status(&setup), RequestStatus::Completed);
}

/// No request is made, and none to retire the card is carried out.
#[test]
fn what_an_agent_does_not_do() {
    for (case, change) in [
        ("no request", (|settings| settings.requests.clear()) as fn(&mut Settings)),
        ("to retire it", |settings| settings.requests[0].kind = 11),
        ("not made for it", |settings| settings.requests[0].status = RequestStatus::Canceled),
    ] {
        let setup = setup(change);
        let plastic = card(0);
        setup.readers.clone().add(READER).insert(plastic.clone());
        let mut agent = setup.agent();
        agent.ends(READER, Phase::Waiting);
        setup.assert_untouched(&plastic, case);
        assert!(setup.server.requests().iter().all(|call| call.method == "GET"), "{case}");
    }
}
