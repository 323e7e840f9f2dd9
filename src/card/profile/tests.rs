use super::*;

const GOOD: &str = r#"
    name = "Contoso"
    atr = "3B 9F 95 81"
    atr_mask = "FF FF 00 FF"
    aid = "F0 00 00 00 01 02"
    card_id = { file = "0201" }
    admin = { reference = 1 }
    pin = { reference = 0x80, min = 4, max = 8, padding = 0xFF }
"#;

fn profile(text: &str) -> Profile {
    toml::from_str(text).unwrap()
}

#[test]
fn a_mask_leaves_bits_out() {
    let profile = profile(GOOD);
    assert_eq!(profile.check(), Ok(()));
    assert!(profile.matches(&Atr::new(&[0x3B, 0x9F, 0x11, 0x81])));
    assert!(!profile.matches(&Atr::new(&[0x3B, 0x9F, 0x95, 0x80])));
    assert!(!profile.matches(&Atr::new(&[0x3B, 0x9F, 0x95])));
}

#[test]
fn an_atr_may_be_a_list_and_may_be_filled_with_zeros() {
    let listed = profile(&GOOD.replace("\"3B 9F 95 81\"", "[\"3B 9F 95 81\", \"3B:80:80:01\"]"));
    assert_eq!(listed.check(), Ok(()));
    for (atr, is_named) in
        [(&[0x3B, 0x9F, 0x11, 0x81], true), (&[0x3B, 0x80, 0x11, 0x01], true), (&[0x3B, 0x80, 0x80, 0x02], false)]
    {
        assert_eq!(listed.matches(&Atr::new(atr)), is_named, "{atr:02X?}");
    }
    // As `readers` showed an ATR right after an insertion, and as it shows it now.
    let filled = format!("\"3B80800101{}\"", "00".repeat(28));
    let filled = profile(&GOOD.replace("\"3B 9F 95 81\"", &filled).replace("atr_mask = \"FF FF 00 FF\"", ""));
    assert_eq!(filled.check(), Ok(()));
    assert!(filled.matches(&Atr::new(&[0x3B, 0x80, 0x80, 0x01, 0x01])));
    assert!(!filled.matches(&Atr::new(&[0x3B, 0x80, 0x80, 0x01, 0x02])));
    // Each ATR of a list is checked, and the mask is for all of them.
    for (list, message) in
        [("[\"3B\"]", "2 to 33 bytes"), ("[\"3B 9F 95 81\", \"3B01\"]", "as long as `atr`"), ("[]", "as long as `atr`")]
    {
        let error = profile(&GOOD.replace("\"3B 9F 95 81\"", list)).check().unwrap_err();
        assert!(error.to_string().contains(message), "{list}: {error}");
    }
    for list in ["3", "[3]", "[\"x\"]", "\"3B9\""] {
        assert!(toml::from_str::<Profile>(&GOOD.replace("\"3B 9F 95 81\"", list)).is_err(), "{list}");
    }
}

#[test]
fn what_is_not_said_is_what_iso_7816_4_says() {
    let profile = profile(GOOD);
    let admin = profile.admin.unwrap();
    assert_eq!((admin.challenge_length(), admin.challenge_le(), admin.cipher), (8, 8, Cipher::TripleDes));
    assert_eq!((profile.pin.of_verify(), profile.set_pin_reference()), (0x80, 0x80));
    assert!(profile.has_administrator() && profile.pin.change && profile.pin.status_query);
    assert!(!admin.early_challenge, "nobody has said that such a card keeps one");
}

/// What replaces what in [`GOOD`], the key that is named, and a part of what is said.
const CANNOT_WORK: &[(&str, &str, &str, &str)] = &[
    ("\"Contoso\"", "\" \"", "name", "1 to 80 characters"),
    ("\"Contoso\"", "\"a\\u001Bb\"", "name", "control character"),
    ("\"Contoso\"", "\"gids\"", "name", "built-in family"),
    ("atr = \"3B 9F 95 81\"", "", "atr_mask", "as long as `atr`"),
    ("\"FF FF 00 FF\"", "\"FF\"", "atr_mask", "as long as `atr`"),
    ("\"3B 9F 95 81\"", "\"3B\"", "atr", "2 to 33 bytes"),
    ("F0 00 00 00 01 02", "F0 00 00 00", "aid", "5 to 16 bytes"),
    ("file = \"0201\"", "file = \"02\"", "card_id.file", "two bytes"),
    ("file = \"0201\"", "", "card_id", "exactly one of"),
    ("file = \"0201\"", "file = \"0201\", data_object = \"0101\"", "card_id", "exactly one of"),
    ("file = \"0201\"", "path = \"3F00\"", "card_id.path", "2 to 8 file identifiers"),
    ("file = \"0201\"", "path = \"501544\"", "card_id.path", "2 to 8 file identifiers"),
    ("file = \"0201\"", "path = \"3F002F02\"", "card_id.path", "leads out of the application"),
    ("file = \"0201\"", "data_object = \"5FC10200\"", "card_id.data_object", "a tag of 1 to 3 bytes"),
    ("file = \"0201\"", "data_object = \"5FC1\"", "card_id.data_object", "a tag of 1 to 3 bytes"),
    (
        "file = \"0201\"",
        "data_object = \"0101\", select_with_answer = true",
        "card_id.select_with_answer",
        "selects nothing",
    ),
    ("file = \"0201\"", "file = \"0201\", tags = [\"5F\"]", "card_id.tags", "a tag of 1 to 3 bytes"),
    ("file = \"0201\"", "file = \"0201\", length = 8", "card_id.length", "`repeat = true`"),
    ("file = \"0201\"", "file = \"0201\", length = 3, repeat = true", "card_id.length", "4 to 16"),
    ("file = \"0201\"", "file = \"0201\", length = 17", "card_id.length", "must be 16"),
    ("file = \"0201\"", "file = \"0201\", repeat = true", "card_id.repeat", "needs `length`"),
    ("file = \"0201\"", "file = \"0201\", offset = 2", "card_id.offset", "needs `length`"),
    ("file = \"0201\"", "file = \"0201\", offset = 32768, length = 16", "card_id.offset", "beyond"),
    ("file = \"0201\"", "data_object = \"0101\", offset = 241, length = 16", "card_id.offset", "beyond"),
    ("reference = 1", "challenge_length = 16", "admin.challenge_length", "must be 8"),
    ("reference = 1", "challenge_length = 8, cipher = \"aes\"", "admin.challenge_length", "must be 16"),
    ("reference = 1", "challenge_le = 4", "admin.challenge_le", "less than the challenge"),
    ("min = 4", "min = 0", "pin.min", "PIN lengths"),
    ("max = 8", "max = 3", "pin.max", "PIN lengths"),
    ("max = 8", "max = 9", "pin.max", "PIN lengths"),
    ("padding = 0xFF", "padding = 0x30", "pin.padding", "printable"),
    ("padding = 0xFF", "padding = 0xFF, padded_length = 9223372036854775807", "pin.padded_length", "at most"),
    ("pin =", "set_pin = { with = \"unblocking-code\" }\npin =", "set_pin.with", "leave `admin` out"),
    ("pin =", "status_words = { wrong_pin = [\"9000\"] }\npin =", "status_words.wrong_pin", "refuses a command"),
    ("pin =", "status_words = { blocked = [\"6F00\"] }\npin =", "status_words.blocked", "refuses a command"),
    ("pin =", "status_words = { blocked = [\"69\"] }\npin =", "status_words.blocked", "refuses a command"),
    ("pin =", "status_words = { blocked = [\"6984\"], wrong_pin = [\"6984\"] }\npin =", "status_words.blocked", "too"),
];

#[test]
fn a_profile_that_cannot_work_is_refused_by_its_key() {
    for (from, to, key, message) in CANNOT_WORK {
        assert!(GOOD.contains(from), "{from}");
        let error = profile(&GOOD.replace(from, to)).check().unwrap_err();
        assert_eq!(error.key.join("."), *key, "{to}: {error}");
        assert!(error.to_string().contains(message), "{to}: {error}");
    }
    let bare = GOOD.replace("atr = \"3B 9F 95 81\"", "").replace("atr_mask = \"FF FF 00 FF\"", "");
    let error = profile(&bare.replace("aid = \"F0 00 00 00 01 02\"", "")).check().unwrap_err();
    assert!(error.to_string().contains("`atr`, `aid` or both"), "{error}");
    let blind = GOOD.replace("FF FF 00 FF", "00 00 00 00").replace("aid = \"F0 00 00 00 01 02\"", "");
    assert!(profile(&blind).check().unwrap_err().to_string().contains("leaves no bit"));
}

#[test]
fn a_key_that_is_none_is_refused_at_every_level() {
    for (from, to) in [
        ("name =", "colour = 1\nname ="),
        ("file = \"0201\"", "file = \"0201\", size = 16"),
        ("reference = 1", "reference = 1, tries = 3"),
        ("min = 4", "min = 4, minimum = 4"),
        ("pin =", "set_pin = { p2 = 1 }\npin ="),
        ("pin =", "status_words = { locked = [] }\npin ="),
        ("reference = 1", "cipher = \"des\""),
    ] {
        assert!(toml::from_str::<Profile>(&GOOD.replace(from, to)).is_err(), "{to}");
    }
}

#[test]
fn two_profiles_clash_where_a_card_could_be_either() {
    let with = |name: &str, keys: &str| {
        profile(&format!("name = {name:?}\n{keys}\ncard_id = {{ file = \"0201\" }}\npin = {{ reference = 1 }}"))
    };
    let cases = [
        ("atr = \"3B01\"", "atr = \"3B01\"", true),
        ("atr = \"3B01\"", "atr = \"3B02\"", false),
        ("atr = [\"3B01\", \"3B02\"]", "atr = [\"3B03\", \"3B02\"]", true),
        ("atr = [\"3B01\", \"3B02\"]", "atr = \"3B03\"", false),
        ("atr = \"3B01\"\natr_mask = \"FF00\"", "atr = \"3B02\"", true),
        ("atr = \"3B01\"", "atr = \"3B0102\"", false),
        ("atr = \"3B01\"\naid = \"F000000001\"", "atr = \"3B01\"\naid = \"F000000002\"", false),
        ("atr = \"3B01\"\naid = \"F000000001\"", "atr = \"3B01\"\naid = \"F00000000101\"", true),
        ("atr = \"3B01\"\naid = \"F000000001\"", "atr = \"3B01\"", true),
        ("aid = \"F000000001\"", "aid = \"F00000000102\"", true),
        ("aid = \"F000000001\"", "aid = \"F000000002\"", false),
        // The one that names the ATR goes first.
        ("atr = \"3B01\"\naid = \"F000000001\"", "aid = \"F000000001\"", false),
    ];
    for (one, other, expected) in cases {
        let (one, other) = (with("one", one), with("other", other));
        assert_eq!(clash(&one, &other).is_some(), expected, "{one:?} {other:?}");
        assert_eq!(clash(&one, &other), clash(&other, &one));
    }
    assert_eq!(clash(&with("one", "aid = \"F000000001\""), &with("one", "aid = \"F000000002\"")), Some(Clash::Name));
}

#[test]
fn status_words_are_read_as_the_profile_says() {
    let words = "status_words = { wrong_pin = [\"6982\"], blocked = [\"6984\", \"63 C0\"] }\npin =";
    let profile = profile(&GOOD.replace("pin =", words));
    assert_eq!(profile.check(), Ok(()));
    let reading = |word| profile.status_words.meaning(Status::new(word));
    assert_eq!(reading(0x6982), Some(Meaning::WrongPin));
    assert_eq!(reading(0x6984), Some(Meaning::Blocked));
    assert_eq!(reading(0x63C0), Some(Meaning::Blocked));
    assert_eq!(reading(0x6983), None);
}
