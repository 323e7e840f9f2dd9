//! A GIDS card that loses its power before or after each command, and what other programs find on it then.

use std::io::Write as _;

use super::*;

/// The file `cmapfile`, where the master file says that it is.
fn containers(card: &SharedCard<Faulty<GidsCard>>) -> Vec<u8> {
    card.with(|card| {
        let table = card.card().object(0xA000, 0xDF1F).unwrap();
        let record = table[1..].chunks_exact(28).find(|record| record[9..].starts_with(b"cmapfile")).unwrap();
        let object = u16::from_le_bytes([record[20], record[21]]);
        card.card().object(0xA010, object).unwrap().to_vec()
    })
}

/// What other programs would find on the card: each valid container has a key, both tables are of one length unless a write lies
/// between, and each certificate of the table is whole.
fn assert_harmless(card: &SharedCard<Faulty<GidsCard>>, about: &str) {
    let containers = containers(card);
    let (table, keys) = card.with(|card| {
        let keys: Vec<bool> = (0x81..0x89).map(|reference| card.card().has_key(reference)).collect();
        (card.card().object(0xA000, 0xDF1F).unwrap().to_vec(), keys)
    });
    for (index, record) in containers.chunks_exact(86).enumerate() {
        assert!(record[80] & 1 == 0 || keys[index], "{about}: container {index} has no key");
    }
    for record in table[1..].chunks_exact(28).filter(|record| record[9..].starts_with(b"k")) {
        let object = u16::from_le_bytes([record[20], record[21]]);
        let whole = card.with(|card| card.card().object(0xA010, object).map(<[u8]>::to_vec));
        let whole = whole.unwrap_or_else(|| panic!("{about}: a certificate without content"));
        let mut inflated = Vec::new();
        let mut decoder = flate2::write::ZlibDecoder::new(&mut inflated);
        assert!(decoder.write_all(&whole[4..]).is_ok() && decoder.finish().is_ok(), "{about}");
        assert_eq!(inflated.len(), 707, "{about}: half a certificate");
    }
}

/// Carries out a job whose card is pulled at its exchange `number`, before or after the card has carried out the command.
fn cut<T>(
    card: &SharedCard<Faulty<GidsCard>>,
    (number, lost): (usize, bool),
    job: impl FnOnce(&mut dyn Card, &mut Channel<'_>) -> Result<T, CardError>,
) -> Option<T> {
    let result = with_card(card, |gids, channel| {
        verify(gids, channel);
        card.with(|card| {
            if lost {
                card.after(number, Fault::LostAnswer);
            }
            card.after(number + usize::from(lost), Fault::Removed);
        });
        job(gids, channel)
    });
    card.with(|card| {
        card.forget();
        card.reinsert();
        card.power_off();
    });
    result.ok()
}

/// The same as a rerun does it that finds in its journal in which place it was about to make a key.
fn make_or_mend(gids: &mut dyn Card, channel: &mut Channel<'_>, slot: KeySlot) -> PublicKey {
    let keys = gids.keys().unwrap();
    let place = match keys.room(channel, SlotChoice::Named(slot)).unwrap() {
        Room::Free(place) => place,
        Room::Taken(taken) if taken.held().registered => return keys.public_key(channel, slot).unwrap().unwrap(),
        Room::Taken(unfinished) => unfinished.give_up(),
        Room::Full(_) => panic!("it was free"),
    };
    keys.generate(channel, &place, KeyType::Rsa2048, NAME).unwrap()
}

/// A power cut before or after each command of a generation, in the first and in a later container.
#[test]
fn a_power_cut_while_a_key_is_made_is_harmless_and_mended() {
    for before in [0, 2, 3] {
        let mut ends = 0;
        for number in 0..30 {
            for lost in [false, true] {
                let about = format!("{before} containers, exchange {number}, answer lost: {lost}");
                let card = SharedCard::new(Faulty::new(GidsCard::personalised(settings())));
                with_card(&card, |gids, channel| {
                    verify(gids, channel);
                    for name in ["zero", "one", "two"].into_iter().take(before) {
                        generate(gids, channel, FIRST, name);
                    }
                });
                let made = cut(&card, (number, lost), |gids, channel| {
                    let keys = gids.keys().unwrap();
                    let place = free(keys.room(channel, FIRST)?);
                    keys.generate(channel, &place, KeyType::Rsa2048, NAME)
                });
                ends += usize::from(made.is_some());
                assert_harmless(&card, &about);
                let others = with_card(&card, |gids, channel| gids.keys().unwrap().held(channel).unwrap());
                let names: Vec<_> = others.iter().filter_map(|held| held.name.as_deref()).take(before).collect();
                assert_eq!(names, ["zero", "one", "two"][..before], "{about}");
                let slot = KeySlot::Container { index: before.try_into().unwrap(), usage: KeyUsage::Exchange };
                with_card(&card, |gids, channel| {
                    verify(gids, channel);
                    let key = make_or_mend(gids, channel, slot);
                    let held = gids.keys().unwrap().held(channel).unwrap();
                    assert_eq!(held.len(), before + 1, "{about}");
                    assert!(held.iter().all(|held| held.registered), "{about}");
                    Csr::sign(gids.keys().unwrap(), channel, slot, &key, "", Hash::Sha256).unwrap();
                });
                assert_harmless(&card, &about);
                let keys = card.with(|card| card.card().object(0xA000, 0xDF20).unwrap().len() / 12);
                assert_eq!((containers(&card).len() / 86, keys), (before + 1, before + 1), "{about}");
            }
        }
        assert!(ends > 8, "the longest runs are not cut");
    }
}

/// A power cut before or after each block of a certificate that is new, and of one that replaces another.
#[test]
fn a_power_cut_while_a_certificate_is_written_leaves_the_old_one_or_the_new_one() {
    for replaces in [false, true] {
        let mut ends = 0;
        for number in 0..14 {
            for lost in [false, true] {
                let about = format!("replaces: {replaces}, exchange {number}, answer lost: {lost}");
                let card = SharedCard::new(Faulty::new(GidsCard::personalised(settings())));
                let slot = slot("kxc00");
                with_card(&card, |gids, channel| {
                    verify(gids, channel);
                    generate(gids, channel, FIRST, NAME);
                    if replaces {
                        gids.certificates().unwrap().write(channel, slot, &certificate(1)).unwrap();
                    }
                });
                let freshness = || card.with(|card| card.card().object(0xA010, 0xDF22).unwrap().to_vec());
                let counted = freshness();
                let written = cut(&card, (number, lost), |gids, channel| {
                    gids.certificates().unwrap().write(channel, slot, &certificate(2))
                });
                ends += usize::from(written.is_some());
                assert_harmless(&card, &about);
                let read =
                    || with_card(&card, |gids, channel| gids.certificates().unwrap().read(channel, slot).unwrap());
                let old = replaces.then(|| certificate(1));
                let now = read();
                assert!(now == old || now == Some(certificate(2)), "{about}");
                assert!(now == old || freshness() != counted, "{about}: changed and not counted");
                with_card(&card, |gids, channel| {
                    verify(gids, channel);
                    gids.certificates().unwrap().write(channel, slot, &certificate(2)).unwrap();
                });
                assert_eq!(read(), Some(certificate(2)), "{about}");
                assert_harmless(&card, &about);
            }
        }
        assert!(ends > 4, "the longest runs are not cut");
    }
}
