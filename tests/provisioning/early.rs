//! What is done before it is needed: the connection while the card is identified, the challenge while the server looks up its records.
//! Orders of events, and no times: who has to come first is waited for.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pinwright::config::Config;
use pinwright::exit::Exit;
use pinwright::job::journal::Journal;
use pinwright::job::{Cause, Failure, Step};
use pinwright::provision::Asked;
use pinwright::sim::card::SharedCard;
use pinwright::sim::server::{Endpoint, PinMaker, RequestStatus, State};
use support::provisioning::{CARD_A, CARD_B, InsertedCard, JobSetup, KEY, Kind, Lines, OLD, Person, issuer, told};
use support::waiting::until;

/// GENERAL AUTHENTICATE without an answer, or GET CHALLENGE.
fn takes_challenge(command: &[u8]) -> bool {
    command.starts_with(&[0x00, 0x87, 0x00, 0x00, 0x04]) || command.starts_with(&[0x00, 0x84])
}

/// A set-up with a journal.
fn setup(kind: Kind, authority: &str, folder: &tempfile::TempDir, admin: &str) -> JobSetup {
    let lines = Lines { admin: admin.to_owned(), ..Lines::default() };
    let mut setup = JobSetup::with(kind, authority, &lines, |_| {});
    setup.journal = Some(Journal::new(folder.path().to_owned(), Duration::from_secs(3600)));
    setup
}

/// Calls that had been answered, and calls in all.
fn calls(state: &State) -> (usize, usize) {
    let seen = state.requests();
    (seen.iter().filter(|call| call.status.is_some()).count(), seen.len())
}

/// What the server had done at each challenge of the card. Where it holds back its answers, it is waited for until it has a call, and
/// answers from then on.
fn at_challenges(inserted: &InsertedCard, setup: &JobSetup, holds: bool) -> Arc<Mutex<Vec<(usize, usize)>>> {
    let (seen, state) = (Arc::default(), setup.server.shared_state());
    state.hold(holds);
    let noted: Arc<Mutex<Vec<_>>> = Arc::clone(&seen);
    inserted.instead(move |command| {
        if takes_challenge(command) {
            if holds && noted.lock().unwrap().is_empty() {
                until("a look into the records", || calls(&state).1 > 0);
            }
            noted.lock().unwrap().push(calls(&state));
            state.hold(false);
        }
        None
    });
    seen
}

#[test]
fn the_connection_is_made_while_the_card_is_identified() {
    // The server that has no HTTP/2 is only told by TLS.
    for (version, http2, needed) in [("auto", true, 1), ("auto", false, 2), ("1.1", true, 2)] {
        for kind in [Kind::Gids, Kind::Piv] {
            let authority = if kind == Kind::Gids { "server" } else { "puk" };
            let lines = Lines { server: format!("http_version = \"{version}\""), ..Lines::default() };
            let mut setup = JobSetup::with(kind, authority, &lines, |server| server.http2 = http2);
            let inserted = InsertedCard::new(kind);
            let (state, early) = (setup.server.shared_state(), Arc::new(Mutex::new(None)));
            let noted = Arc::clone(&early);
            inserted.instead(move |_| {
                let mut noted = noted.lock().unwrap();
                if noted.is_none() {
                    // The first command of all is answered once the server has the connections, and no call.
                    until("the connections", || state.connections() == needed);
                    *noted = Some(calls(&state));
                }
                None
            });
            setup.run(&inserted, &mut Person { at_hand: vec![], ..Person::knowing() }).ok(version);
            assert_eq!(*early.lock().unwrap(), Some((0, 0)), "{kind:?} {version}");
            // As many as ever, and none beside those. A card that is let go of in between gets new ones.
            let made = setup.server.state().connections();
            let most = if kind == Kind::Gids { needed } else { 2 * needed };
            assert!((needed..=most).contains(&made), "{kind:?} {version}: {made}");
            until("the end of each", || setup.server.state().open_connections() == 0);
            setup.assert_no_violations(version);
        }
    }
}

#[test]
fn the_challenge_is_taken_while_the_server_looks_up_its_records() {
    for (kind, admin, apdus) in [(Kind::Gids, "", 9), (Kind::Iso, "early_challenge = true", 8)] {
        let folder = tempfile::tempdir().unwrap();
        let mut setup = setup(kind, "server", &folder, admin);
        let inserted = InsertedCard::new(kind);
        let seen = at_challenges(&inserted, &setup, true);
        let run = setup.run(&inserted, &mut Person::default());
        use Step::{Ask, Authorize, Bind, Challenge, Fit, Identify, Open, Resolve, SetPin, Verify};
        assert_eq!(
            run.steps,
            [Open, Identify, Resolve, Challenge, Ask, Fit, Bind, Authorize, SetPin, Verify],
            "as ever, {kind:?}"
        );
        run.ok("early");
        assert_eq!(*seen.lock().unwrap(), [(0, 1)], "{kind:?}: one challenge, and no answer before it");
        assert_eq!((inserted.apdus(), setup.server.requests().len()), (apdus, 5), "{kind:?}");
        assert!(inserted.pin_is(&setup.server.state().last_pin().unwrap()), "{kind:?}");
        setup.assert_no_violations("early");
    }
}

/// The record names an ATR of another profile: the application is selected by its rules, and the challenge is gone with that.
#[test]
fn a_card_that_the_record_knows_by_another_profile_is_challenged_anew() {
    let folder = tempfile::tempdir().unwrap();
    let card = "[[card.profile]]\nname = \"other\"\natr = \"3B 80 80 01 77\"\naid = \"F00000000102\"\n\
                card_id = { file = \"0201\" }\nadmin = {}\npin = { reference = 1 }";
    let lines = Lines { admin: "early_challenge = true".to_owned(), card: card.to_owned(), ..Lines::default() };
    let mut setup = JobSetup::with(Kind::Iso, "server", &lines, |server| server.cards[0].atr = "3b80800177".to_owned());
    setup.journal = Some(Journal::new(folder.path().to_owned(), Duration::from_secs(3600)));
    let inserted = InsertedCard::new(Kind::Iso);
    let seen = at_challenges(&inserted, &setup, true);
    setup.run(&inserted, &mut Person::default()).ok("another profile");
    assert_eq!(*seen.lock().unwrap(), [(0, 1), (3, 3)]);
    assert!(inserted.pin_is(&setup.server.state().last_pin().unwrap()));
    setup.assert_no_violations("another profile");
}

/// The journal's folder, where there is one, has an open record of the card.
fn leave_in_doubt(setup: &mut JobSetup, inserted: &InsertedCard) {
    inserted.instead(|command| (command[1] == 0x2C).then(|| vec![0x6F, 0x00]));
    let failure = setup.run(inserted, &mut Person::default()).failed("in doubt");
    assert!(failure.card_state().needs_attention(), "{}", told(&failure));
    setup.server.state().clear_log();
}

#[test]
fn without_one_of_the_conditions_the_records_come_first() {
    type Change = fn(&mut JobSetup, &InsertedCard);
    let nothing: Change = |_, _| {};
    let asked = || Person { thinking: Some(Box::new(|| {})), ..Person::knowing() };
    let cases: [(&str, Kind, &str, &str, Change, Person<'_>); 6] = [
        ("no yes beforehand", Kind::Gids, "server", "", nothing, asked()),
        ("no claim", Kind::Gids, "server", "", |setup, _| setup.journal = None, Person::default()),
        ("a local key", Kind::Gids, "admin-key", "", nothing, Person::knowing()),
        ("a doubt", Kind::Gids, "server", "", leave_in_doubt, Person::default()),
        ("a profile that does not say so", Kind::Iso, "server", "", nothing, Person::default()),
        ("one that says no", Kind::Iso, "server", "early_challenge = false", nothing, Person::default()),
    ];
    for (case, kind, authority, admin, change, mut person) in cases {
        let folder = tempfile::tempdir().unwrap();
        let mut setup = setup(kind, authority, &folder, admin);
        let inserted = InsertedCard::new(kind);
        change(&mut setup, &inserted);
        let seen = at_challenges(&inserted, &setup, false);
        setup.run(&inserted, &mut person).ok(case);
        let seen = seen.lock().unwrap();
        // Who is asked is told the template's name as well.
        assert!(matches!(seen[..], [(3, 3)] | [(4, 4)]), "{case}: {seen:?}");
    }
}

/// The job with an early challenge and without one: both end the same way, and the card is only reset.
#[track_caller]
fn ends_as_ever(case: &str, change: impl Fn(&mut JobSetup)) -> Failure {
    let ends = [true, false].map(|is_early| {
        let folder = tempfile::tempdir().unwrap();
        let mut setup = setup(Kind::Gids, "server", &folder, "");
        setup.asked = Asked::ByPerson;
        change(&mut setup);
        let journal = setup.journal.clone().unwrap();
        let before = journal.of_card(Kind::Gids.guid(CARD_A)).unwrap().len();
        if !is_early {
            setup.journal = None;
        }
        let inserted = InsertedCard::new(Kind::Gids);
        let seen = at_challenges(&inserted, &setup, is_early);
        let failure = setup.run(&inserted, &mut Person::default()).failed_untouched(case);
        assert_eq!(seen.lock().unwrap().len(), usize::from(is_early), "{case}: {}", told(&failure));
        inserted.assert_not_risked(case);
        assert_eq!(inserted.slot.resets(), u32::from(is_early), "{case}");
        assert_eq!(journal.of_card(Kind::Gids.guid(CARD_A)).unwrap().len(), before, "{case}: nothing is noted");
        assert!(failure.journal.is_none(), "{case}");
        failure
    });
    let told_of = |failure: &Failure| (failure.to_string(), failure.step, Exit::from(failure));
    assert_eq!(told_of(&ends[0]), told_of(&ends[1]), "{case}");
    let [early, _] = ends;
    early
}

#[test]
fn records_that_lead_to_no_job_cost_the_card_a_reset_and_nothing_else() {
    let failure = ends_as_ever("no request", |setup| setup.server.state().change(|server| server.requests.clear()));
    assert_eq!(failure.step, Step::Resolve);
    ends_as_ever("no card", |setup| setup.server.state().change(|server| server.cards.clear()));
    ends_as_ever("not approved", |setup| {
        let request = setup.server.state().change(|server| server.requests[0].uuid);
        setup.server.state().set_request_status(request, RequestStatus::Pending);
        setup.wanted.request = Some(request);
    });
    ends_as_ever("a locked-out caller", |setup| {
        use pinwright::sim::server::{Fault, FaultKind};
        let refused = FaultKind::Status { code: 403, headers: Vec::new(), body: None };
        setup.server.inject(Fault::on(Endpoint::Smartcards, refused).always());
    });
}

#[test]
fn a_job_that_is_done_already_costs_the_card_a_reset() {
    let folder = tempfile::tempdir().unwrap();
    let mut setup = setup(Kind::Gids, "server", &folder, "");
    setup.asked = Asked::ByPerson;
    let inserted = InsertedCard::new(Kind::Gids);
    setup.run(&inserted, &mut Person::default()).ok("the first");
    let (pin, resets) = (setup.server.state().last_pin().unwrap(), inserted.slot.resets());
    let records = setup.journal.as_ref().unwrap().of_card(Kind::Gids.guid(CARD_A)).unwrap().len();
    setup.server.state().clear_log();
    let seen = at_challenges(&inserted, &setup, true);
    let failure = setup.run(&inserted, &mut Person::default()).failed_untouched("the second");
    assert!(matches!(*failure.cause, Cause::AlreadyDone(_)), "{}", told(&failure));
    assert_eq!((Exit::from(&failure), seen.lock().unwrap().len()), (Exit::Done, 1));
    assert!(inserted.pin_is(&pin) && !inserted.authenticated());
    assert_eq!(inserted.slot.resets(), resets + 1);
    assert_eq!(setup.journal.as_ref().unwrap().of_card(Kind::Gids.guid(CARD_A)).unwrap().len(), records);
    assert_eq!(setup.server.state().last_pin().unwrap(), pin, "no other PIN was made");
}

/// The policy says so in its last answer: the card is let go of, and challenged anew once the PIN is here.
#[test]
fn a_pin_that_a_person_makes_up_is_asked_for_with_the_card_let_go_of() {
    let folder = tempfile::tempdir().unwrap();
    let mut setup = setup(Kind::Gids, "server", &folder, "");
    setup.server.state().change(|server| server.pin_maker = PinMaker::UserProvided);
    let inserted = InsertedCard::new(Kind::Gids);
    let seen = at_challenges(&inserted, &setup, true);
    let (slot, resets) = (inserted.slot.clone(), Arc::new(Mutex::new(0)));
    let noted = Arc::clone(&resets);
    let meanwhile: Box<dyn FnMut()> = Box::new(move || *noted.lock().unwrap() = slot.resets());
    let mut person = Person { new_pin: Some(b"97531862".to_vec()), meanwhile: Some(meanwhile), ..Person::default() };
    setup.run(&inserted, &mut person).ok("made up");
    assert!(inserted.pin_is(b"97531862"));
    assert_eq!((*resets.lock().unwrap(), seen.lock().unwrap().len()), (1, 2));
}

/// A card that gives no challenge, and records that lead to no job: the records are told. With good records the card is.
#[test]
fn a_refused_challenge_is_told_where_the_job_comes_to_it() {
    for has_request in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let mut setup = setup(Kind::Gids, "server", &folder, "");
        if !has_request {
            setup.server.state().change(|server| server.requests.clear());
        }
        let inserted = InsertedCard::new(Kind::Gids);
        inserted.instead(|command| takes_challenge(command).then(|| vec![0x69, 0x83]));
        let run = setup.run(&inserted, &mut Person::default());
        assert!(run.steps.contains(&Step::Challenge), "{:?}", run.steps);
        let failure = run.failed_untouched("refused");
        let expected = if has_request { Step::Challenge } else { Step::Resolve };
        assert_eq!(failure.step, expected, "{}", told(&failure));
        assert_eq!(matches!(*failure.cause, Cause::Card(_)), has_request, "{}", told(&failure));
        inserted.assert_not_risked("refused");
    }
}

/// Pulled or swapped at the early challenge: the card is told, although the server never answers.
#[test]
fn a_card_that_is_gone_at_the_early_challenge_is_told_at_once() {
    for swap in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let mut setup = setup(Kind::Gids, "server", &folder, "");
        setup.server.state().hold(true);
        let inserted = InsertedCard::new(Kind::Gids);
        let other = SharedCard::new(Kind::Gids.card(CARD_B, KEY, OLD));
        let (slot, swapped_in) = (inserted.slot.clone(), other.clone());
        let readers = inserted.readers.clone();
        let run = setup.run_over(&readers, &mut Person::default(), |step| {
            if step == Step::Challenge {
                if swap { slot.insert(swapped_in.clone()) } else { slot.remove() }
            }
        });
        let failure = run.failed_untouched("gone");
        assert!(matches!(*failure.cause, Cause::Card(_) | Cause::Reader(_)), "{}", told(&failure));
        assert_eq!(failure.step, Step::Challenge, "{}", told(&failure));
        assert!(other.with(|card| card.pin_is(OLD) && !card.authenticated()));
        // Its call was given up, and its connection with it.
        until("the connection's end", || setup.server.state().open_connections() == 0);
    }
}

/// A server that takes connections and says nothing.
struct Silent {
    _listener: TcpListener,
    setup: JobSetup,
}

impl Silent {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut setup = JobSetup::new(Kind::Gids, "server");
        let text = format!(
            "[server]\nurl = \"https://localhost:{}/x\"\ntimeout = \"10min\"\n[card]\nauthority = [\"server\"]\n",
            listener.local_addr().unwrap().port()
        );
        setup.config = Config::from_toml(&text).unwrap();
        setup.issuer = issuer(&setup.config);
        Self { _listener: listener, setup }
    }
}

#[test]
fn while_the_connection_is_made_the_cards_error_wins() {
    // No known card, one that is pulled, one that is swapped: the server's silence is ten minutes long.
    let mut silent = Silent::new();
    let inserted = InsertedCard::new(Kind::Gids);
    inserted.instead(|_| Some(vec![0x6A, 0x82]));
    let failure = silent.setup.run(&inserted, &mut Person::default()).failed_untouched("unknown");
    assert!(matches!(*failure.cause, Cause::Detect(_)), "{}", told(&failure));
    for swap in [false, true] {
        let inserted = InsertedCard::new(Kind::Gids);
        let other = SharedCard::new(Kind::Gids.card(CARD_B, KEY, OLD));
        let (slot, swapped_in) = (inserted.slot.clone(), other.clone());
        let readers = inserted.readers.clone();
        let run = silent.setup.run_over(&readers, &mut Person::default(), |step| {
            if step == Step::Identify {
                if swap { slot.insert(swapped_in.clone()) } else { slot.remove() }
            }
        });
        let failure = run.failed_untouched("gone");
        assert!(matches!(*failure.cause, Cause::Card(_) | Cause::Reader(_) | Cause::Detect(_)), "{}", told(&failure));
    }
}

/// What is wrong with the connection is told where the job comes to the server, and a card that is wrong is told before that.
#[test]
fn what_is_wrong_with_the_connection_is_told_where_the_job_comes_to_it() {
    let mut silent = Silent::new();
    silent.setup.config.server.as_mut().unwrap().url = "https://localhost:1/x".parse().unwrap();
    silent.setup.issuer = issuer(&silent.setup.config);
    let setup = &mut silent.setup;
    let inserted = InsertedCard::new(Kind::Gids);
    let failure = setup.run(&inserted, &mut Person::default()).failed_untouched("refused");
    assert_eq!((failure.step, Exit::from(&failure)), (Step::Resolve, Exit::ServerFailed), "{}", told(&failure));
    inserted.slot.remove();
    let failure = setup.run(&inserted, &mut Person::default()).failed_untouched("no card");
    assert_eq!(failure.step, Step::Open, "{}", told(&failure));
}

#[test]
fn a_connection_that_is_not_used_is_closed() {
    let mut setup = JobSetup::new(Kind::Gids, "server");
    let state = setup.server.shared_state();
    let inserted = InsertedCard::new(Kind::Gids);
    inserted.instead(move |_| {
        until("a connection", || state.connections() >= 1);
        Some(vec![0x6A, 0x82])
    });
    setup.run(&inserted, &mut Person::default()).failed_untouched("unknown");
    assert!(setup.server.requests().is_empty());
    until("its end", || setup.server.state().open_connections() == 0);
    // The next job makes another one.
    inserted.honest();
    setup.run(&inserted, &mut Person::default()).ok("the next");
    assert_eq!(setup.server.state().connections(), 2);
}
