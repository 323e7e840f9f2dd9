use super::*;

const SELECT: &str = "00A4040C06F00000000102";

fn send(card: &mut Iso7816Card, command: &str) -> String {
    let command = hex::decode(command).unwrap();
    hex::encode_upper(card.transmit(&command).unwrap())
}

fn selected(settings: Iso7816Settings) -> Iso7816Card {
    let mut card = Iso7816Card::new(settings);
    assert_eq!(send(&mut card, SELECT), "9000");
    card
}

fn answer_to(challenge: &str) -> String {
    let challenge: [u8; 8] = hex::decode(&challenge[..16]).unwrap().try_into().unwrap();
    let key = Iso7816Settings::default().admin_key;
    format!("0082000008{}", hex::encode(tdes::encrypt_block(&key, challenge)))
}

fn become_admin(card: &mut Iso7816Card) {
    let challenge = send(card, "0084000008");
    assert_eq!(send(card, &answer_to(&challenge)), "9000");
    assert!(card.admin_authenticated());
}

#[test]
fn nothing_works_before_selection_unless_implicit() {
    let mut card = Iso7816Card::new(Iso7816Settings::default());
    assert_eq!(send(&mut card, "0084000008"), "6986");
    assert_eq!(send(&mut card, "0082000000"), "6986");
    assert_eq!(send(&mut card, "00A404000700000000000000"), "6A82");
    let mut card = Iso7816Card::new(Iso7816Settings { implicit: true, ..Iso7816Settings::default() });
    assert_eq!(send(&mut card, "00200001"), "63C3");
}

#[test]
fn the_id_is_read_from_file_and_object() {
    let id = "000102030405060708090A0B0C0D0E0F";
    let mut card = selected(Iso7816Settings::default());
    assert_eq!(send(&mut card, "00B0000000"), "6986");
    assert_eq!(send(&mut card, "00A4000C020201"), "9000");
    assert_eq!(send(&mut card, "00B0000000"), format!("{id}9000"));
    assert_eq!(send(&mut card, "00B0000802"), "08099000");
    assert_eq!(send(&mut card, "00B0000820"), "08090A0B0C0D0E0F6282");
    assert_eq!(send(&mut card, "00B0001000"), "6B00");
    assert_eq!(send(&mut card, "00CA010100"), format!("{id}9000"));
    assert_eq!(send(&mut card, "00CA010200"), "6A88");
}

#[test]
fn a_challenge_is_good_for_the_next_command_only() {
    let mut card = selected(Iso7816Settings::default());
    let challenge = send(&mut card, "0084000008");
    assert_eq!(send(&mut card, "00200001"), "63C3");
    assert_eq!(send(&mut card, &answer_to(&challenge)), "6985");
    become_admin(&mut card);
    assert_eq!(send(&mut card, &answer_to(&challenge)), "6985");
    assert_eq!(card.admin_failures(), 0);
}

#[test]
fn wrong_answers_lock_the_admin_key() {
    let mut card = selected(Iso7816Settings { admin_tries: 2, ..Iso7816Settings::default() });
    for expected in ["63C1", "63C0"] {
        send(&mut card, "0084000008");
        assert_eq!(send(&mut card, "00820000080000000000000000"), expected);
    }
    let challenge = send(&mut card, "0084000008");
    assert_eq!(send(&mut card, &answer_to(&challenge)), "6983");
    card.reset();
    send(&mut card, SELECT);
    assert_eq!(send(&mut card, "00820000"), "6983");
}

#[test]
fn a_blocked_pin_is_set_by_the_administrator() {
    let mut card = selected(Iso7816Settings::default());
    for expected in ["63C2", "63C1", "63C0", "6983"] {
        assert_eq!(send(&mut card, "002000010430303030"), expected);
    }
    assert_eq!(send(&mut card, "00200001083132333435363738"), "6983");
    assert_eq!(send(&mut card, "002C0201083837363534333231"), "6982");
    become_admin(&mut card);
    assert_eq!(send(&mut card, "002C020103383736"), "6700");
    assert!(card.admin_authenticated());
    assert_eq!(send(&mut card, "002C0201083837363534333231"), "9000");
    assert!(card.pin_is(b"87654321") && !card.admin_authenticated());
    assert_eq!(send(&mut card, "00200001083837363534333231"), "9000");
    assert_eq!(send(&mut card, "00200001"), "9000");
}

#[test]
fn a_padded_pin_has_its_fixed_length() {
    let mut card = selected(Iso7816Settings {
        pin: b"1234".to_vec(),
        padding: Some(Padding { byte: 0xFF, length: 8 }),
        puk: Some(b"99999999".to_vec()),
        ..Iso7816Settings::default()
    });
    assert_eq!(send(&mut card, "002000010431323334"), "6700");
    assert_eq!(send(&mut card, "002000010831323334FFFFFFFF"), "9000");
    let change = "002400011031323334FFFFFFFF35363738FFFFFFFF";
    assert_eq!(send(&mut card, change), "9000");
    assert!(card.pin_is(b"5678"));
    // A filling byte inside, and a PIN of one digit.
    let bad = "002400011035363738FFFFFFFF3536FF3738FFFFFF";
    assert_eq!(send(&mut card, bad), "6A80");
    let short = "002400011035363738FFFFFFFF35FFFFFFFFFFFFFF";
    assert_eq!(send(&mut card, short), "6A80");
    assert_eq!(send(&mut card, "002C000110303030303030303031323334FFFFFFFF"), "63C2");
    assert_eq!(send(&mut card, "002C000110393939393939393931323334FFFFFFFF"), "9000");
    assert!(card.pin_is(b"1234"));
    assert_eq!(card.puk_tries_left(), Some(3));
}

#[test]
fn t0_gives_no_data_with_data_and_wants_an_exact_le() {
    let mut card = Iso7816Card::new(Iso7816Settings { t0: true, ..Iso7816Settings::default() });
    let fci = "6F088406F00000000102";
    assert_eq!(send(&mut card, "00A4040006F00000000102"), "610A");
    assert_eq!(send(&mut card, "00C0000000"), "6C0A");
    assert_eq!(send(&mut card, "00C000000A"), format!("{fci}9000"));
    assert_eq!(send(&mut card, "00A4040006F0000000010200"), "610A");
    assert_eq!(send(&mut card, "00200001"), "63C3");
    assert_eq!(send(&mut card, "00C000000A"), "6985");
    assert_eq!(send(&mut card, "00CA010100"), "6C10");
    assert_eq!(send(&mut card, "0084000000"), "6C08");
    become_admin(&mut card);
}
