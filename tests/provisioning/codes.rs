//! PUKs, admin PINs, resetting codes and current PINs on cards with manners of their own.

use pinwright::provision::{CardState, Step};

use crate::bench::{Bench, Kind, OLD, Person, TRIES, World, told};

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
