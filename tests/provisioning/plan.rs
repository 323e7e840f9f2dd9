//! EventKind a plan lists is what the job then sends; and a plan itself touches nothing.

use std::sync::atomic::AtomicBool;

use pinwright::provision::plan::{Plan, PlannedStep, plan};
use pinwright::reader::record::Recording;
use pinwright::sim::server::{Endpoint, UserPinOption};
use support::provisioning::{InsertedCard, JobSetup, Kind, Lines, OLD, Person, TRIES, issuer};

fn planned(setup: &JobSetup, inserted: &InsertedCard) -> Plan {
    let mut client = issuer(&setup.config);
    plan(&setup.job(), &inserted.readers, &mut client, &AtomicBool::new(false)).unwrap()
}

/// Frames with the secret part as the recording shows it, and calls with the challenge as the plan shows it.
fn frames(plan: &Plan) -> Vec<String> {
    let frame = |step: &PlannedStep| match step {
        PlannedStep::Apdu { frame, secret, .. } => {
            assert_eq!(*secret, frame.contains("**"));
            Some(frame.clone())
        }
        _ => None,
    };
    plan.steps.iter().filter_map(frame).collect()
}

fn urls(plan: &Plan) -> Vec<String> {
    let url = |step: &PlannedStep| match step {
        PlannedStep::Http { url, .. } => Some(url.clone()),
        _ => None,
    };
    plan.steps.iter().filter_map(url).collect()
}

fn without_challenge(url: &str) -> String {
    let mut parts = url.split("challenge=");
    let before = parts.next().unwrap_or_default();
    match parts.next() {
        Some(after) => format!(
            "{before}challenge=CHALLENGE{}",
            after.split_once('&').map_or(String::new(), |(_, rest)| format!("&{rest}"))
        ),
        None => before.to_owned(),
    }
}

fn compare(case: &str, setup: &mut JobSetup, inserted: &InsertedCard, person: &mut Person<'_>) {
    let plan = planned(setup, inserted);
    inserted.assert_not_risked(case);
    assert_eq!(inserted.slot.resets(), 0, "{case}: nothing that needs a reset");
    let secret = |endpoint| {
        matches!(
            endpoint,
            Some(
                Endpoint::PinByCard
                    | Endpoint::PinByRequest
                    | Endpoint::AuthenticationResponse
                    | Endpoint::DiversifiedKey
            )
        )
    };
    assert!(setup.server.requests().iter().all(|call| !secret(call.endpoint)), "{case}: no secret is fetched");
    assert!(plan.obstacle.is_none(), "{case}: {:?}", plan.obstacle);
    setup.server.state().clear_log();

    let readers = inserted.readers.clone();
    let recording = Recording::new(&readers);
    setup.run_over(&recording, person, |_| {}).ok(case);
    let sent: Vec<String> = recording.fixture().exchanges.iter().map(|exchange| exchange.command.to_string()).collect();
    assert_eq!(frames(&plan), sent, "{case}");

    let host = setup.server.base_url().split("/Cert").next().unwrap().to_owned();
    let query = |query: &str| if query.is_empty() { String::new() } else { format!("?{query}") };
    let mut called: Vec<String> = setup
        .server
        .requests()
        .iter()
        .map(|call| without_challenge(&format!("{host}{}{}", call.path, query(&call.query))))
        .collect();
    let mut urls = urls(&plan);
    // EventKind is in flight together has no order.
    called.sort();
    urls.sort();
    assert_eq!(urls, called, "{case}");
}

#[test]
fn a_plan_is_what_is_then_sent() {
    let with_admin = |kind| ["server", "admin-key", "current-pin"].map(|authority| (kind, authority));
    let cases = [Kind::Gids, Kind::Iso, Kind::IsoPadded, Kind::IsoImplicit].into_iter().flat_map(with_admin);
    for (kind, authority) in cases.chain(["puk", "current-pin"].map(|authority| (Kind::IsoUnblocking, authority))) {
        let case = format!("{kind:?} {authority}");
        let inserted = InsertedCard::new(kind);
        compare(&case, &mut JobSetup::new(kind, authority), &inserted, &mut Person::knowing());
    }
}

#[test]
fn a_plan_follows_the_rules() {
    let user = |number| {
        move |settings: &mut pinwright::sim::server::Settings| {
            settings.templates[0].user_pin_option = UserPinOption::Number(number);
        }
    };
    for (server, card, option) in [
        ("pin_route = \"request\"", "", 2),
        ("pin_route = \"smartcard\"", "", 2),
        ("user_pin_options = { 2 = \"server\" }", "", 2),
        ("", "admin_key = \"default\"", 2),
    ] {
        let lines = Lines { server: server.to_owned(), card: card.to_owned() };
        let mut setup = JobSetup::with(Kind::Gids, "server", &lines, user(option));
        let inserted = InsertedCard::new(Kind::Gids);
        compare(&format!("{server} {card}"), &mut setup, &inserted, &mut Person::default());
    }
}

/// The user's PIN has been asked for before the card is opened a second time: compare that second session.
#[test]
fn a_plan_with_a_pin_of_the_user() {
    let change = |settings: &mut pinwright::sim::server::Settings| {
        settings.templates[0].user_pin_option = UserPinOption::Number(3);
    };
    let mut setup = JobSetup::with(Kind::Gids, "server", &Lines::default(), change);
    let inserted = InsertedCard::new(Kind::Gids);
    let mut person = Person { new_pin: Some(b"97531862".to_vec()), ..Person::default() };
    compare("the user's PIN", &mut setup, &inserted, &mut person);
    assert_eq!(person.asked, ["new PIN"]);
}

/// The route through a request needs one, whoever proves the right to set the PIN.
#[test]
fn a_plan_tells_that_a_fixed_route_has_no_request() {
    let lines = Lines { server: "pin_route = \"request\"".to_owned(), card: String::new() };
    let mut setup = JobSetup::with(Kind::Gids, "current-pin", &lines, |settings| settings.requests.clear());
    let inserted = InsertedCard::new(Kind::Gids);
    assert!(planned(&setup, &inserted).obstacle.is_some());
    setup.run(&inserted, &mut Person::knowing()).failed_untouched("no request");
}

/// A card without an administrator gives no challenge: none is planned, none is sent.
#[test]
fn a_card_without_an_administrator() {
    let mut setup = JobSetup::new(Kind::Iso, "current-pin");
    setup.config.families.profiles[0].admin = None;
    let inserted = InsertedCard::new(Kind::Iso);
    compare("no administrator", &mut setup, &inserted, &mut Person::knowing());
}

#[test]
fn a_plan_costs_nothing_even_on_a_card_with_one_try() {
    use pinwright::sim::fault::Faulty;
    use pinwright::sim::gids::{GidsCard, GidsSettings};
    let settings = GidsSettings {
        card_id: support::provisioning::CARD_A,
        pin: OLD.to_vec(),
        pin_left: Some(1),
        admin_tries: Some(1),
        ..GidsSettings::default()
    };
    let inserted = InsertedCard::of(Faulty::new(Box::new(GidsCard::personalised(settings))), Kind::Gids);
    let setup = JobSetup::new(Kind::Gids, "server");
    let plan = planned(&setup, &inserted);
    assert_eq!(plan.authority.name(), "server");
    assert_eq!(inserted.tries(), 1);
    assert!(inserted.tries() < TRIES && inserted.admin_answers() == 0);
}
