//! Who a card says that it is: SELECT, CHUID, and what stands in for it.

use super::*;

#[test]
fn both_measured_cards_are_identified_by_their_chuid() {
    let id = replay(NITROKEY, &[CHUID, CHUID], |channel| {
        let mut card = Piv::new();
        let id = card.identify(channel).unwrap();
        assert_eq!(card.confirm(channel).unwrap(), id);
        id
    });
    assert_eq!(id.to_string(), "00112233-4455-6677-8899-aabbccddeeff");
    // With bytes without a meaning, as ISO 7816-4 lets them stand.
    let filled = "00005315003E00341000112233445566778899AABBCCDDEEFF00009000";
    play(&[(CHUID, filled)], |channel| assert_eq!(Piv::new().identify(channel).unwrap(), id));
    let id = replay(PIVAPPLET, &[CHUID], |channel| Piv::new().identify(channel).unwrap());
    assert_eq!(id.to_string(), "6c554479-7a91-115d-c333-0ebd003851d2");
}

#[test]
fn select_is_answered_in_two_ways() {
    for recording in [NITROKEY, PIVAPPLET] {
        replay(recording, &["00A4040009A0000003080000100000"], |channel| {
            assert!(Piv::is_selected(&channel.send(&commands::select()).unwrap()));
        });
    }
    for answer in ["9000", "61094F07A00000039742549000", "6A82", "610F4F0BA000000308000010000100"] {
        play(&[("00A4040009A0000003080000100000", answer)], |channel| {
            assert!(!Piv::is_selected(&channel.send(&commands::select()).unwrap()), "{answer}");
        });
    }
}

/// Where the CHUID tells nothing: the CCC's last 16 bytes, then the serial number four times, then no ID.
#[test]
fn a_card_without_a_guid_is_told_by_what_it_has() {
    let ccc =
        "5332F015A000000116FF022AA2AB70039C5510DDF06420ECEBF10121F20121F300F400F50110F600F700FA00FB00FC00FD00FE009000";
    let zero = format!("53123410{}9000", "00".repeat(16));
    let erased = format!("53123410{}9000", "FF".repeat(16));
    for chuid in ["6A82", "6A88", "53009000", "9000", "530234009000", &zero, &erased] {
        play(&[(CHUID, chuid), (CCC, ccc), (CCC, ccc)], |channel| {
            let mut card = Piv::new();
            let id = card.identify(channel).unwrap();
            assert_eq!(id.raw_hex(), "ff022aa2ab70039c5510ddf06420eceb", "{chuid}");
            assert_eq!(card.confirm(channel).unwrap(), id);
        });
    }
    let empty = "531BF000F100F200F300F400F50110F600F700FA00FB00FC00FD00FE009000";
    let no_number = format!("5317F015A000000116FF02{}9000", "00".repeat(14));
    for ccc in ["6A82", "6982", empty, &no_number] {
        play(&[(CHUID, "6A82"), (CCC, ccc), (VERSION, "0504009000"), (SERIAL, "D1373E8B9000")], |channel| {
            let id = Piv::new().identify(channel).unwrap();
            assert_eq!(id, CardId::new(&[0xD1, 0x37, 0x3E, 0x8B].repeat(4), IdOrder::Raw).unwrap());
        });
    }
    // Nothing else to go by: what could not be read is told. Any other refusal stops it.
    for script in [&[(CHUID, "6A82"), (CCC, "6982"), (VERSION, "6D00")][..], &[(CHUID, "6A82"), (CCC, "6F00")]] {
        let error = play(script, |channel| Piv::new().identify(channel).unwrap_err());
        assert!(matches!(error, CardError::Refused { command: "GET DATA CCC", .. }), "{error}");
    }
    for (version, serial) in [
        ("6D00", None),
        ("6A81", None),
        ("9000", None),
        ("0606069000", Some("0052F7439000")),
        ("0504009000", Some("000000009000")),
        ("0504009000", Some("6D00")),
        ("0504009000", Some("D1373E9000")),
    ] {
        let mut script = vec![(CHUID, "6A82"), (CCC, "6A82"), (VERSION, version)];
        script.extend(serial.map(|serial| (SERIAL, serial)));
        let error = play(&script, |channel| Piv::new().identify(channel).unwrap_err());
        assert!(matches!(error, CardError::Incomplete { missing: "card ID", .. }), "{version} {serial:?}: {error}");
    }
}

#[test]
fn a_damaged_chuid_is_no_reason_to_take_another_id() {
    for (answer, needle) in
        [("5312349000", "well-formed"), ("530A340800112233445566779000", "identified"), ("6982", "6982")]
    {
        let error = play(&[(CHUID, answer)], |channel| Piv::new().identify(channel).unwrap_err());
        assert!(error.to_string().contains(needle), "{answer}: {error}");
    }
}
