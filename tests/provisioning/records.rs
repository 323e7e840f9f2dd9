//! The server's records: those that lead to no job, and those that a hostile or confused server makes up.

use pinwright::job::Cause;
use pinwright::job::given::PinSource;
use pinwright::job::issuer::Issuer as _;
use pinwright::sim::server::{Card, Endpoint, Fault, FaultKind, RequestStatus, Settings, UserPinOption};
use serde_json::json;
use support::provisioning::{CARD_A, CARD_B, InsertedCard, JobSetup, Kind, Lines, Person, guid, told};

const SCID: &str = "17cf063d-e337-4aa9-a822-346554ddd3c9";
const REQUEST: &str = "a9b4b42c-cc50-4c9b-89d1-bbc0bcd5a099";
/// Names other families than the card's.
const YUBIKEY_ATR: &str = "3bfd1300008131fe158073c021c057597562694b657940";
const TEMPLATE: &str = "a039b4d0-5ce8-4eff-8651-181c6576fda3";

fn says(setup: &JobSetup, endpoint: Endpoint, body: &serde_json::Value) {
    let body = Some(body.to_string());
    setup.server.inject(Fault::on(endpoint, FaultKind::Status { code: 200, headers: Vec::new(), body }).always());
}

fn card(id: uuid::Uuid) -> serde_json::Value {
    json!({"Uuid": SCID, "Status": 1, "SerialNumber": format!("{{{id}}}"), "Atr": Kind::Gids.atr(), "ProfileTemplateUuid": TEMPLATE})
}

fn request(changes: &[(&str, serde_json::Value)]) -> serde_json::Value {
    let mut request = json!({"Uuid": REQUEST, "RequestType": 1, "Status": 3, "NewSmartcardUuid": SCID, "ProfileTemplateUuid": TEMPLATE});
    for (name, value) in changes {
        request[*name] = value.clone();
    }
    request
}

/// Records that are not this card's are not worked on, whatever they were given as.
#[test]
fn made_up_records() {
    let a = card(guid(CARD_A));
    let mut no_serial = a.clone();
    no_serial["SerialNumber"] = json!(null);
    let mut zero = a.clone();
    zero["Uuid"] = json!("00000000-0000-0000-0000-000000000000");
    let mut raw_order = a.clone();
    raw_order["SerialNumber"] = json!(uuid::Uuid::from_bytes(CARD_A).to_string());
    let cards = [
        ("another card's record", json!(card(guid(CARD_B)))),
        ("both cards", json!([a, card(guid(CARD_B))])),
        ("no serial number", no_serial),
        ("no id", zero),
        ("the other order of bytes", raw_order),
        ("an empty object", json!({})),
        ("an empty list", json!([])),
        ("a list of lists", json!([[a]])),
        ("a thousand records", json!(vec![card(guid(CARD_B)); 200])),
        ("a status of another type", json!({"Uuid": SCID, "Status": true, "SerialNumber": guid(CARD_A).to_string()})),
    ];
    for (case, body) in &cards {
        let mut setup = JobSetup::new(Kind::Gids, "server");
        says(&setup, Endpoint::Smartcards, body);
        let inserted = InsertedCard::new(Kind::Gids);
        let failure = setup.run(&inserted, &mut Person::default()).failed_untouched(case);
        assert!(matches!(*failure.cause, Cause::Resolve(_) | Cause::Server(_)), "{case}: {}", told(&failure));
        inserted.assert_not_risked(case);
    }
    let none = "00000000-0000-0000-0000-000000000000";
    let requests = [
        ("bound to another card", request(&[("NewSmartcardUuid", json!("17cf063d-e337-4aa9-a822-346554ddd3ca"))])),
        ("bound to none", request(&[("NewSmartcardUuid", json!(none))])),
        ("no id", request(&[("Uuid", json!(none))])),
        ("denied, although Approved was asked for", request(&[("Status", json!(4))])),
        ("a status that no document names", request(&[("Status", json!(255))])),
        ("a huge status", request(&[("Status", json!(u64::MAX))])),
        ("a broken status", request(&[("Status", json!(3.5))])),
        ("twice with two types", json!([request(&[]), request(&[("RequestType", json!(5))])])),
    ];
    for (case, body) in &requests {
        let mut setup = JobSetup::new(Kind::Gids, "server");
        says(&setup, Endpoint::Requests, body);
        let inserted = InsertedCard::new(Kind::Gids);
        let failure = setup.run(&inserted, &mut Person::default()).failed_untouched(case);
        assert!(matches!(*failure.cause, Cause::Resolve(_) | Cause::Server(_)), "{case}: {}", told(&failure));
        inserted.assert_not_risked(case);
    }
}

/// A card ID that was given to a new card has the old one's record as well: the request names the right one.
#[test]
fn an_older_record_of_another_kind_of_card() {
    let mut older = card(guid(CARD_A));
    older["Uuid"] = json!("27cf063d-e337-4aa9-a822-346554ddd3c9");
    older["Atr"] = json!(YUBIKEY_ATR);
    for records in [json!([older, card(guid(CARD_A))]), json!([card(guid(CARD_A)), older])] {
        let mut setup = JobSetup::new(Kind::Gids, "server");
        says(&setup, Endpoint::Smartcards, &records);
        let inserted = InsertedCard::new(Kind::Gids);
        setup.run(&inserted, &mut Person::default()).ok("the right one");
        // Where the request names the older one it is still another card.
        let mut setup = JobSetup::new(Kind::Gids, "server");
        says(&setup, Endpoint::Smartcards, &records);
        says(&setup, Endpoint::Requests, &request(&[("NewSmartcardUuid", older["Uuid"].clone())]));
        let inserted = InsertedCard::new(Kind::Gids);
        let failure = setup.run(&inserted, &mut Person::default()).failed_untouched("the other one");
        assert!(told(&failure).contains(YUBIKEY_ATR), "{}", told(&failure));
    }
    let mut retired = card(guid(CARD_A));
    retired["Status"] = json!(6);
    let mut setup = JobSetup::new(Kind::Gids, "server");
    says(&setup, Endpoint::Smartcards, &json!([retired, retired]));
    let inserted = InsertedCard::new(Kind::Gids);
    let failure = setup.run(&inserted, &mut Person::default()).failed_untouched("two retired ones");
    assert!(told(&failure).contains("retired"), "{}", told(&failure));
}

/// A caller with thousands of open requests: the list is far longer than any secret, and holds the one for this card.
#[test]
fn a_long_list_of_requests() {
    let other = |number: u128| {
        let id = |of: u128| json!(uuid::Uuid::from_u128(of << 64 | number).to_string());
        request(&[("Uuid", id(1)), ("NewSmartcardUuid", id(2)), ("Comment", json!("x".repeat(500)))])
    };
    let mut list: Vec<_> = (1..3_000).map(other).collect();
    list.insert(2_000, request(&[]));
    let mut setup = JobSetup::new(Kind::Gids, "server");
    says(&setup, Endpoint::Requests, &json!(list));
    let inserted = InsertedCard::new(Kind::Gids);
    setup.run(&inserted, &mut Person::default()).ok("3,000 requests");
    assert!(inserted.pin_is(&setup.server.state().last_pin().unwrap()));
}

/// Policies that can't be met, or that are of another kind.
#[test]
fn made_up_policies() {
    let deep = serde_json::from_str(&format!("{}1{}", "[".repeat(100), "]".repeat(100))).unwrap();
    let policies = [
        ("no PIN fits", json!({"DiversifyAdminKey": false, "UserPinPolicy": {"MinLength": 9, "MaxLength": 4}})),
        ("negative", json!({"DiversifyAdminKey": false, "UserPinPolicy": {"MinLength": -1}})),
        ("huge", json!({"DiversifyAdminKey": false, "UserPinPolicy": {"MinLength": u64::MAX}})),
        ("a number for a flag", json!({"DiversifyAdminKey": 2})),
        ("a list", json!([])),
        ("depth", deep),
    ];
    for (case, body) in &policies {
        let mut setup = JobSetup::new(Kind::Gids, "server");
        says(&setup, Endpoint::CardPolicy, body);
        let inserted = InsertedCard::new(Kind::Gids);
        let failure = setup.run(&inserted, &mut Person::default()).failed_untouched(case);
        assert!(matches!(*failure.cause, Cause::Server(_) | Cause::Fit(_)), "{case}: {}", told(&failure));
        inserted.assert_not_risked(case);
    }
}

/// One odd neighbour in a list stops no job where its card could be read and is another one; one that may be about this card
/// does, since it may be a second request or record of it.
#[test]
fn odd_neighbours_and_repetitions_in_lists() {
    let of = |card: &str| json!({"Uuid": null, "Status": 3, "RequestType": 1, "NewSmartcardUuid": card});
    let (another, none) = ("27cf063d-e337-4aa9-a822-346554ddd3c9", "00000000-0000-0000-0000-000000000000");
    let stranger = json!({"Uuid": null, "SerialNumber": guid(CARD_B).to_string()});
    let second = request(&[("Uuid", json!(another)), ("Status", json!({}))]);
    let cases = [
        ("a request of another card", Endpoint::Requests, json!([of(another), request(&[])]), true),
        ("a request listed twice", Endpoint::Requests, json!([request(&[]), request(&[])]), true),
        ("a record of another card", Endpoint::Smartcards, json!([stranger, card(guid(CARD_A))]), true),
        ("a record listed twice", Endpoint::Smartcards, json!([card(guid(CARD_A)), card(guid(CARD_A))]), true),
        ("a request of this card", Endpoint::Requests, json!([of(SCID), request(&[])]), false),
        ("a second request of this card", Endpoint::Requests, json!([request(&[]), second]), false),
        ("a request of no card", Endpoint::Requests, json!([request(&[]), of(none)]), false),
        ("a request of a card that can't be read", Endpoint::Requests, json!([of("x"), request(&[])]), false),
        ("no object", Endpoint::Requests, json!([request(&[]), null]), false),
        ("a record of this card", Endpoint::Smartcards, json!([card(guid(CARD_A)), no_uuid(guid(CARD_A))]), false),
    ];
    for (case, endpoint, body, goes_on) in &cases {
        let mut setup = JobSetup::new(Kind::Gids, "server");
        says(&setup, *endpoint, body);
        let inserted = InsertedCard::new(Kind::Gids);
        let run = setup.run(&inserted, &mut Person::default());
        if *goes_on {
            run.ok(case);
            assert!(inserted.pin_is(&setup.server.state().last_pin().unwrap()), "{case}");
            continue;
        }
        let failure = run.failed_untouched(case);
        let remedy = failure.cause.remedy();
        assert!(remedy.contains("--request") && remedy.contains("--smartcard"), "{case}: {}", told(&failure));
        inserted.assert_not_risked(case);
        // What is named is not looked for in a list.
        (setup.wanted.request, setup.wanted.smartcard) = (REQUEST.parse().ok(), SCID.parse().ok());
        setup.run(&inserted, &mut Person::default()).ok(case);
    }
}

/// A record without its id.
fn no_uuid(id: uuid::Uuid) -> serde_json::Value {
    json!({"Uuid": null, "SerialNumber": id.to_string()})
}

/// What has one meaning is read, however it is written; what has none is told as such and by name.
#[test]
fn policies_in_other_forms() {
    // A card that was issued under a diversifying template: its own key answers.
    for written in [json!(true), json!("true"), json!("True"), json!(1)] {
        let mut setup = JobSetup::with(Kind::Gids, "server", &Lines::default(), |settings| {
            (settings.cards[0].status, settings.requests[0].kind) = (2, 5);
        });
        says(&setup, Endpoint::CardPolicy, &json!({ "DiversifyAdminKey": written }));
        let _ = setup.run(&InsertedCard::new(Kind::Gids), &mut Person::default());
        let asked = setup.server.requests();
        let asked = asked.iter().find(|call| call.endpoint == Some(Endpoint::AuthenticationResponse));
        let query = asked.map(|call| call.query.clone()).unwrap_or_default();
        assert!(query.contains("diversified=True"), "{written}: {query:?}");
    }
    let limits = |min: serde_json::Value| json!({"DiversifyAdminKey": false, "UserPinPolicy": {"MinLength": min}});
    let run = |body: &serde_json::Value| {
        let (mut setup, inserted) = (JobSetup::new(Kind::Gids, "server"), InsertedCard::new(Kind::Gids));
        says(&setup, Endpoint::CardPolicy, body);
        let run = setup.run(&inserted, &mut Person::default());
        if run.result.is_err() {
            inserted.assert_not_risked(&body.to_string());
        }
        run
    };
    run(&limits(json!("6"))).ok("text that is a number");
    let failure = run(&limits(json!("16"))).failed_untouched("a longer one");
    assert!(matches!(*failure.cause, Cause::Fit(_)), "it has counted: {}", told(&failure));
    let name = "UserPinPolicy.MinLength";
    for (body, property) in [
        (limits(json!(-1)), name),
        (limits(json!("six")), name),
        (limits(json!("")), name),
        (json!({"DiversifyAdminKey": "maybe"}), "DiversifyAdminKey"),
        (json!({"DiversifyAdminKey": 2}), "DiversifyAdminKey"),
    ] {
        let failure = run(&body).failed_untouched(property);
        let text = told(&failure);
        assert!(text.contains("can't be understood") && text.contains(property), "{body}: {text}");
        assert!(!failure.cause.remedy().contains("server.url"), "{body}: {text}");
    }
}

fn asked_for_policy(setup: &JobSetup) -> usize {
    setup.server.requests().iter().filter(|call| call.endpoint == Some(Endpoint::CardPolicy)).count()
}

/// Of several records of one card the request names the right one, and that one's policy decides who makes the PIN.
#[test]
fn a_policy_that_is_known_by_the_request_alone() {
    let mut setup = JobSetup::with(Kind::Gids, "server", &Lines::default(), |settings| {
        settings.cards.push(Card { uuid: uuid::Uuid::from_u128(77), status: 3, ..settings.cards[0].clone() });
        settings.templates[0].user_pin_option = UserPinOption::Number(3);
    });
    let inserted = InsertedCard::new(Kind::Gids);
    let mut person = Person { new_pin: Some(b"86420975".to_vec()), ..Person::default() };
    let outcome = setup.run(&inserted, &mut person).ok("two records");
    assert_eq!(outcome.pin_source, PinSource::User);
    assert_eq!(outcome.smartcard, setup.server.state().change(|settings| settings.cards[0].uuid));
    assert!(inserted.pin_is(b"86420975"));
    assert!(!setup.server.requests().iter().any(|call| call.endpoint == Some(Endpoint::PinByCard)));
    assert_eq!(asked_for_policy(&setup), 1);
}

/// A policy that the server does not show is asked for once, and not once more for good measure.
#[test]
fn a_policy_that_is_not_shown_is_asked_for_once() {
    let mut setup = JobSetup::new(Kind::Gids, "server");
    setup.server.inject(Fault::on(Endpoint::CardPolicy, FaultKind::status(403)).always());
    let _ = setup.run(&InsertedCard::new(Kind::Gids), &mut Person::default());
    assert_eq!(asked_for_policy(&setup), 1);
}

/// Of the time that a command tells as its own none is the server's.
#[test]
fn every_wait_for_the_server_is_counted() {
    let latency = std::time::Duration::from_millis(20);
    let mut setup = JobSetup::with(Kind::Gids, "server", &Lines::default(), |settings| settings.latency = latency);
    let mut waited = std::time::Duration::ZERO;
    for _ in 0..2 {
        let name = setup.issuer.template_name(TEMPLATE.parse().unwrap(), &mut || Ok(())).unwrap();
        assert!(name.is_some());
        let more = setup.issuer.waited().checked_sub(waited).unwrap();
        assert!(more >= latency, "{more:?}");
        waited = setup.issuer.waited();
    }
}

/// Requests and records that lead to no job stop before a challenge is taken.
#[test]
fn records_that_lead_to_no_job() {
    type Change = fn(&mut Settings);
    let cases: [(&str, Change); 8] = [
        ("not registered", |settings| settings.cards.clear()),
        ("retired", |settings| settings.cards[0].status = 6),
        ("another ATR", |settings| settings.cards[0].atr = YUBIKEY_ATR.to_owned()),
        ("no request", |settings| settings.requests.clear()),
        ("pending", |settings| settings.requests[0].status = RequestStatus::Pending),
        ("completed", |settings| settings.requests[0].status = RequestStatus::Completed),
        ("two requests", |settings| {
            let mut second = settings.requests[0].clone();
            second.uuid = uuid::Uuid::from_u128(77);
            settings.requests.push(second);
        }),
        ("somebody else's request", |settings| settings.requests[0].user = uuid::Uuid::from_u128(78)),
    ];
    for (case, change) in cases {
        let mut setup = JobSetup::with(Kind::Gids, "server", &Lines::default(), change);
        let inserted = InsertedCard::new(Kind::Gids);
        let failure = setup.run(&inserted, &mut Person::default()).failed_untouched(case);
        assert!(matches!(*failure.cause, Cause::Resolve(_)), "{case}: {}", told(&failure));
        assert!(!failure.cause.remedy().is_empty(), "{case}");
        inserted.assert_not_risked(case);
        setup.assert_no_violations(case);
    }
}
