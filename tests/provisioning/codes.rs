//! PUKs, admin PINs, resetting codes and current PINs on cards with manners of their own.

use pinwright::job::journal::Journal;
use pinwright::job::{CardState, Cause, Step};
use pinwright::sim::card::VirtualCard as _;
use pinwright::sim::fault::Faulty;
use pinwright::sim::piv::{PivCard, PivSettings};
use support::provisioning::{CARD_A, ISO_ATR, InsertedCard, JobSetup, Kind, Lines, OLD, Person, TRIES, told};

/// A wrong PUK on a YubiKey NEO with an old applet: `6302`, where the standard has `63C2`.
#[test]
fn a_wrong_puk_in_the_words_of_an_old_card_is_a_wrong_puk() {
    let mut setup = JobSetup::new(Kind::Piv, "puk");
    let inserted = InsertedCard::new(Kind::Piv);
    inserted.forge(|_, mut answer| {
        if let [0x63, sw2 @ 0xC0..=0xCF] = answer.as_mut_slice() {
            *sw2 &= 0x0F;
        }
        answer
    });
    let mut person = Person { code: Some(b"00000000".to_vec()), ..Person::default() };
    let failure = setup.run(&inserted, &mut person).failed("a wrong PUK");
    assert_eq!((failure.step, failure.card_state()), (Step::SetPin, CardState::TrySpent), "{}", told(&failure));
    assert!(told(&failure).contains("2 tries left now"), "{}", told(&failure));
    assert!(inserted.pin_is(OLD) && inserted.tries() == TRIES);
}

/// Another program has left the PIN verified, so the card says `9000` where its counter would stand: one try, and it is not spent.
#[test]
fn the_last_try_is_not_risked_because_the_pin_was_left_verified() {
    let mut setup = JobSetup::new(Kind::Piv, "current-pin");
    let settings = PivSettings {
        atr: ISO_ATR.to_vec(),
        guid: Some(Kind::Piv.guid(CARD_A).into_bytes()),
        pin: OLD.to_vec(),
        pin_tries: 1,
        ..PivSettings::default()
    };
    let inserted = InsertedCard::of(Faulty::new(Box::new(PivCard::new(settings))), Kind::Piv);
    let verify = [&[0x00, 0x20, 0x00, 0x80, 0x08], OLD].concat();
    inserted.card.with(|tap| {
        for command in [&hex::decode("00A4040009A0000003080000100000").unwrap(), &verify] {
            assert!(tap.transmit(command).unwrap().ends_with(&[0x90, 0x00]));
        }
    });
    inserted.forget_sent();
    let mut person = Person { current_pin: Some(b"13572468".to_vec()), ..Person::default() };
    let failure = setup.run(&inserted, &mut person).failed_untouched("one try left");
    assert!(matches!(*failure.cause, Cause::FewTries { left: 1, .. }), "{}", told(&failure));
    assert_eq!((inserted.tries(), inserted.card.with(|tap| tap.risky())), (1, 0));
}

/// Where nobody has to answer the challenge it is a parameter of the server's call, and none is as good.
#[test]
fn a_challenge_that_nobody_answers_stops_no_job() {
    let (random, general, metadata) = (0x84, 0x87, 0xF7);
    for (kind, authority, instruction, answers) in [
        (Kind::OpenPgp, "admin-pin", random, &["9000", "001122339000", "6D00", "6F00"][..]),
        (Kind::OpenPgp, "current-pin", random, &["9000"]),
        (Kind::OpenPgp, "resetting-code", random, &["00112233445566778899AABBCCDDEEFF9000"]),
        (Kind::Piv, "puk", general, &["9000", "7C009000", "7C04810200119000", "6982"]),
        (Kind::Piv, "current-pin", metadata, &["0102039000", "FFFFFF9000"]),
        (Kind::Iso, "current-pin", random, &["9000", "00112233449000"]),
        (Kind::Gids, "current-pin", general, &["9000", "7C009000"]),
    ] {
        let mut setup = JobSetup::new(kind, authority);
        for answer in answers {
            let case = format!("{kind:?} {authority}: {answer}");
            let inserted = InsertedCard::new(kind);
            let given = hex::decode(answer).unwrap();
            inserted.instead(move |command| (command.get(1) == Some(&instruction)).then(|| given.clone()));
            setup.run(&inserted, &mut Person::knowing()).ok(&case);
            assert!(!inserted.pin_is(OLD), "{case}");
        }
    }
}

/// A card that has lost its selection has said nothing of the challenge.
#[test]
fn a_challenge_to_a_card_that_was_reset_stops_the_job() {
    let mut setup = JobSetup::new(Kind::OpenPgp, "admin-pin");
    let inserted = InsertedCard::new(Kind::OpenPgp);
    inserted.instead(|command| (command.get(1) == Some(&0x84)).then(|| vec![0x69, 0x86]));
    let failure = setup.run(&inserted, &mut Person::knowing()).failed_untouched("6986");
    assert_eq!(failure.step, Step::Challenge, "{}", told(&failure));
    inserted.assert_not_risked("6986");
}

/// Nine bytes where each PIN has a block of eight: the new PIN would begin one byte late.
#[test]
fn a_current_pin_that_can_not_be_the_cards_is_not_tried() {
    for (kind, pin) in [(Kind::IsoPadded, "246813579"), (Kind::Iso, "246813579"), (Kind::Piv, "246813579")] {
        let case = format!("{kind:?}");
        let mut setup = JobSetup::new(kind, "current-pin");
        let inserted = InsertedCard::new(kind);
        let mut person = Person { current_pin: Some(pin.into()), ..Person::default() };
        let failure = setup.run(&inserted, &mut person).failed_untouched(&case);
        assert_eq!(failure.step, Step::Supply, "{case}: {}", told(&failure));
        assert!(told(&failure).contains("to 8 bytes, and that has 9"), "{case}: {}", told(&failure));
        inserted.assert_not_risked(&case);
    }
}

/// The way out of a PIN that nobody is sure of is one that the card takes.
#[test]
fn what_leads_out_of_an_uncertain_pin_is_named_for_the_card() {
    for (kind, others) in [
        (Kind::Gids, "(server, admin-key)"),
        (Kind::Piv, "(puk)"),
        (Kind::OpenPgp, "(admin-pin, resetting-code)"),
        (Kind::Iso, "(server, admin-key)"),
    ] {
        let case = format!("{kind:?}");
        let lines = Lines { card: "min_tries_left = 3".to_owned(), ..Lines::default() };
        let mut setup = JobSetup::with(kind, "current-pin", &lines, |_| {});
        let folder = tempfile::tempdir().unwrap();
        setup.journal = Some(Journal::new(folder.path().join("journal"), std::time::Duration::from_secs(3600)));
        let inserted = InsertedCard::new(kind);
        inserted.instead(|command| (command.get(1) == Some(&0x24)).then(|| vec![0x6F, 0x00]));
        let failure = setup.run(&inserted, &mut Person::knowing()).failed(&case);
        assert_eq!(failure.card_state(), CardState::Unknown, "{case}: {}", told(&failure));
        let failure = setup.run(&inserted, &mut Person::knowing()).failed_untouched(&case);
        assert!(matches!(*failure.cause, Cause::UncertainPin { .. }), "{case}: {}", told(&failure));
        assert!(failure.cause.remedy().contains(others), "{case}: {}", failure.cause.remedy());
    }
}
