use super::data::{Capabilities, derives_passwords};
use super::*;
use crate::card::pin_job::PinJob;
use crate::card::script::{play, recorded, replay};
use crate::secret::AdminResponse;

const NITROKEY: &str = include_str!("../../../fixtures/apdu/openpgp/session-nitrokey.apdu");

const SELECT: &str = "00A4040006D2760001240100";
const DATA: &str = "00CA006E00";
const FULL_AID: &str = "00CA004F00";
const STATUS: &str = "00CA00C400";
const KDF: &str = "00CA00F900";
const RANDOM: &str = "0084000008";
const VERIFY_PW3: &str = "00200083083132333435363738";
const RESET: &str = "002C028106363534333231";
const WITH_CODE: &str = "002C00810E3837363534333231313233343536";
const CHANGE_WRONG: &str = "002400810C393939393939313233343536";

fn pin(text: &str) -> Pin {
    Pin::new(text.as_bytes()).unwrap()
}

fn code(text: &str) -> Code {
    Code::new(text.as_bytes()).unwrap()
}

/// The measured card's answer to [`DATA`], with these PW status bytes and first byte of the capabilities.
fn data(status: &str, first: &str) -> String {
    let answer = recorded(NITROKEY, &[DATA]).remove(0).1;
    let changed =
        answer.replace("C407007F7F7F030003", &format!("C407{status}")).replace("C00A3F", &format!("C00A{first}"));
    assert!(changed.contains(status));
    changed
}

/// Plays a script on a card that was identified with these PW status bytes and has no KDF-DO.
#[track_caller]
fn identified<T>(status: &str, script: &[(&str, &str)], job: impl FnOnce(&mut OpenPgp, &mut Channel<'_>) -> T) -> T {
    let data = data(status, "3E");
    let mut whole = vec![(DATA, data.as_str())];
    whole.extend(script);
    play(&whole, |channel| {
        let mut card = OpenPgp::new(IdOrder::Raw);
        card.identify(channel).unwrap();
        job(&mut card, channel)
    })
}

const FULL: &str = "007F7F7F030303";

#[test]
fn one_command_tells_who_the_card_is_and_what_it_counts() {
    replay(NITROKEY, &[SELECT, FULL_AID], |channel| {
        assert!(OpenPgp::is_selected(&channel.send(&commands::select()).unwrap()));
        assert_eq!(
            OpenPgp::new(IdOrder::Windows).confirm(channel).unwrap().raw_hex(),
            "00060102030400060102030400060102"
        );
    });
    let id = replay(NITROKEY, &[DATA], |channel| {
        let mut card = OpenPgp::new(IdOrder::Raw);
        let id = card.identify(channel).unwrap();
        assert_eq!(card.title(), "OpenPGP card 3.4");
        assert_eq!(card.limits(), PinLimits { min: 6, max: 127, characters: PinCharacters::Ascii });
        assert_eq!(card.tries_left(channel).unwrap(), Tries::Left { left: 3, max: None });
        assert_eq!(card.code_lengths(Proof::AdminPin), Some((8, 127)));
        // Not set on this card.
        assert!(!card.takes(Proof::ResettingCode));
        assert_eq!(card.why_not(Proof::ResettingCode), Some("its resetting code is not set, or blocked"));
        assert!(card.plan(Proof::ResettingCode, true).is_err());
        assert!(card.takes(Proof::AdminPin) && card.takes(Proof::CurrentPin));
        assert!(!card.takes(Proof::AdminAnswer) && !card.takes(Proof::Puk));
        id
    });
    assert_eq!(id.to_string(), "00060102-0304-0006-0102-030400060102");
    // In the order of Windows, as OpenSC's minidriver would hand it on.
    let id = replay(NITROKEY, &[DATA], |channel| OpenPgp::new(IdOrder::Windows).identify(channel).unwrap());
    assert_eq!(id.to_string(), "02010600-0403-0600-0102-030400060102");
}

#[test]
fn the_template_comes_with_its_tag_or_without() {
    let bare = data(FULL, "3E");
    let bytes = hex::decode(bare.trim_end_matches("9000")).unwrap();
    let bare = hex::encode_upper(&bytes);
    let wrapped = hex::encode_upper(tlv::encode(0x6E, &bytes));
    for answer in [bare, wrapped] {
        play(&[(DATA, &format!("{answer}9000"))], |channel| {
            let mut card = OpenPgp::new(IdOrder::Raw);
            card.identify(channel).unwrap();
            assert!(card.takes(Proof::ResettingCode) && card.why_not(Proof::ResettingCode).is_none());
        });
    }
}

#[test]
fn a_card_that_does_not_say_who_it_is_is_refused() {
    let zero = data(FULL, "3E").replace("00060102030400", "00060000000000");
    let erased = data(FULL, "3E").replace("00060102030400", "0006FFFFFFFF00");
    let cases = [
        ("9000", "application identifier"),
        ("6A88", "6A88"),
        ("6E059000", "well-formed"),
        ("4F02D2769000", "application identifier"),
        ("4F10D27600012401030400060102030400009000", "PW status"),
        (&zero, "identified"),
        (&erased, "identified"),
    ];
    for (answer, needle) in cases {
        let answer = answer.replace(' ', "");
        let error = play(&[(DATA, &answer)], |channel| OpenPgp::new(IdOrder::Raw).identify(channel).unwrap_err());
        assert!(error.to_string().contains(needle), "{answer}: {error}");
    }
    for answer in ["D2760001240103040006010203040000 9000", "9000"] {
        let answer = answer.replace(' ', "");
        play(&[(FULL_AID, &answer)], |channel| {
            let confirmed = OpenPgp::new(IdOrder::Raw).confirm(channel);
            assert_eq!(confirmed.is_ok(), answer.len() > 4);
        });
    }
}

#[test]
fn pw3_is_verified_and_sets_the_pin() {
    let session = [VERIFY_PW3, RESET, "0020008206363534333231"];
    replay(NITROKEY, &session, |channel| {
        let mut card = OpenPgp::new(IdOrder::Raw);
        let code = code("12345678");
        card.authorize(channel, &Credential::AdminPin(&code)).unwrap();
        card.set_pin(channel, &Credential::AdminPin(&code), &pin("654321")).unwrap();
        card.verify_pin(channel, &pin("654321")).unwrap();
    });
    // `6982` is a missing PW3 here, and no wrong password.
    let error = play(&[(RESET, "6982")], |channel| {
        let code = code("12345678");
        OpenPgp::new(IdOrder::Raw).set_pin(channel, &Credential::AdminPin(&code), &pin("654321")).unwrap_err()
    });
    assert!(matches!(error, CardError::Refused { .. }), "{error}");
}

#[test]
fn a_wrong_password_is_told_in_three_ways_and_counted_in_all() {
    let verify = |card: &mut OpenPgp, channel: &mut Channel<'_>| {
        card.authorize(channel, &Credential::AdminPin(&code("12345678"))).unwrap_err()
    };
    for word in ["63C2", "63C0", "6983"] {
        let error = identified(FULL, &[(VERIFY_PW3, word)], verify);
        assert!(matches!(error, CardError::Refused { .. }), "{word}: {error}");
    }
    for word in ["6982", "6300"] {
        let error = identified(FULL, &[(VERIFY_PW3, word), (STATUS, "007F7F7F0303029000")], verify);
        assert!(matches!(error, CardError::Wrong { left: 2, .. }), "{word}: {error}");
        // A card that does not say: the refusal stands.
        let error = identified(FULL, &[(VERIFY_PW3, word), (STATUS, "6F00")], verify);
        assert!(matches!(error, CardError::Refused { .. }), "{word}: {error}");
    }
    let error = identified(FULL, &[(WITH_CODE, "6982"), (STATUS, "007F7F7F0302039000")], |card, channel| {
        card.set_pin(channel, &Credential::ResettingCode(&code("87654321")), &pin("123456")).unwrap_err()
    });
    assert!(matches!(error, CardError::Wrong { left: 2, .. }), "{error}");
    let error = identified(FULL, &[(CHANGE_WRONG, "6300"), (STATUS, "007F7F7F0103039000")], |card, channel| {
        card.set_pin(channel, &Credential::CurrentPin(&pin("999999")), &pin("123456")).unwrap_err()
    });
    assert!(matches!(error, CardError::Wrong { left: 1, .. }), "{error}");
}

#[test]
fn the_resetting_code_sets_the_pin_in_one_command() {
    replay(NITROKEY, &[WITH_CODE, "002400810C313233343536363534333231"], |channel| {
        let mut card = OpenPgp::new(IdOrder::Raw);
        let code = code("87654321");
        // The code goes with the new PIN: nothing is sent before.
        card.authorize(channel, &Credential::ResettingCode(&code)).unwrap();
        card.set_pin(channel, &Credential::ResettingCode(&code), &pin("123456")).unwrap();
        card.set_pin(channel, &Credential::CurrentPin(&pin("123456")), &pin("654321")).unwrap();
    });
    play(&[], |channel| {
        let mut card = OpenPgp::new(IdOrder::Raw);
        let code = code("87654321");
        for other in [Credential::Puk(&code), Credential::Answer(AdminResponse::new(&[0; 8]))] {
            let refused = card.set_pin(channel, &other, &pin("123456"));
            assert!(matches!(refused, Err(CardError::NotTaken { .. })));
            assert!(matches!(card.authorize(channel, &other), Err(CardError::NotTaken { .. })));
        }
    });
}

#[test]
fn counters_are_read_anew_once_a_password_was_tried() {
    let script = [("0020008206313233343536", "63C2"), (STATUS, "007F7F7F0203039000")];
    identified(FULL, &script, |card, channel| {
        assert_eq!(card.tries_left(channel).unwrap(), Tries::Left { left: 3, max: None });
        assert!(card.verify_pin(channel, &pin("123456")).is_err());
        assert_eq!(card.tries_left(channel).unwrap(), Tries::Left { left: 2, max: None });
        assert_eq!(card.tries_left(channel).unwrap(), Tries::Left { left: 2, max: None });
    });
    for (proof, left) in [(Proof::CurrentPin, 1), (Proof::ResettingCode, 2), (Proof::AdminPin, 3)] {
        let told = identified("007F7F7F010203", &[], |card, channel| card.proof_tries_left(channel, proof).unwrap());
        assert_eq!(told, Tries::Left { left, max: None });
    }
}

/// A card that wants derived passwords, or PIN blocks, would count each plain one as wrong.
#[test]
fn passwords_in_another_form_are_not_risked() {
    let risk = |script: &[(&str, &str)], first: &str| {
        let data = data(FULL, first);
        let mut whole = vec![(DATA, data.as_str())];
        whole.extend(script);
        play(&whole, |channel| {
            let mut card = OpenPgp::new(IdOrder::Raw);
            card.identify(channel).unwrap();
            card.proof_tries_left(channel, Proof::AdminPin)
        })
    };
    for (answer, plain) in [
        ("8101009000", true),
        ("F9038101009000", true),
        ("9000", true),
        ("6A88", true),
        ("81010382010983040000 10009000", false),
        ("F90381010 39000", false),
        ("8102009000", false),
        ("6982", false),
    ] {
        let answer = answer.replace(' ', "");
        assert_eq!(risk(&[(KDF, &answer)], "3F").is_ok(), plain, "{answer}");
    }
    assert!(risk(&[], "3E").is_ok(), "not announced: not asked");
    let proofs = [Proof::CurrentPin, Proof::ResettingCode, Proof::AdminPin];
    for (status, refused) in [
        ("00FF7F7F030303", [true, true, true]),
        ("007FFF7F030303", [false, true, false]),
        ("007F7FFF030303", [false, false, true]),
    ] {
        for (proof, refused) in proofs.into_iter().zip(refused) {
            let asked = identified(status, &[], |card, channel| card.proof_tries_left(channel, proof));
            assert_eq!(matches!(asked, Err(CardError::OtherPinFormat { .. })), refused, "{status} {proof:?}");
            assert!(refused || asked.is_ok(), "{status} {proof:?}");
        }
    }
}

#[test]
fn pw3_is_changed_after_it_was_verified_by_itself() {
    let change = "002400831031323334353637383837363534333231";
    let script = [(VERIFY_PW3, "9000"), (change, "9000")];
    identified(FULL, &script, |card, channel| {
        card.change_code(channel, &code("12345678"), &code("87654321")).unwrap();
    });
    identified(FULL, &[], |card, channel| {
        let short = card.change_code(channel, &code("12345678"), &code("1234567"));
        assert!(matches!(short, Err(CardError::PinLength { .. })));
    });
}

#[test]
fn a_challenge_is_given_also_where_it_is_not_announced() {
    let challenge = replay(NITROKEY, &[RANDOM], |channel| OpenPgp::new(IdOrder::Raw).challenge(channel).unwrap());
    let expected = hex::decode("348B0CD6F61906B3").unwrap();
    assert_eq!(Some(challenge), Challenge::admin(&expected));
    for answer in ["6D00", "6A81", "9000", "001122339000"] {
        play(&[(RANDOM, answer)], |channel| assert!(OpenPgp::new(IdOrder::Raw).challenge(channel).is_err()));
    }
}

#[test]
fn status_bytes_and_capabilities_of_any_length() {
    assert_eq!(PwStatus::parse(&[0; 6]), None);
    assert_eq!(PwStatus::parse(&[0; 8]), None);
    let status = PwStatus::parse(&[0x00, 0xA0, 0x20, 0x30, 3, 0, 2]).unwrap();
    assert!(status.pin_block == [true, false, false] && !status.has_resetting_code());
    assert_eq!(status.max, [0x20, 0x20, 0x30]);
    assert_eq!(Capabilities::parse(&[]), Capabilities::default());
    assert_eq!(Capabilities::parse(&[0x41]), Capabilities { get_challenge: true, kdf: true });
    assert!(derives_passwords(&[0x81]).is_err());
    assert!(!derives_passwords(&[]).unwrap());
}

/// A card whose PW1 can have fewer bytes than any PW1 has: the plan is drawn, and no PIN fits.
#[test]
fn a_card_that_leaves_no_length_for_a_pin_is_planned_all_the_same() {
    for (status, length) in [("00057F7F030303", 5), ("00007F7F030303", 1), ("00FF7F7F030303", 8)] {
        identified(status, &[], |card, _| {
            let planned = card.plan(Proof::AdminPin, true).unwrap().after_asking;
            let verify = planned.last().unwrap().command.frames(crate::reader::Protocol::T1, false);
            assert_eq!(verify[0].expose().len(), 5 + length, "{status}");
        });
    }
}

#[test]
fn what_was_verified_is_forgotten() {
    play(&[("0020FF82", "9000"), ("0020FF83", "9000")], |channel| OpenPgp::new(IdOrder::Raw).forget(channel).unwrap());
}

#[test]
fn select_of_another_application_is_no_answer() {
    for (answer, own) in [
        ("9000", true),
        ("6F0A8408D276000124010304 9000", true),
        ("6F078405A0000003089000", false),
        ("61074F05A0000003089000", false),
        ("6285", false),
        ("6A82", false),
    ] {
        let answer = answer.replace(' ', "");
        play(&[(SELECT, &answer)], |channel| {
            assert_eq!(OpenPgp::is_selected(&channel.send(&commands::select()).unwrap()), own, "{answer}");
        });
    }
}
