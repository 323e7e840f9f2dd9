//! Keys of PIV cards, and the family that has no place for them.

use super::*;

/// The cards that differ in what they tell: Yubico's metadata, and none.
fn piv_cards() -> [PivSettings; 2] {
    [PivSettings::default(), PivSettings { yubico: true, ..PivSettings::default() }]
}

#[test]
fn a_piv_card_makes_and_uses_keys_of_each_type_in_each_slot() {
    for settings in piv_cards() {
        let tells = settings.yubico;
        let card = SharedCard::new(PivCard::new(PivSettings { ready_keys: ready(), ..settings }));
        with_card(&card, |piv, channel| {
            authorize(piv, channel);
            for slot in PivSlot::ALL {
                for key_type in KeyType::ALL {
                    let place = match piv.keys().unwrap().room(channel, SlotChoice::Named(KeySlot::Piv(slot))).unwrap()
                    {
                        Room::Free(place) => place,
                        Room::Taken(taken) => taken.give_up(),
                        Room::Full(_) => panic!("a PIV card is never full"),
                    };
                    let (key, count) = counted(channel, |channel| {
                        piv.keys().unwrap().generate(channel, &place, key_type, "no name here").unwrap()
                    });
                    assert!(count <= 3, "{count}");
                    assert_eq!(key.key_type(), key_type);
                    let told = piv.keys().unwrap().public_key(channel, place.slot()).unwrap();
                    assert_eq!(told, tells.then(|| key.clone()));
                    if slot != PivSlot::CardAuthentication {
                        verify(piv, channel);
                    }
                    let hash = Hash::of_key(key_type);
                    let (csr, count) = counted(channel, |channel| {
                        Csr::sign(piv.keys().unwrap(), channel, place.slot(), &key, "CN=Card User", hash).unwrap()
                    });
                    assert_eq!((csr.key(), count), (&key, if key_type == KeyType::Rsa2048 { 3 } else { 1 }));
                    piv.forget(channel).unwrap();
                }
            }
            let held = piv.keys().unwrap().held(channel).unwrap();
            assert_eq!(held.len(), if tells { 4 } else { 0 });
            assert!(held.iter().all(|held| held.key == HeldKey::Made(Some(KeyType::P384)) && !held.certificate));
        });
    }
}

#[test]
fn a_piv_card_holds_to_its_access_rules() {
    let card = SharedCard::new(PivCard::new(PivSettings { ready_keys: ready(), ..PivSettings::default() }));
    with_card(&card, |piv, channel| {
        let [nine_a, nine_c] = ["9a", "9c"].map(slot);
        let digest = Digest::of(Hash::Sha256, b"x");
        let place = vacant(piv, channel, SlotChoice::Named(nine_c));
        assert!(!place.is_told(), "without metadata");
        verify(piv, channel);
        let refused = piv.keys().unwrap().generate(channel, &place, KeyType::Rsa2048, "").unwrap_err();
        assert_eq!(word(&refused), Some(0x6982), "the PIN makes no key");
        let refused = piv.certificates().unwrap().write(channel, nine_c, &certificate(1)).unwrap_err();
        assert_eq!(word(&refused), Some(0x6982), "and writes nothing");
        authorize(piv, channel);
        piv.keys().unwrap().generate(channel, &place, KeyType::Rsa2048, "").unwrap();
        generate(piv, channel, FIRST, "");
        piv.forget(channel).unwrap();
        for slot in [nine_a, nine_c] {
            let refused = piv.keys().unwrap().sign(channel, slot, KeyType::Rsa2048, &digest).unwrap_err();
            assert_eq!(word(&refused), Some(0x6982));
        }
        verify(piv, channel);
        for (slot, again) in [(nine_c, false), (nine_a, true)] {
            assert!(slot == nine_a || piv.keys().unwrap().sign(channel, slot, KeyType::Rsa2048, &digest).is_ok());
            let second = piv.keys().unwrap().sign(channel, slot, KeyType::Rsa2048, &digest);
            assert_eq!(second.is_ok(), again, "9C signs once after each VERIFY");
        }
        // A key of another type than the one that is there.
        let refused = piv.keys().unwrap().sign(channel, nine_a, KeyType::P256, &digest).unwrap_err();
        assert_eq!(word(&refused), Some(0x6A86));
        let refused = piv.keys().unwrap().room(channel, SlotChoice::Named(slot("kxc00"))).unwrap_err();
        assert!(matches!(refused, CardError::OtherSlot { .. }));
        assert!(!piv.keys().unwrap().erase(channel, nine_a).unwrap(), "no command deletes a key");
    });
}

#[test]
fn certificates_of_a_piv_card_are_written_read_and_removed() {
    for settings in piv_cards() {
        let tells = settings.yubico;
        let card = SharedCard::new(PivCard::new(PivSettings { ready_keys: ready(), ..settings }));
        with_card(&card, |piv, channel| {
            authorize(piv, channel);
            generate(piv, channel, FIRST, "");
            for (seed, name) in (0..).zip(["9a", "9c", "9d", "9e"]) {
                let certificates = piv.certificates().unwrap();
                assert_eq!(certificates.read(channel, slot(name)).unwrap(), None);
                let (_, count) = counted(channel, |channel| {
                    certificates.write(channel, slot(name), &certificate(seed)).unwrap();
                });
                assert_eq!(count, 3);
                assert_eq!(certificates.read(channel, slot(name)).unwrap(), Some(certificate(seed)));
            }
            assert_eq!(piv.certificates().unwrap().list(channel).unwrap().len(), 4);
            let refused = piv.certificates().unwrap().write(channel, slot("9a"), &[7; 3100]).unwrap_err();
            assert!(matches!(refused, CardError::Full { .. }), "{refused}");
            assert_eq!(piv.certificates().unwrap().read(channel, slot("9a")).unwrap(), Some(certificate(0)));

            // In use, and told: the certificate of another program, too, that has no key here.
            for (name, key) in [("9a", HeldKey::Made(Some(KeyType::Rsa2048))), ("9d", HeldKey::None)] {
                let Room::Taken(taken) = piv.keys().unwrap().room(channel, SlotChoice::Named(slot(name))).unwrap()
                else {
                    panic!("{name} is in use");
                };
                assert!(taken.held().certificate);
                assert_eq!(taken.held().key, if tells { key } else { HeldKey::Untold });
                // The certificate goes before its key does.
                piv.keys().unwrap().generate(channel, &taken.give_up(), KeyType::P256, "").unwrap();
                assert_eq!(piv.certificates().unwrap().read(channel, slot(name)).unwrap(), None);
            }
            piv.certificates().unwrap().remove(channel, slot("9c")).unwrap();
            assert_eq!(piv.certificates().unwrap().list(channel).unwrap(), [slot("9e")]);
        });
        assert!(card.with(|card| card.object(&[0x5F, 0xC1, 0x02]).is_none()), "the CHUID is not written");
    }
}

#[test]
fn an_openpgp_card_is_refused_by_name() {
    let card = SharedCard::new(OpenPgpCard::new(OpenPgpSettings::default()));
    with_card(&card, |openpgp, _| {
        assert!(openpgp.keys().is_none() && openpgp.certificates().is_none());
        assert!(openpgp.family().why_no_keys().unwrap().starts_with("an OpenPGP card has"));
    });
}
