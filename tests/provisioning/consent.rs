//! The yes without which no card is written to: when it is asked for, and what has happened by then.

use pinwright::exit::Exit;
use pinwright::job::secrets::{Need, SecretError};
use pinwright::job::{Cause, Step};
use pinwright::reader::{EndAction, Readers as _};
use pinwright::sim::server::{Endpoint, PinMaker};
use support::provisioning::{InsertedCard, JobSetup, Kind, Lines, OLD, Person, READER, TRIES, told};

const JOBS: [(Kind, &str); 5] = [
    (Kind::Gids, "server"),
    (Kind::Gids, "admin-key"),
    (Kind::Iso, "server"),
    (Kind::Piv, "puk"),
    (Kind::OpenPgp, "current-pin"),
];

fn secrets_fetched(setup: &JobSetup) -> usize {
    let secret = [Endpoint::PinByCard, Endpoint::PinByRequest, Endpoint::AuthenticationResponse];
    setup.server.requests().iter().filter(|call| call.endpoint.is_some_and(|it| secret.contains(&it))).count()
}

#[test]
fn without_a_yes_nothing_secret_is_fetched_and_nothing_is_asked_for() {
    for (kind, authority) in JOBS {
        let mut setup = JobSetup::new(kind, authority);
        let inserted = InsertedCard::new(kind);
        let mut absent = Person { is_absent: true, ..Person::knowing() };
        let failure = setup.run(&inserted, &mut absent).failed_untouched(authority);
        assert!(matches!(*failure.cause, Cause::Secret(SecretError::NobodyToAsk)), "{}", told(&failure));
        assert_eq!((Exit::from(&failure), failure.step), (Exit::Interrupted, Step::Consent), "{authority}");
        assert!(failure.cause.remedy().contains("--yes"));
        assert_eq!((secrets_fetched(&setup), absent.asked.len()), (0, 0), "{kind:?} {authority}");
        inserted.assert_not_risked(authority);
        assert_eq!(inserted.slot.resets(), 0, "{kind:?} {authority}: not even a challenge was taken");
    }
}

#[test]
fn a_person_is_asked_once_with_the_card_let_go_of_and_no_secret_here() {
    for (kind, authority) in JOBS {
        let mut setup = JobSetup::new(kind, authority);
        let inserted = InsertedCard::new(kind);
        let readers = inserted.readers.clone();
        let others = Box::new(move || {
            let other = readers.open(READER).expect("another program can have the card");
            other.end(EndAction::Leave).unwrap();
        });
        let mut person = Person { thinking: Some(others), ..Person::knowing() };
        let run = setup.run(&inserted, &mut person);
        let position = |step| run.steps.iter().position(|taken| *taken == step);
        assert!(position(Step::Resolve) < position(Step::Consent), "{:?}", run.steps);
        assert!(position(Step::Consent) < position(Step::Challenge).or(position(Step::Ask)), "{:?}", run.steps);
        assert!(position(Step::Supply).is_none_or(|supply| position(Step::Consent) < Some(supply)), "{:?}", run.steps);
        run.ok(authority);
        assert_eq!(person.consented, 1, "{kind:?} {authority}");
        assert!(!inserted.pin_is(OLD) && inserted.tries() == TRIES);
        setup.assert_no_violations(authority);
    }
}

/// Typing the new PIN twice is a yes; a PIN from a descriptor is none.
#[test]
fn a_pin_that_is_typed_is_a_yes_and_one_from_a_descriptor_is_none() {
    for at_hand in [false, true] {
        let user = |settings: &mut pinwright::sim::server::Settings| settings.pin_maker = PinMaker::UserProvided;
        let mut setup = JobSetup::with(Kind::Gids, "server", &Lines::default(), |settings| {
            user(settings);
            settings.templates[0].user_pin_option =
                pinwright::sim::server::UserPinOption::Name("UserProvided".to_owned());
        });
        let inserted = InsertedCard::new(Kind::Gids);
        let needs = if at_hand { vec![Need::NewPin] } else { Vec::new() };
        let new_pin = Some(b"97531862".to_vec());
        let mut person = Person { new_pin, at_hand: needs, is_absent: true, ..Person::default() };
        let run = setup.run(&inserted, &mut person);
        if at_hand {
            let failure = run.failed_untouched("descriptor");
            assert_eq!(Exit::from(&failure), Exit::Interrupted, "{}", told(&failure));
            assert_eq!(secrets_fetched(&setup), 0);
        } else {
            run.ok("typed");
            assert!(inserted.pin_is(b"97531862") && person.consented == 0);
        }
    }
}

/// A card that is pulled while the question stands ends it at once, and the failure says that.
#[test]
fn a_card_that_is_pulled_at_the_question_is_said_to_be() {
    let mut setup = JobSetup::new(Kind::Gids, "server");
    let inserted = InsertedCard::new(Kind::Gids);
    let slot = inserted.slot.clone();
    let mut person = Person { thinking: Some(Box::new(move || slot.remove())), thinks_on: true, ..Person::knowing() };
    let failure = setup.run(&inserted, &mut person).failed_untouched("pulled");
    assert_eq!((Exit::from(&failure), failure.step), (Exit::NoCard, Step::Consent));
    assert!(told(&failure).contains("was removed from reader") && told(&failure).contains("a yes was awaited"));
    assert_eq!(secrets_fetched(&setup), 0);
}
