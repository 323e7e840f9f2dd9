//! Who makes the PIN, which route it is asked for on, and what may pass for one.

use pinwright::job::given::PinSource;
use pinwright::job::records::ResolveError;
use pinwright::job::secrets::SecretError;
use pinwright::job::{Cause, Step};
use pinwright::server::ServerProblem;
use pinwright::sim::server::{Endpoint, Fault, FaultKind, PinMaker, Settings, UserPinOption};
use support::provisioning::{InsertedCard, JobSetup, Kind, Lines, Person, TRIES, told};

const TYPED: &[u8] = b"86420975";

fn count(setup: &JobSetup, endpoint: Endpoint) -> usize {
    setup.server.requests().iter().filter(|call| call.endpoint == Some(endpoint)).count()
}

fn typing() -> Person<'static> {
    Person { new_pin: Some(TYPED.to_vec()), ..Person::default() }
}

fn challenges(inserted: &InsertedCard) -> usize {
    inserted.card.with(|tap| tap.sent.iter().filter(|command| command.starts_with(&[0, 0x87, 0, 0, 4])).count())
}

#[test]
fn no_pin_at_the_server_means_that_the_user_supplies_it() {
    let mut setup = JobSetup::with(Kind::Gids, "server", &Lines::default(), |s| s.pin_maker = PinMaker::UserProvided);
    let inserted = InsertedCard::new(Kind::Gids);
    let mut person = typing();
    let outcome = setup.run(&inserted, &mut person).ok("204");
    assert_eq!(outcome.pin_source, PinSource::User);
    assert_eq!(person.asked, ["new PIN"]);
    assert!(inserted.pin_is(TYPED) && inserted.tries() == TRIES && !inserted.authenticated());
    assert_eq!(challenges(&inserted), 2, "a new challenge after the typing");
    assert_eq!(inserted.admin_answers(), 1);
    assert_eq!(inserted.slot.resets(), 2, "the first challenge does not outlive the wait");
    assert_eq!(count(&setup, Endpoint::PinByCard), 1, "asked once");
    let asked: Vec<String> = setup
        .server
        .requests()
        .into_iter()
        .filter(|call| call.endpoint == Some(Endpoint::AuthenticationResponse))
        .map(|call| call.query)
        .collect();
    assert_eq!(asked.len(), 2);
    assert_ne!(asked[0], asked[1], "another challenge");
    setup.assert_no_violations("204");
}

#[test]
fn a_policy_that_names_the_user_asks_no_route() {
    for option in [UserPinOption::Number(3), UserPinOption::Name("UserProvided".to_owned())] {
        let case = format!("{option:?}");
        let change = |settings: &mut Settings| settings.templates[0].user_pin_option = option;
        let mut setup = JobSetup::with(Kind::Gids, "server", &Lines::default(), change);
        let inserted = InsertedCard::new(Kind::Gids);
        let outcome = setup.run(&inserted, &mut typing()).ok(&case);
        assert_eq!(outcome.pin_source, PinSource::User, "{case}");
        assert!(inserted.pin_is(TYPED), "{case}");
        assert_eq!(count(&setup, Endpoint::PinByCard) + count(&setup, Endpoint::PinByRequest), 0, "{case}");
        assert_eq!(challenges(&inserted), 1, "{case}: none before the typing");
        setup.assert_no_violations(&case);
    }
}

#[test]
fn a_contradiction_asks_nobody() {
    for option in ["ServerDistributed", "Randomized", "CustomServerDistributed"] {
        let change = |settings: &mut Settings| {
            settings.templates[0].user_pin_option = UserPinOption::Name(option.to_owned());
            settings.pin_maker = PinMaker::UserProvided;
        };
        let mut setup = JobSetup::with(Kind::Gids, "server", &Lines::default(), change);
        let inserted = InsertedCard::new(Kind::Gids);
        let mut person = typing();
        let failure = setup.run(&inserted, &mut person).failed_untouched(option);
        assert!(matches!(*failure.cause, Cause::Resolve(ResolveError::PinDisagreement { .. })), "{}", told(&failure));
        assert!(person.asked.is_empty());
        inserted.assert_not_risked(option);
    }
}

#[test]
fn a_person_who_cancels_leaves_the_card_untouched() {
    for authority in ["server", "admin-key", "current-pin"] {
        let change = |settings: &mut Settings| settings.pin_maker = PinMaker::UserProvided;
        let mut setup = JobSetup::with(Kind::Gids, authority, &Lines::default(), change);
        let inserted = InsertedCard::new(Kind::Gids);
        let failure = setup.run(&inserted, &mut Person::default()).failed_untouched(authority);
        assert!(matches!(*failure.cause, Cause::Secret(SecretError::Cancelled { .. })), "{}", told(&failure));
        inserted.assert_not_risked(authority);
    }
}

#[test]
fn a_typed_pin_must_fit_as_well() {
    for (kind, pin) in [(Kind::Gids, &b"123"[..]), (Kind::Gids, b"12345678901234567"), (Kind::Iso, b"123456789")] {
        let change = |settings: &mut Settings| settings.pin_maker = PinMaker::UserProvided;
        let mut setup = JobSetup::with(kind, "server", &Lines::default(), change);
        let inserted = InsertedCard::new(kind);
        let mut person = Person { new_pin: Some(pin.to_vec()), ..Person::default() };
        let failure = setup.run(&inserted, &mut person).failed_untouched("typed");
        assert!(matches!(*failure.cause, Cause::Fit(_)), "{}", told(&failure));
        assert!(!told(&failure).contains(std::str::from_utf8(pin).unwrap()));
        inserted.assert_not_risked("typed");
    }
}

#[test]
fn only_a_404_leads_to_the_other_route() {
    let mut setup = JobSetup::with(Kind::Gids, "server", &Lines::default(), |settings| settings.pin_by_card = false);
    let inserted = InsertedCard::new(Kind::Gids);
    setup.run(&inserted, &mut Person::default()).ok("404");
    assert_eq!((count(&setup, Endpoint::PinByCard), count(&setup, Endpoint::PinByRequest)), (1, 1));
    assert!(inserted.pin_is(&setup.server.state().last_pin().unwrap()));
    setup.assert_no_violations("404");
    for (code, attempts) in [(401, 1), (403, 1), (500, 1), (400, 1), (302, 1), (204, 1)] {
        let mut setup = JobSetup::new(Kind::Gids, "server");
        setup.server.inject(Fault::on(Endpoint::PinByCard, FaultKind::status(code)).always());
        let inserted = InsertedCard::new(Kind::Gids);
        setup.run(&inserted, &mut Person::default()).failed_untouched("no 404");
        assert_eq!(count(&setup, Endpoint::PinByCard), attempts, "{code}");
        assert_eq!(count(&setup, Endpoint::PinByRequest), 0, "{code}");
        inserted.assert_not_risked("no 404");
    }
}

#[test]
fn a_fixed_route_stays_fixed() {
    for (route, used, other) in [
        ("smartcard", Endpoint::PinByCard, Endpoint::PinByRequest),
        ("request", Endpoint::PinByRequest, Endpoint::PinByCard),
    ] {
        let lines = Lines { server: format!("pin_route = \"{route}\""), ..Lines::default() };
        let mut setup = JobSetup::with(Kind::Gids, "server", &lines, |_| {});
        let inserted = InsertedCard::new(Kind::Gids);
        setup.run(&inserted, &mut Person::default()).ok(route);
        assert_eq!((count(&setup, used), count(&setup, other)), (1, 0), "{route}");
        setup.server.inject(Fault::on(used, FaultKind::status(404)).always());
        let inserted = InsertedCard::new(Kind::Gids);
        let failure = setup.run(&inserted, &mut Person::default()).failed_untouched(route);
        assert!(
            matches!(&*failure.cause, Cause::Server(error) if matches!(error.problem, ServerProblem::NotFound { api_answered: true, .. }))
        );
        assert_eq!(count(&setup, other), 0, "{route}");
        inserted.assert_not_risked(route);
    }
}

/// Bodies with the text that must show up nowhere.
const NO_PINS: [(&str, &str); 24] = [
    ("\"\"", ""),
    ("", ""),
    ("null", ""),
    ("7391826455", "7391826455"),
    ("73918264.55", "73918264"),
    ("7391826455e3", "7391826455"),
    ("CANARY73918264", "CANARY73918264"),
    ("{\"pin\":\"CANARY7391\"}", "CANARY7391"),
    ("[\"CANARY7391\"]", "CANARY7391"),
    ("true", ""),
    ("\"73918264CANARY738\"", "73918264CANARY738"),
    ("\"123\"", ""),
    ("\"CANARY\u{e4}7391\"", "CANARY"),
    ("\"CANARY\\u00e47391\"", "CANARY"),
    ("\"CANARY\\u00007391\"", "CANARY"),
    ("\"CANARY\\t7391\"", "CANARY"),
    ("\"CANARY\\u001b[31m\"", "CANARY"),
    ("\"CANARY\t7391\"", "CANARY"),
    ("\"CANARY\\ud800 7391\"", "CANARY"),
    ("\"CANARY\\udc00\\ud800\"", "CANARY"),
    ("\"CANARY\\q7391\"", "CANARY"),
    ("\"CANARY7391", "CANARY7391"),
    ("\"CANARY7391\"\"CANARY7391\"", "CANARY7391"),
    ("\u{FEFF}\u{FEFF}\"CANARY7391\"", "CANARY7391"),
];

#[test]
fn what_is_no_pin_is_not_written() {
    let mut setup = JobSetup::new(Kind::Gids, "server");
    let long = format!("\"{}\"", "CANARY73".repeat(25));
    let cases = NO_PINS.into_iter().chain([(long.as_str(), "CANARY73")]);
    for (body, canary) in cases {
        let inserted = InsertedCard::new(Kind::Gids);
        let raw =
            PinMaker::Raw { status: 200, content_type: "application/json".to_owned(), body: body.as_bytes().to_vec() };
        setup.server.state().change(|settings| settings.pin_maker = raw);
        let mut person = typing();
        let failure = setup.run(&inserted, &mut person).failed_untouched(body);
        let told = told(&failure);
        match (&*failure.cause, failure.step) {
            (Cause::Server(_), Step::Ask) | (Cause::Fit(_), Step::Fit) => {}
            other => panic!("{body}: {other:?}"),
        }
        assert!(canary.is_empty() || !told.contains(canary), "{body}: {told}");
        assert!(person.asked.is_empty(), "{body}: no reason to ask the user");
        inserted.assert_not_risked(body);
    }
}

#[test]
fn a_server_pin_must_fit_card_and_policy() {
    let lines = Lines { card: "pin_length = [4, 16]".to_owned(), ..Lines::default() };
    for (kind, pin, length, digits_only) in [
        (Kind::Gids, "CANARY73918264551", (0, 0), false),
        (Kind::Gids, "793", (0, 0), false),
        (Kind::Gids, "CANARY", (7, 9), false),
        (Kind::Gids, "CANARY7391", (7, 9), false),
        (Kind::Iso, "CANARY739", (4, 16), false),
        (Kind::Iso, "CANAR739", (4, 16), true),
        (Kind::IsoPadded, "CANARY739", (4, 16), false),
    ] {
        let mut setup = JobSetup::with(kind, "server", &lines, |settings| {
            settings.templates[0].pin_length = length;
            settings.pin_maker = PinMaker::Fixed(pin.as_bytes().to_vec());
        });
        if digits_only {
            setup.config.families.profiles[0].pin.characters = pinwright::card::PinCharacters::Digits;
        }
        let inserted = InsertedCard::new(kind);
        let failure = setup.run(&inserted, &mut Person::default()).failed_untouched(pin);
        assert!(matches!(*failure.cause, Cause::Fit(_)), "{pin}: {}", told(&failure));
        assert!(!told(&failure).contains(pin), "{}", told(&failure));
        inserted.assert_not_risked(pin);
    }
}

/// A secret from a file needs nobody to wait for: the card is held, and its challenge answered, in one go.
#[test]
fn what_is_at_hand_needs_no_second_session() {
    use pinwright::job::secrets::Need;
    for (authority, need, user) in
        [("admin-key", Need::AdminKey, false), ("current-pin", Need::CurrentPin, false), ("server", Need::NewPin, true)]
    {
        let mut setup = JobSetup::with(Kind::Gids, authority, &Lines::default(), |settings| {
            if user {
                settings.pin_maker = PinMaker::UserProvided;
            }
        });
        let inserted = InsertedCard::new(Kind::Gids);
        let mut person = Person { new_pin: Some(TYPED.to_vec()), at_hand: vec![need], ..Person::knowing() };
        let run = setup.run(&inserted, &mut person);
        assert_eq!(run.steps.iter().filter(|step| **step == Step::Open).count(), 1, "{authority}");
        run.ok(authority);
        assert_eq!((challenges(&inserted), inserted.slot.resets()), (1, 1), "{authority}");
        let pin = if user { TYPED.to_vec() } else { setup.server.state().last_pin().unwrap() };
        assert!(inserted.pin_is(&pin) && !inserted.authenticated(), "{authority}");
        assert_eq!(person.consented, 0, "{authority}: the yes was said beforehand");
        setup.assert_no_violations(authority);
    }
}

/// Limits that only the card knows: it refuses the length, and nothing is lost but the admin's authentication.
#[test]
fn a_pin_that_only_the_card_finds_too_long() {
    for pin in ["CANARY73918264551", "12345678901234567890"] {
        let mut setup = JobSetup::with(Kind::Gids, "server", &Lines::default(), |settings| {
            settings.templates[0].pin_length = (0, 0);
            settings.pin_maker = PinMaker::Fixed(pin.as_bytes().to_vec());
        });
        let inserted = InsertedCard::new(Kind::Gids);
        let failure = setup.run(&inserted, &mut Person::default()).failed_untouched(pin);
        assert_eq!(failure.step, Step::SetPin);
        assert!(!told(&failure).contains(pin));
        assert!(failure.cause.remedy().contains("PIN policy"), "{}", told(&failure));
        assert!(inserted.pin_is(support::provisioning::OLD) && inserted.tries() == TRIES && !inserted.authenticated());
    }
}

/// Letters, spaces, quotes and backslashes are characters like others.
#[test]
fn unusual_pins_arrive_unchanged() {
    for (body, pin) in [
        ("\"Ab c!~ \"", &b"Ab c!~ "[..]),
        ("\"a\\\"b\\\\c/\"", b"a\"b\\c/"),
        (" \"\\u0030123\"\n", b"0123"),
        ("\"0000000000000000\"", b"0000000000000000"),
    ] {
        let raw =
            PinMaker::Raw { status: 200, content_type: "application/json".to_owned(), body: body.as_bytes().to_vec() };
        let mut setup = JobSetup::with(Kind::Gids, "server", &Lines::default(), |settings| settings.pin_maker = raw);
        let inserted = InsertedCard::new(Kind::Gids);
        setup.run(&inserted, &mut Person::default()).ok(body);
        assert!(inserted.pin_is(pin), "{body}");
    }
}
