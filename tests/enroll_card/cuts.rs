//! A card that loses its power before or after each command: what is said of it includes the truth, and a rerun ends well.

use pinwright::enroll::certificate;
use pinwright::enroll::key_pair::{PairPlan, generate};
use pinwright::enroll::slots::{Wanted, look};
use pinwright::job::effect::{Change, Effect};

use super::*;

/// Carries out a job whose card is pulled at its exchange `number`, before or after the card has carried out the command.
fn cut<C: VirtualCard + Send + 'static, T>(
    card: &SharedCard<Faulty<C>>,
    (number, lost): (usize, bool),
    job: impl FnOnce(&mut HeldCard) -> Result<T, Cause>,
) -> (bool, Effect) {
    let result = hold(card, |held| {
        card.with(|card| {
            if lost {
                card.after(number, Fault::LostAnswer);
            }
            card.after(number + usize::from(lost), Fault::Removed);
        });
        (job(held).is_ok(), held.effect())
    });
    card.with(|card| {
        card.forget();
        card.reinsert();
        card.power_off();
    });
    result
}

fn may_be_new(change: Change) -> bool {
    matches!(change, Change::New { .. } | Change::Unknown)
}

fn may_be_old(change: Change) -> bool {
    matches!(change, Change::AsBefore | Change::Unknown)
}

/// What a rerun does that goes by the notes; `None` where nobody can tell.
fn again<C: VirtualCard + Send + 'static>(card: &SharedCard<C>, noted: &Noted) -> Option<Result<(), Cause>> {
    let mut source = Source::default();
    match (noted.has(Moment::AboutToWrite), noted.has(Moment::Written)) {
        (_, true) => Some(hold(card, |held| prove(held, None, &mut source, &NEVER, &mut |_| Ok(())))),
        (true, false) => None,
        (false, false) => Some(hold(card, |held| replace(held, None, &mut source, &NEVER, &mut |_| Ok(())))),
    }
}

fn cut_replacements<C: VirtualCard + Send + 'static>(
    make: impl Fn() -> C,
    is_new: impl Fn(&C) -> bool,
    failures: impl Fn(&C) -> usize,
) {
    let (mut ends, mut doubts) = (0, 0);
    for number in 0..24 {
        for lost in [false, true] {
            let about = format!("exchange {number}, answer lost: {lost}");
            let card = SharedCard::new(Faulty::new(make()));
            let (mut source, noted) = (Source::default(), Noted::default());
            let (done, effect) =
                cut(&card, (number, lost), |held| replace(held, None, &mut source, &NEVER, &mut noted.note()));
            let has_new = card.with(|card| is_new(card.card()));
            ends += usize::from(done);
            assert!(if has_new { may_be_new(effect.admin_key) } else { may_be_old(effect.admin_key) }, "{about}");
            assert!(!has_new || noted.has(Moment::AboutToWrite), "{about}");
            assert!(!done || effect.admin_key == Change::New { verified: true }, "{about}");
            match again(&card, &noted) {
                Some(result) => {
                    result.unwrap_or_else(|cause| panic!("{about}: {cause}"));
                    assert!(card.with(|card| is_new(card.card())), "{about}");
                }
                None => {
                    doubts += 1;
                    assert_eq!(effect.admin_key, Change::Unknown, "{about}");
                }
            }
            assert_eq!(card.with(|card| failures(card.card())), 0, "{about}: a try was lost");
        }
    }
    assert!(ends > 4, "the longest runs are not cut");
    assert!((1..=2).contains(&doubts), "the write alone leaves a doubt, not {doubts} exchanges");
}

#[test]
fn a_power_cut_while_a_gids_card_gets_its_admin_key() {
    cut_replacements(|| GidsCard::personalised(gids()), |card| card.admin_key_is(&NEW), |card| card.admin_failures());
}

#[test]
fn a_power_cut_while_a_piv_card_gets_its_management_key() {
    cut_replacements(|| PivCard::new(yubico()), |card| card.management_key_is(&NEW), |card| card.admin_failures());
}

fn plan(choice: pinwright::card::SlotChoice) -> PairPlan {
    PairPlan {
        choice,
        key_type: KeyType::Rsa2048,
        hash: Hash::Sha256,
        subject: String::new(),
        name: "{7f3c0f7a-1111-2222-3333-444455556666}".to_owned(),
    }
}

/// Of a key pair that was cut off the next look tells whether it is there whole; if not, it is made once more in the same place.
#[test]
fn a_power_cut_while_a_key_is_made_and_its_certificate_written() {
    let (pin, plan) = (pin(), plan(pinwright::card::SlotChoice::First(pinwright::card::KeyUsage::Exchange)));
    let own = certificate(1);
    let mut ends = 0;
    for number in 0..32 {
        for lost in [false, true] {
            let about = format!("exchange {number}, answer lost: {lost}");
            let card = SharedCard::new(Faulty::new(GidsCard::personalised(gids())));
            let wanted = |certificate| Wanted { plan: &plan, slot: Some(slot("kxc00")), made: None, certificate };
            let (done, effect) = cut(&card, (number, lost), |held| {
                let mut source = Source::default();
                let mut rights = rights(&pin, &mut source);
                let seen = look(held, &[wanted(None)])?.remove(0);
                generate(held, &seen.place.give_up(), &plan, &mut rights, &mut |_| Ok(()))?;
                certificate::write(held, slot("kxc00"), &own, &mut rights, &mut |_| Ok(()))
            });
            ends += usize::from(done);
            hold(&card, |held| {
                let mut source = Source::default();
                let mut rights = rights(&pin, &mut source);
                let seen = look(held, &[wanted(Some(&own))]).unwrap().remove(0);
                let has_key = seen.says.key.is_some();
                assert!(if has_key { may_be_new(effect.key_slot) } else { may_be_old(effect.key_slot) }, "{about}");
                let is_ours = seen.says.has_our_certificate;
                let told = effect.certificate;
                assert!(if is_ours { may_be_new(told) } else { may_be_old(told) }, "{about}: {told:?}");
                assert!(!done || is_ours, "{about}");
                if !has_key {
                    let place = seen.place.give_up();
                    generate(held, &place, &plan, &mut rights, &mut |_| Ok(())).unwrap();
                }
                certificate::write(held, slot("kxc00"), &own, &mut rights, &mut |_| Ok(())).unwrap();
                let seen = look(held, &[wanted(Some(&own))]).unwrap().remove(0);
                assert!(seen.says.key.is_some() && seen.says.has_our_certificate, "{about}");
            });
            assert_eq!(card.with(|card| card.card().tries_left()), 3, "{about}");
        }
    }
    assert!(ends > 4, "the longest runs are not cut");
}
