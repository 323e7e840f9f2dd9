//! Another program resets the card under a job, with the rules of PC/SC: every call on the old handle then fails, no command
//! goes through, and the service's view of insertions does not change.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use pinwright::provision::Step;
use pinwright::provision::supplier::Need;
use pinwright::reader::{Atr, Connection, EndAction, Frame, Presence, Protocol, ReaderEntry, ReaderError, Readers};
use pinwright::sim::card::{SharedCard, VirtualCard as _};
use pinwright::sim::server::Endpoint;
use support::provisioning::{Bench, Kind, OLD, Person, TRIES, Tap, World, told};

use crate::card_faults::COMBINATIONS;
use crate::diary::{Diary, current};

/// Readers that others use as well.
struct Contended<'a> {
    bench: &'a Bench,
    strike: Arc<AtomicBool>,
    opened: AtomicUsize,
}

impl Readers for Contended<'_> {
    fn list(&self) -> Result<Vec<ReaderEntry>, ReaderError> {
        self.bench.readers.list()
    }

    fn open(&self, reader: &str) -> Result<Box<dyn Connection>, ReaderError> {
        self.opened.fetch_add(1, Ordering::Relaxed);
        let inner = self.bench.readers.open(reader)?;
        let (card, strike) = (self.bench.card.clone(), Arc::clone(&self.strike));
        Ok(Box::new(Shaken { inner, card, strike, reset: false }))
    }
}

struct Shaken {
    inner: Box<dyn Connection>,
    card: SharedCard<Tap>,
    strike: Arc<AtomicBool>,
    reset: bool,
}

impl Shaken {
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

impl Connection for Shaken {
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

fn challenges(bench: &Bench) -> usize {
    let challenge = |sent: &&Vec<u8>| sent.starts_with(&[0, 0x87, 0, 0, 4]) || sent.get(1) == Some(&0x84);
    bench.card.with(|tap| tap.sent.iter().filter(challenge).count())
}

fn strike(world: &mut World, diary: &Diary, (kind, authority): (Kind, &str), step: Step, times: usize) {
    let case = format!("{kind:?}, {authority}, reset at {step:?}, {times} times");
    diary.clear();
    let bench = Bench::new(kind);
    let flag = Arc::new(AtomicBool::new(false));
    let readers = Contended { bench: &bench, strike: Arc::clone(&flag), opened: AtomicUsize::new(0) };
    world.server.state().clear_log();
    let made = world.server.state().pins().len();
    let mut left = times;
    // Nobody has to be waited for: one hold of the card for each run.
    let mut person = Person { at_hand: vec![Need::AdminKey, Need::CurrentPin], ..Person::knowing() };
    let run = world.run_over(&readers, &mut person, |now| {
        if now == step && left > 0 {
            left -= 1;
            flag.store(true, Ordering::Relaxed);
        }
    });
    let opened = readers.opened.load(Ordering::Relaxed);
    let new = current(world, &bench).is_some_and(|pin| pin != OLD);
    assert_eq!(diary.check(&run.result, |_| (bench.pin_is(OLD), new)), Vec::<String>::new(), "{case}");
    assert!(challenges(&bench) <= 2 && bench.admin_answers() <= 1, "{case}: one fresh challenge at most");
    assert_eq!((bench.tries(), bench.card.with(|tap| tap.faulty.card().admin_failures())), (TRIES, 0), "{case}");
    assert!(!bench.authenticated(), "{case}");
    let asked = |endpoint| world.server.requests().iter().filter(|call| call.endpoint == Some(endpoint)).count();
    assert!(asked(Endpoint::PinByCard) <= 1 && world.server.state().pins().len() <= made + 1, "{case}: one PIN");
    assert!(asked(Endpoint::AuthenticationResponse) <= 2, "{case}");
    world.assert_no_violations(&case);
    let before = diary.open();
    if step < Step::Authorize && times == 1 {
        run.ok(&case);
        assert_eq!((opened, bench.admin_answers()), (2, usize::from(authority != "current-pin")), "{case}");
        let twice = authority == "server" && step > Step::Challenge;
        assert_eq!(asked(Endpoint::AuthenticationResponse) == 2, twice, "{case}: a fresh answer for a fresh challenge");
        return;
    }
    let failure = run.failed(&case);
    if step < Step::Authorize {
        assert_eq!(opened, 2, "{case}: no third time");
        assert!(diary.records().is_empty(), "{case}");
        bench.assert_not_risked(&case);
    } else {
        assert_eq!(opened, 1, "{case}: what may have been written is not repeated: {}", told(&failure));
    }
    let mut person = Person { current_pin: current(world, &bench), ..Person::knowing() };
    let outcome = world.run(&bench, &mut person).ok(&case);
    assert_eq!(diary.settled(&outcome, &before), Vec::<String>::new(), "{case}");
}

#[test]
fn a_reset_by_another_program_at_every_step() {
    let mut cases = 0;
    for combination in COMBINATIONS {
        let mut world = World::new(combination.0, combination.1);
        let diary = Diary::of(&mut world);
        for step in STEPS {
            for times in [1, 2, 9] {
                cases += 1;
                strike(&mut world, &diary, combination, step, times);
            }
        }
    }
    println!("resets by another program: {cases} cases, 0 violations");
}
