use std::time::Duration;

use uuid::uuid;

use super::*;
use crate::card::family::Families;

use crate::job::effect::ProofState;
use crate::job::journal::{Facts, JobKind, Journal, Moment, Phase, Stage};
use crate::reader::fixture::Fixture;
use crate::reader::replay::Replay;

const SELECT_PIV: (&str, &str) = ("00A4040009A0000003080000100000", "61114F0600001000010079074F05A0000003089000");
const CHUID: (&str, &str) = ("00CB3FFF055C035FC10200", "5312341000112233445566778899AABBCCDDEEFF9000");
const DISCOVERY: (&str, &str) = ("00CB3FFF035C017E00", "6A82");
const STATUS: &str = "00200080";
const METADATA: [&str; 3] = ["00F7008000", "00F7008100", "00F7009B00"];

/// Reads a card that answers as the script says and to nothing else; all of it must be used.
#[track_caller]
fn read_by(families: &Families, detail: Detail, script: &[(&str, &str)]) -> Result<CardReport, Failure> {
    read_with(families, None, detail, script)
}

#[track_caller]
fn read_with(
    families: &Families,
    journal: Option<&Journal>,
    detail: Detail,
    script: &[(&str, &str)],
) -> Result<CardReport, Failure> {
    let lines: String = script.iter().map(|(command, answer)| format!("> {command}\n< {answer}\n")).collect();
    let text = format!("# fixture: 1\n# atr: 3B80800101\n\n{lines}");
    let replay = Replay::new(text.parse::<Fixture>().unwrap()).unwrap();
    let reader = replay.list().unwrap()[0].name.clone();
    let report = report(&replay, &reader, families, journal, detail);
    replay.finish().unwrap_or_else(|left| panic!("{left:?}: {report:?}"));
    report
}

/// A card that is known, and keeps its counter to itself: behind a contactless reader, or where the application's own PIN is
/// not in use.
#[test]
fn a_counter_that_is_refused_is_not_told() {
    let families = Families::default();
    for word in ["6982", "6A81", "6A88", "6D00"] {
        let line = read_by(&families, Detail::Line, &[SELECT_PIV, CHUID, DISCOVERY, (STATUS, word)]).unwrap();
        assert_eq!(line.tries, Tries::Untold, "{word}");
        assert_eq!(line.card.card_id.to_string(), "00112233-4455-6677-8899-aabbccddeeff", "{word}");
        let full = [SELECT_PIV, CHUID, DISCOVERY, (STATUS, word), (METADATA[0], "6D00")];
        let full = read_by(&families, Detail::Full, &full).unwrap();
        assert!(full.secrets.iter().all(|secret| secret.tries == Tries::Untold), "{word}");
    }
    let gids = [
        ("00A4040009A0000003080000100000", "6A82"),
        ("00A4040009A0000003974254465900", "61124F0BA00000039742544659020173034001C09000"),
        ("00CBA000045C02DF1F00", "6A82"),
        ("00CBA012045C02DF2000", "DF201000112233445566778899AABBCCDDEEFF9000"),
        ("00CB3FFF045C027F7100", "6A88"),
        // For the certificates.
        ("00CBA000045C02DF1F00", "6A82"),
    ];
    assert_eq!(read_by(&families, Detail::Line, &gids).unwrap().tries, Tries::Untold);
    let profile = "name = \"test\"\natr = \"3B80800101\"\ncard_id = { file = \"0201\" }\npin = { reference = 1 }";
    let families = Families { profiles: vec![toml::from_str(profile).unwrap()], ..Families::default() };
    let id = "00112233445566778899AABBCCDDEEFF9000";
    let iso = [("00A4000C020201", "9000"), ("00B0000010", id), ("00200001", "6985")];
    assert_eq!(read_by(&families, Detail::Full, &iso).unwrap().tries, Tries::Untold);
}

/// Both PINs of a card that has two, and which one is meant.
#[test]
fn both_pins_of_a_card_are_told() {
    let refused = METADATA.map(|metadata| (metadata, "6D00"));
    let policy = |policy: &str| format!("7E124F0BA0000003080000100001005F2F02{policy}9000");
    let script = |policy, answers: [(&'static str, &'static str); 2]| {
        let [first, other] = answers;
        vec![SELECT_PIV, CHUID, (DISCOVERY.0, policy), first, refused[0], other]
    };
    let global = policy("6020");
    let report =
        read_by(&Families::default(), Detail::Full, &script(&global, [("00200000", "63C4"), (STATUS, "63C2")]))
            .unwrap();
    assert_eq!(report.tries, Tries::Left { left: 4, max: None });
    let lines = text(&report);
    assert!(lines.contains("PIV PIN        2 tries left; the card prefers its Global PIN"), "{lines}");
    let application = policy("6010");
    let report =
        read_by(&Families::default(), Detail::Full, &script(&application, [(STATUS, "63C2"), ("00200000", "6983")]))
            .unwrap();
    assert_eq!(report.tries, Tries::Left { left: 2, max: None });
    let lines = text(&report);
    assert!(lines.contains("Global PIN     blocked; the card prefers its PIV PIN"), "{lines}");
}

/// What one secret refuses says nothing of the others; and of this one no try is risked, so no line says so.
#[test]
fn a_secret_that_is_refused_hides_no_other() {
    let counted = "0101FF050101060203029000";
    let script = [
        SELECT_PIV,
        CHUID,
        DISCOVERY,
        (STATUS, "63C2"),
        (METADATA[0], counted),
        (METADATA[1], "6A88"),
        (METADATA[2], "0101030501009000"),
    ];
    let report = read_by(&Families::default(), Detail::Full, &script).unwrap();
    assert_eq!(report.tries, Tries::Left { left: 2, max: Some(3) });
    let told: Vec<_> = report.secrets.iter().map(|secret| (secret.name, secret.factory)).collect();
    assert_eq!(told, [("pin", Some(true)), ("puk", None), ("management-key", Some(false))]);
    let lines = text(&report);
    assert!(lines.contains("PUK            tries left not told") && lines.contains("risks none"), "{lines}");
}

/// A card that has lost its selection refuses everything: that is no answer to anything.
#[test]
fn a_lost_selection_is_no_refusal_of_one_question() {
    for (rest, detail) in
        [(&[(STATUS, "6986")][..], Detail::Line), (&[(STATUS, "63C3"), (METADATA[0], "6986")][..], Detail::Full)]
    {
        let mut script = vec![SELECT_PIV, CHUID, DISCOVERY];
        script.extend(rest);
        let failure = read_by(&Families::default(), detail, &script).unwrap_err();
        assert_eq!(failure.cause.status().map(|status| status.word()), Some(0x6986));
    }
}

/// A card that the journal knows under an ATR whose profile says that it must not be asked for its counter.
#[test]
fn a_card_is_read_by_the_profile_that_the_journal_knows_it_under() {
    let profile = r#"name = "silent"
    atr = "3B8D01"
    aid = "A00000030800001000"
    card_id = { data_object = "5FC102", tags = ["53", "34"], order = "raw" }
    pin = { reference = 0x80, status_query = false }"#;
    let families = Families { profiles: vec![toml::from_str(profile).unwrap()], ..Families::default() };
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::new(folder.path().join("journal"), Duration::from_secs(3600));
    let facts = Facts { atr: Some("3b8d01".to_owned()), ..Facts::default() };
    let moment = Moment { facts, ..Moment::new(Stage::Prove, Phase::Refused, ProofState::NotShown) };
    let claim = journal.claim(uuid!("00112233-4455-6677-8899-aabbccddeeff")).unwrap();
    claim.begin(JobKind::SetPin, moment).unwrap();
    let known = [SELECT_PIV, CHUID, DISCOVERY, SELECT_PIV, CHUID];
    let report = read_with(&families, Some(&journal), Detail::Line, &known).unwrap();
    assert_eq!((report.card.application.as_str(), report.tries), ("silent", Tries::Untold));
    let unknown = [SELECT_PIV, CHUID, DISCOVERY, (STATUS, "63C2")];
    assert_eq!(read_by(&families, Detail::Line, &unknown).unwrap().card.application, "piv");
}

fn text(report: &CardReport) -> String {
    report_lines(report, true).iter().map(|line| line.shown(false)).collect::<Vec<_>>().join("\n")
}
