use std::collections::VecDeque;

use super::*;
use crate::card::pin_job::PinJob;
use crate::reader::{Atr, Connection, EndAction, Frame, Presence, Protocol, ReaderError};

/// A card that gives the next answer, whatever it is asked.
struct Script {
    atr: Atr,
    answers: VecDeque<Vec<u8>>,
    sent: Vec<Vec<u8>>,
}

impl Script {
    fn new(answers: &[&str]) -> Self {
        let answers = answers.iter().map(|answer| hex::decode(answer).unwrap()).collect();
        Self { atr: Atr::new(&[0x3B]), answers, sent: Vec::new() }
    }

    fn sent(&self) -> Vec<String> {
        self.sent.iter().map(hex::encode_upper).collect()
    }
}

impl Connection for Script {
    fn reader(&self) -> &str {
        "Test"
    }

    fn atr(&self) -> &Atr {
        &self.atr
    }

    fn protocol(&self) -> Protocol {
        Protocol::T1
    }

    fn transmit(&mut self, command: &Frame) -> Result<Frame, ReaderError> {
        self.sent.push(command.expose().to_vec());
        let answer = self.answers.pop_front().expect("an answer for each command");
        Ok(Frame::public(&answer))
    }

    fn presence(&mut self) -> Result<Presence, ReaderError> {
        Ok(Presence { generation: 1, atr: None, mute: false })
    }

    fn keep_alive(&mut self) -> Result<(), ReaderError> {
        Ok(())
    }

    fn end(self: Box<Self>, _action: EndAction) -> Result<(), ReaderError> {
        Ok(())
    }
}

fn card(keys: &str) -> Iso7816 {
    let text = format!("name = \"test\"\natr = \"3B01\"\ncard_id = {{ file = \"0201\" }}\n{keys}");
    let profile: Profile = toml::from_str(&text).unwrap();
    profile.check().unwrap();
    Iso7816::new(profile)
}

fn pin(text: &str) -> Pin {
    Pin::new(text.as_bytes()).unwrap()
}

#[test]
fn references_and_commands_are_the_profiles() {
    let mut card = card(
        "admin = { challenge_p2 = 1, challenge_le = 0, algorithm = 3, reference = 0x81 }\n\
         pin = { reference = 0x11, verify_reference = 0x12, max = 6, padding = 0, padded_length = 6 }\nset_pin = { reference = 0x13 }",
    );
    let mut script = Script::new(&["11223344556677889000", "9000", "9000", "9000", "9000", "63C2"]);
    let mut channel = Channel::new(&mut script);
    assert_eq!(
        Some(card.challenge(&mut channel).unwrap()),
        Challenge::admin(&hex::decode("1122334455667788").unwrap())
    );
    let answer = Credential::Answer(AdminResponse::new(&[7; 8]));
    card.authorize(&mut channel, &answer).unwrap();
    card.set_pin(&mut channel, &answer, &pin("1234")).unwrap();
    let current = pin("1234");
    // With filling nothing has to be verified beforehand.
    card.authorize(&mut channel, &Credential::CurrentPin(&current)).unwrap();
    card.set_pin(&mut channel, &Credential::CurrentPin(&current), &pin("56789")).unwrap();
    card.verify_pin(&mut channel, &pin("56789")).unwrap();
    assert_eq!(card.tries_left(&mut channel).unwrap(), Tries::Left { left: 2, max: None });
    assert_eq!(
        script.sent(),
        [
            "0084000100",
            "00820381080707070707070707",
            "002C021306313233340000",
            "002400110C313233340000353637383900",
            "0020001206353637383900",
            "00200012",
        ]
    );
}

#[test]
fn an_unblocking_code_goes_with_the_new_pin() {
    let mut card =
        card("pin = { reference = 1, padding = 0xFF }\nset_pin = { with = \"unblocking-code\", reference = 2 }");
    assert!(card.takes(Proof::Puk) && card.takes(Proof::CurrentPin) && !card.takes(Proof::AdminAnswer));
    assert!(card.why_not(Proof::AdminAnswer).unwrap().contains("unblocking code"));
    assert_eq!(card.code_lengths(Proof::Puk), Some((1, 8)));
    assert_eq!(card.code_lengths(Proof::CurrentPin), Some((1, 8)));
    assert_eq!(card.code_lengths(Proof::AdminPin), None);
    let mut script = Script::new(&["9000", "63C4"]);
    let mut channel = Channel::new(&mut script);
    let code = Code::new(b"87654321").unwrap();
    let puk = Credential::Puk(&code);
    card.authorize(&mut channel, &puk).unwrap();
    card.set_pin(&mut channel, &puk, &pin("1234")).unwrap();
    let refused = card.set_pin(&mut channel, &puk, &pin("1234")).unwrap_err();
    assert_eq!(refused.status(), Some(Status::new(0x63C4)));
    let expected = "002C00021038373635343332 3131323334FFFFFFFF".replace(' ', "");
    assert_eq!(script.sent(), [expected.clone(), expected]);
}

#[test]
fn what_a_profile_does_not_have_is_not_sent() {
    let mut card = card("pin = { reference = 1, change = false }");
    for proof in Proof::ALL {
        assert!(!card.takes(proof), "{proof:?}");
        assert!(card.plan(proof, true).is_err(), "{proof:?}");
    }
    assert!(card.why_not(Proof::AdminAnswer).unwrap().contains("no administrator"));
    let mut script = Script::new(&[]);
    let mut channel = Channel::new(&mut script);
    assert!(card.challenge(&mut channel).is_err());
    let code = Code::zeros(8);
    let answer = Credential::Answer(AdminResponse::new(&[7; 8]));
    for credential in [Credential::Puk(&code), Credential::AdminPin(&code), Credential::ResettingCode(&code), answer] {
        assert!(card.authorize(&mut channel, &credential).is_err(), "{:?}", credential.proof());
    }
    for credential in [Credential::Puk(&code), Credential::AdminPin(&code), Credential::ResettingCode(&code)] {
        assert!(card.set_pin(&mut channel, &credential, &pin("1234")).is_err(), "{:?}", credential.proof());
    }
    assert!(script.sent.is_empty());
}

/// Each wrong PIN is sent once; what follows it is at most the question for the counter.
#[test]
fn a_wrong_pin_is_told_whatever_word_the_card_has_for_it() {
    let words = "status_words = { wrong_pin = [\"6982\"], blocked = [\"6984\"] }";
    let query = format!("pin = {{ reference = 1 }}\n{words}");
    let silent = format!("pin = {{ reference = 1, status_query = false }}\n{words}");
    let cases: [(&str, &[&str], &str); 9] = [
        (&query, &["63C1"], "63C1 (wrong, tries left: 1)"),
        (&query, &["63C0"], "63C0 (wrong, no try left)"),
        (&query, &["6983"], "6983 (authentication method blocked)"),
        (&query, &["6984"], "it has 0 tries left now"),
        (&query, &["6300", "63C2"], "it has 2 tries left now"),
        (&query, &["6982", "63C2"], "it has 2 tries left now"),
        (&query, &["6982", "6984"], "it has 0 tries left now"),
        (&query, &["6300", "6D00"], "6300 (wrong, tries left not told)"),
        (&silent, &["6982"], "6982 (security status not satisfied)"),
    ];
    for (keys, answers, message) in cases {
        let mut script = Script::new(answers);
        let error = card(keys).verify_pin(&mut Channel::new(&mut script), &pin("1234")).unwrap_err();
        assert!(error.to_string().contains(message), "{answers:?}: {error}");
        let first = hex::decode(answers[0]).unwrap();
        assert_eq!(
            error.status(),
            Some(Status::new(u16::from_be_bytes([first[0], first[1]]))),
            "the first word counts"
        );
        assert_eq!(script.sent.iter().filter(|frame| frame.len() > 5).count(), 1, "{answers:?}");
        assert!(script.answers.is_empty(), "{answers:?}");
    }
}

#[test]
fn a_file_that_ends_early_is_read_and_a_refusal_is_not() {
    let whole = "5A103FF188BCBA833740826246EBA1291C6E";
    let profile: Profile = toml::from_str(
        "name = \"test\"\natr = \"3B01\"\ncard_id = { file = \"2F02\", tags = [\"5A\"] }\npin = { reference = 1 }",
    )
    .unwrap();
    let mut card = Iso7816::new(profile);
    let mut script = Script::new(&["9000", &format!("{whole}6282"), "9000", "6282", "6A82"]);
    let mut channel = Channel::new(&mut script);
    assert_eq!(card.identify(&mut channel).unwrap().raw_hex(), whole[4..].to_lowercase());
    for word in [0x6282, 0x6A82] {
        assert_eq!(card.identify(&mut channel).unwrap_err().status(), Some(Status::new(word)));
    }
}
