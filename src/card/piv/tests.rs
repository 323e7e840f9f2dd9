use super::*;
use crate::card::admin_key::answer as answer_with_admin_key;
use crate::card::id::IdOrder;
use crate::card::pin_job::PinJob;
use crate::card::script::{play, replay};
use crate::secret::{AdminKey, AdminResponse, Code, Pin};

mod identities;

const NITROKEY: &str = include_str!("../../../fixtures/apdu/piv/session-nitrokey.apdu");
const PIVAPPLET: &str = include_str!("../../../fixtures/apdu/piv/session-pivapplet.apdu");

const CHUID: &str = "00CB3FFF055C035FC10200";
const CCC: &str = "00CB3FFF055C035FC10700";
const VERSION: &str = "00FD000000";
const SERIAL: &str = "00F8000000";
const METADATA_KEY: &str = "00F7009B00";
const METADATA_PUK: &str = "00F7008100";
const STATUS: &str = "00200080";
const CHANGE_WRONG: &str = "0024008010393939393939FFFF313233343536FFFF";
const RESET: &str = "002C0080103132333435363738313233343536FFFF";
const RESET_WRONG: &str = "002C0080103030303030303030313233343536FFFF";

fn pin(text: &str) -> Pin {
    Pin::new(text.as_bytes()).unwrap()
}

fn code(text: &str) -> Code {
    Code::new(text.as_bytes()).unwrap()
}

fn bytes(challenge: &Challenge) -> &[u8] {
    match challenge {
        Challenge::Admin(challenge) => challenge.bytes(),
        Challenge::Mutual(_) => panic!("no PIV card gives one"),
    }
}

fn answered(key: &AdminKey, challenge: &Challenge) -> Credential<'static> {
    Credential::Answer(answer_with_admin_key(key, challenge).unwrap())
}

fn challenge_of(algorithm: &str) -> String {
    format!("0087{algorithm}9B047C02810000")
}

#[test]
fn the_counter_is_asked_for_without_a_try() {
    let left = |left| Tries::Left { left, max: None };
    for (word, expected) in [
        ("63C3", left(3)),
        ("63C0", left(0)),
        ("6983", left(0)),
        ("6300", Tries::Untold),
        // A YubiKey NEO with an applet before 1.0.4.
        ("6303", left(3)),
        ("630F", left(15)),
    ] {
        assert_eq!(play(&[(STATUS, word)], |channel| Piv::new().tries_left(channel).unwrap()), expected, "{word}");
    }
    // Verified: told by the metadata alone.
    let script = [(STATUS, "9000"), ("00F7008000", "050101060205049000")];
    let told = play(&script, |channel| Piv::new().tries_left(channel).unwrap());
    assert_eq!(told, Tries::Left { left: 4, max: Some(5) });
    for metadata in ["9000", "6D00"] {
        let told =
            play(&[(STATUS, "9000"), ("00F7008000", metadata)], |channel| Piv::new().tries_left(channel).unwrap());
        assert_eq!(told, Tries::Untold, "{metadata}");
    }
}

/// Verified by another program: ended, where that is what it takes to know the counter before a try is risked.
#[test]
fn a_pin_that_was_left_verified_does_not_hide_the_counter() {
    let metadata = "00F7008000";
    let log_out = "0020FF80";
    let risk = |script: &[(&str, &str)]| {
        play(script, |channel| Piv::new().tries_to_risk(channel, Proof::CurrentPin).map_err(|error| error.status()))
    };
    let left = |left, max| Ok(Tries::Left { left, max });
    let verified = [(STATUS, "9000"), (metadata, "6D00")];
    let with = |rest: &[(&'static str, &'static str)]| [&verified[..], rest].concat();
    assert_eq!(risk(&with(&[(log_out, "9000"), (STATUS, "63C1")])), left(1, None));
    // A card that stays verified, or does not know it, keeps its counter to itself.
    assert_eq!(risk(&with(&[(log_out, "9000"), (STATUS, "9000")])), Ok(Tries::Untold));
    assert_eq!(risk(&with(&[(log_out, "6A86")])), Ok(Tries::Untold));
    assert_eq!(risk(&with(&[(log_out, "6986")])), Err(Some(Status::NOTHING_SELECTED)));
    // Not asked for where the counter is told, nor for another proof, nor by a mere look.
    assert_eq!(risk(&[(STATUS, "63C3")]), left(3, None));
    assert_eq!(risk(&[(STATUS, "9000"), (metadata, "060205049000")]), left(4, Some(5)));
    assert_eq!(risk(&[(STATUS, "6300")]), Ok(Tries::Untold));
    let puk = [(METADATA_PUK, "6D00")];
    play(&puk, |channel| assert_eq!(Piv::new().tries_to_risk(channel, Proof::Puk).unwrap(), Tries::Untold));
    play(&verified, |channel| {
        let mut card = Piv::new();
        assert_eq!(card.proof_tries_left(channel, Proof::CurrentPin).unwrap(), Tries::Untold);
        // A job that takes a challenge learns by it that the card has no metadata; another asks for them.
        for (challenged, expected) in [
            (true, &["read the tries left", "end what another program has left verified", "read the tries left"][..]),
            (
                false,
                &[
                    "read the tries left",
                    "read the tries left",
                    "end what another program has left verified",
                    "read the tries left",
                ],
            ),
        ] {
            let planned = card.plan(Proof::CurrentPin, challenged).unwrap().after_asking;
            let purposes: Vec<_> = planned.iter().map(|step| step.purpose).collect();
            assert_eq!(purposes[..expected.len()], *expected, "{challenged}");
            assert_eq!(purposes[expected.len()], "confirm the card ID", "{challenged}");
        }
    });
}

#[test]
fn the_puk_is_counted_by_metadata_or_by_nobody() {
    let ask = |card: &mut Piv, channel: &mut Channel<'_>| card.proof_tries_left(channel, Proof::Puk);
    let told = replay(PIVAPPLET, &[METADATA_PUK], |channel| ask(&mut Piv::new(), channel).unwrap());
    assert_eq!(told, Tries::Left { left: 3, max: Some(3) });
    for answer in ["9000", "6D00", "6A81", "6E00", "6A88", "0102039000", "FF9000"] {
        play(&[(METADATA_PUK, answer)], |channel| {
            let mut card = Piv::new();
            assert_eq!(ask(&mut card, channel).unwrap(), Tries::Untold, "{answer}");
            // Asked once: the card has said that it does not know the question.
            assert_eq!(ask(&mut card, channel).unwrap(), Tries::Untold, "{answer}");
        });
    }
    // A card that tells of its management key and not of its PUK is not guessed at.
    for answer in ["9000", "6A88", "6F00", "0102039000"] {
        let script = [
            (METADATA_KEY, "0101030501009000"),
            ("0087039B047C02810000", "7C0A810800112233445566779000"),
            (METADATA_PUK, answer),
        ];
        play(&script, |channel| {
            let mut card = Piv::new();
            card.challenge(channel).unwrap();
            assert!(ask(&mut card, channel).is_err(), "{answer}");
        });
    }
    play(&[(METADATA_PUK, "6986")], |channel| assert!(ask(&mut Piv::new(), channel).is_err()));
}

#[test]
fn the_management_key_challenges_in_its_own_algorithm() {
    let three = challenge_of("03");
    let challenge = replay(NITROKEY, &[METADATA_KEY, &three], |channel| Piv::new().challenge(channel).unwrap());
    assert_eq!(hex::encode_upper(bytes(&challenge)), "9B87473C0AD6532F");
    // Told by the card.
    let long = format!("7C128110{}9000", "5A".repeat(16));
    for (byte, algorithm) in [("08", KeyAlgorithm::Aes128), ("0A", KeyAlgorithm::Aes192), ("0C", KeyAlgorithm::Aes256)]
    {
        let metadata = format!("0101{byte}9000");
        play(&[(METADATA_KEY, &metadata), (&challenge_of(byte), &long)], |channel| {
            let mut card = Piv::new();
            assert_eq!(bytes(&card.challenge(channel).unwrap()).len(), 16);
            assert_eq!(card.algorithm, Some(algorithm));
        });
    }
    // Found by asking, in order; a second challenge is asked for directly.
    let (eight, ten, twelve) = (challenge_of("08"), challenge_of("0A"), challenge_of("0C"));
    let stepping = [(METADATA_KEY, "6D00"), (&three, "6A86"), (&eight, "6A86"), (&ten, &long), (&ten, &long)];
    play(&stepping, |channel| {
        let mut card = Piv::new();
        assert_eq!(bytes(&card.challenge(channel).unwrap()).len(), 16);
        assert_eq!(bytes(&card.challenge(channel).unwrap()).len(), 16);
    });
    let none = [(METADATA_KEY, "6D00"), (&three, "6A86"), (&eight, "6A86"), (&ten, "6A86"), (&twelve, "6A86")];
    play(&none, |channel| assert!(Piv::new().challenge(channel).is_err()));
    // Any other refusal is one: nothing more is asked.
    play(&[(METADATA_KEY, "6D00"), (&three, "6982")], |channel| assert!(Piv::new().challenge(channel).is_err()));
    for wrong in ["9000", "7C009000", "7C0281009000", &long, "7C0881060011223344559000"] {
        play(&[(METADATA_KEY, "6D00"), (&three, wrong)], |channel| {
            assert!(Piv::new().challenge(channel).is_err(), "{wrong}");
        });
    }
}

#[test]
fn the_management_key_is_answered_and_changed() {
    let key = AdminKey::from_hex(&b"0102030405060708".repeat(3)).unwrap();
    let new = AdminKey::from_hex(b"981540F87A2907F81CFBA16E2AC42AC7E397D3584AD56408").unwrap();
    let session = [METADATA_KEY, "0087039B047C02810000", "0087039B0C7C0A820835AB19555C6712FD"];
    replay(NITROKEY, &session, |channel| {
        let mut card = Piv::new();
        let challenge = card.challenge(channel).unwrap();
        card.authorize(channel, &answered(&key, &challenge)).unwrap();
    });
    let set = "00FFFFFF1B039B18981540F87A2907F81CFBA16E2AC42AC7E397D3584AD56408";
    replay(PIVAPPLET, &[VERSION, set], |channel| {
        Piv::new().write_admin_key(channel, KeyAlgorithm::TripleDes, &new).unwrap();
    });
    // A write of a maker's own: not sent to a card that has not said that it knows these.
    play(&[(VERSION, "6D00")], |channel| {
        assert!(Piv::new().write_admin_key(channel, KeyAlgorithm::TripleDes, &new).is_err());
    });
    play(&[], |channel| {
        assert!(Piv::new().write_admin_key(channel, KeyAlgorithm::Aes256, &new).is_err());
        let answer = Credential::Answer(AdminResponse::new(&[0; 8]));
        assert!(Piv::new().authorize(channel, &answer).is_err(), "no challenge to answer");
    });
}

#[test]
fn the_puk_sets_the_pin_and_is_sent_once() {
    let reset = |channel: &mut Channel<'_>, puk: &str| {
        Piv::new().set_pin(channel, &Credential::Puk(&code(puk)), &pin("123456"))
    };
    for recording in [NITROKEY, PIVAPPLET] {
        replay(recording, &[RESET, RESET_WRONG, RESET], |channel| {
            reset(channel, "12345678").unwrap();
            let error = reset(channel, "00000000").unwrap_err();
            assert_eq!(error.status(), Some(Status::new(0x63C2)));
            reset(channel, "12345678").unwrap();
        });
    }
    for word in ["63C0", "6983", "6300", "6A80", "6C08", "6581"] {
        play(&[(RESET, word)], |channel| {
            assert!(reset(channel, "12345678").is_err(), "{word}");
        });
    }
    // An old card's way to tell the counter.
    play(&[(RESET, "6302"), ("0020008008313233343536FFFF", "6301")], |channel| {
        let error = reset(channel, "12345678").unwrap_err();
        assert!(matches!(error, CardError::Wrong { left: 2, .. }), "{error}");
        let error = Piv::new().verify_pin(channel, &pin("123456")).unwrap_err();
        assert!(matches!(error, CardError::Wrong { left: 1, .. }), "{error}");
    });
    play(&[(RESET, "6310")], |channel| {
        assert!(matches!(reset(channel, "12345678"), Err(CardError::Refused { .. })), "a warning, and no counter");
    });
    // What can't be a PUK or a PIN of such a card is not sent, and no other proof is.
    play(&[], |channel| {
        for (puk, new) in [("12345", "123456"), ("123456789", "123456"), ("12345678", "12345")] {
            let error = Piv::new().set_pin(channel, &Credential::Puk(&code(puk)), &pin(new)).unwrap_err();
            assert!(matches!(error, CardError::PinLength { .. }), "{error}");
        }
        let code = code("12345678");
        let answer = Credential::Answer(AdminResponse::new(&[0; 8]));
        for other in [Credential::ResettingCode(&code), Credential::AdminPin(&code), answer] {
            let refused = Piv::new().set_pin(channel, &other, &pin("123456"));
            assert!(matches!(refused, Err(CardError::NotTaken { .. })), "{:?}", other.proof());
        }
    });
}

#[test]
fn a_wrong_pin_without_a_counter_is_followed_by_the_question() {
    let change = |channel: &mut Channel<'_>| {
        Piv::new().set_pin(channel, &Credential::CurrentPin(&pin("999999")), &pin("123456"))
    };
    let error = replay(NITROKEY, &[CHANGE_WRONG], |channel| {
        // The recording goes on with something else, so the counter can't be had; the refusal stands.
        change(channel).unwrap_err()
    });
    assert_eq!(error.status(), Some(Status::WRONG));
    let error = play(&[(CHANGE_WRONG, "6300"), (STATUS, "63C2")], |channel| change(channel).unwrap_err());
    assert!(matches!(error, CardError::Wrong { left: 2, .. }), "{error}");
    assert!(error.to_string().contains("2 tries left"), "{error}");
    let error = play(&[(CHANGE_WRONG, "6300"), (STATUS, "6302")], |channel| change(channel).unwrap_err());
    assert!(matches!(error, CardError::Wrong { left: 2, .. }), "{error}");
    let error = play(&[(CHANGE_WRONG, "6302")], |channel| change(channel).unwrap_err());
    assert!(matches!(error, CardError::Wrong { left: 2, .. }), "{error}");
    let error = play(&[(CHANGE_WRONG, "63C1")], |channel| change(channel).unwrap_err());
    assert_eq!(error.status(), Some(Status::new(0x63C1)));
    // The PUK's counter can't be asked for, and the PIN's says nothing of it.
    let puk = "002400811030303030303030303837363534333231";
    play(&[(puk, "6300")], |channel| {
        let error = Piv::new().change_code(channel, &code("00000000"), &code("87654321")).unwrap_err();
        assert!(matches!(error, CardError::Refused { .. }));
    });
}

#[test]
fn pin_and_puk_are_changed_verified_and_forgotten() {
    let session = [
        "0020008008313233343536FFFF",
        "0020FF80",
        "0024008010313233343536FFFF363534333231FFFF",
        "002400811031323334353637383837363534333231",
    ];
    replay(PIVAPPLET, &session, |channel| {
        let mut card = Piv::new();
        card.verify_pin(channel, &pin("123456")).unwrap();
        card.forget(channel).unwrap();
        let current = pin("123456");
        let credential = Credential::CurrentPin(&current);
        // With eight bytes for each PIN nothing has to be verified beforehand.
        card.authorize(channel, &credential).unwrap();
        card.set_pin(channel, &credential, &pin("654321")).unwrap();
        card.change_code(channel, &code("12345678"), &code("87654321")).unwrap();
    });
}

#[test]
fn what_the_card_says_of_its_factory_secrets() {
    let asked = ["00F7008000", METADATA_PUK, METADATA_KEY];
    let reports = replay(PIVAPPLET, &asked, |channel| Piv::new().secrets(channel).unwrap());
    let told: Vec<_> = reports.iter().map(|report| (report.name, report.tries, report.factory)).collect();
    let left = |left, max| Tries::Left { left, max: Some(max) };
    assert_eq!(
        told,
        [
            ("pin", left(5, 5), Some(true)),
            ("puk", left(3, 3), Some(true)),
            ("management-key", Tries::Untold, Some(true))
        ]
    );
    let reports = replay(NITROKEY, &["00F7008000"], |channel| Piv::new().secrets(channel).unwrap());
    assert!(reports.iter().all(|report| report.factory.is_none() && report.tries == Tries::Untold));
}

#[test]
fn the_management_key_sets_no_pin() {
    let card = Piv::new();
    assert!(card.takes(Proof::Puk) && card.takes(Proof::CurrentPin));
    assert!(![Proof::AdminAnswer, Proof::AdminPin, Proof::ResettingCode].into_iter().any(|proof| card.takes(proof)));
    assert!(card.why_not(Proof::AdminAnswer).is_some_and(|reason| reason.contains("management key")));
    assert_eq!(card.why_not(Proof::Puk), None);
    for proof in Proof::ALL {
        assert_eq!(card.plan(proof, true).is_ok(), card.takes(proof), "{proof:?}");
    }
}
