//! Every way in which a card and its link can fail, at every exchange: what a failure says of the card is true of the card.

use std::sync::Mutex;

use pinwright::provision::{CardState, Failure};
use pinwright::sim::card::SharedCard;
use pinwright::sim::fault::{Fault, Faulty};

use crate::bench::{Bench, CARD_A, CARD_B, KEY, Kind, OLD, Person, Plastic, TRIES, World, guid, told};

const WORDS: [u16; 22] = [
    0x6982, 0x6983, 0x6984, 0x6985, 0x6986, 0x6A80, 0x6A82, 0x6A86, 0x6A88, 0x6700, 0x6D00, 0x6E00, 0x6F00, 0x6581,
    0x6283, 0x63C0, 0x63C2, 0x6300, 0x6100, 0x6108, 0x6C08, 0x9000,
];

/// A fault by name, made afresh for each case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Strike {
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

fn strikes() -> Vec<Strike> {
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
    fn lies(self) -> bool {
        matches!(self, Self::Word(0x9000 | 0x6100 | 0x6108))
    }
}

type Other = SharedCard<Box<dyn Plastic>>;

fn case(world: &mut World, kind: Kind, authority: &str, at: usize, strike: Strike) -> Result<(), String> {
    let other: Option<Other> = match strike {
        Strike::OtherId => Some(SharedCard::new(kind.card(CARD_B, KEY, OLD))),
        Strike::SameId => Some(SharedCard::new(kind.card(CARD_A, KEY, OLD))),
        _ => None,
    };
    let fault = match strike {
        Strike::Removed => Some(Fault::Removed),
        Strike::Reset => Some(Fault::Reset),
        Strike::LostCommand => Some(Fault::LostCommand),
        Strike::LostAnswer => Some(Fault::LostAnswer),
        Strike::Hang => Some(Fault::Hang),
        Strike::Word(word) => Some(Fault::StatusWord(word)),
        Strike::Replace(length) => Some(Fault::Replace(vec![0x5A; length])),
        Strike::Truncate(length) => Some(Fault::Truncate(length)),
        Strike::Append(more) => Some(Fault::Append(more.to_vec())),
        Strike::OtherId | Strike::SameId => other.clone().map(|card| Fault::Swap(Box::new(card))),
        Strike::Executed(_) => None,
    };
    let mut faulty = Faulty::new(kind.card(CARD_A, KEY, OLD));
    if let Some(fault) = fault {
        faulty = faulty.at(at, fault);
    }
    let bench = Bench::of(faulty, kind);
    if let Strike::Executed(word) = strike {
        let mut index = 0;
        bench.forge(move |_, answer| {
            index += 1;
            if index == at + 1 { word.to_be_bytes().to_vec() } else { answer }
        });
    }
    world.server.state().clear_log();
    let pins = world.server.state().pins().len();
    let run = world.run(&bench, &mut Person::knowing());
    let state = world.server.state();
    let made = if state.pins().len() > pins { state.last_pin() } else { None };
    let made_for_other =
        world.server.requests().iter().any(|call| call.path.contains("17cf063d-e337-4aa9-a822-346554ddd3ca"));
    let new_on = |card: &dyn Plastic| made.as_deref().is_some_and(|pin| card.pin_is(pin));
    let look = |look: &dyn Fn(&dyn Plastic) -> bool| bench.card.with(|tap| look(tap.faulty.card().as_ref()));
    let on_a = look(&|card| new_on(card));
    let on_other = other.as_ref().is_some_and(|other| other.with(|card| new_on(card.as_ref())));
    let mut wrong = Vec::new();
    let mut insist = |holds: bool, what: &str| {
        if !holds {
            wrong.push(what.to_owned());
        }
    };
    // Whatever came of it.
    insist(bench.admin_answers() <= 1, "one admin answer at most");
    // A reset before anything was risked is followed by one fresh start: at most the job twice.
    insist(bench.apdus() <= 20, "a bounded number of commands");
    // A card that was swapped unnoticed is not in the reader any more.
    insist(other.is_some() || !bench.authenticated(), "nobody is left authenticated on the card");
    insist(!other.as_ref().is_some_and(|other| other.with(|card| card.authenticated())), "nor on the other one");
    insist(look(&|card| card.admin_failures() == 0), "no admin try lost");
    insist(!(on_a && made_for_other && strike == Strike::OtherId), "a PIN made for B is not on A");
    insist(!(on_other && !made_for_other && strike == Strike::OtherId), "a PIN made for A is not on B");
    if let Some(other) = &other {
        insist(other.with(|card| card.tries() == TRIES), "no try lost on the other card");
        insist(other.with(|card| card.pin_is(OLD) || new_on(card.as_ref())), "the other card's PIN is known");
    }
    match &run.result {
        Ok(outcome) => {
            insist(on_a || on_other, "success: the new PIN is on the card");
            insist(bench.tries() == TRIES, "success: all tries");
            let id = if made_for_other { CARD_B } else { CARD_A };
            insist(outcome.card_id == guid(id).to_string(), "success: the right card is named");
        }
        Err(failure) => {
            let old = look(&|card| card.pin_is(OLD));
            insist(
                match failure.card {
                    CardState::Untouched | CardState::TrySpent => old && !on_other,
                    CardState::PinSet => on_a || on_other,
                    CardState::Unknown => old || on_a,
                },
                "the stated card state is true",
            );
            let lost = TRIES - bench.tries();
            let stated = match failure.card {
                // The current PIN is right, so nothing is lost even where a try was risked.
                CardState::Untouched | CardState::PinSet | CardState::TrySpent => 0,
                CardState::Unknown => u8::from(strike.lies()),
            };
            insist(lost <= stated, "no PIN try is lost unless the card had lied");
            insist(!failure.cause.remedy().is_empty(), "a remedy");
            let told = told(failure);
            let leaked = made.as_deref().is_some_and(|pin| told.contains(std::str::from_utf8(pin).unwrap_or("?")));
            insist(!leaked && !told.contains("24681357"), "no PIN in the error");
            if let Err(message) = again(world, &bench, failure, strike) {
                wrong.push(message);
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

/// A rerun with the same card, put right again, ends well from any state.
fn again(world: &mut World, bench: &Bench, failure: &Failure, strike: Strike) -> Result<(), String> {
    if matches!(strike, Strike::OtherId | Strike::SameId) {
        return Ok(());
    }
    bench.honest();
    let current = match bench.pin_is(OLD) {
        true => OLD.to_vec(),
        false => world.server.state().last_pin().unwrap_or_default(),
    };
    if strike == Strike::Removed {
        bench.card.with(|tap| tap.faulty.reinsert());
        bench.slot.insert(bench.card.clone());
    }
    let mut person = Person { current_pin: Some(current), ..Person::knowing() };
    let rerun = world.run(bench, &mut person);
    match rerun.result {
        Ok(_) if bench.pin_is(&world.server.state().last_pin().unwrap_or_default()) => Ok(()),
        Ok(_) => Err("rerun: another PIN".to_owned()),
        Err(error) => Err(format!("rerun after {}: {}", failure.card.name(), told(&error))),
    }
}

/// Exchanges of a job without faults.
fn exchanges(world: &mut World, kind: Kind) -> usize {
    let bench = Bench::new(kind);
    world.run(&bench, &mut Person::knowing()).ok("without faults");
    bench.apdus()
}

fn matrix(kind: Kind) {
    let (cases, violations) = (Mutex::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for authority in ["server", "admin-key", "current-pin"] {
            let (cases, violations) = (&cases, &violations);
            scope.spawn(move || {
                let mut world = World::new(kind, authority);
                let length = exchanges(&mut world, kind);
                for at in 0..length {
                    for strike in strikes() {
                        *cases.lock().unwrap() += 1;
                        if let Err(violation) = case(&mut world, kind, authority, at, strike) {
                            violations.lock().unwrap().push(violation);
                        }
                    }
                }
            });
        }
    });
    let (cases, violations) = (cases.into_inner().unwrap(), violations.into_inner().unwrap());
    println!("card faults, {kind:?}: {cases} cases, {} violations", violations.len());
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

#[test]
fn every_failure_at_every_exchange_of_a_gids_card() {
    matrix(Kind::Gids);
}

#[test]
fn every_failure_at_every_exchange_of_an_iso_card() {
    matrix(Kind::Iso);
}

#[test]
fn every_failure_at_every_exchange_of_an_iso_card_with_t0() {
    matrix(Kind::IsoT0);
}
