//! PINs that do not come from the server, or do not fit.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use std::time::Duration;

use pinwright::agent::report::{EventKind, Phase};
use pinwright::card::PinLimits;
use pinwright::job::Cause;
use pinwright::job::consent::{Proposal, Standing};
use pinwright::job::secrets::{Need, SecretError};
use pinwright::job::supplier::Supplier;
use pinwright::secret::{AdminKey, Code, Pin};
use pinwright::sim::server::{Endpoint, Fault, FaultKind, PinMaker, Settings, UserPinOption};

use crate::setup::{Nobody, Setup, card, card_id, writes};

const READER: &str = "Reader 00 00";
const OTHER: &str = "Reader 01 00";

fn user_pins(settings: &mut Settings) {
    settings.templates[0].user_pin_option = UserPinOption::Name("UserProvided".to_owned());
    settings.pin_maker = PinMaker::UserProvided;
}

#[test]
fn a_pin_that_the_user_makes_needs_somebody_to_ask() {
    let mut setup = Setup::with(1, user_pins, "", Arc::new(|_, _| Box::new(Nobody)));
    let card = card(0);
    setup.readers.add(READER).insert(card.clone());
    let mut agent = setup.agent();
    let report = agent.ends(READER, Phase::NeedsPin);
    assert_eq!(report.exit, Some(7));
    let reason = report.reason.unwrap();
    assert!(reason.contains("Set `agent.pinentry`") && !reason.contains("file descriptor"), "{reason}");
    setup.assert_untouched(&card, "nobody to ask");
    agent.sender.recheck().unwrap();
    agent.ends(READER, Phase::NeedsPin);
}

/// Types what is given, for the card that is named.
struct Typist {
    pin: &'static [u8],
    asked: Arc<AtomicUsize>,
}

impl Supplier for Typist {
    fn at_hand(&self, _: Need) -> bool {
        false
    }

    fn new_pin(&mut self, _: PinLimits) -> Result<Pin, SecretError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        Ok(Pin::new(self.pin).unwrap())
    }

    fn standing(&self) -> Standing {
        Standing::Given
    }

    fn consent(&mut self, _: &Proposal<'_>, watch: &mut dyn FnMut() -> Result<(), Cause>) -> Result<(), Cause> {
        watch()
    }

    fn current_pin(&mut self) -> Result<Pin, SecretError> {
        Err(SecretError::NoTerminal { what: "the current PIN" })
    }

    fn code(&mut self, _: Need) -> Result<Code, SecretError> {
        Err(SecretError::NoTerminal { what: "the code" })
    }

    fn admin_key(&mut self) -> Result<AdminKey, SecretError> {
        Err(SecretError::NoTerminal { what: "the admin key" })
    }
}

#[test]
fn a_pin_that_the_user_types_is_set() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let typist = move |shown: &str, _| -> Box<dyn Supplier> {
        assert_eq!(shown, format!("card {} in reader {READER:?}", card_id(0)));
        Box::new(Typist { pin: b"97531864", asked: Arc::clone(&counted) })
    };
    let mut setup = Setup::with(1, user_pins, "", Arc::new(typist));
    let card = card(0);
    setup.readers.add(READER).insert(card.clone());
    let mut agent = setup.agent();
    agent.ends(READER, Phase::Done);
    assert!(card.with(|card| card.card().pin_is(b"97531864")));
    assert_eq!((asked.load(Ordering::SeqCst), writes(&card)), (1, 1));
}

#[test]
fn a_pin_that_does_not_fit_fails_and_is_not_tried_again() {
    let long = |settings: &mut Settings| settings.pin_maker = PinMaker::Fixed(vec![b'7'; 40]);
    let mut setup = Setup::with(1, long, "", Arc::new(|_, _| Box::new(Nobody)));
    let card = card(0);
    setup.readers.add(READER).insert(card.clone());
    let mut agent = setup.agent();
    let report = agent.ends(READER, Phase::Failed);
    assert_eq!((report.exit, report.card_state.as_deref(), report.next_check), (Some(8), Some("untouched"), None));
    assert_eq!(agent.sender.recheck(), Ok(0));
    setup.assert_untouched(&card, "misfit");
    assert_eq!(agent.status().totals.failed, 1);
}

/// Thinks longer than a job may take.
struct Slow(Typist);

impl Supplier for Slow {
    fn at_hand(&self, need: Need) -> bool {
        self.0.at_hand(need)
    }

    fn new_pin(&mut self, limits: PinLimits) -> Result<Pin, SecretError> {
        std::thread::sleep(Duration::from_millis(900));
        self.0.new_pin(limits)
    }

    fn standing(&self) -> Standing {
        self.0.standing()
    }

    fn consent(&mut self, it: &Proposal<'_>, watch: &mut dyn FnMut() -> Result<(), Cause>) -> Result<(), Cause> {
        self.0.consent(it, watch)
    }

    fn current_pin(&mut self) -> Result<Pin, SecretError> {
        self.0.current_pin()
    }

    fn admin_key(&mut self) -> Result<AdminKey, SecretError> {
        self.0.admin_key()
    }

    fn code(&mut self, need: Need) -> Result<Code, SecretError> {
        self.0.code(need)
    }
}

#[test]
fn a_person_who_takes_longer_than_a_job_may_is_not_cut_off_and_holds_up_nobody() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let typist = move || Slow(Typist { pin: b"86420975", asked: Arc::clone(&counter) });
    let mut setup = Setup::with(2, user_pins, "", Arc::new(move |_, _| Box::new(typist())));
    setup.settings.job_timeout = Duration::from_millis(600);
    // Both wait for the server; the first to get through then waits for a person.
    setup.server.inject(Fault::on(Endpoint::Smartcards, FaultKind::status(500)).times(2));
    let cards = [card(0), card(1)];
    let mut readers = setup.readers.clone();
    let mut agent = setup.agent();
    for (name, card) in [READER, OTHER].iter().zip(&cards) {
        readers.add(name).insert(card.clone());
    }
    let mut done = Vec::new();
    let mut waiting_for_people = 0;
    while done.len() < 2 {
        let event = agent.until("both done", |event| matches!(event.event, EventKind::Phase | EventKind::Step));
        let report = event.reader.unwrap();
        if event.event == EventKind::Phase && report.phase != Phase::ServerDown {
            assert_eq!(report.phase, Phase::Done, "{report:?}");
            done.push(report.reader);
        } else if report.step.as_deref() == Some("supply") && done.is_empty() {
            waiting_for_people += 1;
        }
    }
    assert_eq!(waiting_for_people, 2, "nobody waits for another's person");
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    cards.iter().for_each(|card| assert_eq!(writes(card), 1));
}
