//! Tries of a proof that the card has refused: spent once, whatever happens to service, clock, card and agent.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use pinwright::agent::Message;
use pinwright::agent::report::{EventKind, Phase};
use pinwright::job::journal::Point;
use pinwright::sim::fault::Fault;

use crate::setup::{Card, Nobody, Setup, card};
use crate::watcher::Agent;

const READER: &str = "Reader 00 00";

/// The server answers with another key than the card has.
fn setup_with_a_wrong_key() -> Setup {
    Setup::with(1, |server| server.templates[0].default_admin_key = [0x5A; 24], "", Arc::new(|_, _| Box::new(Nobody)))
}

fn refusals(plastic: &Card) -> usize {
    plastic.with(|card| card.card().admin_failures())
}

#[track_caller]
fn assert_not_again(agent: &mut Agent, plastic: &Card, case: &str) {
    let report = agent.ends(READER, Phase::Failed);
    let exit = if case == "first" { 4 } else { 9 };
    assert_eq!((refusals(plastic), report.exit), (1, Some(exit)), "{case}: {report:?}");
    assert!(report.reason.as_ref().is_some_and(|reason| reason.contains("6982")), "{case}: {report:?}");
}

#[test]
fn a_refused_answer_is_not_shown_again_whatever_the_request() {
    let setup = setup_with_a_wrong_key();
    let mut readers = setup.readers.clone();
    let plastic = card(0);
    let slot = readers.add(READER);
    slot.insert(plastic.clone());
    let mut agent = setup.agent();
    assert_not_again(&mut agent, &plastic, "first");
    let asked = setup.secret_calls();

    agent.sender.send(Message::ClockJumped).unwrap();
    agent.sees(READER, EventKind::Inserted);
    assert_not_again(&mut agent, &plastic, "after a jump of the clock");
    readers.set_service(false);
    agent.hears(EventKind::ServiceLost);
    readers.set_service(true);
    assert_not_again(&mut agent, &plastic, "after a restart of the service");
    slot.remove();
    agent.sees(READER, EventKind::Removed);
    slot.insert(plastic.clone());
    assert_not_again(&mut agent, &plastic, "put in again");
    agent.stop();
    let mut agent = setup.agent();
    assert_not_again(&mut agent, &plastic, "after a restart of the agent");
    assert_eq!(setup.secret_calls(), asked, "nothing secret is fetched in vain");
    assert_eq!(setup.points(), [Point::Untouched]);

    // A new request says nothing of the key: only a person can.
    setup.server.state().change(|settings| settings.requests[0].uuid = uuid::Uuid::from_u128(7));
    slot.remove();
    agent.sees(READER, EventKind::Removed);
    slot.insert(plastic.clone());
    assert_not_again(&mut agent, &plastic, "for another request");
    assert_eq!(setup.secret_calls(), asked, "nothing secret is fetched in vain");
}

#[test]
fn a_card_that_is_pulled_at_the_answer_again_and_again_is_left_to_a_person() {
    let setup = Setup::new(1);
    let plastic = card(0);
    let slot = setup.readers.clone().add(READER);
    let mut agent = setup.agent();
    let reports: Vec<_> = (0..4)
        .map(|_| {
            plastic.with(|card| {
                card.forget();
                card.reinsert();
                // Three commands look at the card, and the seventh of the job is the answer.
                card.after(3 + 6, Fault::LostAnswer);
            });
            slot.insert(plastic.clone());
            let report = agent.ends(READER, Phase::Failed);
            slot.remove();
            agent.sees(READER, EventKind::Removed);
            std::thread::sleep(Duration::from_millis(1));
            report
        })
        .collect();
    assert_eq!(setup.records().len(), 3, "{reports:?}");
    assert_eq!(reports[3].exit, Some(9));
    assert!(reports[3].reason.as_ref().unwrap().contains("3 jobs for the same request were cut off"), "{reports:?}");
}

#[test]
fn a_record_that_can_not_be_read_forbids_what_it_might_forbid() {
    let mut setup = setup_with_a_wrong_key();
    (setup.settings.recheck_first, setup.settings.recheck_longest) =
        (Duration::from_millis(100), Duration::from_millis(100));
    let plastic = card(0);
    let slot = setup.readers.clone().add(READER);
    slot.insert(plastic.clone());
    let mut agent = setup.agent();
    assert_not_again(&mut agent, &plastic, "first");
    let listing = setup.journal.history().unwrap().records;
    let record = file_named(setup.journal.folder(), &format!("{}.json", listing[0].id)).unwrap();
    let text = std::fs::read(&record).unwrap();
    std::fs::write(&record, &text[..text.len() / 2]).unwrap();
    slot.remove();
    agent.sees(READER, EventKind::Removed);
    slot.insert(plastic.clone());
    let report = agent.ends(READER, Phase::Waiting);
    assert_eq!((refusals(&plastic), report.exit), (1, Some(9)), "{report:?}");
    // Put right, it says what it said before; the agent has looked again.
    std::fs::write(&record, &text).unwrap();
    agent.until("the refusal", |event| {
        event.event == EventKind::Phase && event.reader.as_ref().is_some_and(|report| report.phase == Phase::Failed)
    });
    assert_eq!(refusals(&plastic), 1);
}

/// The file of this name in the folder or below.
fn file_named(folder: &Path, name: &str) -> Option<PathBuf> {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.into_iter().find_map(|path| match path.is_dir() {
        true => file_named(&path, name),
        false => path.ends_with(name).then_some(path),
    })
}
