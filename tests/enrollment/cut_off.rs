//! Runs that are cut off anywhere, by the card or with the process, and the run after them.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pinwright::enroll::job::{Ended, EnrollJob};
use pinwright::enroll::next::Purpose;
use pinwright::exit::Exit;
use pinwright::job::{Cause, Stop};
use pinwright::provision::{AdminKeyRule, RiskedProof};
use pinwright::reader::{Atr, Connection, EndAction, Frame, Presence, Protocol, ReaderEntry, ReaderError, Readers};
use pinwright::sim::fault::{Fault, Faulty};
use pinwright::sim::gids::GidsCard;
use pinwright::sim::reader::VirtualReaders;
use support::provisioning::KEY;
use support::sample::Sample;

use crate::site::{READER, Site, gids, template, told};

/// Readers in which the process ends at one exchange with the card: before it or after it.
pub struct Ending<'a> {
    readers: &'a VirtualReaders,
    left: Arc<AtomicUsize>,
    after: bool,
}

struct EndingConnection {
    inner: Box<dyn Connection>,
    left: Arc<AtomicUsize>,
    after: bool,
}

impl<'a> Ending<'a> {
    pub fn new(readers: &'a VirtualReaders, at: usize, after: bool) -> Self {
        Self { readers, left: Arc::new(AtomicUsize::new(at)), after }
    }
}

impl Readers for Ending<'_> {
    fn list(&self) -> Result<Vec<ReaderEntry>, ReaderError> {
        self.readers.list()
    }

    fn open(&self, reader: &str) -> Result<Box<dyn Connection>, ReaderError> {
        let (left, after) = (Arc::clone(&self.left), self.after);
        Ok(Box::new(EndingConnection { inner: self.readers.open(reader)?, left, after }))
    }
}

impl Connection for EndingConnection {
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
        let is_it = self.left.fetch_sub(1, Ordering::Relaxed) == 0;
        if is_it && !self.after {
            resume_unwind(Box::new(ENDED));
        }
        let answer = self.inner.transmit(command);
        if is_it {
            resume_unwind(Box::new(ENDED));
        }
        answer
    }

    fn presence(&mut self) -> Result<Presence, ReaderError> {
        self.inner.presence()
    }

    fn keep_alive(&mut self) -> Result<(), ReaderError> {
        self.inner.keep_alive()
    }

    fn end(self: Box<Self>, action: EndAction) -> Result<(), ReaderError> {
        self.inner.end(action)
    }
}

const ENDED: &str = "the process ends here";

type Card = Faulty<GidsCard>;

fn site(fault: Option<(usize, Fault)>) -> Site<Card> {
    let card = Faulty::new(gids());
    let card = match fault {
        Some((at, fault)) => card.at(at, fault),
        None => card,
    };
    Site::new(card, template(true))
}

/// What the run after a cut has needed of a person.
#[derive(Debug, Default)]
struct Helped {
    /// Which admin key is on the card.
    admin_key: bool,
    runs: usize,
}

/// Runs until the request is completed. Whatever was cut off: no call that changes the server is sent twice, no try is lost, and one
/// key pair is on the card.
fn finish(site: &mut Site<Card>, job: &EnrollJob, case: &str) -> Helped {
    let (mut job, mut helped) = (job.clone(), Helped::default());
    let outcome = loop {
        helped.runs += 1;
        assert!(helped.runs < 4, "{case}: it does not end\n{}", site.lines());
        site.card.with(Faulty::reinsert);
        match site.run(&job) {
            Ok(Ended::Done(outcome)) => break outcome,
            Ok(Ended::AwaitsApproval(_)) => panic!("{case}"),
            Err(failure) => match failure.cause.as_ref() {
                Cause::Stop(Stop::AdminKeyUnknown { .. }) => {
                    assert_eq!(Exit::from(&failure), Exit::Attention, "{case}");
                    let is_old = site.card.with(|card| card.card().admin_key_is(&KEY));
                    let rule = if is_old { AdminKeyRule::Default } else { AdminKeyRule::Diversified };
                    assert_ne!(job.rules.admin_key, rule, "{case}");
                    job.rules.admin_key = rule;
                    helped.admin_key = true;
                }
                // A card that has answered 6F00 to the server's answer has refused it, as far as it says.
                Cause::AnswerBarred { .. } => {
                    assert_eq!(Exit::from(&failure), Exit::Attention, "{case}");
                    assert_ne!(job.risk, Some(RiskedProof::Admin), "{case}");
                    job.risk = Some(RiskedProof::Admin);
                }
                _ => panic!("{case}: {}\n{}", told(&failure), site.lines()),
            },
        }
    };
    assert_eq!(outcome.certificates.len(), 1, "{case}\n{}", site.lines());
    check(site, case);
    helped
}

fn check(site: &mut Site<Card>, case: &str) {
    assert!(site.server.violations().is_empty(), "{case}: {:?}", site.server.violations());
    for (method, end) in [("POST", "/requests"), ("POST", "/smartcards"), ("POST", "/certificatedata")] {
        assert_eq!(site.calls(method, end), 1, "{case}: {method} {end}\n{}", site.lines());
    }
    let (failures, tries, keys) = site.card.with(|card| {
        let card = card.card();
        (card.admin_failures(), card.tries_left(), [0x81, 0x82].map(|key| card.has_key(key)))
    });
    assert_eq!((failures, tries), (0, 3), "{case}\n{}", site.lines());
    assert_eq!(keys, [true, false], "{case}: keys on the card\n{}", site.lines());
    assert!(site.records().iter().all(|record| !record.is_open()), "{case}: {:#?}", site.records());
}

fn exchanges() -> usize {
    let mut site = site(None);
    let job = site.job(Purpose::Enroll);
    site.done(&job);
    site.card.with(|card| card.exchanges())
}

#[test]
fn the_process_ends_at_any_exchange() {
    let all = exchanges();
    let (mut helped, mut sample) = (Vec::new(), Sample::from(0));
    for after in [false, true] {
        for at in (0..all).filter(|_| sample.takes()) {
            let mut site = site(None);
            let job = site.job(Purpose::Enroll);
            let readers = VirtualReaders::with_card(READER, site.card.clone());
            let ending = Ending::new(&readers, at, after);
            let cut = catch_unwind(AssertUnwindSafe(|| site.run_in(&ending, &job).map(drop)));
            let case = format!("exchange {at} of {all}, {}", if after { "after" } else { "before" });
            assert!(cut.is_err(), "{case}: it did not end");
            if finish(&mut site, &job, &case).admin_key {
                helped.push((at, after));
            }
        }
    }
    // Between the write of the admin key and its proof nobody can tell which key the card has.
    let least = usize::from(sample.is_whole());
    assert!((least..=4).contains(&helped.len()), "{helped:?}");
}

#[test]
fn the_card_fails_at_any_exchange() {
    let all = exchanges();
    type Make = fn() -> Fault;
    let faults: [(&str, Make); 4] = [
        ("removed", || Fault::Removed),
        ("reset", || Fault::Reset),
        ("answer lost", || Fault::LostAnswer),
        ("6F00", || Fault::StatusWord(0x6F00)),
    ];
    let mut sample = Sample::from(0);
    for (name, fault) in faults {
        for at in (0..all).filter(|_| sample.takes()) {
            let mut site = site(Some((at, fault())));
            let job = site.job(Purpose::Enroll);
            let case = format!("exchange {at} of {all}, {name}");
            match site.run(&job) {
                Ok(_) => check(&mut site, &case),
                Err(failure) => {
                    let state = failure.effect;
                    assert!(failure.journal.is_some() || state.is_none(), "{case}: {}", told(&failure));
                    finish(&mut site, &job, &case);
                }
            }
        }
    }
}
