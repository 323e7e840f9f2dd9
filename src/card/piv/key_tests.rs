//! Keys and certificates against measured sessions: the same commands in the same bytes.

use crate::card::digest::{Digest, Hash};
use crate::card::key_pair::{KeyType, PublicKey};
use crate::card::key_slot::{HeldKey, KeySlot, PivSlot, Room, SlotChoice, Vacant};
use crate::card::piv::Piv;
use crate::card::script::{play, replay};
use crate::card::{Certificates as _, Keys as _};

const NITROKEY: &str = include_str!("../../../fixtures/apdu/piv/session-nitrokey.apdu");
const APPLET: &str = include_str!("../../../fixtures/apdu/piv/session-pivapplet.apdu");
const CURVE: &str = include_str!("../../../fixtures/apdu/piv/sign-ecc-pivapplet.apdu");

const NINE_A: KeySlot = KeySlot::Piv(PivSlot::Authentication);
const GET_CERTIFICATE: &str = "00CB3FFF055C035FC10500";

/// The recorded commands that begin so, in order.
fn beginning<'r>(recording: &'r str, beginnings: &[&str]) -> Vec<&'r str> {
    let commands = recording.lines().filter_map(|line| line.strip_prefix("> "));
    commands.filter(|command| beginnings.iter().any(|beginning| command.starts_with(beginning))).collect()
}

#[test]
fn measured_key_pairs_are_made() {
    let rsa = "0047009A05AC0380010700";
    let sessions = [
        (NITROKEY, &[rsa, "00C000000E"][..], KeyType::Rsa2048),
        (APPLET, &[rsa, "00C000000F"], KeyType::Rsa2048),
        (CURVE, &["0047009A05AC0380011100"], KeyType::P256),
    ];
    for (recording, commands, key_type) in sessions {
        let key = replay(recording, commands, |channel| {
            Piv::new().generate(channel, &Vacant::told(NINE_A), key_type, "").unwrap()
        });
        assert_eq!(key.key_type(), key_type);
    }
}

#[test]
fn measured_signatures_are_made() {
    let digest = Digest::of(Hash::Sha256, b"x");
    let blocks = [&beginning(NITROKEY, &["1087079A", "0087079A"])[..], &["00C0000008"]].concat();
    let rsa = replay(NITROKEY, &blocks, |channel| Piv::new().sign(channel, NINE_A, KeyType::Rsa2048, &digest).unwrap());
    assert_eq!((rsa.len(), rsa[0]), (256, 0x38));
    let curve = replay(CURVE, &beginning(CURVE, &["0087119A26"]), |channel| {
        Piv::new().sign(channel, NINE_A, KeyType::P256, &digest).unwrap()
    });
    // The DER of two numbers.
    assert_eq!((curve.len(), &curve[..2]), (71, &[0x30, 0x45][..]));
}

#[test]
fn measured_certificates_are_written_and_read_back() {
    let read = [GET_CERTIFICATE, "00C0000000", "00C00000D0"];
    // The first question was asked before there was one.
    let (_, after) = NITROKEY.split_once("# PUT DATA cert 9A\n").unwrap();
    let (head, _) = NITROKEY.split_once("\n\n").unwrap();
    let after = format!("{head}\n\n{after}");
    let certificate = replay(&after, &read, |channel| Piv::new().read(channel, NINE_A).unwrap().unwrap());
    assert_eq!(certificate.len(), 0x02C3);
    let blocks = beginning(NITROKEY, &["10DB3FFF", "00DB3FFF"]);
    assert_eq!(blocks.len(), 3);
    replay(NITROKEY, &blocks, |channel| Piv::new().write(channel, NINE_A, &certificate).unwrap());
    let none = replay(NITROKEY, &[GET_CERTIFICATE], |channel| Piv::new().read(channel, NINE_A).unwrap());
    assert_eq!(none, None);
}

/// Without metadata a card tells of certificates alone; with them it tells its keys, empty places in one of two ways.
#[test]
fn what_a_card_tells_of_a_slot() {
    let untold = play(&[("00F7009B00", "9000"), (GET_CERTIFICATE, "6A82")], |channel| {
        Piv::new().room(channel, SlotChoice::Named(NINE_A)).unwrap()
    });
    assert!(matches!(untold, Room::Free(place) if !place.is_told()));
    let management = ("00F7009B00", "0101030202000105010190 00".replace(' ', ""));
    for empty in ["6A88", "0202020103010090 00"] {
        let empty = empty.replace(' ', "");
        let script = [(management.0, management.1.as_str()), ("00F7009A00", &empty), (GET_CERTIFICATE, "6A82")];
        let room = play(&script, |channel| Piv::new().room(channel, SlotChoice::Named(NINE_A)).unwrap());
        assert!(matches!(room, Room::Free(place) if place.is_told()));
    }
    // The measured metadata of a key, and one of a type that is none of ours.
    let answers = APPLET.split("> 00F7009A00\n< ").nth(2).unwrap().lines().collect::<Vec<_>>();
    let rsa = [("00F7009A00", answers[0]), ("00C0000018", answers[2].trim_start_matches("< "))];
    for (metadata, key_type) in [(&rsa[..], Some(KeyType::Rsa2048)), (&[("00F7009A00", "010105020202019000")], None)] {
        let first = [(management.0, management.1.as_str())];
        let script = [&first[..], metadata, &[(GET_CERTIFICATE, "6A82")]].concat();
        let room = play(&script, |channel| Piv::new().room(channel, SlotChoice::Named(NINE_A)).unwrap());
        assert!(matches!(room, Room::Taken(taken) if taken.held().key == HeldKey::Made(key_type)));
        let script = [&first[..], metadata].concat();
        let key = play(&script, |channel| Piv::new().public_key(channel, NINE_A).unwrap());
        assert_eq!(key.as_ref().map(PublicKey::key_type), key_type);
    }
}
