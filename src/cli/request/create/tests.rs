//! Which template is meant, and what its policy lets be made.

use clap::Parser as _;

use super::super::prepared::{check, chosen};
use super::*;
use crate::cli::{Arguments, Command};

const LOGON: Uuid = Uuid::from_u128(0xA0);

fn template(id: Uuid, name: &str, is_smartcard: Option<bool>) -> ProfileTemplate {
    ProfileTemplate { uuid: id, name: name.to_owned(), is_smartcard }
}

fn args(line: &[&str]) -> CreateArgs {
    let words = ["pinwright", "request", "create"].into_iter().chain(line.iter().copied());
    match Arguments::try_parse_from(words).unwrap().command {
        Command::Request(super::super::RequestCommand::Create(args)) => args,
        other => panic!("{other:?}"),
    }
}

fn policy() -> WorkflowPolicy {
    WorkflowPolicy { enabled: Some(true), self_service: Some(true), ..WorkflowPolicy::default() }
}

#[test]
fn a_template_is_meant_by_its_id_or_by_a_name_that_it_has_alone() {
    let twin = Uuid::from_u128(0xB1);
    let all = [
        template(LOGON, "Smart Card Logon", Some(true)),
        template(Uuid::from_u128(0xB0), "Twin", None),
        template(twin, " twin ", Some(true)),
        template(Uuid::from_u128(0xC0), "E-mail", Some(false)),
        // A name that is another's id.
        template(Uuid::from_u128(0xD0), &LOGON.to_string(), Some(true)),
    ];
    let found = |wanted: &str| chosen(&all, wanted).map(|template| template.uuid).map_err(|error| error.to_string());
    for wanted in ["Smart Card Logon", " smart card LOGON ", &LOGON.to_string(), &LOGON.to_string().to_uppercase()] {
        assert_eq!(found(wanted), Ok(LOGON), "{wanted}");
    }
    assert_eq!(found(&twin.to_string()), Ok(twin));
    for (wanted, expected) in [
        ("Twin", "2 profile templates have the name"),
        ("Smart Card", "no profile template"),
        ("", "no profile template"),
        ("e-mail", "is not for smart cards"),
        ("00000000-0000-0000-0000-000000000000", "no profile template"),
    ] {
        let error = chosen(&all, wanted).unwrap_err();
        assert!(error.to_string().contains(expected), "{wanted}: {error}");
    }
    assert!(chosen(&all, "Twin").unwrap_err().hint().unwrap().contains(&twin.to_string()));
    assert!(chosen(&[], "x").unwrap_err().hint().unwrap().contains("right to enroll"));
}

#[test]
fn what_a_policy_forbids_is_not_sent() {
    type Change = fn(&mut WorkflowPolicy);
    let own: &[&str] = &["--template", "x"];
    let others: &[&str] = &["--template", "x", "--target", "8f1590dc-d932-4b66-8e68-2e91c5880780"];
    let cases: [(&str, Change, &[&str], &str); 16] = [
        ("nothing is said", |policy| *policy = WorkflowPolicy::default(), own, ""),
        ("all is well", |_| {}, own, ""),
        ("switched off", |policy| policy.enabled = Some(false), own, "switched off"),
        ("switched off for others", |policy| policy.enabled = Some(false), others, "switched off"),
        ("no self-service", |policy| policy.self_service = Some(false), own, "for themselves"),
        ("no self-service, for another", |policy| policy.self_service = Some(false), others, ""),
        ("an agent", |policy| policy.enrollment_agent = Some(true), own, "enrollment agent"),
        ("an agent, for another", |policy| policy.enrollment_agent = Some(true), others, ""),
        ("a one-time password", |policy| policy.one_time_password = true, others, "one-time passwords"),
        ("approval", |policy| policy.approvals = Some(2), own, ""),
        ("no comment", |policy| policy.collects_comment = Some(false), own, ""),
        (
            "a comment that is unwanted",
            |policy| policy.collects_comment = Some(false),
            &["--template", "x", "--comment", "why"],
            "no comment",
        ),
        (
            "an item is missing",
            |policy| policy.data_items = vec!["Reason".to_owned(), "City".to_owned()],
            &["--template", "x", "--data", "City=Ulm"],
            "\"Reason\"",
        ),
        (
            "an item too many",
            |policy| policy.data_items = vec!["City".to_owned()],
            &["--template", "x", "--data", "City=Ulm", "--data", "city=Ulm"],
            "does not collect \"city\"",
        ),
        (
            "an item twice",
            |policy| policy.data_items = vec!["City".to_owned()],
            &["--template", "x", "--data", "City=Ulm", "--data", "City=Bonn"],
            "given twice",
        ),
        ("items that nothing is said of", |_| {}, &["--template", "x", "--data", "City=Ulm = x"], ""),
    ];
    for (case, change, line, expected) in cases {
        let mut policy = policy();
        change(&mut policy);
        let checked = check(&template(LOGON, "Logon", None), &policy, &args(line).wished);
        let told = checked.as_ref().err().map(ToString::to_string).unwrap_or_default();
        assert!(told.is_empty() == expected.is_empty() && told.contains(expected), "{case}: {told}");
        assert!(checked.is_ok() || checked.unwrap_err().hint().is_some(), "{case}");
    }
    assert_eq!(
        args(&["--template", "x", "--data", " City = Ulm=1"]).wished.given.data,
        [("City".to_owned(), " Ulm=1".to_owned())]
    );
    for wrong in ["City", "=Ulm", " =x"] {
        let words = ["pinwright", "request", "create", "--template", "x", "--data", wrong];
        assert!(Arguments::try_parse_from(words).is_err(), "{wrong}");
    }
}

#[test]
fn the_question_says_what_is_made_and_for_whom() {
    let target = Uuid::from_u128(0xE0);
    let mut wished = args(&["--template", "x", "--data", "Reason=new", "--comment", "a\u{1b}b"]).wished;
    let policy = WorkflowPolicy { approvals: Some(2), ..policy() };
    let logon = template(LOGON, "Logon", None);
    let alike = Request {
        uuid: Uuid::from_u128(7),
        kind: crate::server::wire::RequestType::Enroll,
        status: crate::server::wire::RequestStatus::Pending,
        new_smartcard: None,
        profile_template: Some(LOGON),
        target_user: Some(target),
        submitted: None,
        completed: None,
        old_smartcard: None,
        comment: None,
        data: Vec::new(),
    };
    let other = Request { uuid: Uuid::from_u128(8), profile_template: None, ..alike.clone() };
    let text = question(&logon, &policy, &wished, &[alike.clone(), other.clone()]);
    for words in [
        "enroll a card for you",
        "\"Logon\"",
        "\"Reason\" = \"new\"",
        "\\u{1b}b",
        "2 approval",
        "open already under this template: 00000000-0000-0000-0000-000000000007.\n",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    wished.target = Some(target);
    let text = question(&logon, &policy, &wished, std::slice::from_ref(&alike));
    assert!(text.contains(&format!("for user {target}")) && text.contains("open already"), "{text}");
    wished.target = Some(LOGON);
    assert!(!question(&logon, &policy, &wished, &[alike, other]).contains("open already"));
}
