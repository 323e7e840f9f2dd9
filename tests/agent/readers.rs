//! Readers and the service come and go, and some hang.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use pinwright::agent::Message;
use pinwright::agent::notifier::status_line;
use pinwright::agent::report::{EventKind, Phase, ServiceState};
use pinwright::reader::monitor::{CancelWait, StatusService, StatusSource};
use pinwright::reader::{Connection, ReaderEntry, ReaderError, Readers};
use pinwright::sim::fault::Fault;
use pinwright::sim::reader::VirtualReaders;

use crate::setup::{Setup, card};

const READER: &str = "Reader 00 00";
const OTHER: &str = "Reader 01 00";

#[test]
fn no_insertion_is_missed_between_twenty_restarts() {
    const ROUNDS: u8 = 20;
    let setup = Setup::new(ROUNDS);
    let mut readers = setup.readers.clone();
    let slot = readers.add(READER);
    let mut agent = setup.agent();
    agent.hears(EventKind::ServiceFound);
    for round in 0..ROUNDS {
        readers.set_service(false);
        agent.hears(EventKind::ServiceLost);
        let plastic = card(round);
        // While nobody looks, or just after.
        if round % 2 == 0 {
            slot.insert(plastic.clone());
            readers.set_service(true);
        } else {
            readers.set_service(true);
            slot.insert(plastic.clone());
        }
        agent.until("done", |event| {
            event.event == EventKind::Phase && event.reader.as_ref().is_some_and(|r| r.phase == Phase::Done)
        });
        setup.assert_done(&plastic, "between two restarts");
        slot.remove();
    }
    let totals = agent.status().totals;
    assert_eq!((totals.service_losses, totals.provisioned), (20, 20));
}

#[test]
fn a_reader_that_is_unplugged_in_mid_job_is_forgotten_and_its_card_done_later() {
    let setup = Setup::new(1);
    let mut readers = setup.readers.clone();
    let plastic = card(0);
    readers.add(READER).insert(plastic.clone());
    let mut agent = setup.agent();
    agent.reaches(READER, "resolve");
    readers.unplug(READER);
    agent.sees(READER, EventKind::ReaderRemoved);
    readers.add(READER).insert(plastic.clone());
    agent.sees(READER, EventKind::Inserted);
    agent.until("done", |event| {
        event.reader.as_ref().is_some_and(|r| r.phase == Phase::Done || r.phase == Phase::AlreadyDone)
    });
    assert!(setup.has_server_pin(&plastic));
    assert!(agent.status().readers.iter().all(|report| report.phase != Phase::Stuck));
}

#[test]
fn a_card_that_does_not_answer_leaves_its_reader_stuck_and_the_others_go_on() {
    let setup = Setup::new(2);
    let mut readers = setup.readers.clone();
    let (hanging, fine) = (card(0), card(1));
    hanging.with(|card| card.next(Fault::Hang));
    let mut agent = setup.agent();
    let slot = readers.add(READER);
    slot.insert(hanging.clone());
    let report = agent.ends(READER, Phase::Stuck);
    assert!(report.reason.is_some() && report.next_check.is_some(), "{report:?}");
    readers.add(OTHER).insert(fine.clone());
    agent.ends(OTHER, Phase::Done);
    // Pulled out and put in again it gets another chance.
    slot.remove();
    agent.sees(READER, EventKind::Removed);
    slot.insert(hanging.clone());
    agent.ends(READER, Phase::Done);
    setup.assert_done(&hanging, "after the second insertion");
}

#[test]
fn a_reader_that_hung_for_a_while_is_tried_again_with_the_card_in_it() {
    // As behind another program that holds its transaction for long: by itself after a while, and at once where asked.
    for asked in [true, false] {
        let mut setup = Setup::new(1);
        if !asked {
            setup.settings.recheck_first = Duration::from_millis(100);
        }
        let plastic = card(0);
        plastic.with(|card| card.next(Fault::Hang));
        setup.readers.clone().add(READER).insert(plastic.clone());
        let mut agent = setup.agent();
        agent.ends(READER, Phase::Stuck);
        if asked {
            assert_eq!(agent.sender.recheck(), Ok(1));
        }
        agent.ends(READER, Phase::Done);
        setup.assert_done(&plastic, "after the hang");
        // It hung for a while, and nothing failed for good.
        assert_eq!(agent.status().totals.failed, 0);
    }
}

/// One reader's `open` blocks until the test lets it go.
struct Blocking {
    inner: VirtualReaders,
    opened: Sender<()>,
    gate: std::sync::Mutex<Receiver<()>>,
}

impl Readers for Blocking {
    fn list(&self) -> Result<Vec<ReaderEntry>, ReaderError> {
        self.inner.list()
    }

    fn open(&self, reader: &str) -> Result<Box<dyn Connection>, ReaderError> {
        if reader == READER {
            self.opened.send(()).unwrap();
            // Ends when the test does.
            self.gate.lock().unwrap().recv().unwrap_err();
        }
        self.inner.open(reader)
    }
}

#[test]
fn a_call_that_never_returns_is_noticed_and_holds_up_neither_the_others_nor_the_end() {
    let mut setup = Setup::new(2);
    setup.settings.job_timeout = Duration::from_millis(300);
    setup.settings.stop_timeout = Duration::from_millis(300);
    let ((opened, is_open), (let_go, gate)) = (channel(), channel());
    setup.between =
        Some(Arc::new(Blocking { inner: setup.readers.clone(), opened, gate: std::sync::Mutex::new(gate) }));
    let mut readers = setup.readers.clone();
    let mut agent = setup.agent();
    let slot = readers.add(READER);
    slot.insert(card(0));
    is_open.recv().unwrap();
    let report = agent.ends(READER, Phase::Stuck);
    assert!(report.reason.unwrap().contains("has not ended"));
    let fine = card(1);
    readers.add(OTHER).insert(fine.clone());
    agent.ends(OTHER, Phase::Done);
    setup.assert_done(&fine, "beside a stuck reader");
    // The same reader again: its thread is still not back, so the card waits for it.
    slot.remove();
    agent.sees(READER, EventKind::Removed);
    slot.insert(card(0));
    assert_eq!(agent.sees(READER, EventKind::Inserted).phase, Phase::Stuck);
    readers.unplug(READER);
    agent.sees(READER, EventKind::ReaderRemoved);
    let stopped = agent.stop();
    assert_eq!(stopped.unfinished, [READER]);
    drop(let_go);
}

/// A service whose first connection works, until a defect shows in it.
struct Defective(VirtualReaders);

struct DefectiveSource(Box<dyn StatusSource>);

impl StatusService for Defective {
    fn connect(&self) -> Result<(Box<dyn StatusSource>, CancelWait), ReaderError> {
        let (source, cancel) = self.0.connect()?;
        Ok((Box::new(DefectiveSource(source)), cancel))
    }

    fn patience(&self) -> Duration {
        self.0.patience()
    }
}

impl StatusSource for DefectiveSource {
    fn look(&mut self) -> Result<Vec<ReaderEntry>, ReaderError> {
        self.0.look()
    }

    fn wait(&mut self, limit: Option<Duration>) -> Result<(), ReaderError> {
        drop(self.0.wait(limit));
        panic!("a defect, on purpose")
    }

    fn sees_new_readers(&self) -> bool {
        true
    }
}

#[test]
fn an_agent_whose_monitor_fails_ends_and_says_so() {
    let mut setup = Setup::new(1);
    let mut readers = setup.readers.clone();
    setup.status = Some(Arc::new(Defective(readers.clone())));
    let mut agent = setup.agent();
    agent.hears(EventKind::ServiceFound);
    readers.add(READER);
    agent.hears(EventKind::Stopping);
    let stopped = agent.ended();
    assert!(stopped.monitor_failed && stopped.unfinished.is_empty(), "{stopped:?}");
}

#[test]
fn after_a_clock_jump_everything_is_looked_at_anew_and_nothing_is_written_twice() {
    let setup = Setup::new(1);
    let plastic = card(0);
    setup.readers.clone().add(READER).insert(plastic.clone());
    let mut agent = setup.agent();
    agent.ends(READER, Phase::Done);
    agent.sender.send(Message::ClockJumped).unwrap();
    agent.sees(READER, EventKind::Inserted);
    agent.ends(READER, Phase::AlreadyDone);
    setup.assert_done(&plastic, "after the jump");
}

#[test]
fn nothing_is_told_before_the_start() {
    // What the monitor sees may be in the mailbox before the loop begins.
    let mut agent = Setup::new(1).agent_with(vec![Message::ClockJumped]);
    assert_eq!(agent.until("the first", |_| true).event, EventKind::Started);
    agent.hears(EventKind::ClockJumped);
}

#[test]
fn an_idle_agent_is_not_woken_up() {
    let setup = Setup::new(1);
    setup.readers.clone().add(READER).insert(card(0));
    let mut agent = setup.agent();
    agent.ends(READER, Phase::Done);
    // The look after the last change comes a second later; it is the last.
    std::thread::sleep(Duration::from_millis(1500));
    let (before, events) = (setup.readers.wakes(), agent.rest().len());
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(setup.readers.wakes(), before);
    assert_eq!(agent.rest().len(), 0, "after {events}");
}

/// A service that refuses whoever asks.
struct Refusing;

impl StatusService for Refusing {
    fn connect(&self) -> Result<(Box<dyn StatusSource>, CancelWait), ReaderError> {
        Err(ReaderError::AccessDenied)
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(15)
    }
}

#[test]
fn a_service_that_refuses_the_agent_is_told_as_that() {
    let mut setup = Setup::new(1);
    setup.status = Some(Arc::new(Refusing));
    let mut agent = setup.agent();
    let told = agent.until("a word of the service", |event| event.event == EventKind::ServiceLost);
    let detail = told.detail.unwrap();
    assert!(detail.contains("refused access") && detail.contains("at growing intervals"), "{detail}");
    let status = agent.status();
    assert!(matches!(status.service, ServiceState::Absent { refused: true, .. }), "{status:?}");
    assert_eq!(status_line(&status), "The PC/SC service refuses the agent");
}
