//! Faults that follow each other: one at the server and then one at the card, one at the card and then another, and two in
//! one job. A sample, drawn with a fixed seed.

use std::sync::Mutex;

use pinwright::job::CardState;
use pinwright::job::effect::ProofState;
use pinwright::provision::RiskedProof;
use pinwright::sim::server::{Endpoint, Fault, FaultKind};
use support::provisioning::{COMBINATIONS, InsertedCard, JobSetup, Kind, Lines, OLD, Person, TRIES, told};
use support::sample::Sample;

use crate::card_faults::{Strike, exchanges, strikes};
use crate::case_journal::{CaseJournal, current, secrets};

/// Pairs for each family and authority.
const SAMPLE: usize = 50;

/// What goes wrong in one job.
#[derive(Clone, Debug)]
enum Trouble {
    Card(usize, Strike),
    Server(Endpoint, FaultKind),
    /// The server's fault is of the kind that a repetition heals, so that the card's is reached.
    Both(Endpoint, FaultKind, usize, Strike),
}

struct Rng(u64);

impl Rng {
    fn below(&mut self, limit: usize) -> usize {
        // Numerical Recipes' generator: any will do, as long as it is always the same.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    fn trouble(&mut self, length: usize) -> Trouble {
        let calls = [Endpoint::Smartcards, Endpoint::Requests, Endpoint::CardPolicy, Endpoint::PinByCard];
        let lasting = [
            FaultKind::status(401),
            FaultKind::status(409),
            FaultKind::Html,
            FaultKind::Garbage,
            FaultKind::TruncatedBody,
            FaultKind::WrongJsonType,
            FaultKind::DropMidBody,
            FaultKind::status(500),
            FaultKind::Oversize { declared: true },
        ];
        let passing =
            [FaultKind::status(503), FaultKind::DropBeforeHeaders, FaultKind::status_with(429, "Retry-After", "0")];
        // What a card says of a write that it never made is true again in no later job.
        let strikes: Vec<Strike> =
            strikes().into_iter().filter(|s| !s.lies() && !matches!(s, Strike::OtherId | Strike::SameId)).collect();
        match self.below(4) {
            0 => Trouble::Server(self.one(&calls), self.one(&lasting)),
            1 => Trouble::Both(self.one(&calls), self.one(&passing), self.below(length), self.one(&strikes)),
            _ => Trouble::Card(self.below(length), self.one(&strikes)),
        }
    }
}

fn arm(setup: &JobSetup, inserted: &InsertedCard, trouble: &Trouble) {
    inserted.honest();
    let card = |at: usize, strike: Strike| match (strike, strike.fault()) {
        (_, Some(fault)) => inserted.card.with(|tap| tap.faulty.after(at, fault)),
        (Strike::Executed(word), None) => {
            let mut index = 0;
            inserted.forge(move |_, answer| {
                index += 1;
                if index == at + 1 { word.to_be_bytes().to_vec() } else { answer }
            });
        }
        (other, None) => panic!("{other:?} is not for pairs"),
    };
    match trouble {
        Trouble::Card(at, strike) => card(*at, *strike),
        Trouble::Server(call, kind) => setup.server.inject(Fault::on(*call, kind.clone())),
        Trouble::Both(call, kind, at, strike) => {
            setup.server.inject(Fault::on(*call, kind.clone()));
            card(*at, *strike);
        }
    }
}

/// A job under that trouble; `false` is an authority that could not know the PIN.
fn job(
    setup: &mut JobSetup,
    case_journal: &CaseJournal,
    inserted: &InsertedCard,
    trouble: Option<&Trouble>,
) -> Result<bool, String> {
    let before = current(setup, inserted).ok_or("a PIN that nobody knows")?;
    let open = case_journal.open();
    let made = setup.server.state().pins().len();
    inserted.forget_sent();
    if let Some(trouble) = trouble {
        arm(setup, inserted, trouble);
    }
    let mut person = Person { current_pin: Some(before.clone()), ..Person::knowing() };
    let run = setup.run(inserted, &mut person);
    setup.server.state().clear_faults();
    inserted.honest();
    let new = setup.server.state().pins().split_off(made).iter().any(|pin| inserted.pin_is(pin));
    let old = inserted.pin_is(&before);
    let mut wrong = case_journal.check(&run.result, |_| (old, new));
    wrong.extend(case_journal.leaks(&run.result, &secrets(setup, inserted)));
    if inserted.tries() != TRIES || inserted.card.with(|tap| tap.faulty.card().admin_failures()) != 0 {
        wrong.push(format!("{} tries left", inserted.tries()));
    }
    if inserted.admin_answers() > 1 || inserted.authenticated() {
        wrong.push("two answers, or somebody still authenticated".to_owned());
    }
    let done = run.result.is_ok();
    match &run.result {
        Ok(outcome) => {
            if !new {
                wrong.push("success without the new PIN".to_owned());
            }
            wrong.extend(case_journal.settled(outcome, &open));
        }
        Err(failure) => {
            let truth = match failure.card_state() {
                CardState::Untouched | CardState::TrySpent => old,
                CardState::PinSet => new,
                // An enrollment alone ends so.
                CardState::Changed => false,
                CardState::Unknown => old || new,
            };
            if !truth {
                wrong.push(format!("{} is not so", failure.card_state().name()));
            }
            // Nothing is settled by a job that did not end well.
            let still = case_journal.open();
            if open.iter().any(|record| !still.contains(record)) {
                wrong.push("an earlier record was settled by a failure".to_owned());
            }
        }
    }
    // The card is put right for the next job.
    if inserted.card.with(|tap| tap.faulty.removed()) {
        inserted.card.with(|tap| tap.faulty.reinsert());
        inserted.slot.insert(inserted.card.clone());
    }
    match (wrong.is_empty(), run.result) {
        (true, _) => Ok(done),
        (false, Ok(_)) => Err(wrong.join(" + ")),
        (false, Err(failure)) => Err(format!("{} | {}", wrong.join(" + "), told(&failure))),
    }
}

fn pairs((kind, authority): (Kind, &str), seed: u64) -> (usize, Vec<String>) {
    let lines = Lines { server: "timeout = \"3s\"".to_owned(), ..Lines::default() };
    let mut setup = JobSetup::with(kind, authority, &lines, |_| {});
    let length = exchanges(&mut setup, kind);
    let case_journal = CaseJournal::of(&mut setup);
    let mut rng = Rng(seed);
    let mut violations = Vec::new();
    let drawn = Sample::from(0).of(SAMPLE);
    for _ in 0..drawn {
        let troubles = [rng.trouble(length), rng.trouble(length)];
        case_journal.clear();
        let inserted = InsertedCard::new(kind);
        let case = |what: &str, violation: String| format!("{kind:?}, {authority}, {troubles:?}, {what}: {violation}");
        for (trouble, what) in troubles.iter().zip(["first", "second"]) {
            if let Err(violation) = job(&mut setup, &case_journal, &inserted, Some(trouble)) {
                violations.push(case(what, violation));
            }
        }
        // A fault that was planned beyond the end of its job must not strike now.
        inserted.card.with(|tap| tap.faulty.forget());
        let mut rerun = job(&mut setup, &case_journal, &inserted, None);
        // An answer that the card has refused is barred, and the rerun is not done: somebody takes the risk.
        let refused = case_journal.records().iter().any(|record| record.proof() == ProofState::Refused);
        if rerun == Ok(false) && refused && matches!(authority, "server" | "admin-key") {
            setup.risk = Some(RiskedProof::Admin);
            rerun = job(&mut setup, &case_journal, &inserted, None);
            setup.risk = None;
        }
        match rerun {
            Ok(true) if !inserted.pin_is(OLD) => {}
            Ok(_) => violations.push(case("rerun", "not done".to_owned())),
            Err(violation) => violations.push(case("rerun", violation)),
        }
    }
    (drawn, violations)
}

#[test]
fn a_sample_of_pairs_of_faults_in_jobs_that_follow_each_other() {
    let work = Mutex::new(COMBINATIONS.into_iter().zip(1..).collect::<Vec<_>>());
    let result = Mutex::new((0, Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some((combination, seed)) = { work.lock().unwrap().pop() } {
                    let (cases, violations) = pairs(combination, seed);
                    let mut result = result.lock().unwrap();
                    result.0 += cases;
                    result.1.extend(violations);
                }
            });
        }
    });
    let (cases, violations) = result.into_inner().unwrap();
    println!("pairs of faults: a sample of {cases}, {} violations", violations.len());
    assert!(violations.is_empty(), "{}", violations.iter().take(20).cloned().collect::<Vec<_>>().join("\n"));
}
