//! PINs that do not come from the server, or do not fit.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pinwright::agent::report::Phase;
use pinwright::card::PinLimits;
use pinwright::provision::Cause;
use pinwright::provision::supplier::{Need, SecretError, Supplier};
use pinwright::secret::{AdminKey, Code, Pin};
use pinwright::sim::server::{PinMaker, Settings, UserPinOption};

use crate::office::{Nobody, Office, card, card_id, writes};

const READER: &str = "Reader 00 00";

fn user_pins(settings: &mut Settings) {
    settings.templates[0].user_pin_option = UserPinOption::Name("UserProvided".to_owned());
    settings.pin_maker = PinMaker::UserProvided;
}

#[test]
fn a_pin_that_the_user_makes_needs_somebody_to_ask() {
    let mut office = Office::with(1, user_pins, "", Arc::new(|_, _| Box::new(Nobody)));
    let card = card(0);
    office.readers.add(READER).insert(card.clone());
    let mut agent = office.agent();
    let report = agent.ends(READER, Phase::NeedsPin);
    assert_eq!(report.exit, Some(7));
    office.assert_untouched(&card, "nobody to ask");
    agent.post.recheck().unwrap();
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

    fn consent(&mut self, _: &str, watch: &mut dyn FnMut() -> Result<(), Cause>) -> Result<(), Cause> {
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
    let mut office = Office::with(1, user_pins, "", Arc::new(typist));
    let card = card(0);
    office.readers.add(READER).insert(card.clone());
    let mut agent = office.agent();
    agent.ends(READER, Phase::Done);
    assert!(card.with(|card| card.card().pin_is(b"97531864")));
    assert_eq!((asked.load(Ordering::SeqCst), writes(&card)), (1, 1));
}

#[test]
fn a_pin_that_does_not_fit_fails_and_is_not_tried_again() {
    let long = |settings: &mut Settings| settings.pin_maker = PinMaker::Fixed(vec![b'7'; 40]);
    let mut office = Office::with(1, long, "", Arc::new(|_, _| Box::new(Nobody)));
    let card = card(0);
    office.readers.add(READER).insert(card.clone());
    let mut agent = office.agent();
    let report = agent.ends(READER, Phase::Failed);
    assert_eq!((report.exit, report.card_state.as_deref(), report.next_check), (Some(8), Some("untouched"), None));
    assert_eq!(agent.post.recheck(), Ok(0));
    office.assert_untouched(&card, "misfit");
    assert_eq!(agent.status().totals.failed, 1);
}
