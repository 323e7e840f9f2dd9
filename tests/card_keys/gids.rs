//! Containers of a GIDS card: made, used, given up, and what is refused before anything is sent.

use super::*;

/// The commands of each operation. The hand-written minimum (`fixtures/apdu/gids/enroll-ok.apdu`) has 9 for the key pair, 2 for the
/// signature and 7 for the certificate of three blocks; it counts the change once for both.
#[test]
fn a_gids_card_is_enrolled_with_few_commands() {
    let card = SharedCard::new(GidsCard::personalised(settings()));
    with_card(&card, |gids, channel| {
        verify(gids, channel);
        let (place, count) = counted(channel, |channel| vacant(gids, channel, FIRST));
        assert_eq!((place.slot().to_string().as_str(), place.is_told(), count), ("kxc00", true, 3));
        let keys = gids.keys().unwrap();
        assert_eq!(keys.public_key(channel, place.slot()).unwrap(), None);
        let (key, count) = counted(channel, |channel| keys.generate(channel, &place, KeyType::Rsa2048, NAME).unwrap());
        assert_eq!(count, 10, "key pair");
        assert_eq!(keys.public_key(channel, place.slot()).unwrap(), Some(key.clone()));
        for hash in Hash::ALL {
            let (csr, count) = counted(channel, |channel| {
                Csr::sign(keys, channel, place.slot(), &key, "CN=Card User,O=example", hash).unwrap()
            });
            assert_eq!((csr.key(), count), (&key, 2), "signature");
        }
        let certificates = gids.certificates().unwrap();
        assert_eq!(certificates.read(channel, place.slot()).unwrap(), None);
        let written = certificate(1);
        let (_, count) = counted(channel, |channel| certificates.write(channel, place.slot(), &written).unwrap());
        assert_eq!(count, 7, "certificate");
        let (read, count) = counted(channel, |channel| certificates.read(channel, place.slot()).unwrap());
        assert_eq!((read, count), (Some(written), 4), "read back");
        assert_eq!(certificates.list(channel).unwrap(), [place.slot()]);
        let held = gids.keys().unwrap().held(channel).unwrap();
        let expected = Held {
            slot: place.slot(),
            name: Some(NAME.to_owned()),
            key: HeldKey::Made(Some(KeyType::Rsa2048)),
            certificate: true,
            registered: true,
        };
        assert_eq!(held, [expected]);
    });
    card.with(|card| {
        assert_eq!(card.object(0xA010, 0xDF22).unwrap(), [0, 0, 1, 0, 1, 0], "one change of containers, one of files");
        assert_eq!(card.object(0xA000, 0xDF20).unwrap(), hex::decode("0101000000079A81B0FFFF0000").unwrap());
    });
}

#[test]
fn real_keys_are_made_and_no_two_are_the_same() {
    let card = SharedCard::new(GidsCard::personalised(GidsSettings::default()));
    with_card(&card, |gids, channel| {
        verify(gids, channel);
        let one = generate(gids, channel, FIRST, "one");
        let two = generate(gids, channel, SlotChoice::First(KeyUsage::Signature), "two");
        assert_ne!(one, two);
        for (slot, key, own) in [("kxc00", &one, true), ("ksc01", &two, true), ("kxc00", &two, false)] {
            let signed = Csr::sign(gids.keys().unwrap(), channel, self::slot(slot), key, "CN=x", Hash::Sha256);
            // What the card has signed with another key than it says does not leave.
            assert_eq!(signed.is_ok(), own, "{slot}");
            assert!(own || matches!(signed, Err(CsrError::Signature)));
        }
    });
}

#[test]
fn a_key_is_made_and_used_by_the_user_alone() {
    let card = SharedCard::new(GidsCard::personalised(settings()));
    with_card(&card, |gids, channel| {
        let place = vacant(gids, channel, FIRST);
        let digest = Digest::of(Hash::Sha256, b"x");
        let refused = gids.keys().unwrap().generate(channel, &place, KeyType::Rsa2048, NAME).unwrap_err();
        assert_eq!(word(&refused), Some(0x6982), "nobody");
        authorize(gids, channel);
        let refused = gids.keys().unwrap().generate(channel, &place, KeyType::Rsa2048, NAME).unwrap_err();
        assert_eq!(word(&refused), Some(0x6982), "the administrator creates the file, and makes no key");
        verify(gids, channel);
        let keys = gids.keys().unwrap();
        keys.generate(channel, &place, KeyType::Rsa2048, NAME).unwrap();
        keys.sign(channel, place.slot(), KeyType::Rsa2048, &digest).unwrap();
        gids.forget(channel).unwrap();
        let refused = gids.keys().unwrap().sign(channel, place.slot(), KeyType::Rsa2048, &digest).unwrap_err();
        assert_eq!(word(&refused), Some(0x6982));
        assert!(gids.keys().unwrap().public_key(channel, place.slot()).unwrap().is_some(), "everybody reads it");
        let refused = gids.certificates().unwrap().write(channel, place.slot(), &certificate(1)).unwrap_err();
        assert_eq!(word(&refused), Some(0x6982));
    });
}

#[test]
fn what_can_t_be_done_is_told_before_anything_is_sent_or_written() {
    let card = SharedCard::new(GidsCard::personalised(settings()));
    with_card(&card, |gids, channel| {
        verify(gids, channel);
        generate(gids, channel, FIRST, NAME);
        let place = vacant(gids, channel, FIRST);
        assert_eq!(place.slot(), slot("kxc01"));
        let before = card.with(|card| card.headers().to_vec());
        let keys = gids.keys().unwrap();
        for key_type in [KeyType::P256, KeyType::P384] {
            let refused = keys.generate(channel, &place, key_type, "x").unwrap_err();
            assert!(matches!(refused, CardError::KeyType { .. }), "{refused}");
        }
        let refused = keys.generate(channel, &place, KeyType::Rsa2048, &"x".repeat(40)).unwrap_err();
        assert!(matches!(refused, CardError::TooLong { length: 40, max: 39, .. }), "{refused}");
        let refused = keys.room(channel, SlotChoice::Named(slot("9a"))).unwrap_err();
        assert!(matches!(refused, CardError::OtherSlot { .. }), "{refused}");
        let refused = gids.certificates().unwrap().write(channel, slot("kxc00"), &vec![0; 65_536]).unwrap_err();
        assert!(matches!(refused, CardError::TooLong { .. }), "{refused}");
        assert_eq!(card.with(|card| card.headers().to_vec()), before, "nothing was sent");

        for name in [NAME, "", "a\0b"] {
            let refused = gids.keys().unwrap().generate(channel, &place, KeyType::Rsa2048, name).unwrap_err();
            assert!(matches!(refused, CardError::ContainerName { .. }), "{refused}");
        }
        generate(gids, channel, FIRST, "second");
        let refused = gids.keys().unwrap().generate(channel, &place, KeyType::Rsa2048, "third").unwrap_err();
        assert!(matches!(refused, CardError::NoLongerFree { .. }), "{refused}");
        assert!(card.with(|card| card.has_key(0x81) && card.has_key(0x82) && !card.has_key(0x83)));
    });
}

#[test]
fn a_full_card_says_so_before_a_key_is_made() {
    let card = SharedCard::new(GidsCard::personalised(GidsSettings { key_files_max: 1, ..settings() }));
    with_card(&card, |gids, channel| {
        verify(gids, channel);
        generate(gids, channel, FIRST, NAME);
        let place = vacant(gids, channel, FIRST);
        let tables = || {
            card.with(|card| {
                (card.object(0xA000, 0xDF20).unwrap().to_vec(), card.object(0xA010, 0xDF22).unwrap().to_vec())
            })
        };
        let before = tables();
        let refused = gids.keys().unwrap().generate(channel, &place, KeyType::Rsa2048, "two").unwrap_err();
        assert!(matches!(refused, CardError::Full { command: "CREATE FILE", .. }), "{refused}");
        assert_eq!(tables(), before);
        // What is there can be listed, given up and replaced.
        let Room::Taken(taken) = gids.keys().unwrap().room(channel, SlotChoice::Named(slot("kxc00"))).unwrap() else {
            panic!("it is in use");
        };
        assert!(taken.held().slot.decrypts() && taken.held().registered && !taken.held().certificate);
        gids.keys().unwrap().generate(channel, &taken.give_up(), KeyType::Rsa2048, "two").unwrap();
        assert_eq!(gids.keys().unwrap().held(channel).unwrap()[0].name.as_deref(), Some("two"));
    });
}

/// Its certificate goes first, then what shows the container, then the key; the neighbours stay.
#[test]
fn a_container_that_was_given_up_is_erased_and_no_other() {
    let card = SharedCard::new(GidsCard::personalised(settings()));
    with_card(&card, |gids, channel| {
        verify(gids, channel);
        for (number, name) in ["zero", "one", "two"].into_iter().enumerate() {
            generate(gids, channel, FIRST, name);
            let slot = KeySlot::Container { index: number.try_into().unwrap(), usage: KeyUsage::Exchange };
            gids.certificates().unwrap().write(channel, slot, &certificate(number.try_into().unwrap())).unwrap();
        }
        let Room::Taken(taken) = gids.keys().unwrap().room(channel, SlotChoice::Named(slot("ksc01"))).unwrap() else {
            panic!("it is in use, by a key of another use");
        };
        assert_eq!(taken.held().slot, slot("kxc01"));
        assert!(gids.keys().unwrap().erase(channel, slot("kxc01")).unwrap());
        assert!(gids.keys().unwrap().erase(channel, slot("kxc01")).unwrap(), "once more");
        assert!(!card.with(|card| card.has_key(0x82)));
        let slots: Vec<_> = gids.keys().unwrap().held(channel).unwrap().iter().map(|held| held.slot).collect();
        assert_eq!(slots, [slot("kxc00"), slot("kxc02")]);
        assert_eq!(gids.certificates().unwrap().list(channel).unwrap(), slots);
        for (slot, seed) in [("kxc00", 0), ("kxc02", 2)] {
            let read = gids.certificates().unwrap().read(channel, self::slot(slot)).unwrap();
            assert_eq!(read, Some(certificate(seed)));
        }
        // The gap is the first place that is free, for a key of either use.
        let key = generate(gids, channel, SlotChoice::First(KeyUsage::Signature), "new");
        Csr::sign(gids.keys().unwrap(), channel, slot("ksc01"), &key, "", Hash::Sha256).unwrap();
        assert_eq!(gids.certificates().unwrap().read(channel, slot("ksc01")).unwrap(), None);
    });
}
