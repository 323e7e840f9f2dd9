use super::*;

fn send(card: &mut PivCard, command: &str) -> String {
    hex::encode_upper(card.transmit(&hex::decode(command).unwrap()).unwrap())
}

fn selected(settings: PivSettings) -> PivCard {
    let mut card = PivCard::new(settings);
    assert!(send(&mut card, "00A4040009A0000003080000100000").ends_with("9000"));
    card
}

#[test]
fn nothing_works_before_selection() {
    let mut card = PivCard::new(PivSettings::default());
    assert_eq!(send(&mut card, "00200080"), "6986");
    for name in ["A0000003", "A000000309", "A0000003080000100002", "A0000003080000100001000000"] {
        let length = name.len() / 2;
        assert_eq!(send(&mut card, &format!("00A40400{length:02X}{name}00")), "6A82", "{name}");
    }
    assert_eq!(send(&mut card, "00200080"), "6986");
    // As yubico-piv-tool and ykman select it, and as the standard writes it.
    for name in ["A000000308", "A00000030800001000", "A000000308000010000100"] {
        let mut card = PivCard::new(PivSettings::default());
        let length = name.len() / 2;
        assert_eq!(send(&mut card, &format!("00A40400{length:02X}{name}00")).split_at(4).0, "6111", "{name}");
        assert_eq!(send(&mut card, "00200080"), "63C3", "{name}");
    }
    assert!(send(&mut card, "00A4040005A00000030800").ends_with("9000"));
    assert_eq!(send(&mut card, "00200080"), "63C3");
    card.reset();
    assert_eq!(send(&mut card, "00200080"), "6986");
    // Selected once more, it keeps its state.
    let mut card = selected(PivSettings::default());
    assert_eq!(send(&mut card, "0020008008313233343536FFFF"), "9000");
    assert!(send(&mut card, "00A4040009A0000003080000100000").ends_with("9000"));
    assert_eq!(send(&mut card, "00200080"), "9000");
}

#[test]
fn a_pin_that_is_none_spends_no_try_and_a_wrong_one_does() {
    let mut card = selected(PivSettings::default());
    for no_pin in ["0020008006313233343536", "00200080083132333435FFFFFF", "0020008008313233FF343536FF"] {
        assert_eq!(send(&mut card, no_pin), "6A80");
    }
    for expected in ["63C2", "63C1", "63C0", "6983"] {
        assert_eq!(send(&mut card, "0020008008393939393939FFFF"), expected);
    }
    assert_eq!(send(&mut card, "0020008008313233343536FFFF"), "6983");
    assert_eq!(send(&mut card, "00200080"), "6983");
    // The PUK leads out, and nobody is verified afterwards.
    assert_eq!(send(&mut card, "002C0080103132333435363738363534333231FFFF"), "9000");
    assert!(card.pin_is(b"654321") && !card.user_authenticated());
    assert_eq!(send(&mut card, "00200080"), "63C3");
}

#[test]
fn a_wrong_puk_is_counted_by_itself() {
    let mut card = selected(PivSettings::default());
    assert_eq!(send(&mut card, "002C0080103030303030303030363534333231FFFF"), "63C2");
    assert_eq!((card.puk_tries_left(), card.tries_left()), (2, 3));
    // A new PIN that is none is refused first.
    assert_eq!(send(&mut card, "002C00801030303030303030303635FFFFFFFFFFFF"), "6A80");
    assert_eq!(card.puk_tries_left(), 2);
    assert_eq!(send(&mut card, "002C0080103030303030303030363534333231FFFF"), "63C1");
    assert_eq!(send(&mut card, "002C0080103030303030303030363534333231FFFF"), "63C0");
    assert_eq!(send(&mut card, "002C0080103132333435363738363534333231FFFF"), "6983");
    assert!(card.pin_is(b"123456"));
    assert_eq!(send(&mut card, "00200081"), "6A88");
}

#[test]
fn a_change_may_keep_the_counter_to_itself() {
    let wrong = "0024008010393939393939FFFF363534333231FFFF";
    assert_eq!(send(&mut selected(PivSettings::default()), wrong), "63C2");
    let mut card = selected(PivSettings { uncounted_change: true, ..PivSettings::default() });
    assert_eq!(send(&mut card, wrong), "6300");
    assert_eq!(card.tries_left(), 2);
    assert_eq!(send(&mut card, "0024008010313233343536FFFF363534333231FFFF"), "9000");
    assert!(card.pin_is(b"654321") && card.user_authenticated());
    assert_eq!(send(&mut card, "0020FF80"), "9000");
    assert!(!card.user_authenticated());
    assert_eq!(send(&mut card, "002400811031323334353637383837363534333231"), "9000");
    assert!(card.puk_is(b"87654321"));
}

#[test]
fn the_management_key_answers_its_challenge_once() {
    let mut card = selected(PivSettings { yubico: true, ..PivSettings::default() });
    let new = "00FFFFFF1B039B18981540F87A2907F81CFBA16E2AC42AC7E397D3584AD56408";
    assert_eq!(send(&mut card, new), "6982");
    assert_eq!(send(&mut card, "00870A9B047C02810000"), "6A86");
    let challenge = send(&mut card, "0087039B047C02810000");
    let block: [u8; 8] = hex::decode(&challenge[8..24]).unwrap().try_into().unwrap();
    let right = hex::encode(tdes::encrypt_block(&PivSettings::default().management_key, block));
    assert_eq!(send(&mut card, &format!("0087039B0C7C0A8208{right}")), "9000");
    assert!(card.admin_authenticated());
    assert_eq!(send(&mut card, &format!("0087039B0C7C0A8208{right}")), "6985");
    assert_eq!(send(&mut card, new), "9000");
    send(&mut card, "0087039B047C02810000");
    assert_eq!(send(&mut card, "0087039B0C7C0A82080000000000000000"), "6982");
    assert_eq!(card.admin_failures(), 1);
}

#[test]
fn extensions_are_there_or_not() {
    let asked = ["00FD000000", "00F8000000", "00F7008000", "00F7008100", "00F7009B00"];
    let mut plain = selected(PivSettings::default());
    for command in asked {
        assert_eq!(send(&mut plain, command), "6D00");
    }
    let mut card = selected(PivSettings { yubico: true, puk_left: Some(2), ..PivSettings::default() });
    let answers: Vec<String> = asked.iter().map(|command| send(&mut card, command)).collect();
    assert_eq!(answers[0], "0504039000");
    assert_eq!(answers[1], "00BC614E9000");
    assert_eq!(answers[2], "0101FF050101060203039000");
    assert_eq!(answers[3], "0101FF050101060203029000");
    assert_eq!(answers[4], "010103020200010501019000");
}

#[test]
fn with_yubicos_extensions_it_knows_extended_length() {
    let notes = "00CB3FFF0000055C035FFF000000";
    assert_eq!(send(&mut selected(PivSettings::default()), notes), "6700");
    let mut card = selected(PivSettings { yubico: true, ..PivSettings::default() });
    assert_eq!(send(&mut card, notes), "6A82");
    assert_eq!(send(&mut card, "00CB3FFF0000055C035FFF00"), "6A82");
    assert_eq!(send(&mut card, "00FD0000000000"), "0504039000");
    assert_eq!(send(&mut card, "00200080000008313233343536FFFF"), "9000");
    for odd in ["00CB3FFF0000055C", "00CB3FFF0000055C035FFF0000", "00CB3FFF0000055C035FFF00000000", "00CB3FFF0000"] {
        assert_eq!(send(&mut card, odd), "6700", "{odd}");
    }
}

const CHALLENGE: &str = "0087039B047C02810000";
const VERIFY: &str = "0020008008313233343536FFFF";

fn become_administrator(card: &mut PivCard) {
    let challenge = send(card, CHALLENGE);
    let block = hex::decode(&challenge[8..24]).unwrap().try_into().unwrap();
    let answer = tdes::encrypt_block(&PivSettings::default().management_key, block);
    assert_eq!(send(card, &format!("0087039B0C7C0A8208{}", hex::encode(answer))), "9000");
}

#[test]
fn keys_are_made_by_the_administrator_and_used_by_the_user() {
    let mut card = selected(PivSettings { yubico: true, ..PivSettings::default() });
    let generate = "0047009A05AC0380011100";
    let sign = format!("0087119A267C2482008120{}00", "5A".repeat(32));
    assert_eq!(send(&mut card, generate), "6982");
    assert_eq!(send(&mut card, VERIFY), "9000");
    assert_eq!((send(&mut card, generate), send(&mut card, &sign)), ("6982".to_owned(), "6A88".to_owned()));
    assert_eq!(send(&mut card, "00F7009A00"), "6A88");
    become_administrator(&mut card);
    // No such slot, mechanism or template.
    for (command, word) in [
        ("0047009905AC0380011100", "6A86"),
        ("0047019A05AC0380011100", "6A86"),
        ("0047009A05AC0380010500", "6A80"),
        ("0047009A05AD0380011100", "6A80"),
        ("0047009A03AC018000", "6A80"),
    ] {
        assert_eq!(send(&mut card, command), word, "{command}");
    }
    let made = send(&mut card, generate);
    assert!(made.starts_with("7F4943864104") && made.ends_with("9000"), "{made}");
    let metadata = send(&mut card, "00F7009A00");
    assert!(metadata.starts_with("010111020202010301010443864104") && metadata.contains(&made[12..140]), "{metadata}");
    let signature = send(&mut card, &sign);
    assert!(signature.starts_with("7C") && signature.ends_with("9000"), "{signature}");
    // Another mechanism, another length, another template.
    for command in [
        sign.replace("008711", "008714"),
        "0087119A067C0482008100".to_owned(),
        format!("0087119A257C2382008 11F{}00", "5A".repeat(31)).replace(' ', ""),
    ] {
        assert!(["6A86", "6A80", "6700"].contains(&send(&mut card, &command).as_str()), "{command}");
    }
    assert_eq!(send(&mut card, "0020FF80"), "9000");
    assert_eq!(send(&mut card, &sign), "6982");
    card.reset();
    assert!(send(&mut card, "00A4040009A0000003080000100000").ends_with("9000"));
    assert_eq!(send(&mut card, generate), "6982", "a reset ends the administrator's state");
    assert!(card.has_key(0x9A) && !card.has_key(0x9C));
}

#[test]
fn objects_are_written_in_blocks_and_removed_by_an_empty_one() {
    let mut card = selected(PivSettings { object_max: 400, ..PivSettings::default() });
    let get = "00CB3FFF055C035FC10500";
    let first = format!("10DB3FFFFF5C035FC1055382010D{}", "30".repeat(246));
    let last = format!("00DB3FFF17{}", "31".repeat(23));
    assert_eq!((send(&mut card, &first), send(&mut card, &last)), ("9000".to_owned(), "6982".to_owned()));
    become_administrator(&mut card);
    // A chain that another command ends is forgotten.
    assert_eq!(send(&mut card, &first), "9000");
    assert_eq!((send(&mut card, get), send(&mut card, &last)), ("6A82".to_owned(), "6A80".to_owned()));
    assert_eq!((send(&mut card, &first), send(&mut card, &last)), ("9000".to_owned(), "9000".to_owned()));
    let read = send(&mut card, get);
    assert!(read.starts_with("5382010D30") && read.ends_with("6111"), "{read}");
    assert_eq!(send(&mut card, "00C0000011"), format!("{}9000", "31".repeat(17)));
    assert_eq!(card.object(&[0x5F, 0xC1, 0x05]).unwrap().len(), 273);
    for (command, word) in [
        ("00DB3FFE075C035FC1055300", "6A86"),
        ("00DB3FFF055C035FC105", "6A80"),
        ("00DB3FFF055C017E5300", "6A80"),
        ("10470099055C035FC105", "6884"),
    ] {
        assert_eq!(send(&mut card, command), word, "{command}");
    }
    // One that is too long is not written.
    let long = format!("10DB3FFFFF5C035FC105538201A0{}", "30".repeat(246));
    let rest = format!("00DB3FFFAA{}", "31".repeat(170));
    assert_eq!((send(&mut card, &long), send(&mut card, &rest)), ("9000".to_owned(), "6A84".to_owned()));
    assert_eq!(send(&mut card, "00DB3FFF075C035FC1055300"), "9000");
    assert_eq!(send(&mut card, get), "6A82");
}
