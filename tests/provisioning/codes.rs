//! PUKs, admin PINs, resetting codes and current PINs on cards with manners of their own.

use pinwright::provision::{CardState, Cause, Step};
use pinwright::sim::card::VirtualCard as _;
use pinwright::sim::fault::Faulty;
use pinwright::sim::piv::{PivCard, PivSettings};

use crate::bench::{Bench, CARD_A, ISO_ATR, Kind, OLD, Person, TRIES, World, told};

/// A wrong PUK on a YubiKey NEO with an old applet: `6302`, where the standard has `63C2`.
#[test]
fn a_wrong_puk_in_the_words_of_an_old_card_is_a_wrong_puk() {
    let mut world = World::new(Kind::Piv, "puk");
    let bench = Bench::new(Kind::Piv);
    bench.forge(|_, mut answer| {
        if let [0x63, sw2 @ 0xC0..=0xCF] = answer.as_mut_slice() {
            *sw2 &= 0x0F;
        }
        answer
    });
    let mut person = Person { code: Some(b"00000000".to_vec()), ..Person::default() };
    let failure = world.run(&bench, &mut person).failed("a wrong PUK");
    assert_eq!((failure.step, failure.card), (Step::SetPin, CardState::TrySpent), "{}", told(&failure));
    assert!(told(&failure).contains("2 tries left now"), "{}", told(&failure));
    assert!(bench.pin_is(OLD) && bench.tries() == TRIES);
}

/// Another program has left the PIN verified, so the card says `9000` where its counter would stand: one try, and it is not spent.
#[test]
fn the_last_try_is_not_risked_because_the_pin_was_left_verified() {
    let mut world = World::new(Kind::Piv, "current-pin");
    let settings = PivSettings {
        atr: ISO_ATR.to_vec(),
        guid: Some(Kind::Piv.guid(CARD_A).into_bytes()),
        pin: OLD.to_vec(),
        pin_tries: 1,
        ..PivSettings::default()
    };
    let bench = Bench::of(Faulty::new(Box::new(PivCard::new(settings))), Kind::Piv);
    let verify = [&[0x00, 0x20, 0x00, 0x80, 0x08], OLD].concat();
    bench.card.with(|tap| {
        for command in [&hex::decode("00A4040009A0000003080000100000").unwrap(), &verify] {
            assert!(tap.transmit(command).unwrap().ends_with(&[0x90, 0x00]));
        }
    });
    bench.forget_sent();
    let mut person = Person { current_pin: Some(b"13572468".to_vec()), ..Person::default() };
    let failure = world.run(&bench, &mut person).failed_untouched("one try left");
    assert!(matches!(*failure.cause, Cause::FewTries { left: 1, .. }), "{}", told(&failure));
    assert_eq!((bench.tries(), bench.card.with(|tap| tap.risky())), (1, 0));
}
