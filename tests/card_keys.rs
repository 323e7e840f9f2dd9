//! Key pairs and certificates on the virtual cards, by the capabilities that a card hands out: `dyn Card` and nothing of a family.

#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::io::Write as _;
use std::sync::OnceLock;

use pinwright::apdu::Channel;
use pinwright::card::family::{Families, detect};
use pinwright::card::{
    Card, CardError, Credential, Digest, Hash, Held, HeldKey, KeySlot, KeyType, KeyUsage, PinJob as _, PivSlot,
    PublicKey, Room, SlotChoice, Vacant, answer_with_admin_key,
};
use pinwright::enroll::csr::{Csr, CsrError};
use pinwright::reader::{EndAction, Readers};
use pinwright::secret::{AdminKey, Pin};
use pinwright::sim::card::{SharedCard, VirtualCard};
use pinwright::sim::fault::{Fault, Faulty};
use pinwright::sim::gids::{GidsCard, GidsSettings};
use pinwright::sim::keys::{CardKey, ReadyKeys};
use pinwright::sim::openpgp::{OpenPgpCard, OpenPgpSettings};
use pinwright::sim::piv::{PivCard, PivSettings};
use pinwright::sim::reader::VirtualReaders;

const NAME: &str = "{7f3c0f7a-1111-2222-3333-444455556666}";
const FIRST: SlotChoice = SlotChoice::First(KeyUsage::Exchange);

/// One key pair for every test that is not about generation.
fn ready() -> ReadyKeys {
    static KEY: OnceLock<CardKey> = OnceLock::new();
    let key = KEY.get_or_init(|| CardKey::rsa_2048().unwrap());
    ReadyKeys::new(&vec![key.clone(); 8])
}

fn gids() -> GidsSettings {
    GidsSettings { ready_keys: ready(), ..GidsSettings::default() }
}

fn slot(name: &str) -> KeySlot {
    name.parse().unwrap()
}

/// Bytes that don't compress, as long as a certificate of RSA 2048 is.
fn certificate(seed: u8) -> Vec<u8> {
    let bytes = (0_u8..24).flat_map(|part| Digest::of(Hash::Sha256, &[seed, part]).value().to_vec());
    [0x30, 0x82].into_iter().chain(bytes).take(707).collect()
}

/// Opens the card, finds its family, has the PIN verified on GIDS and the management key authenticated on PIV, and ends with a reset.
fn with_card<C: VirtualCard + Send + 'static, T>(
    card: &SharedCard<C>,
    job: impl FnOnce(&mut dyn Card, &mut Channel<'_>) -> T,
) -> T {
    let readers = VirtualReaders::with_card("Desk 1", card.clone());
    let mut connection = readers.open("Desk 1").unwrap();
    let atr = connection.atr().clone();
    let mut channel = Channel::new(connection.as_mut());
    let mut found = detect(&atr, &mut channel, &Families::default()).unwrap();
    found.identify(&mut channel).unwrap();
    let result = job(found.as_mut(), &mut channel);
    drop(connection.end(EndAction::Reset));
    result
}

fn verify(card: &mut dyn Card, channel: &mut Channel<'_>) {
    let pin: &[u8] = if card.family().name() == "piv" { b"123456" } else { b"12345678" };
    card.verify_pin(channel, &Pin::new(pin).unwrap()).unwrap();
}

fn authorize(card: &mut dyn Card, channel: &mut Channel<'_>) {
    let key = AdminKey::new(&GidsSettings::default().admin_key).unwrap();
    let challenge = card.challenge(channel).unwrap();
    card.authorize(channel, &Credential::Answer(answer_with_admin_key(&key, &challenge).unwrap())).unwrap();
}

fn free(room: Room) -> Vacant {
    match room {
        Room::Free(place) => place,
        other => panic!("{other:?}"),
    }
}

fn vacant(card: &mut dyn Card, channel: &mut Channel<'_>, choice: SlotChoice) -> Vacant {
    free(card.keys().unwrap().room(channel, choice).unwrap())
}

fn generate(card: &mut dyn Card, channel: &mut Channel<'_>, choice: SlotChoice, name: &str) -> PublicKey {
    let place = vacant(card, channel, choice);
    card.keys().unwrap().generate(channel, &place, KeyType::Rsa2048, name).unwrap()
}

fn word(error: &CardError) -> Option<u16> {
    error.status().map(|status| status.word())
}

/// Exchanges of a call.
fn counted<T>(channel: &mut Channel<'_>, call: impl FnOnce(&mut Channel<'_>) -> T) -> (T, u32) {
    let before = channel.exchanges();
    let result = call(channel);
    (result, channel.exchanges() - before)
}

/// The commands of each operation. The hand-written minimum (`fixtures/apdu/gids/enroll-ok.apdu`) has 9 for the key pair, 2 for the
/// signature and 7 for the certificate of three blocks; it counts the change once for both.
#[test]
fn a_gids_card_is_enrolled_with_few_commands() {
    let card = SharedCard::new(GidsCard::personalised(gids()));
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
    let card = SharedCard::new(GidsCard::personalised(gids()));
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
    let card = SharedCard::new(GidsCard::personalised(gids()));
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
    let card = SharedCard::new(GidsCard::personalised(GidsSettings { key_files_max: 1, ..gids() }));
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
    let card = SharedCard::new(GidsCard::personalised(gids()));
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
                let card = SharedCard::new(Faulty::new(GidsCard::personalised(gids())));
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
                let card = SharedCard::new(Faulty::new(GidsCard::personalised(gids())));
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
