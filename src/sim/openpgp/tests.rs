use super::*;

const SELECT: &str = "00A4040006D2760001240100";

fn send(card: &mut OpenPgpCard, command: &str) -> String {
    hex::encode_upper(card.transmit(&hex::decode(command).unwrap()).unwrap())
}

fn selected(settings: OpenPgpSettings) -> OpenPgpCard {
    let mut card = OpenPgpCard::new(settings);
    assert_eq!(send(&mut card, SELECT), "9000");
    card
}

fn with_code() -> OpenPgpSettings {
    OpenPgpSettings { resetting_code: Some(b"87654321".to_vec()), ..OpenPgpSettings::default() }
}

#[test]
fn who_the_card_is_and_what_it_counts() {
    let mut card = OpenPgpCard::new(OpenPgpSettings::default());
    assert_eq!(send(&mut card, "00CA004F00"), "6986");
    assert_eq!(send(&mut card, SELECT), "9000");
    assert_eq!(send(&mut card, "00CA004F00"), "D276000124010304000F1234567800009000");
    assert_eq!(send(&mut card, "00CA00C400"), "007F7F7F0300039000");
    assert_eq!(send(&mut card, "00CA00F900"), "8101009000");
    assert!(send(&mut card, "00CA006E00").starts_with("6E81"));
    assert_eq!(send(&mut selected(with_code()), "00CA00C400"), "007F7F7F0303039000");
    let mut gone = OpenPgpCard::new(OpenPgpSettings { terminated: true, ..OpenPgpSettings::default() });
    assert_eq!(send(&mut gone, SELECT), "6285");
}

#[test]
fn passwords_count_down_and_block() {
    let mut card = selected(OpenPgpSettings::default());
    assert_eq!(send(&mut card, "00200083073132333435363700").as_str(), "6A80", "too short to be one");
    for expected in ["63C2", "63C1", "63C0", "6983"] {
        assert_eq!(send(&mut card, "0020008206393939393939"), expected);
    }
    assert_eq!(send(&mut card, "0020008206313233343536"), "6983");
    assert_eq!(send(&mut card, "00200081"), "6983", "one PW1, one counter");
    assert_eq!(send(&mut card, "002C028106363534333231"), "6982");
    assert_eq!(send(&mut card, "00200083083132333435363738"), "9000");
    assert_eq!(send(&mut card, "002C0281053635343332"), "6A80");
    assert_eq!(send(&mut card, "002C028106363534333231"), "9000");
    assert!(card.pin_is(b"654321") && card.admin_authenticated() && !card.user_authenticated());
    assert_eq!(send(&mut card, "0020FF83"), "9000");
    assert!(!card.admin_authenticated());
}

#[test]
fn a_card_may_keep_its_counter_to_itself() {
    let mut card = selected(OpenPgpSettings { uncounted: true, ..with_code() });
    assert_eq!(send(&mut card, "0020008206393939393939"), "6982");
    assert_eq!(send(&mut card, "00200083083939393939393939"), "6982");
    assert_eq!(send(&mut card, "002C00810E3939393939393939363534333231"), "6982");
    assert_eq!((card.tries_left(), card.admin_tries_left(), card.code_tries_left()), (2, 2, 2));
}

#[test]
fn a_password_is_cut_at_the_length_that_the_card_knows() {
    let mut card = selected(with_code());
    assert_eq!(send(&mut card, "002C00810E3837363534333231363534333231"), "9000");
    assert!(card.pin_is(b"654321"));
    // The beginning of the right one, continued by a new one: what nobody meant.
    assert_eq!(send(&mut card, "002400810C363534333231313233343536"), "9000");
    assert_eq!(send(&mut card, "002400810B3132333435363738393031"), "6A80");
    assert_eq!(card.tries_left(), 3);
    assert_eq!(send(&mut card, "002400831031323334353637383837363534333231"), "9000");
    assert!(card.admin_pin_is(b"87654321"));
    assert_eq!(send(&mut selected(OpenPgpSettings::default()), "002C00810E3837363534333231363534333231"), "6982");
}

#[test]
fn a_challenge_is_random_or_refused() {
    let mut card = selected(OpenPgpSettings::default());
    assert_ne!(send(&mut card, "0084000008"), send(&mut card, "0084000008"));
    let settings = OpenPgpSettings { gives_challenge: false, ..OpenPgpSettings::default() };
    assert_eq!(send(&mut selected(settings), "0084000008"), "6D00");
}
