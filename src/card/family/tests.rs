use super::*;
use crate::card::profile::Profile;
use crate::reader::{Connection, EndAction, Frame, Presence, Protocol, ReaderError};

const GIDS_ATR: &str = "3B8D0180FBA000000397425446590301C8";
const OTHER_ATR: &str = "3B80800101";
const GIDS_FCI: &str = "61124F0BA00000039742544659020173034001C09000";

/// A card that knows what it answers to SELECT of these applications, and 6A82 to all others.
struct Selector {
    atr: Atr,
    answers: Vec<(&'static str, &'static str)>,
    absent: &'static str,
    sent: Vec<String>,
    /// The answer to GET DATA application related data, and how often it was asked for.
    read: &'static str,
    reads: usize,
    /// The answer to GET DATA CHUID, and how often it was asked for.
    chuid: &'static str,
    chuids: usize,
}

impl Selector {
    fn new(answers: &[(&'static str, &'static str)]) -> Self {
        Self {
            atr: Atr::new(&[0x3B]),
            answers: answers.to_vec(),
            absent: "6A82",
            sent: Vec::new(),
            read: "9000",
            reads: 0,
            chuid: "6A82",
            chuids: 0,
        }
    }

    fn find(&mut self, atr: &str, families: &Families) -> Result<(Application, u32, Vec<String>), DetectError> {
        let mut channel = Channel::new(self);
        let found = find(&Atr::new(&hex::decode(atr).unwrap()), &mut channel, families)?;
        let others = found.others(&mut channel)?.into_iter().map(|other| other.name).collect();
        Ok((found.application, found.exchanges, others))
    }
}

impl Connection for Selector {
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
        let sent = command.to_string();
        if sent == "00CA006E00" {
            assert!(self.sent.last().is_some_and(|aid| aid == "D27600012401"), "asked of nobody else");
            self.reads += 1;
            return Ok(Frame::public(&hex::decode(self.read).unwrap()));
        }
        if sent == "00CB3FFF055C035FC10200" {
            assert!(self.sent.last().is_some_and(|aid| aid == "A00000030800001000"), "asked of nobody else");
            self.chuids += 1;
            return Ok(Frame::public(&hex::decode(self.chuid).unwrap()));
        }
        if sent == "00CB3FFF035C017E00" {
            return Ok(Frame::public(&[0x6A, 0x82]));
        }
        assert!(sent.starts_with("00A40400"), "nothing but SELECT by name: {sent}");
        let aid = &sent[10..sent.len() - 2];
        let answer =
            self.answers.iter().find(|(known, _)| known.starts_with(aid)).map_or(self.absent, |(_, answer)| answer);
        self.sent.push(aid.to_owned());
        Ok(Frame::public(&hex::decode(answer).unwrap()))
    }

    fn presence(&mut self) -> Result<Presence, ReaderError> {
        Ok(Presence { generation: 1, atr: Some(self.atr.clone()), mute: false })
    }

    fn keep_alive(&mut self) -> Result<(), ReaderError> {
        Ok(())
    }

    fn end(self: Box<Self>, _action: EndAction) -> Result<(), ReaderError> {
        Ok(())
    }
}

const GIDS: (&str, &str) = ("A000000397425446590201", GIDS_FCI);
const ONE: (&str, &str) = ("F00000000101", "6F088406F000000001019000");
const TWO: (&str, &str) = ("F00000000102", "9000");

fn profile(name: &str, keys: &str) -> Profile {
    toml::from_str(&format!("name = {name:?}\n{keys}\ncard_id = {{ file = \"0201\" }}\npin = {{ reference = 1 }}"))
        .unwrap()
}

/// `one` is told by its application, `two` by the ATR as well.
fn families(prefer: &[&str]) -> Families {
    Families {
        profiles: vec![
            profile("one", "aid = \"F00000000101\""),
            profile("two", "aid = \"F00000000102\"\natr = \"3B 01 02\""),
        ],
        prefer: prefer.iter().map(|name| (*name).to_owned()).collect(),
        ..Families::default()
    }
}

/// ATR, preferred names, then the application found, why, and the others.
type Case = (&'static str, &'static [&'static str], &'static str, Reason, &'static [&'static str]);

#[test]
fn the_order_is_atr_then_preference_then_built_in_then_profiles() {
    let all = [GIDS, ONE, TWO];
    let cases: [Case; 6] = [
        (OTHER_ATR, &[], "gids", Reason::Order, &["one"]),
        (OTHER_ATR, &["one"], "one", Reason::Preferred, &["gids"]),
        (OTHER_ATR, &["one", "gids"], "one", Reason::Preferred, &["gids"]),
        (GIDS_ATR, &["one"], "gids", Reason::Atr, &["one"]),
        ("3B0102", &["one", "gids"], "two", Reason::ProfileAtr, &["one", "gids"]),
        ("3B0102", &[], "two", Reason::ProfileAtr, &["gids", "one"]),
    ];
    for (atr, prefer, name, reason, others) in cases {
        let mut card = Selector::new(&all);
        let (application, exchanges, rest) = card.find(atr, &families(prefer)).unwrap();
        assert_eq!((application.name.as_str(), application.reason), (name, reason), "{atr} {prefer:?}");
        // Without a hint the probing begins with PIV, as on Windows.
        assert_eq!(exchanges, if reason == Reason::Order { 2 } else { 1 }, "{atr} {prefer:?}");
        assert_eq!(rest, others, "{atr} {prefer:?}");
        // Each once, whatever names it.
        let mut sent = card.sent.clone();
        sent.sort();
        sent.dedup();
        assert_eq!(sent.len(), card.sent.len(), "{atr} {prefer:?}: {:?}", card.sent);
    }
}

/// What the ATR names comes first, whatever is preferred, unless it names several.
#[test]
fn preference_chooses_where_the_atr_does_not() {
    const YUBIKEY: &str = "3BFD1300008131FE158073C021C057597562694B657940";
    const PIV: (&str, &str) = ("A000000308000010000100", "61114F0600001000010079074F05A0000003089000");
    for (atr, prefer, name, chooses) in [
        (OTHER_ATR, &[][..], "piv", true),
        (OTHER_ATR, &["one"][..], "one", true),
        (YUBIKEY, &[], "piv", true),
        (GIDS_ATR, &["piv"], "gids", false),
        ("3B0102", &["piv"], "two", false),
    ] {
        let mut card = Selector::new(&[PIV, GIDS, ONE, TWO]);
        let families = families(prefer);
        let found = find(&Atr::new(&hex::decode(atr).unwrap()), &mut Channel::new(&mut card), &families).unwrap();
        assert_eq!((found.application.name.as_str(), found.prefer_chooses), (name, chooses), "{atr} {prefer:?}");
    }
}

#[test]
fn a_wrong_hint_costs_one_select() {
    let families = families(&[]);
    let unhinted = Selector::new(&[ONE]).find(OTHER_ATR, &families).unwrap();
    let hinted = Selector::new(&[ONE]).find(GIDS_ATR, &families).unwrap();
    assert_eq!((unhinted.0.name.as_str(), hinted.0.name.as_str()), ("one", "one"));
    assert!(hinted.1 <= unhinted.1 + 1);
    // A profile that names the ATR, on a card without its application.
    let (application, exchanges, _) = Selector::new(&[GIDS]).find("3B0102", &families).unwrap();
    assert_eq!((application.name.as_str(), exchanges), ("gids", 3));
}

#[test]
fn a_card_of_no_known_family_says_what_was_tried() {
    for (absent, word) in [("6A82", 0x6A82), ("6A81", 0x6A81), ("6D00", 0x6D00), ("6E00", 0x6E00), ("6999", 0x6999)] {
        let mut card = Selector { absent, ..Selector::new(&[]) };
        let Err(DetectError::Unknown { tried, .. }) = card.find(OTHER_ATR, &families(&[])) else {
            panic!("{absent} is taken for an application");
        };
        let expected = ["piv", "gids", "openpgp", "one"].map(|name| Tried {
            name: name.to_owned(),
            status: Status::new(word),
            doubt: None,
        });
        assert_eq!(tried, expected);
    }
}

/// A card that says `9000` to every SELECT, and one that answers for the application that it always has.
#[test]
fn an_answer_for_another_application_is_no_answer() {
    for (absent, expected) in [
        // As an OpenPGP card answers its own, and this one has nothing to say of itself.
        ("9000", "one"),
        ("6F088406F000000001019000", "one"),
        ("6F088406F000000001099000", ""),
        ("610A4F08A0000000031010019000", ""),
        ("62088406F000000001099000", ""),
        // Cut off, or of a length that is none: not the application template of GIDS, and no name for a profile to doubt.
        ("61124F0BA000000397425446599000", "one"),
        ("61804F0BA0000003974254465902010000009000", "one"),
    ] {
        let mut card = Selector { absent, ..Selector::new(&[]) };
        let name = card.find(OTHER_ATR, &families(&[])).map(|found| found.0.name).unwrap_or_default();
        assert_eq!(name, expected, "{absent}");
    }
}

/// An OpenPGP card may answer SELECT with nothing: what it is then asked is what the job would ask it first.
#[test]
fn a_card_that_selects_anything_is_asked_what_it_is() {
    let data = "4F10D2760001240103040006010203040000C407007F7F7F0300039000";
    for (read, name) in [
        (data, "openpgp"),
        ("9000", "one"),
        ("6A88", "one"),
        ("4F10D2760001240203040006010203040000C407007F7F7F0300039000", "one"),
    ] {
        let mut card = Selector { absent: "9000", read, ..Selector::new(&[ONE]) };
        let (application, _, others) = card.find(OTHER_ATR, &families(&[])).unwrap();
        assert_eq!(application.name, name, "{read}");
        assert!(others.iter().all(|other| other != "openpgp"), "{read}: {others:?}");
        assert_eq!(card.reads, 1);
    }
    // Among the others it is made sure of likewise.
    for (read, named) in [(data, true), ("9000", false)] {
        let mut card = Selector { absent: "9000", read, ..Selector::new(&[GIDS]) };
        let (_, _, others) = card.find(GIDS_ATR, &families(&[])).unwrap();
        assert_eq!(others.contains(&"openpgp".to_owned()), named, "{others:?}");
    }
    // The answer is not asked for twice; an identification after it is.
    let mut card = Selector { read: data, ..Selector::new(&[("D27600012401", "9000")]) };
    let families = families(&[]);
    {
        let mut channel = Channel::new(&mut card);
        let mut found = find(&Atr::new(&[0x3B]), &mut channel, &families).unwrap();
        let first = found.card.identify(&mut channel).unwrap();
        assert_eq!(channel.exchanges(), found.exchanges);
        assert_eq!(found.card.identify(&mut channel).unwrap(), first);
    }
    assert_eq!(card.reads, 2);
    // Nor is a card that names itself.
    let mut card = Selector::new(&[("D27600012401", "6F0A8408D2760001240103049000")]);
    assert_eq!(card.find(OTHER_ATR, &families).unwrap().0.name, "openpgp");
    assert_eq!(card.reads, 0);
}

const CHUID: &str = "533B3019D4E739DA739CED39CE739D836858210842108421C84210C3EB3410001122334455\
                     66778899AABBCCDDEEFF350832303330303130313E00FE009000";

/// Names that are read although the template around them has a wrong length, or is none.
#[test]
fn piv_is_told_by_its_name_wherever_it_stands() {
    for answer in [
        // PivApplet: the length should be 8180.
        "61804F0BA000000308000010000100790D4F0BA000000308000010000100501050497620436172649000",
        "6F0D840BA0000003080000100001009000",
        "6F80840BA0000003080000100001009000",
        "4F0BA0000003080000100001009000",
        "61804F060000100001009000",
        // The value is longer than its own length says, or cut off.
        "61114F7FA000000308000010000100799000",
        "8409A000000308000010009000",
    ] {
        let mut card = Selector::new(&[("A000000308000010000100", answer)]);
        let (application, exchanges, _) = card.find(OTHER_ATR, &families(&[])).unwrap();
        assert_eq!((application.name.as_str(), exchanges, card.chuids), ("piv", 1, 0), "{answer}");
    }
}

/// Any other `9000` that names no other application is PIV only with a CHUID that has a GUID; the ID is then not asked for twice.
#[test]
fn a_card_that_does_not_say_what_it_is_is_piv_by_its_chuid() {
    let zero: &str = format!("53123410{}9000", "00".repeat(16)).leak();
    let erased: &str = format!("53123410{}9000", "FF".repeat(16)).leak();
    for select in ["9000", "61074F05A0000003089000", "6F009000", "61804F9000", "4F05A0000003089000"] {
        let mut card = Selector { chuid: CHUID, ..Selector::new(&[("A000000308000010000100", select), ONE]) };
        let families = families(&[]);
        {
            let mut channel = Channel::new(&mut card);
            let mut found = find(&Atr::new(&[0x3B]), &mut channel, &families).unwrap();
            assert_eq!((found.application.name.as_str(), found.exchanges), ("piv", 2), "{select}");
            let id = found.card.identify(&mut channel).unwrap();
            assert_eq!(id.to_string(), "00112233-4455-6677-8899-aabbccddeeff");
        }
        assert_eq!(card.chuids, 1, "{select}");
        for chuid in ["6A82", "6982", "6D00", "9000", "530234009000", "5312349000", zero, erased] {
            let mut card = Selector { chuid, ..Selector::new(&[("A000000308000010000100", select), ONE]) };
            assert_eq!(card.find(OTHER_ATR, &families).unwrap().0.name, "one", "{select} {chuid}");
        }
    }
}

/// A foreign card costs two commands more at most, and all of them are SELECT and GET DATA ([`Selector`] takes no other). One that
/// a profile claims by its ATR is not asked.
#[test]
fn a_foreign_card_is_asked_no_more_than_it_must() {
    for (absent, chuids, reads) in [("6A82", 0, 0), ("9000", 1, 1), ("6F088406F000000009019000", 0, 0)] {
        let mut card = Selector { absent, ..Selector::new(&[]) };
        let Err(DetectError::Unknown { tried, .. }) = card.find(OTHER_ATR, &Families::default()) else {
            panic!("{absent} is taken for an application");
        };
        assert_eq!((card.sent.len(), card.chuids, card.reads), (3, chuids, reads), "{absent}");
        let doubts: Vec<String> = tried.iter().filter_map(|one| one.doubt.as_ref()).map(ToString::to_string).collect();
        assert_eq!(doubts.len(), if absent == "6A82" { 0 } else { 3 }, "{doubts:?}");
        if let Some(piv) = doubts.first() {
            let why =
                if chuids == 1 { "GET DATA CHUID was answered 6A82" } else { "names the application F00000000901" };
            assert!(piv.contains(why), "{piv}");
        }
    }
    let claimed = Families {
        profiles: vec![profile("two", "aid = \"F00000000102\"\natr = \"3B 01 02\"")],
        ..Families::default()
    };
    for answers in [&[][..], &[TWO]] {
        let mut card = Selector { absent: "9000", chuid: CHUID, ..Selector::new(answers) };
        drop(card.find("3B0102", &claimed));
        assert_eq!(card.chuids, 0);
    }
    let mut card = Selector { chuid: CHUID, ..Selector::new(&[("A000000308000010000100", "9000")]) };
    let Err(DetectError::Unknown { tried, .. }) = card.find("3B0102", &claimed) else { panic!("asked all the same") };
    assert!(tried.contains(&Tried { name: "piv".to_owned(), status: Status::OK, doubt: Some(Doubt::Claimed) }));
    assert_eq!(card.chuids, 0);
}

#[test]
fn a_card_that_is_told_by_its_atr_alone_is_sent_nothing() {
    let families = Families { profiles: vec![profile("implicit", "atr = \"3B 80 80 01 01\"")], ..Families::default() };
    let mut card = Selector::new(&[]);
    let (application, exchanges, others) = card.find(OTHER_ATR, &families).unwrap();
    assert_eq!((application.name.as_str(), exchanges), ("implicit", 0));
    assert!(others.is_empty());
    assert_eq!(card.sent.len(), built_in().count(), "one SELECT each for the list of the others");
}

/// Terminated (`6285`): there, and out of use.
#[test]
fn a_terminated_application_is_named() {
    let mut card = Selector::new(&[("D27600012401", "6285")]);
    let Err(error) = card.find(OTHER_ATR, &families(&[])) else { panic!("a terminated application is taken") };
    assert_eq!(error.to_string(), "the card's openpgp application is terminated");
}
