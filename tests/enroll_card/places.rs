//! The places of key pairs: what is there, what would be lost, and no place for two.

use pinwright::card::Family;
use pinwright::enroll::certificate as stage;
use pinwright::enroll::key_pair::{generate, key_hash};
use pinwright::enroll::next::SlotSays;
use pinwright::enroll::slots::{UNREADABLE_KEY, Wanted, look};

use super::keys::{planned, rsa, wanted};
use super::*;

#[test]
fn two_key_pairs_get_two_places() {
    let card = SharedCard::new(GidsCard::personalised(gids()));
    let (pin, mut source) = (pin(), Source::default());
    let plans = planned(Family::Gids, &[rsa(3), rsa(2), rsa(3)]);
    let all: Vec<_> = plans.iter().map(wanted).collect();
    hold(&card, |held| {
        let mut rights = rights(&pin, &mut source);
        let slots = |seen: &[pinwright::enroll::slots::Seen]| seen.iter().map(|seen| seen.slot).collect::<Vec<_>>();
        let seen = look(held, &all).unwrap();
        assert_eq!(slots(&seen), ["kxc00", "ksc01", "kxc02"].map(slot));
        assert!(seen.iter().all(|seen| seen.says == SlotSays::default() && seen.place.would_be_lost().is_none()));
        // The journal has named the first container for the second key pair.
        let mut noted = all.clone();
        noted[1].slot = Some(slot("ksc00"));
        assert_eq!(slots(&look(held, &noted).unwrap()), ["kxc01", "ksc00", "kxc02"].map(slot));
        // What is there already is not given to anybody.
        let place = look(held, &all[..1]).unwrap().remove(0).place.give_up();
        generate(held, &place, &plans[0], &mut rights, &mut |_| Ok(())).unwrap();
        assert_eq!(slots(&look(held, &all).unwrap()), ["kxc01", "ksc02", "kxc03"].map(slot));
    });
}

#[test]
fn what_is_in_a_place_is_told_and_what_is_ours_is_known() {
    let card = SharedCard::new(GidsCard::personalised(gids()));
    let (pin, mut source, own) = (pin(), Source::default(), certificate(1));
    let plan = planned(Family::Gids, &[rsa(3)]).remove(0);
    let named = Wanted { slot: Some(slot("kxc00")), ..wanted(&plan) };
    hold(&card, |held| {
        let mut rights = rights(&pin, &mut source);
        let place = look(held, &[named]).unwrap().remove(0).place.give_up();
        let key = generate(held, &place, &plan, &mut rights, &mut |_| Ok(())).unwrap();
        let seen = look(held, &[named]).unwrap().remove(0);
        assert_eq!((seen.says.key, seen.key.as_ref()), (Some(key_hash(&key).unwrap()), Some(&key)));
        let lost = seen.place.would_be_lost().unwrap();
        assert!(lost.slot.decrypts() && lost.name.as_deref() == Some(plan.name.as_str()) && !lost.certificate);
        stage::write(held, slot("kxc00"), &own, &mut rights, &mut |_| Ok(())).unwrap();
        let other = certificate(2);
        for (certificate, ours) in [(None, false), (Some(&own[..]), true), (Some(&other[..]), false)] {
            let says = look(held, &[Wanted { certificate, ..named }]).unwrap().remove(0).says;
            assert_eq!((says.has_certificate, says.has_our_certificate), (true, ours));
        }
        // A place that is asked for with another use is the same place, and is given up for that use.
        let other_use = Wanted { slot: Some(slot("ksc00")), ..wanted(&plan) };
        let seen = look(held, &[other_use]).unwrap().remove(0);
        assert_eq!((seen.slot, seen.place.would_be_lost().unwrap().slot), (slot("ksc00"), slot("kxc00")));
        let vacant = seen.place.give_up();
        assert_eq!(vacant.slot(), slot("ksc00"));
        generate(held, &vacant, &plan, &mut rights, &mut |_| Ok(())).unwrap();
        let seen = look(held, &[Wanted { certificate: Some(&own), ..other_use }]).unwrap().remove(0);
        assert!(seen.says.key.is_some() && !seen.says.has_certificate);
        assert!(!seen.place.would_be_lost().unwrap().slot.decrypts());
    });
    assert!(card.with(|card| card.has_key(0x81) && !card.has_key(0x82)));
}

/// Of a full card one place is named, that of a key that decrypts nothing where there is one, and it is in use for the decision as well.
#[test]
fn of_a_full_card_one_place_is_named() {
    for (signing, expected) in [(None, "kxc00"), (Some(5), "ksc05")] {
        let mut card = GidsCard::personalised(gids());
        let record = |index: u8| {
            let kind = if Some(index) == signing { 0x9C } else { 0x9A };
            [1, 0, 0, 0, 7, kind, 0x81 + index, 0xB0, 0xFF, 0xFF, 0, 0]
        };
        let map = [&[1][..], &(0..=KeySlot::CONTAINER_MAX).flat_map(record).collect::<Vec<_>>()].concat();
        assert!(card.preset_object(0xA000, 0xDF20, &map));
        let card = SharedCard::new(card);
        let plans = planned(Family::Gids, &[rsa(3), rsa(3)]);
        let all: Vec<_> = plans.iter().map(wanted).collect();
        hold(&card, |held| {
            let seen = look(held, &all).unwrap();
            let lost = seen[0].place.would_be_lost().unwrap();
            assert_eq!((lost.slot, seen[0].says.key), (slot(expected), Some(UNREADABLE_KEY)));
            assert_ne!(seen[0].slot, seen[1].slot);
            assert!(seen[1].place.would_be_lost().is_some());
        });
    }
}
