//! Every way in which a card and its link can fail, at every exchange: what a failure says of the card is true of the card.

use std::sync::Mutex;

use pinwright::job::authority::Authority;
use pinwright::job::effect::ProofState;
use pinwright::job::journal::Record;
use pinwright::job::{CardState, Cause, Failure};
use pinwright::provision::RiskedProof;
use pinwright::sim::card::SharedCard;
use pinwright::sim::fault::{Fault, Faulty};
use support::provisioning::{
    CARD_A, CARD_B, InsertedCard, InspectableCard, JobSetup, KEY, Kind, OLD, Person, TRIES, all_combinations, told,
};
use support::sample::Sample;

use crate::case_journal::{CaseJournal, current, secrets};

/// `card.min_tries_left` of every set-up.
const MIN_TRIES: u8 = 2;

const WORDS: [u16; 22] = [
    0x6982, 0x6983, 0x6984, 0x6985, 0x6986, 0x6A80, 0x6A82, 0x6A86, 0x6A88, 0x6700, 0x6D00, 0x6E00, 0x6F00, 0x6581,
    0x6283, 0x63C0, 0x63C2, 0x6300, 0x6100, 0x6108, 0x6C08, 0x9000,
];

/// A fault by name, made afresh for each case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strike {
    Removed,
    Reset,
    LostCommand,
    LostAnswer,
    Hang,
    Word(u16),
    Replace(usize),
    Truncate(usize),
    Append(&'static [u8]),
    /// Executed, and then this word alone.
    Executed(u16),
    /// Another card from here on, and the reader did not notice: another ID, or the same one.
    OtherId,
    SameId,
}

pub fn strikes() -> Vec<Strike> {
    use Strike::{
        Append, Executed, Hang, LostAnswer, LostCommand, OtherId, Removed, Replace, Reset, SameId, Truncate, Word,
    };
    let mut all = vec![Removed, Reset, LostCommand, LostAnswer, Hang, OtherId, SameId];
    all.extend(WORDS.map(Word));
    all.extend([0, 1, 2, 300].map(Replace));
    all.extend([0, 1, 2, 5].map(Truncate));
    all.extend([
        Append(&[0x00]),
        Append(&[0x90, 0x00]),
        Append(&[0x69, 0x82]),
        Append(&[0x63, 0xC2]),
        Append(&[0xA5; 300]),
    ]);
    all.extend([Executed(0x6100), Executed(0x6110), Executed(0x6581), Executed(0x6200), Executed(0x6F00)]);
    all
}

impl Strike {
    /// The card says "done" of a write that it never made: no client can know better until it asks.
    pub fn lies(self) -> bool {
        matches!(self, Self::Word(0x9000 | 0x6100 | 0x6108))
    }

    /// The fault, where it is one of a single card.
    pub fn fault(self) -> Option<Fault> {
        Some(match self {
            Self::Removed => Fault::Removed,
            Self::Reset => Fault::Reset,
            Self::LostCommand => Fault::LostCommand,
            Self::LostAnswer => Fault::LostAnswer,
            Self::Hang => Fault::Hang,
            Self::Word(word) => Fault::StatusWord(word),
            Self::Replace(length) => Fault::Replace(vec![0x5A; length]),
            Self::Truncate(length) => Fault::Truncate(length),
            Self::Append(more) => Fault::Append(more.to_vec()),
            Self::OtherId | Self::SameId | Self::Executed(_) => return None,
        })
    }
}

type Other = SharedCard<Box<dyn InspectableCard>>;

/// What a case was, beside right.
#[derive(Default)]
struct Counts {
    cases: usize,
    /// Ended in the documented dead end of the current PIN, and left it with another authority.
    dead_ends: usize,
    /// Met a PUK of which a try may be lost and nothing tells, and left it to a person.
    uncounted: usize,
    /// Refused answers that barred the next job.
    barred: usize,
}

fn case(
    setup: &mut JobSetup,
    case_journal: &CaseJournal,
    (kind, authority, at, strike): (Kind, &str, usize, Strike),
    counts: &mut Counts,
) -> Result<(), String> {
    counts.cases += 1;
    case_journal.clear();
    let other: Option<Other> = match strike {
        Strike::OtherId => Some(SharedCard::new(kind.card(CARD_B, KEY, OLD))),
        Strike::SameId => Some(SharedCard::new(kind.card(CARD_A, KEY, OLD))),
        _ => None,
    };
    let fault = match (&other, strike.fault()) {
        (Some(card), _) => Some(Fault::Swap(Box::new(card.clone()))),
        (None, fault) => fault,
    };
    let mut faulty = Faulty::new(kind.card(CARD_A, KEY, OLD));
    if let Some(fault) = fault {
        faulty = faulty.at(at, fault);
    }
    let inserted = InsertedCard::of(faulty, kind);
    if let Strike::Executed(word) = strike {
        let mut index = 0;
        inserted.forge(move |_, answer| {
            index += 1;
            if index == at + 1 { word.to_be_bytes().to_vec() } else { answer }
        });
    }
    setup.server.state().clear_log();
    let pins = setup.server.state().pins().len();
    let run = setup.run(&inserted, &mut Person::knowing());
    let state = setup.server.state();
    let made = if state.pins().len() > pins { state.last_pin() } else { None };
    let made_for_other =
        setup.server.requests().iter().any(|call| call.path.contains("17cf063d-e337-4aa9-a822-346554ddd3ca"));
    let new_on = |card: &dyn InspectableCard| made.as_deref().is_some_and(|pin| card.pin_is(pin));
    let look = |look: &dyn Fn(&dyn InspectableCard) -> bool| inserted.card.with(|tap| look(tap.faulty.card().as_ref()));
    let on_a = look(&|card| new_on(card));
    let on_other = other.as_ref().is_some_and(|other| other.with(|card| new_on(card.as_ref())));
    let old_on = |card: &dyn InspectableCard| card.pin_is(OLD);
    let mut wrong = case_journal.check(&run.result, |record: &Record| match &other {
        None => (look(&old_on), on_a),
        Some(other) if strike == Strike::OtherId && record.card_id() == Some(kind.guid(CARD_B)) => {
            (other.with(|card| old_on(card.as_ref())), on_other)
        }
        Some(_) if strike == Strike::OtherId => (look(&old_on), on_a),
        // Two cards under one name: what is said must be true of both, what was done of one.
        Some(other) => (look(&old_on) && other.with(|card| old_on(card.as_ref())), on_a || on_other),
    });
    wrong.extend(case_journal.leaks(&run.result, &secrets(setup, &inserted)));
    let mut insist = |holds: bool, what: &str| {
        if !holds {
            wrong.push(what.to_owned());
        }
    };
    // Whatever came of it.
    insist(inserted.admin_answers() <= 1, "one admin answer at most");
    // A reset before anything was risked is followed by one fresh start: at most the job twice.
    insist(inserted.apdus() <= 30, "a bounded number of commands");
    // A card that was swapped unnoticed is not in the reader any more.
    insist(other.is_some() || !inserted.authenticated(), "nobody is left authenticated on the card");
    insist(!other.as_ref().is_some_and(|other| other.with(|card| card.authenticated())), "nor on the other one");
    insist(look(&|card| card.admin_failures() == 0), "no admin try lost");
    insist(look(&|card| card.code_tries_lost() == 0), "no try of a PUK or code lost");
    insist(!(on_a && made_for_other && strike == Strike::OtherId), "a PIN made for B is not on A");
    insist(!(on_other && !made_for_other && strike == Strike::OtherId), "a PIN made for A is not on B");
    if let Some(other) = &other {
        insist(
            other.with(|card| (card.tries(), card.code_tries_lost()) == (TRIES, 0)),
            "no try lost on the other card",
        );
        insist(other.with(|card| card.pin_is(OLD) || new_on(card.as_ref())), "the other card's PIN is known");
    }
    match &run.result {
        Ok(outcome) => {
            insist(on_a || on_other, "success: the new PIN is on the card");
            insist(inserted.tries() == TRIES, "success: all tries");
            let id = if made_for_other { CARD_B } else { CARD_A };
            insist(outcome.card.card_id.guid() == kind.guid(id), "success: the right card is named");
        }
        Err(failure) => {
            let old = look(&|card| card.pin_is(OLD));
            insist(
                match failure.card_state() {
                    CardState::Untouched | CardState::TrySpent => old && !on_other,
                    CardState::PinSet => on_a || on_other,
                    // An enrollment alone ends so.
                    CardState::Changed => false,
                    CardState::Unknown => old || on_a,
                },
                "the stated card state is true",
            );
            let lost = TRIES - inserted.tries();
            let stated = match failure.card_state() {
                // The current PIN is right, so nothing is lost even where a try was risked.
                CardState::Untouched | CardState::PinSet | CardState::TrySpent | CardState::Changed => 0,
                CardState::Unknown => u8::from(strike.lies()),
            };
            insist(lost <= stated, "no PIN try is lost unless the card had lied");
            insist(!failure.cause.remedy().is_empty(), "a remedy");
            let told = told(failure);
            let leaked = made.as_deref().is_some_and(|pin| told.contains(std::str::from_utf8(pin).unwrap_or("?")));
            insist(!leaked && !told.contains("24681357"), "no PIN in the error");
            if !matches!(strike, Strike::OtherId | Strike::SameId) {
                wrong.extend(again(setup, case_journal, (&inserted, failure, strike, at), authority, counts));
            }
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    let end = match &run.result {
        Ok(_) => "succeeded".to_owned(),
        Err(failure) => told(failure),
    };
    Err(format!("{kind:?} {authority}, exchange {at}, {strike:?}: {} | {end}", wrong.join(" + ")))
}

/// A rerun with the same card, put right again, ends well from any state and settles the earlier record.
fn again(
    setup: &mut JobSetup,
    case_journal: &CaseJournal,
    (inserted, failure, strike, at): (&InsertedCard, &Failure, Strike, usize),
    authority: &str,
    counts: &mut Counts,
) -> Vec<String> {
    inserted.honest();
    if strike == Strike::Removed {
        inserted.card.with(|tap| tap.faulty.reinsert());
        inserted.slot.insert(inserted.card.clone());
    }
    let before = case_journal.open();
    let mut wrong = Vec::new();
    let Some(now) = current(setup, inserted) else { return vec!["a PIN that nobody knows".to_owned()] };
    // Every other time the person guesses which PIN it is, and wrongly.
    if authority == "current-pin" && !before.is_empty() && at.is_multiple_of(2) {
        let guess = if now == OLD { b"97531862".to_vec() } else { OLD.to_vec() };
        let guessed = setup.run(inserted, &mut Person { current_pin: Some(guess), ..Person::knowing() });
        if guessed.result.is_ok() || inserted.tries() < MIN_TRIES || !inserted.pin_is(&now) {
            wrong.push(format!("a wrong guess: {:?}, {} tries left", guessed.result, inserted.tries()));
        }
        wrong.extend(case_journal.check(&guessed.result, |_| (true, false)));
    }
    let (tries, risked) = (inserted.tries(), inserted.card.with(|tap| tap.risky()));
    let rerun = setup.run(inserted, &mut Person { current_pin: Some(now.clone()), ..Person::knowing() });
    let outcome = match rerun.result {
        Ok(outcome) => outcome,
        Err(error) if authority == "current-pin" && tries == MIN_TRIES && !before.is_empty() => {
            // One try too few to risk it: nothing was tried, and another authority leads out.
            let named = matches!(&*error.cause, Cause::UncertainPin { journal, .. } if *journal == before[0].id);
            if !named || inserted.tries() != MIN_TRIES || !inserted.pin_is(&now) {
                wrong.push(format!("the dead end: {}", told(&error)));
            }
            counts.dead_ends += 1;
            let rules = std::mem::replace(&mut setup.config.rules.authorities, ways_out());
            let other = setup.run(inserted, &mut Person::knowing());
            setup.config.rules.authorities = rules;
            match other.result {
                Ok(outcome) => outcome,
                Err(error) => return vec![format!("no way out of the dead end: {}", told(&error))],
            }
        }
        Err(error) if authority == "puk" && matches!(*error.cause, Cause::UncountedTry { .. }) => {
            // Nothing was tried, and somebody takes the risk.
            let named = matches!(&*error.cause, Cause::UncountedTry { journal, .. }
                if case_journal.records().iter().any(|record| record.id == *journal));
            if !named || inserted.card.with(|tap| tap.risky()) > risked || !inserted.pin_is(&now) {
                wrong.push(format!("the uncounted try: {}", told(&error)));
            }
            counts.uncounted += 1;
            setup.risk = Some(RiskedProof::Puk);
            let taken = setup.run(inserted, &mut Person::knowing());
            setup.risk = None;
            match taken.result {
                Ok(outcome) => outcome,
                Err(error) => return vec![format!("the risk was taken: {}", told(&error))],
            }
        }
        Err(error) if matches!(*error.cause, Cause::AnswerBarred { .. }) => {
            // The card has refused an answer: nothing was tried, and somebody takes the risk.
            let named = matches!(&*error.cause, Cause::AnswerBarred { journal, .. }
                if case_journal.records().iter().any(|record| record.id == *journal));
            let refused = failure.effect.proof == ProofState::Refused;
            if !named || !refused || inserted.card.with(|tap| tap.risky()) > risked || !inserted.pin_is(&now) {
                wrong.push(format!("the refused answer: {}", told(&error)));
            }
            counts.barred += 1;
            setup.risk = Some(RiskedProof::Admin);
            let taken = setup.run(inserted, &mut Person::knowing());
            setup.risk = None;
            match taken.result {
                Ok(outcome) => outcome,
                Err(error) => return vec![format!("the risk was taken: {}", told(&error))],
            }
        }
        Err(error) => return vec![format!("rerun after {}: {}", failure.card_state().name(), told(&error))],
    };
    if !inserted.pin_is(&setup.server.state().last_pin().unwrap_or_default()) {
        wrong.push("rerun: another PIN".to_owned());
    }
    wrong.extend(case_journal.settled(&outcome, &before));
    wrong
}

/// What leads out where the current PIN is not known for sure: each family takes one of them.
fn ways_out() -> Vec<Authority> {
    vec![Authority::AdminKey, Authority::Puk, Authority::AdminPin]
}

/// Exchanges of a job without faults.
pub fn exchanges(setup: &mut JobSetup, kind: Kind) -> usize {
    let inserted = InsertedCard::new(kind);
    setup.run(&inserted, &mut Person::knowing()).ok("without faults");
    inserted.apdus()
}

#[test]
fn every_failure_at_every_exchange() {
    let work = Mutex::new(all_combinations());
    let result = Mutex::new((Counts::default(), Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((kind, authority)) = { work.lock().unwrap().pop() } {
                    let (mut counts, mut violations) = (Counts::default(), Vec::new());
                    let mut setup = JobSetup::new(kind, authority);
                    let case_journal = CaseJournal::of(&mut setup);
                    let mut sample = Sample::from(0);
                    for at in 0..exchanges(&mut setup, kind) {
                        for strike in strikes().into_iter().filter(|_| sample.takes()) {
                            let point = (kind, authority, at, strike);
                            violations.extend(case(&mut setup, &case_journal, point, &mut counts).err());
                        }
                    }
                    let mut result = result.lock().unwrap();
                    result.0.cases += counts.cases;
                    result.0.dead_ends += counts.dead_ends;
                    result.0.uncounted += counts.uncounted;
                    result.0.barred += counts.barred;
                    result.1.extend(violations);
                }
            });
        }
    });
    let (counts, violations) = result.into_inner().unwrap();
    println!(
        "card faults: {} cases{}, {} of them through the dead end of the current PIN, {} with a PUK in doubt, {} with a \
         refused answer, {} violations",
        counts.cases,
        Sample::from(0),
        counts.dead_ends,
        counts.uncounted,
        counts.barred,
        violations.len()
    );
    assert!(violations.is_empty(), "{}", violations.iter().take(20).cloned().collect::<Vec<_>>().join("\n"));
}
