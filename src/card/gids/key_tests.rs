//! Keys and certificates against measured sessions: the same commands in the same bytes.

use crate::apdu::Channel;
use crate::card::digest::{Digest, Hash};
use crate::card::error::CardError;
use crate::card::gids::{APPLET_LIMITS, Gids};
use crate::card::id::IdOrder;
use crate::card::key_pair::KeyType;
use crate::card::key_slot::{KeySlot, KeyUsage, Room, SlotChoice, Vacant};
use crate::card::script::{play, recorded};
use crate::card::{Certificates as _, Keys as _};

const ENROLLED: &str = include_str!("../../../fixtures/apdu/gids/enroll-ok.apdu");
const DELETED_CERTIFICATE: &str = include_str!("../../../fixtures/apdu/gids/delete-certificate-ok.apdu");
const DELETED_KEY: &str = include_str!("../../../fixtures/apdu/gids/delete-key-ok.apdu");
const LISTED: &str = include_str!("../../../fixtures/apdu/gids/list-ok.apdu");

const FIRST: KeySlot = KeySlot::Container { index: 0, usage: KeyUsage::Exchange };
const NAME: &str = "{7f3c0f7a-1111-2222-3333-444455556666}";

fn card() -> Gids {
    Gids::new(IdOrder::Windows, APPLET_LIMITS)
}

/// The recorded command that begins so, whole.
fn whole(recording: &str, beginning: &str) -> String {
    let line = recording.lines().find_map(|line| line.strip_prefix("> ").filter(|line| line.starts_with(beginning)));
    line.unwrap_or_else(|| panic!("{beginning} is not recorded")).to_owned()
}

/// Plays parts of recordings, and exchanges that are in none, as one session.
fn session<T>(parts: &[(&str, &[&str])], job: impl FnOnce(&mut Channel<'_>) -> T) -> T {
    let script: Vec<(&str, String)> = parts
        .iter()
        .flat_map(|(recording, commands)| match *recording {
            "" => commands.chunks(2).map(|pair| (pair[0], pair[1].to_owned())).collect(),
            recording => recorded(recording, commands),
        })
        .collect();
    let script: Vec<(&str, &str)> = script.iter().map(|(command, answer)| (*command, answer.as_str())).collect();
    play(&script, job)
}

#[test]
fn a_measured_key_pair_is_made_and_registered() {
    let [create, cmapfile] = ["00E0", "00DBA01059DF23"].map(|beginning| whole(ENROLLED, beginning));
    let parts: [(&str, &[&str]); 3] = [
        (
            ENROLLED,
            &[
                "00CBA010045C02DF2300",
                "00CBA000045C02DF2000",
                &create,
                "00440000",
                "0047000008AC0680010783018100",
                "00C000000E",
            ],
        ),
        // Counted before the tables are written, and containers alone.
        ("", &["00CBA010045C02DF2200", "DF22060000000000009000", "00DBA01009DF2206000001000000", "9000"]),
        (ENROLLED, &["00DBA00010DF200D0101000000079A81B0FFFF0000", &cmapfile]),
    ];
    let key =
        session(&parts, |channel| card().generate(channel, &Vacant::told(FIRST), KeyType::Rsa2048, NAME).unwrap());
    assert_eq!(key.key_type(), KeyType::Rsa2048);
}

#[test]
fn a_measured_signature_is_made() {
    let sign = whole(ENROLLED, "002A9E9A");
    let value = hex::decode(&sign[48..112]).unwrap();
    let parts: [(&str, &[&str]); 1] = [(ENROLLED, &["002241B606800157840181", &sign])];
    let signature = session(&parts, |channel| {
        card().sign(channel, FIRST, KeyType::Rsa2048, &Digest::of_value(Hash::Sha256, &value)).unwrap()
    });
    assert_eq!((signature.len(), signature[0]), (256, 0x56));
}

/// The table and the object as OpenSC has written them; its compression is another one.
#[test]
fn a_measured_certificate_is_read() {
    let parts: [(&str, &[&str]); 1] =
        [(LISTED, &["00CBA000045C02DF1F00", "00CBA010045C02DF2400", "00C0000000", "00C00000C5"])];
    let certificate = session(&parts, |channel| card().read(channel, FIRST).unwrap().unwrap());
    assert_eq!((certificate.len(), &certificate[..4]), (0x02C3, &[0x30, 0x82, 0x02, 0xBF][..]));
}

/// As OpenSC removes it, but for the order: the table forgets the certificate before it is gone.
#[test]
fn a_measured_certificate_is_removed() {
    let master_file = whole(DELETED_CERTIFICATE, "00DBA00091DF1F");
    let parts: [(&str, &[&str]); 3] = [
        (DELETED_CERTIFICATE, &["00CBA000045C02DF1F00", "00CBA010045C02DF2200", "00DBA01009DF2206000001000500"]),
        ("", &[&master_file, "9000"]),
        // Emptied, and removed.
        ("", &["00DBA01003DF2400", "9000", "00DBA01003DF2400", "9000"]),
    ];
    session(&parts, |channel| card().remove(channel, FIRST).unwrap());
}

#[test]
fn a_measured_key_is_erased() {
    let empty = whole(DELETED_KEY, "00DBA01059DF2356000000");
    let parts: [(&str, &[&str]); 3] = [
        // No certificate of either use; then the tables.
        (DELETED_KEY, &["00CBA000045C02DF1F00", "00CBA000045C02DF1F00"]),
        ("", &["00CBA010045C02DF2300", &cmapfile_of(DELETED_KEY)]),
        (DELETED_KEY, &["00CBA000045C02DF2000"]),
    ];
    let rest: [(&str, &[&str]); 2] = [
        (
            DELETED_KEY,
            &["00CBA010045C02DF2200", "00DBA01009DF2206000002000500", "00DBA00010DF200D01000000000000FFFFFFFF0000"],
        ),
        ("", &[&empty, "9000", "00A4000C02B081", "9000", "00E40000", "9000"]),
    ];
    session(&[&parts[..], &rest].concat(), |channel| assert!(card().erase(channel, FIRST).unwrap()));
}

/// The recorded answer to GET DATA cmapfile.
fn cmapfile_of(recording: &str) -> String {
    let mut lines = recording.lines().skip_while(|line| *line != "> 00CBA010045C02DF2300");
    lines.nth(1).unwrap().trim_start_matches("< ").to_owned()
}

#[test]
fn a_card_with_an_enrolled_container_says_what_is_in_it() {
    let recording = include_str!("../../../fixtures/apdu/gids/read-files-ok.apdu");
    let parts: [(&str, &[&str]); 3] = [
        ("", &["00CBA010045C02DF2300", &cmapfile_of(recording)]),
        (recording, &["00CBA000045C02DF2000"]),
        ("", &["00CBA000045C02DF1F00", &master_file_of(recording)]),
    ];
    session(&parts, |channel| {
        let Room::Taken(taken) = card().room(channel, SlotChoice::Named(FIRST)).unwrap() else {
            panic!("it is in use");
        };
        let held = taken.held();
        assert!(held.certificate && held.registered && held.slot == FIRST);
        assert_eq!(held.name.as_deref(), Some(NAME));
    });
}

fn master_file_of(recording: &str) -> String {
    let mut lines = recording.lines().skip_while(|line| *line != "> 00CBA000045C02DF1F00");
    lines.nth(1).unwrap().trim_start_matches("< ").to_owned()
}

/// Tables that are none: nothing is written over them.
#[test]
fn tables_in_another_form_are_left_alone() {
    let odd: [(&str, &str, &str); 3] = [
        ("DF2302AABB9000", "6A88", "cmapfile"),
        ("DF23009000", "DF2003AABBCC9000", "key map"),
        ("DF23", "", "cmapfile"),
    ];
    for (containers, keys, object) in odd {
        let mut script = vec![("00CBA010045C02DF2300", containers)];
        // The key map is asked for before either is looked at.
        script.extend((!keys.is_empty()).then_some(("00CBA000045C02DF2000", keys)));
        let refused = play(&script, |channel| {
            card().generate(channel, &Vacant::told(FIRST), KeyType::Rsa2048, NAME).unwrap_err()
        });
        let named = matches!(&refused, CardError::UnknownForm { object: named } if *named == object);
        assert!(named || matches!(refused, CardError::NoAnswer { .. } | CardError::Refused { .. }), "{refused}");
    }
}

/// A file that a power cut has left gives way; one that can't be created for another reason is told.
#[test]
fn a_left_key_file_is_replaced() {
    let create = whole(ENROLLED, "00E0");
    let tables = ["00CBA010045C02DF2300", "DF23009000", "00CBA000045C02DF2000", "6A88"];
    let refused = |script: &[&str]| {
        let script: Vec<&str> = [&tables[..], script].concat();
        session(&[("", &script)], |channel| {
            card().generate(channel, &Vacant::told(FIRST), KeyType::Rsa2048, NAME).unwrap_err()
        })
    };
    let left = [&create, "6984", "00A4000C02B081", "9000", "00E40000", "9000", &create];
    let error = refused(&[&left[..], &["9000", "00440000", "9000", "0047000008AC0680010783018100", "6982"]].concat());
    assert!(matches!(error, CardError::Refused { command: "GENERATE ASYMMETRIC KEY PAIR", .. }), "{error}");
    let error = refused(&[&left[..], &["6A84"]].concat());
    assert!(matches!(error, CardError::Full { command: "CREATE FILE", .. }), "{error}");
    let error = refused(&[&create, "6984", "00A4000C02B081", "6A82", &create, "6984"]);
    assert!(matches!(error, CardError::Refused { command: "CREATE FILE", .. }), "{error}");
}
