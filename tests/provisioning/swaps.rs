//! Another card in the reader: between two steps, while a person types, while the server is awaited.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pinwright::job::binding::BindingError;
use pinwright::job::secrets::Need;
use pinwright::job::{Cause, Step};
use pinwright::reader::{Atr, Connection, EndAction, Frame, Presence, Protocol, ReaderEntry, ReaderError, Readers};
use pinwright::sim::card::{SharedCard, VirtualCard as _};
use pinwright::sim::server::PinMaker;
use support::provisioning::{
    CARD_A, CARD_B, InsertedCard, JobSetup, KEY, Kind, Lines, OLD, Person, TRIES, TappedCard, all_combinations, told,
};

const STEPS: [Step; 8] =
    [Step::Identify, Step::Resolve, Step::Challenge, Step::Ask, Step::Fit, Step::Bind, Step::Authorize, Step::SetPin];

/// A swap that the reader counts, between any two steps: the other card never sees a PIN, nor does a copy with the same ID.
#[test]
fn a_swap_at_every_step() {
    let mut cases = 0;
    for kind in [Kind::Gids, Kind::Iso, Kind::IsoImplicit] {
        for authority in ["server", "admin-key", "current-pin"] {
            let mut setup = JobSetup::new(kind, authority);
            for step in STEPS {
                for id in [CARD_A, CARD_B] {
                    let case = format!(
                        "{kind:?} {authority}, at {step:?}, {}",
                        if id == CARD_A { "same ID" } else { "other ID" }
                    );
                    let inserted = InsertedCard::new(kind);
                    let other = SharedCard::new(kind.card(id, KEY, OLD));
                    let (slot, readers, swapped_in) = (inserted.slot.clone(), inserted.readers.clone(), other.clone());
                    let (mut done, mut sessions) = (false, 0);
                    // Where a person is asked, the card is free meanwhile: swap it in the session that writes.
                    let last = if authority == "server" { 1 } else { 2 };
                    let run = setup.run_over(&readers, &mut Person::knowing(), |now| {
                        sessions += usize::from(now == Step::Open);
                        if now == step && sessions == last {
                            done = true;
                            slot.insert(swapped_in.clone());
                        }
                    });
                    if !done {
                        // The server's records are known by then: there is no such step.
                        assert_eq!(step, Step::Resolve, "{case}");
                        continue;
                    }
                    cases += 1;
                    let failure = run.failed(&case);
                    assert!(
                        !failure.card_state().needs_attention() || step as u8 >= Step::Authorize as u8,
                        "{case}: {}",
                        told(&failure)
                    );
                    for card in
                        [inserted.card.with(|tap| tap.faulty.card().pin_is(OLD)), other.with(|card| card.pin_is(OLD))]
                    {
                        assert!(card, "{case}: no PIN was changed");
                    }
                    assert_eq!((inserted.tries(), other.with(|card| card.tries())), (TRIES, TRIES), "{case}");
                    assert!(!other.with(|card| card.authenticated()), "{case}");
                }
            }
        }
    }
    println!("swaps that the reader counts: {cases} cases, 0 violations");
}

/// The card is free while a person types: what is in the reader afterwards is identified anew.
#[test]
fn a_swap_while_a_person_types() {
    for kind in [Kind::Gids, Kind::Iso] {
        let mut setup = JobSetup::with(kind, "server", &Lines::default(), |s| s.pin_maker = PinMaker::UserProvided);
        let inserted = InsertedCard::new(kind);
        let other = SharedCard::new(kind.card(CARD_B, KEY, OLD));
        let (slot, swapped_in) = (inserted.slot.clone(), other.clone());
        let mut person = Person {
            new_pin: Some(b"97531862".to_vec()),
            meanwhile: Some(Box::new(move || slot.insert(swapped_in.clone()))),
            ..Person::default()
        };
        let failure = setup.run(&inserted, &mut person).failed_untouched("swapped");
        assert!(matches!(*failure.cause, Cause::Binding(_)), "{}", told(&failure));
        assert!(other.with(|card| card.pin_is(OLD) && card.tries() == TRIES));
        inserted.assert_not_risked("swapped");

        // Pulled and put back is the same card: nothing is wrong with that.
        let inserted = InsertedCard::new(kind);
        let (slot, card) = (inserted.slot.clone(), inserted.card.clone());
        let mut person = Person {
            new_pin: Some(b"97531862".to_vec()),
            meanwhile: Some(Box::new(move || {
                slot.remove();
                slot.insert(card.clone());
            })),
            ..Person::default()
        };
        setup.run(&inserted, &mut person).ok("pulled and put back");
        assert!(inserted.pin_is(b"97531862"));
    }
}

/// A yes is asked for before anything secret is fetched: no means untouched, and a swap meanwhile is seen.
#[test]
fn while_a_person_thinks() {
    for kind in [Kind::Gids, Kind::Iso] {
        for authority in ["server", "admin-key", "current-pin"] {
            let mut setup = JobSetup::new(kind, authority);
            let inserted = InsertedCard::new(kind);
            let mut person = Person { declines: true, ..Person::knowing() };
            let failure = setup.run(&inserted, &mut person).failed_untouched("no");
            assert!(matches!(*failure.cause, Cause::Secret(_)), "{}", told(&failure));
            assert_eq!(person.consented, 1);
            inserted.assert_not_risked("no");

            let inserted = InsertedCard::new(kind);
            let other = SharedCard::new(kind.card(CARD_B, KEY, OLD));
            let (slot, swapped_in) = (inserted.slot.clone(), other.clone());
            let thinking: Box<dyn FnMut()> = Box::new(move || slot.insert(swapped_in.clone()));
            let mut person = Person { thinking: Some(thinking), ..Person::knowing() };
            let failure = setup.run(&inserted, &mut person).failed_untouched("swapped");
            assert!(matches!(*failure.cause, Cause::Binding(_)), "{}", told(&failure));
            assert!(other.with(|card| card.pin_is(OLD) && card.tries() == TRIES && !card.authenticated()));
            inserted.assert_not_risked("swapped");

            // The card is let go of meanwhile: pulled and put back is the same card.
            let inserted = InsertedCard::new(kind);
            let (slot, card) = (inserted.slot.clone(), inserted.card.clone());
            let thinking: Box<dyn FnMut()> = Box::new(move || {
                slot.remove();
                slot.insert(card.clone());
            });
            let mut person = Person { thinking: Some(thinking), ..Person::knowing() };
            setup.run(&inserted, &mut person).ok("pulled and put back");
            assert!(!inserted.pin_is(OLD));
        }
    }
}

/// A person named a card: any other one is refused before the server hears of it.
#[test]
fn a_card_that_was_not_meant() {
    use pinwright::card::{CardId, IdOrder};
    let mut setup = JobSetup::new(Kind::Gids, "server");
    let inserted = InsertedCard::new(Kind::Gids);
    let job =
        pinwright::provision::Job { card_id: Some(CardId::new(&CARD_B, IdOrder::Windows).unwrap()), ..setup.job() };
    let failure = pinwright::provision::set_pin(
        &job,
        &mut pinwright::job::desk::Desk {
            readers: &inserted.readers,
            issuer: &mut setup.issuer,
            journal: None,
            elsewhere: None,
            supplier: &mut Person::default(),
            interrupted: &AtomicBool::new(false),
            progress: &mut |_| {},
        },
    )
    .unwrap_err();
    assert!(matches!(*failure.cause, Cause::Binding(_)), "{}", told(&failure));
    assert!(setup.server.requests().is_empty());
    inserted.assert_not_risked("not meant");
}

/// An undetected swap of a card that needs no SELECT: only the ID tells.
#[test]
fn an_unnoticed_swap_of_a_card_without_select() {
    use pinwright::sim::fault::{Fault, Faulty};
    for authority in ["server", "admin-key"] {
        let mut setup = JobSetup::new(Kind::IsoImplicit, authority);
        let good = InsertedCard::new(Kind::IsoImplicit);
        setup.run(&good, &mut Person::knowing()).ok("good");
        for at in 0..good.apdus() {
            let other = SharedCard::new(Kind::IsoImplicit.card(CARD_B, KEY, OLD));
            let faulty =
                Faulty::new(Kind::IsoImplicit.card(CARD_A, KEY, OLD)).at(at, Fault::Swap(Box::new(other.clone())));
            let inserted = InsertedCard::of(faulty, Kind::IsoImplicit);
            setup.server.state().clear_log();
            let run = setup.run(&inserted, &mut Person::knowing());
            let pin = setup.server.state().last_pin().unwrap();
            let for_b =
                setup.server.requests().iter().any(|call| call.path.contains("17cf063d-e337-4aa9-a822-346554ddd3ca"));
            assert!(for_b || !other.with(|card| card.pin_is(&pin)), "{authority} {at}: A's PIN on B");
            assert!(!inserted.pin_is(&pin) || at + 1 == good.apdus(), "{authority} {at}");
            assert_eq!(other.with(|card| card.admin_failures()), 0, "{authority} {at}");
            assert_eq!(run.result.is_ok(), for_b, "{authority} {at}");
        }
    }
}

/// A reader that notices no removal: commands go to whatever card is in it. Its own count of insertions is the only thing that tells.
struct Unnoticing<'a> {
    inserted: &'a InsertedCard,
    copy: SharedCard<TappedCard>,
    swapped: Arc<AtomicBool>,
}

struct UnnoticingConnection {
    inner: Box<dyn Connection>,
    copy: SharedCard<TappedCard>,
    swapped: Arc<AtomicBool>,
}

impl Readers for Unnoticing<'_> {
    fn list(&self) -> Result<Vec<ReaderEntry>, ReaderError> {
        self.inserted.readers.list()
    }

    fn open(&self, reader: &str) -> Result<Box<dyn Connection>, ReaderError> {
        let inner = self.inserted.readers.open(reader)?;
        Ok(Box::new(UnnoticingConnection { inner, copy: self.copy.clone(), swapped: Arc::clone(&self.swapped) }))
    }
}

impl Connection for UnnoticingConnection {
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
        if !self.swapped.load(Ordering::Relaxed) {
            return self.inner.transmit(command);
        }
        Ok(Frame::public(&self.copy.with(|card| card.transmit(command.expose())).unwrap()))
    }

    fn presence(&mut self) -> Result<Presence, ReaderError> {
        let presence = self.inner.presence()?;
        let more = if self.swapped.load(Ordering::Relaxed) { 2 } else { 0 };
        Ok(Presence { generation: presence.generation + more, ..presence })
    }

    fn keep_alive(&mut self) -> Result<(), ReaderError> {
        self.inner.keep_alive()
    }

    fn end(self: Box<Self>, action: EndAction) -> Result<(), ReaderError> {
        self.inner.end(action)
    }
}

/// A copy of the card, of the same ATR and the same ID, between challenge and proof: only the count of insertions tells, and no
/// proof and no PIN is shown to the copy.
#[test]
fn a_swap_that_only_the_count_of_insertions_tells() {
    for (kind, authority) in
        [vec![(Kind::IsoImplicit, "server"), (Kind::IsoImplicit, "current-pin")], all_combinations()].concat()
    {
        let case = format!("{kind:?} {authority}");
        let mut setup = JobSetup::new(kind, authority);
        let (inserted, other) = (InsertedCard::new(kind), InsertedCard::new(kind));
        let swapped = Arc::new(AtomicBool::new(false));
        let readers = Unnoticing { inserted: &inserted, copy: other.card.clone(), swapped: Arc::clone(&swapped) };
        // In one session: what is in the reader when a card is opened is identified anyway.
        let at_hand = vec![Need::CurrentPin, Need::AdminKey, Need::Puk, Need::AdminPin, Need::ResettingCode];
        let run = setup.run_over(&readers, &mut Person { at_hand, ..Person::knowing() }, |step| {
            if step == Step::Bind {
                swapped.store(true, Ordering::Relaxed);
            }
        });
        let failure = run.failed_untouched(&case);
        assert!(matches!(*failure.cause, Cause::Binding(BindingError::Reinserted)), "{case}: {}", told(&failure));
        assert_eq!(failure.step, Step::Bind, "{case}");
        inserted.assert_not_risked(&case);
        other.assert_not_risked(&case);
        assert_eq!(other.apdus(), 0, "{case}: the copy was asked nothing");
    }
}
