//! PUK, PW3 and resetting code at their last try or blocked: a counter that can be asked for spares the card the try.

use pinwright::job::secrets::Need;
use pinwright::job::{CardState, Cause, Step};
use pinwright::sim::fault::Faulty;
use pinwright::sim::openpgp::{OpenPgpCard, OpenPgpSettings};
use pinwright::sim::piv::{PivCard, PivSettings};
use support::provisioning::{
    CARD_A, CODE, ISO_ATR, InsertedCard, InspectableCard, JobSetup, Kind, OLD, Person, TRIES, told,
};

/// Every secret is the right one: it is not the card that refuses.
fn knowing() -> Person<'static> {
    Person { at_hand: vec![Need::Puk, Need::AdminPin, Need::ResettingCode], ..Person::knowing() }
}

fn piv(yubico: bool, puk_left: u8) -> InsertedCard {
    let settings = PivSettings {
        atr: ISO_ATR.to_vec(),
        guid: Some(Kind::PivYubico.guid(CARD_A).into_bytes()),
        yubico,
        pin: OLD.to_vec(),
        puk: CODE.to_vec(),
        puk_left: Some(puk_left),
        ..PivSettings::default()
    };
    inserted(PivCard::new(settings), Kind::PivYubico)
}

fn openpgp(pw3_left: u8, code_left: u8) -> InsertedCard {
    let [m, n, a, b, c, d, ..] = CARD_A;
    let settings = OpenPgpSettings {
        atr: ISO_ATR.to_vec(),
        manufacturer: [m, n],
        serial: [a, b, c, d],
        pw1: OLD.to_vec(),
        pw3: CODE.to_vec(),
        pw3_left: Some(pw3_left),
        resetting_code: Some(CODE.to_vec()),
        code_left: Some(code_left),
        ..OpenPgpSettings::default()
    };
    inserted(OpenPgpCard::new(settings), Kind::OpenPgp)
}

fn inserted(card: impl InspectableCard + 'static, kind: Kind) -> InsertedCard {
    InsertedCard::of(Faulty::new(Box::new(card)), kind)
}

/// Nothing that could count was sent, and the counters are as they were.
#[track_caller]
fn assert_spared(inserted: &InsertedCard, lost: u8, case: &str) {
    assert_eq!(inserted.card.with(|tap| tap.risky()), 0, "{case}");
    assert_eq!((inserted.tries(), inserted.code_tries_lost()), (TRIES, lost), "{case}");
    assert!(inserted.pin_is(OLD) && !inserted.authenticated(), "{case}");
}

#[test]
fn a_puk_that_metadata_tell_of_is_not_risked_at_its_last_try_nor_when_it_is_blocked() {
    for left in [0, 1] {
        let case = format!("{left} tries left of the PUK");
        let inserted = piv(true, left);
        let mut setup = JobSetup::new(Kind::PivYubico, "puk");
        let failure = setup.run(&inserted, &mut knowing()).failed_untouched(&case);
        assert_eq!(failure.step, Step::Fit, "{case}: {}", told(&failure));
        let few = matches!(*failure.cause, Cause::FewTries { what: "PUK", left: told, min: 2 } if told == left);
        assert!(few, "{case}: {}", told(&failure));
        assert_spared(&inserted, TRIES - left, &case);
    }
    let inserted = piv(true, 2);
    JobSetup::new(Kind::PivYubico, "puk").run(&inserted, &mut knowing()).ok("2 tries left of the PUK");
    assert!(!inserted.pin_is(OLD));
    assert_eq!((inserted.tries(), inserted.code_tries_lost()), (TRIES, 0));
}

/// Where no card tells of it nothing but the PUK itself finds out: it is offered, once.
#[test]
fn a_blocked_puk_that_nothing_tells_of_is_offered_once() {
    let iso = InsertedCard::new(Kind::IsoUnblocking);
    for left in [2, 1, 0] {
        let mut setup = JobSetup::new(Kind::IsoUnblocking, "puk");
        let failure = setup.run(&iso, &mut Person { code: Some(b"11111111".to_vec()), ..knowing() }).failed("wrong");
        assert_eq!((failure.step, failure.card_state()), (Step::SetPin, CardState::TrySpent), "{}", told(&failure));
        assert_eq!(iso.code_tries_lost(), TRIES - left, "one try for each job");
    }
    iso.forget_sent();
    for (kind, inserted) in [(Kind::Piv, piv(false, 0)), (Kind::IsoUnblocking, iso)] {
        let failure = JobSetup::new(kind, "puk").run(&inserted, &mut knowing()).failed("blocked");
        assert_eq!(
            (failure.step, failure.card_state()),
            (Step::SetPin, CardState::TrySpent),
            "{kind:?}: {}",
            told(&failure)
        );
        assert_eq!(inserted.card.with(|tap| tap.risky()), 1, "{kind:?}");
        assert!(inserted.pin_is(OLD) && inserted.tries() == TRIES, "{kind:?}");
    }
}

#[test]
fn pw3_and_resetting_code_are_not_risked_at_their_last_try_nor_when_they_are_blocked() {
    for (authority, what, left) in [
        ("admin-pin", "admin PIN (PW3)", 0),
        ("admin-pin", "admin PIN (PW3)", 1),
        ("resetting-code", "resetting code", 1),
    ] {
        let case = format!("{left} tries left of the {what}");
        let inserted = if authority == "admin-pin" { openpgp(left, TRIES) } else { openpgp(TRIES, left) };
        let failure = JobSetup::new(Kind::OpenPgp, authority).run(&inserted, &mut knowing()).failed_untouched(&case);
        let few = matches!(*failure.cause, Cause::FewTries { what: named, left: told, min: 2 } if told == left && named == what);
        assert!(few, "{case}: {}", told(&failure));
        assert_spared(&inserted, TRIES - left, &case);
    }
    // A code that is blocked looks like one that was never set.
    let inserted = openpgp(TRIES, 0);
    let failure =
        JobSetup::new(Kind::OpenPgp, "resetting-code").run(&inserted, &mut knowing()).failed_untouched("blocked");
    let told_why =
        matches!(*failure.cause, Cause::NoAuthority { reason: Some(reason), .. } if reason.contains("blocked"));
    assert!(told_why, "{}", told(&failure));
    assert_spared(&inserted, TRIES, "blocked resetting code");
}
