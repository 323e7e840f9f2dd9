//! Whose request it is, and of which type: before anything secret is fetched.

use pinwright::exit::Exit;
use pinwright::job::Cause;
use pinwright::job::journal::Journal;
use pinwright::job::records::ResolveError;
use pinwright::provision::Asked;
use pinwright::sim::server::{Endpoint, RETIRE, Request, RequestStatus, Settings, UNBLOCK};
use support::provisioning::{InsertedCard, JobSetup, Kind, Lines, Person, told};
use uuid::Uuid;

const TEMPLATE: &str = "FIM CM Sample Smart Card Logon Profile Template";

const EMPLOYEE: Uuid = Uuid::from_u128(0x50);

/// The request and the card are another user's than the caller.
fn of_an_employee(settings: &mut Settings) {
    settings.requests[0].user = EMPLOYEE;
    settings.cards[0].user = EMPLOYEE;
}

fn setup(change: impl FnOnce(&mut Settings)) -> (JobSetup, InsertedCard) {
    (JobSetup::with(Kind::Gids, "server", &Lines::default(), change), InsertedCard::new(Kind::Gids))
}

#[test]
fn a_technician_finds_the_request_of_an_employee() {
    let (mut setup, inserted) = setup(of_an_employee);
    // An agent does not look for it, unless it is told to.
    let failure = setup.run(&inserted, &mut Person::default()).failed_untouched("own");
    assert!(matches!(*failure.cause, Cause::Resolve(ResolveError::NoRequest { .. })), "{}", told(&failure));
    setup.server.state().clear_log();
    setup.wanted.visible = true;
    let outcome = setup.run(&inserted, &mut Person::default()).ok("visible");
    assert_eq!((outcome.target_user, outcome.template_name.as_deref()), (Some(EMPLOYEE), Some(TEMPLATE)));
    let lists: Vec<String> = setup.server.requests().into_iter().map(|call| call.query).collect();
    let lists: Vec<&String> = lists.iter().filter(|query| query.contains("status=")).collect();
    assert_eq!(lists, ["targetuser=current&status=Approved", "targetuser=current&status=Executing", "status=Approved"]);
    setup.assert_no_violations("visible");
}

/// A caller with a request of their own is asked nothing more.
#[test]
fn an_own_request_is_found_first() {
    let (mut setup, inserted) = setup(|_| {});
    setup.wanted.visible = true;
    let outcome = setup.run(&inserted, &mut Person::default()).ok("own");
    assert_eq!((setup.server.requests().len(), outcome.template_name), (5, None));
}

/// A person who is asked is told the template's name; a server that does not tell it stops nobody.
#[test]
fn the_question_names_the_template() {
    for (is_shown, expected) in [(true, Some(TEMPLATE.to_owned())), (false, None)] {
        let (mut setup, inserted) = setup(|settings| {
            if !is_shown {
                settings.templates[0].name = String::new();
            }
        });
        let mut person = Person { thinking: Some(Box::new(|| {})), ..Person::default() };
        let outcome = setup.run(&inserted, &mut person).ok("asked");
        assert_eq!((person.told_template, outcome.template_name), (expected.clone(), expected));
        assert_eq!(setup.server.requests().len(), 6);
    }
}

/// An own request that names the card and can't be taken is the server's word on it: those of others are not asked for.
#[test]
fn an_own_request_of_another_type_ends_the_search() {
    let (mut setup, inserted) = setup(|it| it.requests[0].kind = RETIRE);
    setup.wanted.visible = true;
    setup.run(&inserted, &mut Person::default()).failed_untouched("retire");
    assert!(setup.server.requests().iter().all(|call| call.query != "status=Approved"));
}

/// Another user's request, and so much of them that no client reads the list.
fn many_of_others(settings: &mut Settings) {
    of_an_employee(settings);
    let template = settings.requests[0].clone();
    let others = (0..80).map(|number| Request {
        uuid: Uuid::from_u128(0x900 + number),
        new_card: None,
        comment: "x".repeat(60_000),
        ..template.clone()
    });
    settings.requests.extend(others);
}

#[test]
fn a_list_that_is_too_long_names_the_remedy() {
    let (mut setup, inserted) = setup(many_of_others);
    setup.wanted.visible = true;
    let failure = setup.run(&inserted, &mut Person::default()).failed_untouched("long");
    assert!(matches!(*failure.cause, Cause::Resolve(ResolveError::TooManyRequests { .. })), "{}", told(&failure));
    assert_eq!(Exit::from(&failure), Exit::Usage);
    assert!(failure.cause.remedy().contains("--request"), "{}", told(&failure));
    let lists = setup.server.requests().into_iter().filter(|call| call.query == "status=Approved").count();
    assert_eq!(lists, 1, "asked once");
    setup.wanted.request = Some(setup.server.state().change(|settings| settings.requests[0].uuid));
    setup.run(&inserted, &mut Person::default()).ok("named");
}

/// What the caller may not see is not there.
#[test]
fn a_caller_without_rights_sees_its_own_requests_alone() {
    let (mut setup, inserted) = setup(|settings| {
        of_an_employee(settings);
        settings.sees_others = false;
    });
    setup.wanted.visible = true;
    let failure = setup.run(&inserted, &mut Person::default()).failed_untouched("unseen");
    assert!(matches!(*failure.cause, Cause::Resolve(ResolveError::NoRequest { .. })), "{}", told(&failure));
}

#[test]
fn a_request_of_another_type_or_for_another_user_is_not_taken() {
    type Change = fn(&mut Settings);
    type Check = fn(&ResolveError) -> bool;
    let cases: [(&str, Change, Check); 4] = [
        ("retire", |it| it.requests[0].kind = RETIRE, |it| matches!(it, ResolveError::OtherType { .. })),
        ("type 4", |it| it.requests[0].kind = 4, |it| matches!(it, ResolveError::OtherType { .. })),
        ("the card is another's", |it| it.cards[0].user = EMPLOYEE, |it| matches!(it, ResolveError::OtherUser { .. })),
        ("the request is", |it| it.requests[0].user = EMPLOYEE, |it| matches!(it, ResolveError::OtherUser { .. })),
    ];
    for (case, change, is_right) in cases {
        for named in [false, true] {
            let (mut setup, inserted) = setup(change);
            setup.wanted.visible = true;
            setup.wanted.request = named.then(|| setup.server.state().change(|settings| settings.requests[0].uuid));
            let failure = setup.run(&inserted, &mut Person::default()).failed_untouched(case);
            assert!(matches!(&*failure.cause, Cause::Resolve(error) if is_right(error)), "{case}: {}", told(&failure));
            assert_eq!(Exit::from(&failure), Exit::ServerRefused, "{case}");
            assert!(setup.server.requests().iter().all(|call| !call.path.contains("proposedpin")), "{case}");
            inserted.assert_not_risked(case);
        }
    }
    let (mut setup, inserted) = setup(|settings| settings.requests[0].kind = UNBLOCK);
    setup.run(&inserted, &mut Person::default()).ok("unblock");
}

/// Where the records don't say for whom they are, a person is asked and an agent refuses.
#[test]
fn a_user_that_is_not_told() {
    let (mut setup, inserted) = setup(|settings| {
        settings.requests[0].user = Uuid::nil();
        settings.cards[0].user = Uuid::nil();
    });
    setup.wanted.visible = true;
    setup.asked = Asked::ByInsertion;
    let failure = setup.run(&inserted, &mut Person::default()).failed_untouched("agent");
    assert!(matches!(*failure.cause, Cause::Resolve(ResolveError::UserUntold { .. })), "{}", told(&failure));
    setup.asked = Asked::ByPerson;
    let mut person = Person { thinking: Some(Box::new(|| {})), ..Person::default() };
    setup.run(&inserted, &mut person).ok("asked");
    assert_eq!(person.consented, 1);
}

/// Somebody else has begun to work on the request: it is named, or a person says yes, or an earlier job of this journal it was.
#[test]
fn a_request_that_somebody_else_works_on() {
    let (mut setup, inserted) = setup(|settings| {
        settings.requests[0].status = RequestStatus::Executing;
        settings.templates[0].user_pin_option = pinwright::sim::server::UserPinOption::Name("UserProvided".to_owned());
        settings.pin_maker = pinwright::sim::server::PinMaker::UserProvided;
    });
    let folder = tempfile::tempdir().unwrap();
    setup.journal = Some(Journal::new(folder.path().to_owned(), std::time::Duration::from_secs(3600)));
    setup.asked = Asked::ByInsertion;
    let failure = setup.run(&inserted, &mut Person::default()).failed_untouched("agent");
    assert!(matches!(*failure.cause, Cause::Resolve(ResolveError::BegunElsewhere { .. })), "{}", told(&failure));
    setup.asked = Asked::ByPerson;
    // A PIN that would be typed is no yes to that.
    let typing = || Person { new_pin: Some(b"86420864".to_vec()), ..Person::default() };
    let mut absent = Person { is_absent: true, ..typing() };
    setup.run(&inserted, &mut absent).failed_untouched("absent");
    assert!(absent.asked.is_empty() && absent.told_of_work);
    setup.wanted.request = Some(setup.server.state().change(|settings| settings.requests[0].uuid));
    setup.run(&inserted, &mut Person { is_absent: true, ..typing() }).ok("named");
    // From now on it is this journal's own work.
    setup.wanted.request = None;
    setup.asked = Asked::Again;
    let mut asked = Person { thinking: Some(Box::new(|| {})), ..typing() };
    setup.run(&inserted, &mut asked).ok("again");
    assert!(!asked.told_of_work);
    let secret = |endpoint| matches!(endpoint, Some(Endpoint::PinByCard | Endpoint::PinByRequest));
    assert!(setup.server.requests().iter().all(|call| !secret(call.endpoint)));
}
