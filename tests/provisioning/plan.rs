//! What a plan lists is what the job then sends; and a plan itself touches nothing.

use std::collections::HashSet;
use std::sync::atomic::AtomicBool;

use pinwright::card::Family;
use pinwright::job::secrets::Need;
use pinwright::provision::plan::{Plan, PlannedStep, Surroundings, plan};
use pinwright::reader::record::Recording;
use pinwright::sim::card::VirtualCard as _;
use pinwright::sim::server::{Endpoint, UserPinOption};
use support::provisioning::{InsertedCard, JobSetup, Kind, Lines, OLD, Person, TRIES, issuer};

fn planned(setup: &JobSetup, inserted: &InsertedCard) -> Plan {
    planned_where(setup, inserted, &|_| true)
}

/// The same where these secrets alone can be had.
fn planned_where(setup: &JobSetup, inserted: &InsertedCard, can_supply: &dyn Fn(Need) -> bool) -> Plan {
    let mut client = issuer(&setup.config);
    let around = Surroundings {
        readers: &inserted.readers,
        journal: setup.journal.as_ref(),
        elsewhere: None,
        can_supply,
        is_agreed: true,
        interrupted: &AtomicBool::new(false),
    };
    plan(&setup.job(), around, &mut client).unwrap()
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

/// Frames and calls of the plan are those of the job.
fn compare(case: &str, setup: &mut JobSetup, inserted: &InsertedCard, person: &mut Person<'_>) {
    let (plan, sent) = plan_and_run(case, setup, inserted, person);
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
    // What is in flight together has no order.
    called.sort();
    urls.sort();
    assert_eq!(urls, called, "{case}");
}

/// The plan, which touches nothing, and the frames that the job then sends.
fn plan_and_run(
    case: &str,
    setup: &mut JobSetup,
    inserted: &InsertedCard,
    person: &mut Person<'_>,
) -> (Plan, Vec<String>) {
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
    (plan, sent)
}

const KINDS: [(Kind, &[&str]); 9] = [
    (Kind::Gids, &["server", "admin-key", "current-pin"]),
    (Kind::Iso, &["server", "admin-key", "current-pin"]),
    (Kind::IsoPadded, &["server", "admin-key", "current-pin"]),
    (Kind::IsoImplicit, &["server", "admin-key", "current-pin"]),
    (Kind::IsoT0, &["server", "admin-key", "current-pin"]),
    (Kind::IsoUnblocking, &["puk", "current-pin"]),
    (Kind::Piv, &["puk", "current-pin"]),
    (Kind::PivYubico, &["puk", "current-pin"]),
    (Kind::OpenPgp, &["admin-pin", "resetting-code", "current-pin"]),
];

fn cases() -> impl Iterator<Item = (Kind, &'static str)> {
    KINDS.into_iter().flat_map(|(kind, authorities)| authorities.iter().map(move |authority| (kind, *authority)))
}

#[test]
fn a_plan_is_what_is_then_sent() {
    let mut compared = HashSet::new();
    for (kind, authority) in cases() {
        let case = format!("{kind:?} {authority}");
        let (mut setup, inserted) = (JobSetup::new(kind, authority), InsertedCard::new(kind));
        let plan = planned(&setup, &inserted);
        compared.insert((plan.card.family, plan.authority.proof().what()));
        compare(&case, &mut setup, &inserted, &mut Person::knowing());
    }
    for family in Family::ALL {
        for proof in family.proofs() {
            assert!(compared.contains(&(family, proof.what())), "{family} with the {}", proof.what());
        }
    }
}

/// Where the user makes the PIN nobody needs a challenge that is not the authority: what the card would have said by the way it
/// is asked for later, or not at all.
#[test]
fn a_plan_without_a_challenge_is_what_is_then_sent() {
    let change = |settings: &mut pinwright::sim::server::Settings| {
        settings.templates[0].user_pin_option = UserPinOption::Number(3);
    };
    for (kind, authority) in cases() {
        let case = format!("{kind:?} {authority}, the user's PIN");
        let mut setup = JobSetup::with(kind, authority, &Lines::default(), change);
        let mut person = Person { new_pin: Some(b"97531862".to_vec()), ..Person::knowing() };
        compare(&case, &mut setup, &InsertedCard::new(kind), &mut person);
    }
}

/// Another program has left the PIN verified, and the card tells its counter by its metadata, or after a log-out, or not.
#[test]
fn a_plan_on_a_card_whose_pin_was_left_verified() {
    let users = |settings: &mut pinwright::sim::server::Settings| {
        settings.templates[0].user_pin_option = UserPinOption::Number(3);
    };
    for (kind, more) in [(Kind::Piv, 2), (Kind::PivYubico, 1)] {
        for (by_user, more) in [(false, more), (true, if kind == Kind::Piv { 3 } else { 1 })] {
            let case = format!("{kind:?}, PIN by the user: {by_user}");
            let setup = || match by_user {
                true => JobSetup::with(kind, "current-pin", &Lines::default(), users),
                false => JobSetup::new(kind, "current-pin"),
            };
            let mut person = Person { new_pin: Some(b"97531862".to_vec()), ..Person::knowing() };
            let usual = frames(&planned(&setup(), &InsertedCard::new(kind))).len();
            let inserted = InsertedCard::new(kind);
            inserted.card.with(|tap| {
                for command in [
                    &hex::decode("00A4040009A0000003080000100000").unwrap(),
                    &[&[0x00, 0x20, 0x00, 0x80, 0x08], OLD].concat(),
                ] {
                    assert!(tap.transmit(command).unwrap().ends_with(&[0x90, 0x00]));
                }
            });
            inserted.forget_sent();
            let mut setup = setup();
            let plan = planned(&setup, &inserted);
            assert_eq!(frames(&plan).len(), usual + more, "{case}");
            // A person who is asked first lets go of the card, and the reset that ends a job is another test's.
            person.at_hand = vec![Need::CurrentPin, Need::NewPin];
            let readers = inserted.readers.clone();
            let recording = Recording::new(&readers);
            setup.run_over(&recording, &mut person, |_| {}).ok(&case);
            let sent: Vec<_> =
                recording.fixture().exchanges.iter().map(|exchange| exchange.command.to_string()).collect();
            assert_eq!(frames(&plan), sent, "{case}");
        }
    }
}

/// What follows from an answer can't be planned: the long challenge of a card that refuses the short one, and its longer answer.
#[test]
fn a_card_that_wants_a_mutual_authentication_is_sent_the_plan_and_one_command_more() {
    let (mut setup, inserted) = (JobSetup::new(Kind::GidsMutual, "admin-key"), InsertedCard::new(Kind::GidsMutual));
    let (plan, mut sent) = plan_and_run("mutual", &mut setup, &inserted, &mut Person::knowing());
    let long = sent.iter().position(|frame| frame.starts_with("00870000147C128110")).unwrap();
    sent.remove(long);
    let (short, long) = (format!("008700000C{}", "**".repeat(12)), format!("008700002C{}", "**".repeat(45)));
    let planned: Vec<_> =
        frames(&plan).into_iter().map(|frame| if frame == short { long.clone() } else { frame }).collect();
    assert_eq!(planned, sent);
    assert!(sent.contains(&long));
    let (mut setup, inserted) = (JobSetup::new(Kind::GidsMutual, "current-pin"), InsertedCard::new(Kind::GidsMutual));
    let (plan, mut sent) = plan_and_run("current PIN", &mut setup, &inserted, &mut Person::knowing());
    sent.retain(|frame| !frame.starts_with("00870000147C128110"));
    assert_eq!(frames(&plan), sent);
}

/// A card that gives no challenge is asked for one, and the call goes without.
#[test]
fn a_card_that_refuses_a_challenge_is_sent_what_was_planned() {
    for authority in ["admin-pin", "resetting-code", "current-pin"] {
        let (mut setup, inserted) =
            (JobSetup::new(Kind::OpenPgpOther, authority), InsertedCard::new(Kind::OpenPgpOther));
        let (plan, sent) = plan_and_run(authority, &mut setup, &inserted, &mut Person::knowing());
        assert_eq!(frames(&plan), sent, "{authority}");
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
        let lines = Lines { server: server.to_owned(), card: card.to_owned(), ..Lines::default() };
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

/// Without a terminal nobody types a PIN: that stops a job whose user makes it, and no other.
#[test]
fn a_plan_tells_that_nobody_can_type_the_pin() {
    for (option, is_stopped) in [(2, false), (3, true)] {
        let setup = JobSetup::with(Kind::Gids, "current-pin", &Lines::default(), |settings| {
            settings.templates[0].user_pin_option = UserPinOption::Number(option);
        });
        let plan = planned_where(&setup, &InsertedCard::new(Kind::Gids), &|need| need != Need::NewPin);
        assert_eq!(plan.obstacle.is_some(), is_stopped, "{option}: {:?}", plan.obstacle);
    }
}

/// The route through a request needs one, whoever proves the right to set the PIN.
#[test]
fn a_plan_tells_that_a_fixed_route_has_no_request() {
    let lines = Lines { server: "pin_route = \"request\"".to_owned(), ..Lines::default() };
    let mut setup = JobSetup::with(Kind::Gids, "current-pin", &lines, |settings| settings.requests.clear());
    let inserted = InsertedCard::new(Kind::Gids);
    assert!(planned(&setup, &inserted).obstacle.is_some());
    setup.run(&inserted, &mut Person::knowing()).failed_untouched("no request");
    // Nobody is asked on that route for a PIN that the user supplies.
    setup.server.state().change(|settings| settings.templates[0].user_pin_option = UserPinOption::Number(3));
    assert!(planned(&setup, &inserted).obstacle.is_none());
    setup.run(&inserted, &mut Person { new_pin: Some(b"97531862".to_vec()), ..Person::knowing() }).ok("the user's");
}

/// A person is told that a try is risked which nothing counts, and only then.
#[test]
fn a_plan_tells_of_a_counter_that_the_card_keeps_to_itself() {
    for (kind, authority, is_untold) in
        [(Kind::Piv, "puk", true), (Kind::PivYubico, "puk", false), (Kind::Gids, "current-pin", false)]
    {
        let notes = planned(&JobSetup::new(kind, authority), &InsertedCard::new(kind)).notes;
        let told = notes.iter().any(|note| note.contains("does not tell how many tries the PUK has left"));
        assert_eq!((told, notes.len()), (is_untold, usize::from(is_untold)), "{kind:?} {authority}: {notes:?}");
    }
}

/// What the server's records say is asked for once: an agent that has read them hands them to the job.
#[test]
fn records_that_were_read_are_not_read_again() {
    let mut setup = JobSetup::new(Kind::Gids, "server");
    let inserted = InsertedCard::new(Kind::Gids);
    let plan = planned(&setup, &inserted);
    (setup.assignment, setup.card_id) = (Some(plan.assignment), Some(plan.card.card_id));
    setup.server.state().clear_log();
    setup.run(&inserted, &mut Person::default()).ok("known records");
    let mut asked: Vec<_> = setup.server.requests().into_iter().filter_map(|call| call.endpoint).collect();
    asked.sort_by_key(|endpoint| format!("{endpoint:?}"));
    assert_eq!(asked, [Endpoint::AuthenticationResponse, Endpoint::PinByCard]);
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

/// A plan ends as the job would: the same step, the same exit code, and as many commands to the card.
#[test]
fn a_plan_ends_as_the_job_would() {
    use pinwright::exit::Exit;
    use pinwright::job::journal::Journal;
    use pinwright::provision::Asked;
    for (authority, min_tries, exit) in [("server", 2, Exit::Done), ("current-pin", 4, Exit::CardRefused)] {
        let folder = tempfile::tempdir().unwrap();
        let mut setup = JobSetup::new(Kind::Gids, authority);
        setup.journal = Some(Journal::new(folder.path().to_owned(), std::time::Duration::from_secs(3600)));
        setup.asked = Asked::ByPerson;
        setup.config.rules.min_tries_left = min_tries;
        let inserted = InsertedCard::new(Kind::Gids);
        if exit == Exit::Done {
            setup.run(&inserted, &mut Person::knowing()).ok("the first");
        }
        let plan = planned(&setup, &inserted);
        let would = plan.obstacle.as_ref().expect("an obstacle");
        assert_eq!(Exit::from(would), exit, "{authority}");
        let readers = inserted.readers.clone();
        let recording = Recording::new(&readers);
        let mut person = Person { at_hand: vec![Need::CurrentPin], ..Person::knowing() };
        let failure = setup.run_over(&recording, &mut person, |_| {}).failed_untouched(authority);
        assert_eq!((Exit::from(&failure), failure.step), (exit, would.step), "{authority}");
        assert_eq!(failure.cause.to_string(), would.cause.to_string());
        let apdus = |steps: &[PlannedStep]| steps.iter().filter(|it| matches!(it, PlannedStep::Apdu { .. })).count();
        let sent = recording.fixture().exchanges.len();
        // Whether the PIN is blocked is asked where a request is done already.
        let asked_beside = usize::from(exit == Exit::Done);
        assert_eq!(apdus(&plan.steps[..plan.reached]) + asked_beside, sent, "{authority}");
        assert!(plan.reached < plan.steps.len());
    }
}
