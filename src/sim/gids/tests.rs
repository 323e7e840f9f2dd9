use super::*;
use crate::sim::tdes;

const KEY: [u8; 24] =
    *b"\x01\x02\x03\x04\x05\x06\x07\x08\x01\x02\x03\x04\x05\x06\x07\x08\x01\x02\x03\x04\x05\x06\x07\x08";
pub(super) const SELECT: &str = "00A4040C09A00000039742544659";
const MSE: &str = "0022C1A403830180";
const CHALLENGE: &str = "00870000047C02810000";
const ADMIN_PROBE: &str = "00CBA014025C0000";
pub(super) const VERIFY: &str = "00200080083132333435363738";

pub(super) fn send(card: &mut GidsCard, command: &str) -> String {
    let command = hex::decode(command).unwrap();
    hex::encode_upper(card.transmit(&command).unwrap())
}

pub(super) fn check(card: &mut GidsCard, exchanges: &[(&str, &str)]) {
    for (index, (command, expected)) in exchanges.iter().enumerate() {
        assert_eq!(send(card, command), *expected, "step {index}: {command}");
    }
}

pub(super) fn selected() -> GidsCard {
    let mut card = GidsCard::personalised(GidsSettings::default());
    check(&mut card, &[(SELECT, "9000")]);
    card
}

/// Asks for a challenge and gives the command that answers it.
fn answer(card: &mut GidsCard, key: &[u8; 24]) -> String {
    let challenge = send(card, CHALLENGE);
    assert!(challenge.starts_with("7C0A8108"), "{challenge}");
    let challenge = hex::decode(&challenge[8..24]).unwrap().try_into().unwrap();
    let answer = hex::encode_upper(tdes::encrypt_block(key, challenge));
    format!("008700000C7C0A8208{answer}")
}

fn become_admin(card: &mut GidsCard) {
    check(card, &[(MSE, "9000")]);
    let answer = answer(card, &KEY);
    check(card, &[(&answer, "9000"), (ADMIN_PROBE, "9000")]);
}

#[test]
fn class_bytes() {
    let mut card = selected();
    check(
        &mut card,
        &[
            ("01200080", "63C3"),
            ("0C200080", "6882"),
            ("80200080", "6E00"),
            ("10870000047C028100", "6884"),
            ("00200080", "6884"),
            ("00C0000000", "6884"),
            ("00A4040C09A00000030800001000", "6884"),
            (SELECT, "9000"),
            ("00200080", "63C3"),
        ],
    );
}

#[test]
fn malformed_commands_are_wrong_lengths() {
    let mut card = selected();
    for command in [
        "",
        "00",
        "002000",
        "00200080023132333435",
        "002000800000",
        "00CBA0120000045C02DF200000",
        "00CBA012045C02DF200000",
    ] {
        assert_eq!(send(&mut card, command), "6700", "{command}");
    }
    assert_eq!(card.tries_left(), 3);
}

#[test]
fn what_keeps_a_challenge_and_what_ends_it() {
    for (between, survives) in [
        ("00CBA012045C02DF2000", true),
        ("00200080", true),
        (VERIFY, true),
        (MSE, true),
        ("00A4000C023FFF", true),
        ("00A4040009A0000003080000100000", true),
        (SELECT, false),
        ("00200082", false),
        (CHALLENGE, false),
    ] {
        let mut card = selected();
        check(&mut card, &[(MSE, "9000")]);
        let answer = answer(&mut card, &KEY);
        send(&mut card, between);
        send(&mut card, MSE);
        let word = send(&mut card, &answer);
        assert_eq!(word == "9000", survives, "{between}: {word}");
        assert_eq!(card.admin_authenticated(), survives, "{between}");
    }
    let mut card = selected();
    check(&mut card, &[(MSE, "9000")]);
    let answer = answer(&mut card, &KEY);
    card.reset();
    check(&mut card, &[(&answer, "6986"), (SELECT, "9000"), (&answer, "6985")]);
}

#[test]
fn answers_of_odd_lengths() {
    let mut card = selected();
    check(&mut card, &[(MSE, "9000")]);
    let right = answer(&mut card, &KEY);
    check(&mut card, &[("00870000047C028200", "6984")]);
    let long = format!("00870000147C128210{}0000000000000000", &right[18..]);
    check(&mut card, &[(&long, "9000")]);
    send(&mut card, CHALLENGE);
    check(
        &mut card,
        &[
            ("00870000077C05820312345600", "6F00"),
            ("008700000C7C0A81080000000000000000", "6984"),
            ("00870001047C028100", "6A86"),
        ],
    );
}

#[test]
fn the_mutual_variant_wants_its_token() {
    let mut card = selected();
    let ask = "00870000147C12811000112233445566778899AABBCCDDEEFF00";
    check(&mut card, &[(MSE, "9000")]);
    assert!(send(&mut card, ask).starts_with("7C128110"));
    let wrong = format!("008700002C7C2A8228{}00", "00".repeat(40));
    check(&mut card, &[(&wrong, "6982"), (&wrong, "6985")]);
    send(&mut card, ask);
    check(&mut card, &[("008700000C7C0A82080000000000000000", "6982")]);
    assert_eq!(card.admin_failures(), 2);
}

#[test]
fn pin_rules() {
    let mut card = selected();
    check(&mut card, &[(VERIFY, "9000"), ("00200080", "63C3"), ("0020008003313233", "63C3")]);
    assert!(card.user_authenticated());
    check(
        &mut card,
        &[
            ("002000800431323334", "63C2"),
            ("00240180083837363534333231", "6982"),
            (VERIFY, "9000"),
            ("00240180083837363534333231", "9000"),
            ("002400800C383736353433323131323334", "9000"),
            ("0024008007313233343132", "6700"),
            ("00240080083939393931323334", "63C2"),
            ("00200081", "6A88"),
            ("00200180", "6A86"),
        ],
    );
    assert!(card.pin_is(b"1234") && !card.user_authenticated());
}

#[test]
fn setting_the_pin_ends_every_authentication_and_a_refusal_does_not() {
    let mut card = selected();
    become_admin(&mut card);
    check(
        &mut card,
        &[
            (VERIFY, "9000"),
            ("002C028003313233", "6700"),
            ("002C0280", "6700"),
            ("002C0281083132333435363738", "6A88"),
            ("002C0180083132333435363738", "6A86"),
            (ADMIN_PROBE, "9000"),
            ("002C02800431323334", "9000"),
            (ADMIN_PROBE, "6982"),
        ],
    );
    assert!(!card.user_authenticated() && card.pin_is(b"1234"));
}

#[test]
fn access_rules() {
    let read_user_file = "00CBA013025C0000";
    let write_id = "00DBA01204DF200101";
    let mut card = selected();
    check(
        &mut card,
        &[
            (read_user_file, "6982"),
            (ADMIN_PROBE, "6982"),
            ("00CBA011025C0000", "6982"),
            ("00CBB080025C0000", "6982"),
            ("00DBA01003DF2300", "6982"),
            ("00E000000E620C8201398302A0208C03030000", "6982"),
            (VERIFY, "9000"),
            (read_user_file, "9000"),
            (ADMIN_PROBE, "6982"),
            (write_id, "6982"),
            ("00CBA011025C0000", "6982"),
        ],
    );
    become_admin(&mut card);
    check(&mut card, &[(write_id, "9000")]);
    assert_eq!(card.object(0xA012, 0xDF20), Some(&[1][..]));
}

#[test]
fn emptying_twice_removes() {
    let mut card = selected();
    let read = "00CBA010045C02DF2500";
    check(
        &mut card,
        &[
            (VERIFY, "9000"),
            ("00DBA01004DF250101", "9000"),
            ("00DBA01003DF2500", "9000"),
            (read, "DF25009000"),
            ("00DBA01003DF2500", "9000"),
            (read, "6A88"),
            ("00DBA01004DF250201", "6984"),
        ],
    );
}

#[test]
fn a_torn_chain_leaves_new_head_and_zeros_or_old_tail() {
    let mut card = selected();
    let read = "00CBA010045C02DF2500";
    check(
        &mut card,
        &[
            (VERIFY, "9000"),
            ("10DBA01005DF25040102", "9000"),
            ("00200080", "6884"),
            ("00DBA011020304", "6884"),
            (SELECT, "9000"),
            (read, "DF2504010200009000"),
            (VERIFY, "9000"),
            ("10DBA01005DF25040102", "9000"),
            ("10DBA0100103", "9000"),
            ("00DBA0100104", "9000"),
            (read, "DF2504010203049000"),
            ("10DBA01005DF25040909", "9000"),
            (SELECT, "9000"),
            (read, "DF2504090903049000"),
            (VERIFY, "9000"),
            ("10DBA01005DF25040102", "9000"),
            ("00DBA0100301020304", "6984"),
        ],
    );
}

#[test]
fn long_answers_come_in_pieces_and_are_dropped_by_other_commands() {
    let mut card = selected();
    let value: Vec<u8> = (0..=255).chain(0..44).collect();
    assert!(card.preset_object(0xA010, 0xDF25, &value));
    let read = "00CBA010045C02DF2500";
    assert!(send(&mut card, read).ends_with("6131"));
    assert_eq!(send(&mut card, "00C0000010").len(), 2 * (16 + 2));
    assert!(send(&mut card, "00C0000021").ends_with("2A2B9000"));
    check(&mut card, &[("00C0000000", "9000")]);
    assert!(send(&mut card, read).ends_with("6131"));
    check(&mut card, &[("00200080", "63C3"), ("00C0000000", "9000")]);
    // Without Le a long answer waits as a whole, a short one comes at once.
    check(&mut card, &[("00CBA010045C02DF25", "6100")]);
    check(&mut card, &[("00CBA012045C02DF2004", "DF201000610F")]);
}

#[test]
fn put_key_counts_at_once() {
    let put = |key: &[u8; 24], check: &str| {
        let key = hex::encode_upper(key);
        format!("00DB3FFF267024840180A51F8718{key}8803{check}")
    };
    let new = [0; 24];
    let mut card = selected();
    check(&mut card, &[(VERIFY, "9000"), (&put(&new, "8CA64D"), "6982")]);
    become_admin(&mut card);
    check(&mut card, &[(&put(&new, "B073DC"), "9000"), (ADMIN_PROBE, "9000")]);
    let old = answer(&mut card, &KEY);
    check(&mut card, &[(&old, "6982")]);
    let fresh = answer(&mut card, &new);
    check(&mut card, &[(&fresh, "9000")]);
    // A stricter card minds the check value.
    let mut card = GidsCard::personalised(GidsSettings { check_kcv: true, ..GidsSettings::default() });
    check(&mut card, &[(SELECT, "9000")]);
    become_admin(&mut card);
    check(&mut card, &[(&put(&new, "B073DC"), "6984")]);
    check(&mut card, &[(&put(&new, "8CA64D"), "9000")]);
    assert!(card.admin_key_is(&new));
}

#[test]
fn files_are_created_once_and_deleted() {
    let mut card = selected();
    let create = "00E000000E620C8201398302A0208C03031000";
    check(
        &mut card,
        &[
            (VERIFY, "9000"),
            (create, "9000"),
            ("00440000", "9000"),
            (create, "6984"),
            ("00A4000C02A021", "6A82"),
            ("00A4000C02A020", "9000"),
            ("00E40000", "9000"),
            ("00A4000C02A020", "6A82"),
            ("00E40000", "6985"),
        ],
    );
    // Neither a file for a key pair nor one that was chosen.
    check(&mut card, &[("0047000008AC06800107830181", "6984")]);
    check(&mut card, &[("002A9E9A0101", "6985"), ("002241B606800157840181", "6984")]);
}

#[test]
fn a_blank_card_knows_no_administrator_yet() {
    let mut card = GidsCard::blank();
    check(
        &mut card,
        &[
            (SELECT, "9000"),
            ("00200080", "9000"),
            ("00CBA000045C02DF1F00", "6A82"),
            (CHALLENGE, "6986"),
            ("00440000", "6985"),
            ("0024018003313233", "6700"),
            ("00240180083132333435363738", "9000"),
        ],
    );
    assert!(!card.is_active());
}

#[test]
fn no_bytes_make_a_card_panic() {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut roll = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32).to_le_bytes()
    };
    const INS: [u8; 12] = [0xA4, 0xCB, 0xDB, 0x22, 0x87, 0x20, 0x24, 0x2C, 0xE0, 0x44, 0xE4, 0xC0];
    let heads = [
        [0x3F, 0xFF],
        [0xA0, 0x10],
        [0x00, 0x80],
        [0x02, 0x80],
        [0xC1, 0xA4],
        [0x00, 0x00],
        [0x00, 0x0C],
        [0xA0, 0x12],
    ];
    let mut cards = [GidsCard::blank(), selected()];
    for round in 0..60_000 {
        let [a, b, c, d, ..] = roll();
        let mut command = vec![[0x00, 0x10, 0x00, a][usize::from(b % 4)], INS[usize::from(c % 12)]];
        command.extend(heads[usize::from(d % 8)]);
        let length = roll()[0] % 24;
        command.push(length.wrapping_add(u8::from(roll()[0] < 8)));
        const START: [&[u8]; 6] =
            [&[0x7C, 0x02, 0x81, 0x00], &[0x5C, 0x02], &[0x62], &[0x70, 0x24], &[0xDF, 0x20, 0x82], &[]];
        let mut data = START[usize::from(roll()[0] % 6)].to_vec();
        while data.len() < usize::from(length) {
            data.extend(&roll()[..4]);
        }
        data.truncate(usize::from(length));
        command.extend(data);
        if roll()[0] < 8 {
            command.truncate(usize::from(roll()[0] % 8));
        }
        for card in &mut cards {
            if round % 50 == 0 {
                assert_eq!(send(card, SELECT), "9000");
            }
            let answer = card.transmit(&command).unwrap();
            assert!((2..=258).contains(&answer.len()), "{command:02X?}");
        }
    }
}
