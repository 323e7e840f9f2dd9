//! Which admin key the server is told to answer with, answers that are none, and what a wrong one costs.

use pinwright::job::records::ResolveError;
use pinwright::job::{CardState, Cause, Step};
use pinwright::sim::fault::Faulty;
use pinwright::sim::gids::{GidsCard, GidsSettings};
use pinwright::sim::server::{ENROLL, Endpoint, Fault, FaultKind, PinMaker, UNBLOCK};
use support::provisioning::{CARD_A, InsertedCard, JobSetup, KEY, Kind, Lines, OLD, Person, TRIES, guid, told};

fn flags(setup: &JobSetup) -> Vec<String> {
    let seen = setup.server.requests();
    let answers = seen.iter().filter(|call| call.endpoint == Some(Endpoint::AuthenticationResponse));
    answers.map(|call| call.query.split("diversified=").nth(1).unwrap().split('&').next().unwrap().to_owned()).collect()
}

/// Policy, request type and card status decide; what they don't settle is not tried.
#[test]
fn the_flag_follows_the_rules() {
    // A policy that is not shown, the request's type, the card's status, the flag.
    let cases: [(Option<bool>, u32, u32, Option<&str>); 11] = [
        (Some(false), ENROLL, 1, Some("False")),
        (Some(false), UNBLOCK, 2, Some("False")),
        (Some(false), ENROLL, 2, Some("False")),
        (Some(true), ENROLL, 0, Some("False")),
        (Some(true), ENROLL, 1, Some("False")),
        (Some(true), UNBLOCK, 2, Some("True")),
        (Some(true), UNBLOCK, 3, Some("True")),
        (Some(true), ENROLL, 2, None),
        (Some(true), UNBLOCK, 1, None),
        (None, UNBLOCK, 2, None),
        (None, ENROLL, 1, Some("False")),
    ];
    for (diversify, request, status, expected) in cases {
        let case = format!("{diversify:?}, request {request}, card {status}");
        let mut setup = JobSetup::with(Kind::Gids, "server", &Lines::default(), |settings| {
            settings.requests[0].kind = request;
            settings.cards[0].status = status;
            match diversify {
                Some(diversify) => settings.templates[0].diversify_admin_key = diversify,
                None => settings.templates.clear(),
            }
            if diversify.is_none() {
                // The policy alone is not shown; the key behind it is there.
                settings.templates.push(pinwright::sim::server::Template::sample(KEY));
                settings.templates[0].omitted = vec!["DiversifyAdminKey".to_owned()];
            }
        });
        let diversified = setup.server.state().diversified_key(guid(CARD_A));
        let key = if expected == Some("True") { diversified } else { KEY };
        let inserted = InsertedCard::of(Faulty::new(Kind::Gids.card(CARD_A, key, OLD)), Kind::Gids);
        let run = setup.run(&inserted, &mut Person::default());
        match expected {
            Some(flag) => {
                run.ok(&case);
                assert_eq!(flags(&setup), [flag], "{case}");
            }
            None => {
                let failure = run.failed_untouched(&case);
                assert!(matches!(*failure.cause, Cause::Resolve(ResolveError::AdminKeyUnknown { .. })), "{case}");
                assert_eq!(flags(&setup), [""; 0], "{case}");
                inserted.assert_not_risked(&case);
            }
        }
        setup.assert_no_violations(&case);
    }
}

#[test]
fn a_wrong_flag_costs_one_try_and_no_second_one() {
    for kind in [Kind::Gids, Kind::Iso] {
        for (rule, right) in [("default", "diversified"), ("diversified", "default")] {
            let case = format!("{kind:?}: told {rule}, on the card {right}");
            let lines = Lines { card: format!("admin_key = \"{rule}\""), ..Lines::default() };
            let mut setup = JobSetup::with(kind, "server", &lines, |_| {});
            let diversified = setup.server.state().diversified_key(guid(CARD_A));
            let key = if right == "diversified" { diversified } else { KEY };
            let inserted = InsertedCard::of(Faulty::new(kind.card(CARD_A, key, OLD)), kind);
            let failure = setup.run(&inserted, &mut Person::default()).failed(&case);
            assert_eq!(failure.step, Step::Authorize, "{case}");
            assert_eq!(failure.card_state(), CardState::TrySpent, "{case}: {}", told(&failure));
            assert!(failure.cause.remedy().contains("--admin-key"), "{case}");
            assert_eq!(inserted.admin_answers(), 1, "{case}: never a second answer");
            assert_eq!(inserted.card.with(|tap| tap.faulty.card().admin_failures()), 1, "{case}");
            assert!(inserted.pin_is(OLD) && inserted.tries() == TRIES && !inserted.authenticated(), "{case}");
            assert_eq!(flags(&setup).len(), 1, "{case}");
        }
    }
}

#[test]
fn a_wrong_local_key_costs_one_try_too() {
    for kind in [Kind::Gids, Kind::IsoPadded] {
        let mut setup = JobSetup::new(kind, "admin-key");
        let inserted = InsertedCard::new(kind);
        let mut person = Person { admin_key: Some(*b"another key of 24 bytes!"), ..Person::default() };
        let failure = setup.run(&inserted, &mut person).failed("wrong key");
        assert_eq!((failure.step, failure.card_state()), (Step::Authorize, CardState::TrySpent));
        assert_eq!(inserted.admin_answers(), 1);
        assert!(inserted.pin_is(OLD) && inserted.tries() == TRIES && !inserted.authenticated());
        assert_eq!(person.asked, ["admin key"]);
    }
}

#[test]
fn a_wrong_current_pin_costs_one_try_and_few_tries_are_not_risked() {
    for kind in [Kind::Gids, Kind::Iso, Kind::IsoPadded, Kind::IsoT0] {
        let mut setup = JobSetup::new(kind, "current-pin");
        let inserted = InsertedCard::new(kind);
        let mut person = Person { current_pin: Some(b"13572468".to_vec()), ..Person::default() };
        let failure = setup.run(&inserted, &mut person).failed("wrong PIN");
        // Where the change would split old and new by length, the old PIN is verified by itself before it.
        let step = if matches!(kind, Kind::IsoPadded | Kind::IsoT0) { Step::SetPin } else { Step::Authorize };
        assert_eq!((failure.step, failure.card_state()), (step, CardState::TrySpent), "{kind:?}: {}", told(&failure));
        assert_eq!(inserted.tries(), TRIES - 1, "{kind:?}");
        assert!(inserted.pin_is(OLD) && !inserted.authenticated(), "{kind:?}");
        // Two are left: one is risked. One is left: none is.
        let failure = setup.run(&inserted, &mut person).failed("wrong PIN again");
        assert_eq!((failure.card_state(), inserted.tries()), (CardState::TrySpent, 1), "{kind:?}");
        inserted.forget_sent();
        let failure = setup.run(&inserted, &mut person).failed_untouched("the last try");
        assert!(
            matches!(*failure.cause, Cause::FewTries { what: "PIN", left: 1, min: 2 }),
            "{kind:?}: {}",
            told(&failure)
        );
        assert_eq!((inserted.tries(), inserted.card.with(|tap| tap.risky())), (1, 0), "{kind:?}");
    }
}

/// A card that splits old and new PIN by the length of its own would take the beginning of the PIN for the PIN, where the new
/// one happens to go on with the rest.
#[test]
fn the_beginning_of_the_current_pin_is_not_the_current_pin() {
    for kind in [Kind::Gids, Kind::Iso, Kind::IsoPadded] {
        let (beginning, rest) = OLD.split_at(4);
        let new = [rest, b"9753"].concat();
        let mut setup = JobSetup::with(kind, "current-pin", &Lines::default(), |settings| {
            settings.pin_maker = PinMaker::Fixed(new.clone());
        });
        let inserted = InsertedCard::new(kind);
        let mut person = Person { current_pin: Some(beginning.to_vec()), ..Person::default() };
        let failure = setup.run(&inserted, &mut person).failed("the beginning of the PIN");
        assert_eq!(failure.card_state(), CardState::TrySpent, "{kind:?}: {}", told(&failure));
        assert!(inserted.pin_is(OLD) && !inserted.authenticated(), "{kind:?}");
    }
}

/// The challenge is only a parameter there: a card that gives none any more can still be changed by its holder.
#[test]
fn the_current_pin_does_on_a_card_whose_admin_key_is_locked() {
    let settings = GidsSettings { card_id: CARD_A, pin: OLD.to_vec(), admin_tries: Some(0), ..GidsSettings::default() };
    let inserted = InsertedCard::of(Faulty::new(Box::new(GidsCard::personalised(settings))), Kind::Gids);
    let mut setup = JobSetup::new(Kind::Gids, "server");
    setup.run(&inserted, &mut Person::default()).failed_untouched("the server as the authority");
    let mut setup = JobSetup::new(Kind::Gids, "current-pin");
    setup.run(&inserted, &mut Person::knowing()).ok("the current PIN as the authority");
    assert!(!inserted.pin_is(OLD));
}

/// Answers that are none must not reach the card.
#[test]
fn an_answer_of_another_shape_never_reaches_the_card() {
    let answers: [(&str, u16); 14] = [
        ("\"\"", 200),
        ("", 200),
        ("", 204),
        ("null", 200),
        ("1234567890123456", 200),
        ("\"F0Zudm4wPLY\"", 200),
        ("\"F0Zudm4w\"", 200),
        ("\"F0Zudm4wPLYXRm52bjA8tg==\"", 200),
        ("\"17466E766E303CB6\"", 200),
        ("\"F0Zudm4wPLY=\\n\"", 200),
        ("\"F0Zudm4wPLY=\" \"F0Zudm4wPLY=\"", 200),
        ("[\"F0Zudm4wPLY=\"]", 200),
        ("{\"answer\":\"F0Zudm4wPLY=\"}", 200),
        ("not json at all", 200),
    ];
    let mut setup = JobSetup::new(Kind::Gids, "server");
    for (body, code) in answers {
        let case = format!("{code} {body:?}");
        let inserted = InsertedCard::new(Kind::Gids);
        let body = Some(body.to_owned()).filter(|_| code == 200);
        let fault = FaultKind::Status { code, headers: Vec::new(), body };
        setup.server.inject(Fault::on(Endpoint::AuthenticationResponse, fault));
        let failure = setup.run(&inserted, &mut Person::default()).failed_untouched(&case);
        assert!(matches!(*failure.cause, Cause::Server(_)), "{case}: {}", told(&failure));
        assert!(!told(&failure).contains("F0Zudm4w") && !told(&failure).contains("17466E"), "{case}");
        inserted.assert_not_risked(&case);
        setup.server.state().clear_faults();
    }
    // The right length and the wrong bytes: the card decides, once.
    let inserted = InsertedCard::new(Kind::Gids);
    let body = Some("\"AAAAAAAAAAA=\"".to_owned());
    setup.server.inject(Fault::on(
        Endpoint::AuthenticationResponse,
        FaultKind::Status { code: 200, headers: Vec::new(), body },
    ));
    let failure = setup.run(&inserted, &mut Person::default()).failed("wrong bytes");
    assert_eq!((failure.step, failure.card_state()), (Step::Authorize, CardState::TrySpent));
    assert_eq!(inserted.admin_answers(), 1);
}
