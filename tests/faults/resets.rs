//! Another program resets the card under a job, with the rules of PC/SC: every call on the old handle then fails, no command
//! goes through, and the service's view of insertions does not change.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use pinwright::job::Step;
use pinwright::job::secrets::Need;
use pinwright::reader::{Atr, Connection, EndAction, Frame, Presence, Protocol, ReaderEntry, ReaderError, Readers};
use pinwright::sim::card::{SharedCard, VirtualCard as _};
use pinwright::sim::server::Endpoint;
use support::provisioning::{COMBINATIONS, InsertedCard, JobSetup, Kind, OLD, Person, TRIES, TappedCard, told};
use support::sample::Sample;

use crate::case_journal::{CaseJournal, current};

/// Readers that others use as well.
struct ContendedReaders<'a> {
    inserted: &'a InsertedCard,
    strike: Arc<AtomicBool>,
    opened: AtomicUsize,
}

impl Readers for ContendedReaders<'_> {
    fn list(&self) -> Result<Vec<ReaderEntry>, ReaderError> {
        self.inserted.readers.list()
    }

    fn open(&self, reader: &str) -> Result<Box<dyn Connection>, ReaderError> {
        self.opened.fetch_add(1, Ordering::Relaxed);
        let inner = self.inserted.readers.open(reader)?;
        let (card, strike) = (self.inserted.card.clone(), Arc::clone(&self.strike));
        Ok(Box::new(ContendedConnection { inner, card, strike, reset: false }))
    }
}

struct ContendedConnection {
    inner: Box<dyn Connection>,
    card: SharedCard<TappedCard>,
    strike: Arc<AtomicBool>,
    reset: bool,
}

impl ContendedConnection {
    fn usable(&mut self, operation: &'static str) -> Result<(), ReaderError> {
        if self.strike.swap(false, Ordering::Relaxed) {
            self.card.with(|tap| tap.reset());
            self.reset = true;
        }
        match self.reset {
            true => Err(ReaderError::CardReset { reader: self.inner.reader().to_owned(), operation }),
            false => Ok(()),
        }
    }
}

impl Connection for ContendedConnection {
    fn reader(&self) -> &str {
        self.inner.reader()
    }

    fn atr(&self) -> &Atr {
        self.inner.atr()
    }

    fn protocol(&self) -> Protocol {
        self.inner.protocol()
    }

    fn transmit(&mut self, command: &Frame) -> Result<Frame, ReaderError> {
        self.usable("sending a command")?;
        self.inner.transmit(command)
    }

    fn presence(&mut self) -> Result<Presence, ReaderError> {
        self.inner.presence()
    }

    fn keep_alive(&mut self) -> Result<(), ReaderError> {
        self.usable("waiting for the server")?;
        self.inner.keep_alive()
    }

    fn end(self: Box<Self>, action: EndAction) -> Result<(), ReaderError> {
        self.inner.end(action)
    }
}

const STEPS: [Step; 9] = [
    Step::Identify,
    Step::Resolve,
    Step::Challenge,
    Step::Ask,
    Step::Fit,
    Step::Bind,
    Step::Authorize,
    Step::SetPin,
    Step::Verify,
];

fn challenges(inserted: &InsertedCard) -> usize {
    let challenge = |sent: &&Vec<u8>| sent.starts_with(&[0, 0x87, 0, 0, 4]) || sent.get(1) == Some(&0x84);
    inserted.card.with(|tap| tap.sent.iter().filter(challenge).count())
}

fn strike(setup: &mut JobSetup, case_journal: &CaseJournal, (kind, authority): (Kind, &str), step: Step, times: usize) {
    let case = format!("{kind:?}, {authority}, reset at {step:?}, {times} times");
    case_journal.clear();
    let inserted = InsertedCard::new(kind);
    let flag = Arc::new(AtomicBool::new(false));
    let readers = ContendedReaders { inserted: &inserted, strike: Arc::clone(&flag), opened: AtomicUsize::new(0) };
    setup.server.state().clear_log();
    let made = setup.server.state().pins().len();
    let mut left = times;
    // Nobody has to be waited for: one hold of the card for each run.
    let mut person = Person { at_hand: vec![Need::AdminKey, Need::CurrentPin], ..Person::knowing() };
    let run = setup.run_over(&readers, &mut person, |now| {
        if now == step && left > 0 {
            left -= 1;
            flag.store(true, Ordering::Relaxed);
        }
    });
    let opened = readers.opened.load(Ordering::Relaxed);
    let new = current(setup, &inserted).is_some_and(|pin| pin != OLD);
    assert_eq!(case_journal.check(&run.result, |_| (inserted.pin_is(OLD), new)), Vec::<String>::new(), "{case}");
    assert!(challenges(&inserted) <= 2 && inserted.admin_answers() <= 1, "{case}: one fresh challenge at most");
    assert_eq!((inserted.tries(), inserted.card.with(|tap| tap.faulty.card().admin_failures())), (TRIES, 0), "{case}");
    assert!(!inserted.authenticated(), "{case}");
    let asked = |endpoint| setup.server.requests().iter().filter(|call| call.endpoint == Some(endpoint)).count();
    assert!(asked(Endpoint::PinByCard) <= 1 && setup.server.state().pins().len() <= made + 1, "{case}: one PIN");
    assert!(asked(Endpoint::AuthenticationResponse) <= 2, "{case}");
    setup.assert_no_violations(&case);
    let before = case_journal.open();
    if (step as u8) < Step::Authorize as u8 && times == 1 {
        run.ok(&case);
        assert_eq!((opened, inserted.admin_answers()), (2, usize::from(authority != "current-pin")), "{case}");
        let twice = authority == "server" && step as u8 > Step::Challenge as u8;
        assert_eq!(asked(Endpoint::AuthenticationResponse) == 2, twice, "{case}: a fresh answer for a fresh challenge");
        return;
    }
    let failure = run.failed(&case);
    if (step as u8) < Step::Authorize as u8 {
        assert_eq!(opened, 2, "{case}: no third time");
        assert!(case_journal.records().is_empty(), "{case}");
        inserted.assert_not_risked(&case);
    } else {
        assert_eq!(opened, 1, "{case}: what may have been written is not repeated: {}", told(&failure));
    }
    let mut person = Person { current_pin: current(setup, &inserted), ..Person::knowing() };
    let outcome = setup.run(&inserted, &mut person).ok(&case);
    assert_eq!(case_journal.settled(&outcome, &before), Vec::<String>::new(), "{case}");
}

#[test]
fn a_reset_by_another_program_at_every_step() {
    let (mut cases, mut sample) = (0, Sample::from(0));
    for combination in COMBINATIONS {
        let mut setup = JobSetup::new(combination.0, combination.1);
        let case_journal = CaseJournal::of(&mut setup);
        for step in STEPS {
            for times in [1, 2, 9].into_iter().filter(|_| sample.takes()) {
                cases += 1;
                strike(&mut setup, &case_journal, combination, step, times);
            }
        }
    }
    println!("resets by another program: {cases} cases{sample}, 0 violations");
}
