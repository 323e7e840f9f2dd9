//! Key pairs, the requests that they sign, and certificates: commands, rights, and refusals.

use pinwright::card::{Family, KeyUsage, PivSlot, SlotChoice};
use pinwright::enroll::key_pair::{PairPlan, generate, key_hash, plan, sign};
use pinwright::enroll::rules::Rules;
use pinwright::enroll::{certificate as stage, slots};
use pinwright::exit::Exit;
use pinwright::job::effect::{CardState, Change};
use pinwright::job::stage_error::{KeyOptionsProblem, StageError};
use pinwright::server::wire::KeyOptions;

use super::*;

pub fn options(algorithm: &str, bits: Option<u64>, hash: &str, usages: u64) -> KeyOptions {
    let (algorithm, hash) = (algorithm.to_owned(), hash.to_owned());
    KeyOptions { subject: String::new(), algorithm, bits, hash, usages, providers: Vec::new() }
}

pub fn rsa(usages: u64) -> KeyOptions {
    options("RSA", Some(2048), "SHA256", usages)
}

pub fn planned(family: Family, options: &[KeyOptions]) -> Vec<PairPlan> {
    plan(options, family, &Rules::default()).unwrap()
}

/// The commands of each stage: a key pair 10 and VERIFY, a request 2, a certificate 7 and 4 to read it back.
#[test]
fn stages_on_a_gids_card_send_no_more_than_they_need() {
    let card = SharedCard::new(GidsCard::personalised(gids()));
    let seen = || card.with(|card| card.commands_seen());
    let (pin, mut source, noted) = (pin(), Source::default(), Noted::default());
    let plan = planned(Family::Gids, &[rsa(3)]).remove(0);
    hold(&card, |held| {
        let mut rights = rights(&pin, &mut source);
        let place = slots::look(held, &[wanted(&plan)]).unwrap().remove(0).place.give_up();
        assert_eq!(place.slot(), slot("kxc00"));
        let before = seen();
        let key = generate(held, &place, &plan, &mut rights, &mut noted.note()).unwrap();
        // The long answer with the public key comes in two.
        assert!(seen() - before <= 1 + 10 + 1, "{}", seen() - before);
        let before = seen();
        let csr = sign(held, place.slot(), &key, &plan, &rights).unwrap();
        assert_eq!((seen() - before, csr.key()), (2, &key));
        let before = seen();
        stage::write(held, place.slot(), &certificate(1), &mut rights, &mut noted.note()).unwrap();
        assert!(seen() - before <= 7 + 4, "{}", seen() - before);
        let effect = held.effect();
        assert_eq!(effect.key_slot, Change::New { verified: true });
        assert_eq!((effect.certificate, effect.card_state()), (Change::New { verified: true }, CardState::Changed));
        let hash = key_hash(&key).unwrap();
        let moments = [
            Moment::AboutToGenerate,
            Moment::Generated(hash),
            Moment::AboutToWriteCertificate,
            Moment::CertificateWritten,
        ];
        assert_eq!(noted.all(), moments);
    });
    assert!(source.calls.is_empty(), "a GIDS card needs no administrator for its keys");
    assert!(card.with(|card| !card.user_authenticated()), "the card was reset");
}

pub fn wanted(plan: &PairPlan) -> slots::Wanted<'_> {
    slots::Wanted { plan, slot: None, made: None, certificate: None }
}

#[test]
fn a_piv_card_is_written_to_by_the_management_key_and_signs_by_the_pin() {
    for (key_type, algorithm, yubico) in
        [(KeyType::Rsa2048, "RSA", true), (KeyType::P256, "ECDSA_P256", false), (KeyType::P384, "ECDH_P384", true)]
    {
        let card = SharedCard::new(PivCard::new(PivSettings { yubico, ready_keys: ready(), ..PivSettings::default() }));
        let (pin, mut source, noted) = (piv_pin(), Source::default(), Noted::default());
        let plan = planned(Family::Piv, &[options(algorithm, None, "", 2)]).remove(0);
        hold(&card, |held| {
            let mut rights = rights(&pin, &mut source);
            let seen = slots::look(held, &[wanted(&plan)]).unwrap().remove(0);
            assert_eq!((seen.slot, &seen.says), (slot("9a"), &pinwright::enroll::next::SlotSays::default()));
            let place = seen.place.give_up();
            let key = generate(held, &place, &plan, &mut rights, &mut noted.note()).unwrap();
            assert_eq!(key.key_type(), key_type);
            sign(held, place.slot(), &key, &plan, &rights).unwrap();
            stage::write(held, place.slot(), &certificate(1), &mut rights, &mut noted.note()).unwrap();
            let own = certificate(1);
            let seen = slots::look(
                held,
                &[slots::Wanted { certificate: Some(&own), made: Some(key_hash(&key).unwrap()), ..wanted(&plan) }],
            );
            let seen = seen.unwrap().remove(0);
            assert!(seen.says.has_our_certificate);
            // A card that tells of no keys is believed to have the one that the journal knows.
            assert_eq!((seen.says.key, seen.key.is_some()), (Some(key_hash(&key).unwrap()), yubico));
        });
        // One proof did for both writes.
        assert_eq!(source.calls, ["answer False"]);
        let version = AdminKeyVersion::Default;
        assert_eq!(noted.all()[..2], [Moment::AboutToProve(version), Moment::Proved(version)]);
        assert_eq!(card.with(|card| (card.admin_failures(), card.tries_left())), (0, 3));
    }
}

#[test]
fn a_local_key_proves_the_management_key() {
    for (bytes, good) in [(DEFAULT, true), (NEW, false)] {
        let card = SharedCard::new(PivCard::new(yubico()));
        let (pin, key, noted) = (piv_pin(), AdminKey::new(&bytes).unwrap(), Noted::default());
        let plan = planned(Family::Piv, &[rsa(1)]).remove(0);
        let made = hold(&card, |held| {
            let mut rights = Rights { pin: &pin, management: Management::AdminKey(&key), interrupted: &NEVER };
            let place = slots::look(held, &[wanted(&plan)]).unwrap().remove(0).place.give_up();
            let made = generate(held, &place, &plan, &mut rights, &mut noted.note());
            assert_eq!(held.effect().key_slot == Change::AsBefore, !good);
            made
        });
        assert_eq!((made.is_ok(), noted.has(Moment::LocalKeyProved)), (good, good));
        assert_eq!((noted.has(Moment::AboutToProveLocalKey), noted.has(Moment::AboutToGenerate)), (true, good));
        assert_eq!(card.with(|card| card.admin_failures()), usize::from(!good));
    }
}

/// The PIN that this process has set is no longer the card's: somebody has changed it in between.
#[test]
fn a_refused_pin_is_told_as_an_unknown_one() {
    let card = SharedCard::new(GidsCard::personalised(gids()));
    let (wrong, mut source) = (Pin::new(b"99999999").unwrap(), Source::default());
    let plan = planned(Family::Gids, &[rsa(3)]).remove(0);
    hold(&card, |held| {
        let place = slots::look(held, &[wanted(&plan)]).unwrap().remove(0).place.give_up();
        let refused = generate(held, &place, &plan, &mut rights(&wrong, &mut source), &mut |_| panic!("not begun"));
        let failure = held.failure(refused.unwrap_err());
        assert_eq!((failure.effect.pin, failure.effect.key_slot), (Change::Unknown, Change::AsBefore));
        assert_eq!(Exit::from(&failure), Exit::Attention);
    });
}

#[test]
fn a_full_card_is_as_it_was() {
    let card = SharedCard::new(GidsCard::personalised(GidsSettings { key_files_max: 0, ..gids() }));
    let (pin, mut source) = (pin(), Source::default());
    let plan = planned(Family::Gids, &[rsa(3)]).remove(0);
    hold(&card, |held| {
        let place = slots::look(held, &[wanted(&plan)]).unwrap().remove(0).place.give_up();
        let refused = generate(held, &place, &plan, &mut rights(&pin, &mut source), &mut |_| Ok(()));
        let failure = held.failure(refused.unwrap_err());
        assert_eq!((failure.effect.key_slot, Exit::from(&failure)), (Change::AsBefore, Exit::CardRefused));
    });
}

#[test]
fn a_certificate_that_the_card_refuses_leaves_the_old_one_and_says_so() {
    let card = SharedCard::new(Faulty::new(GidsCard::personalised(gids())));
    let (pin, mut source) = (pin(), Source::default());
    let plan = planned(Family::Gids, &[rsa(3)]).remove(0);
    hold(&card, |held| {
        let place = slots::look(held, &[wanted(&plan)]).unwrap().remove(0).place.give_up();
        generate(held, &place, &plan, &mut rights(&pin, &mut source), &mut |_| Ok(())).unwrap();
    });
    let mut write = |number| {
        hold(&card, |held| {
            held.verify_known(&pin).unwrap();
            card.with(|card| card.after(number, Fault::StatusWord(0x6A84)));
            let written =
                stage::write(held, slot("kxc00"), &certificate(1), &mut rights(&pin, &mut source), &mut |_| Ok(()));
            (written.is_ok(), held.effect().certificate)
        })
    };
    // The table, the count of changes, three blocks of the certificate, the table.
    for number in 0..7 {
        assert_eq!(write(number), (false, Change::AsBefore), "{number}");
        assert!(card.with(|card| card.exhausted()), "{number}");
    }
    assert_eq!(write(99), (true, Change::New { verified: true }));
    assert_eq!(stage::thumbprint(b"abc"), "A9993E364706816ABA3E25717850C26C9CD0D89D");
}

#[test]
fn what_the_server_wants_is_planned_or_refused_by_its_name() {
    let first = |usage| SlotChoice::First(usage);
    for (usages, usage) in [(3, KeyUsage::Exchange), (1, KeyUsage::Exchange), (4, KeyUsage::Exchange)] {
        assert_eq!(planned(Family::Gids, &[rsa(usages)])[0].choice, first(usage), "{usages}");
    }
    assert_eq!(planned(Family::Gids, &[rsa(2)])[0].choice, first(KeyUsage::Signature));
    assert_eq!(planned(Family::Gids, &[rsa(0)])[0].choice, first(KeyUsage::Exchange), "nothing said: the usual use");
    let two = planned(Family::Gids, &[rsa(3), rsa(3)]);
    assert_ne!(two[0].name, two[1].name);
    assert_eq!((two[0].name.len(), two[0].name.starts_with('{')), (38, true));

    let named = |plans: &[PairPlan]| plans.iter().map(|plan| plan.choice).collect::<Vec<_>>();
    let piv = |slot| SlotChoice::Named(KeySlot::Piv(slot));
    let three = planned(Family::Piv, &[rsa(3), rsa(2), rsa(1)]);
    let slots = [PivSlot::Authentication, PivSlot::Signature, PivSlot::KeyManagement].map(piv);
    assert_eq!(named(&three), slots);
    let rules = Rules { piv_slot: PivSlot::Signature, ..Rules::default() };
    let both = plan(&[rsa(2), rsa(2)], Family::Piv, &rules).unwrap();
    assert_eq!(named(&both), [PivSlot::Signature, PivSlot::Authentication].map(piv));

    let problem = |options: &[KeyOptions], family| match plan(options, family, &Rules::default()) {
        Err(StageError::KeyOptions(problem)) => problem,
        other => panic!("{other:?}"),
    };
    assert!(matches!(problem(&[rsa(3), rsa(3), rsa(3), rsa(3)], Family::Piv), KeyOptionsProblem::Places { .. }));
    for (options, told) in [
        (options("RSA", Some(4096), "SHA256", 3), "RSA with 4096 bits"),
        (options("ECDSA_P521", None, "SHA256", 3), "ECDSA_P521"),
        (options("RSA", Some(2048), "SHA512", 3), "SHA512"),
        (options("RSA", Some(2048), "SHA1", 3), "asks for SHA1"),
    ] {
        let problem = problem(&[options], Family::Piv);
        assert!(problem.to_string().contains(told), "{problem}");
    }
    let curve = problem(&[options("ECDSA_P256", Some(256), "SHA256", 2)], Family::Gids);
    assert!(matches!(curve, KeyOptionsProblem::KeyType { .. }), "{curve}");
    let old = Rules { allow_sha1: true, ..Rules::default() };
    assert_eq!(plan(&[options("RSA", None, "SHA1", 3)], Family::Gids, &old).unwrap()[0].hash, Hash::Sha1);
    let pair = plan(&[options("ECDSA_P256", None, "SHA1", 3)], Family::Piv, &old).unwrap_err();
    assert!(matches!(pair, StageError::KeyOptions(KeyOptionsProblem::Pair { .. })), "{pair}");
    for family in [Family::OpenPgp, Family::Iso7816] {
        assert!(matches!(plan(&[], family, &old), Err(StageError::NoKeys { .. })));
    }
}
