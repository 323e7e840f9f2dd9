//! Every way in which the server can fail, at every call: the card is untouched, the reason is said, and a rerun ends well.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use pinwright::job::records::ResolveError;
use pinwright::job::{Cause, Step};
use pinwright::server::ServerProblem;
use pinwright::sim::server::{Endpoint, Fault, FaultKind};
use support::provisioning::{InsertedCard, JobSetup, Kind, Lines, Person, told};
use support::sample::Sample;
use uuid::Uuid;

use crate::case_journal::{CaseJournal, current, secrets};

/// What the person types where the server has no PIN.
const TYPED: &[u8] = b"11112222";

const CALLS: [Endpoint; 6] = [
    Endpoint::Smartcards,
    Endpoint::Requests,
    Endpoint::CardPolicy,
    Endpoint::PinByCard,
    Endpoint::PinByRequest,
    Endpoint::AuthenticationResponse,
];

/// What one fault that strikes once does to a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Once {
    /// The call is repeated within its bounds.
    Repeated,
    /// Repeated unless the answer is a secret.
    RepeatedIfOpen,
    /// Repeated, but the server may have counted an answer to the challenge that never arrived.
    Either,
    Fails,
}

pub fn faults() -> Vec<(&'static str, FaultKind, Once)> {
    use Once::{Either, Fails, Repeated, RepeatedIfOpen};
    let redirect = FaultKind::Redirect("https://localhost:1/sign-in".to_owned());
    vec![
        ("204", FaultKind::status(204), Fails),
        ("401", FaultKind::status(401), Fails),
        ("401 Negotiate", FaultKind::status_with(401, "WWW-Authenticate", "Negotiate"), Fails),
        ("403", FaultKind::error(403, "CANARY"), Fails),
        ("404", FaultKind::status(404), Fails),
        ("400", FaultKind::error(400, "CANARY"), Fails),
        ("409", FaultKind::status(409), Fails),
        ("415", FaultKind::status(415), Fails),
        ("429", FaultKind::status(429), Repeated),
        ("429 after 0 s", FaultKind::status_with(429, "Retry-After", "0"), Repeated),
        ("429 after an hour", FaultKind::status_with(429, "Retry-After", "3600"), Fails),
        ("429 after an age", FaultKind::status_with(429, "Retry-After", "18446744073709551615"), Fails),
        ("503 after an age", FaultKind::status_with(503, "Retry-After", "9223372036854775807"), Fails),
        ("503 until 2015", FaultKind::status_with(503, "Retry-After", "Tue, 24 Nov 2015 08:00:00 GMT"), Repeated),
        ("503 until 2115", FaultKind::status_with(503, "Retry-After", "Sun, 24 Nov 2115 08:00:00 GMT"), Fails),
        ("503 after nonsense", FaultKind::status_with(503, "Retry-After", "soon"), Repeated),
        ("503", FaultKind::status(503), Repeated),
        ("500", FaultKind::status(500), RepeatedIfOpen),
        ("500 with an id", FaultKind::server_error(Uuid::from_u128(0xC0)), RepeatedIfOpen),
        ("502", FaultKind::status(502), RepeatedIfOpen),
        ("HTML", FaultKind::Html, Fails),
        ("HTML by type", FaultKind::ContentType("text/html; charset=utf-8".to_owned()), Fails),
        ("redirect", redirect, Fails),
        ("206", FaultKind::status(206), Fails),
        ("300", FaultKind::status(300), Fails),
        ("truncated", FaultKind::TruncatedBody, Fails),
        ("10 MiB announced", FaultKind::Oversize { declared: true }, Fails),
        ("10 MiB", FaultKind::Oversize { declared: false }, Fails),
        ("garbage", FaultKind::Garbage, Fails),
        ("wrong JSON type", FaultKind::WrongJsonType, Fails),
        ("drop before headers", FaultKind::DropBeforeHeaders, Either),
        ("drop after headers", FaultKind::DropAfterHeaders, Either),
        ("drop in the body", FaultKind::DropMidBody, Either),
        ("stall", FaultKind::Stall, Fails),
        ("slow drip", FaultKind::SlowDrip(Duration::from_millis(400)), Fails),
    ]
}

/// Faults after which a job goes on by design: a policy that is not shown, a route that is not there.
fn goes_on(call: Endpoint, fault: &str) -> bool {
    match call {
        Endpoint::CardPolicy => matches!(fault, "403" | "404" | "204"),
        // 204: the user supplies it.
        Endpoint::PinByCard => matches!(fault, "404" | "204"),
        Endpoint::PinByRequest => fault == "204",
        _ => false,
    }
}

/// A family, its authority, the version of HTTP, the call and whether the fault stays.
type FaultedCall = (Kind, &'static str, bool, Endpoint, bool);

fn setup((kind, authority, http2, call, _): FaultedCall, timeout: &str) -> (JobSetup, CaseJournal) {
    let route = if call == Endpoint::PinByRequest { "request" } else { "auto" };
    let lines = Lines { server: format!("timeout = \"{timeout}\"\npin_route = \"{route}\""), ..Lines::default() };
    let mut setup = JobSetup::with(kind, authority, &lines, |settings| settings.http2 = http2);
    let case_journal = CaseJournal::of(&mut setup);
    (setup, case_journal)
}

fn secret(call: Endpoint) -> bool {
    !matches!(call, Endpoint::Smartcards | Endpoint::Requests)
}

fn strike(faulted: FaultedCall, number: usize) -> usize {
    let (card, authority, http2, call, always) = faulted;
    let version = if http2 { "HTTP/2" } else { "HTTP/1.1" };
    // What never ends is waited for briefly; what is repeated gets the time for it.
    let mut impatient = setup(faulted, "350ms");
    let mut patient = setup(faulted, "6s");
    let (mut cases, mut sample) = (0, Sample::from(number));
    for (name, kind, once) in faults().into_iter().filter(|_| sample.takes()) {
        cases += 1;
        let often = if always { "always" } else { "once" };
        let case = format!("{card:?}, {authority}, {version}, {call:?}, {name}, {often}");
        let endless = matches!(kind, FaultKind::Stall | FaultKind::SlowDrip(_));
        let (setup, case_journal) = if always || endless { &mut impatient } else { &mut patient };
        case_journal.clear();
        let fault = Fault::on(call, kind);
        setup.server.inject(if always { fault.always() } else { fault });
        let inserted = InsertedCard::new(card);
        let mut person = Person { new_pin: Some(TYPED.to_vec()), ..Person::knowing() };
        let started = Instant::now();
        let run = setup.run(&inserted, &mut person);
        assert!(started.elapsed() < Duration::from_secs(5), "{case}: took {:?}", started.elapsed());
        let expected = match once {
            _ if goes_on(call, name) => Some(true),
            // An empty list. Who proves the right without the server may need no request.
            Once::Fails if call == Endpoint::Requests && name == "204" && authority != "server" => None,
            _ if always => Some(false),
            Once::Repeated => Some(true),
            Once::RepeatedIfOpen => Some(!secret(call)),
            Once::Either if secret(call) => None,
            Once::Either => Some(true),
            Once::Fails => Some(false),
        };
        let no_pin = name == "204" && matches!(call, Endpoint::PinByCard | Endpoint::PinByRequest);
        match &run.result {
            Ok(_) => {
                assert_ne!(expected, Some(false), "{case}: succeeded");
                let made = setup.server.state().last_pin();
                assert!(inserted.pin_is(TYPED) || made.is_some_and(|pin| inserted.pin_is(&pin)), "{case}");
                assert_eq!(inserted.pin_is(TYPED), no_pin, "{case}: no other failure leads to the user's PIN");
                assert_eq!(case_journal.records().len(), 1, "{case}");
            }
            Err(failure) => {
                assert!(case_journal.records().is_empty() && failure.journal.is_none(), "{case}: nothing was risked");
                assert_ne!(expected, Some(true), "{case}: {}", told(failure));
                let empty = name == "204" && matches!(*failure.cause, Cause::Resolve(_));
                // A list that is longer than can be read may be as long as the server says: no failure of its.
                let too_long = call == Endpoint::Requests
                    && matches!(*failure.cause, Cause::Resolve(ResolveError::TooManyRequests { .. }));
                let is_servers = matches!(*failure.cause, Cause::Server(_));
                assert!(empty || too_long || is_servers, "{case}: {}", told(failure));
                assert!(matches!(failure.step, Step::Resolve | Step::Ask), "{case}");
                assert!(!failure.cause.remedy().is_empty(), "{case}");
                let told = told(failure);
                assert!(!secret(call) || !told.contains("CANARY"), "{case}: a secret route's body is shown: {told}");
                assert_eq!(failure.card_state(), pinwright::job::CardState::Untouched, "{case}");
                inserted.assert_not_risked(&case);
            }
        }
        let asked = person.asked.contains(&"new PIN");
        assert_eq!(asked, no_pin, "{case}: no failure is a reason to ask the user for a PIN");
        let mut hidden = secrets(setup, &inserted);
        hidden.push(TYPED.to_vec());
        assert_eq!(case_journal.leaks(&run.result, &hidden), Vec::<String>::new(), "{case}");
        assert!(!inserted.authenticated(), "{case}");
        if once != Once::Either {
            setup.assert_no_violations(&case);
        }
        setup.server.state().clear_faults();
        setup.server.state().clear_log();
        // The same client again, without the fault.
        let mut person =
            Person { current_pin: current(setup, &inserted).or(Some(TYPED.to_vec())), ..Person::knowing() };
        let mut rerun = setup.run(&inserted, &mut person);
        if rerun.result.is_err() && (always || endless) {
            // 350 ms may be too short on a busy machine.
            rerun = setup.run(&inserted, &mut person);
        }
        rerun.ok(&format!("{case}, rerun"));
        assert!(inserted.pin_is(&setup.server.state().last_pin().unwrap()), "{case}, rerun");
        assert!(case_journal.open().is_empty(), "{case}, rerun");
        setup.server.state().clear_log();
    }
    cases
}

/// HTTP/1.1 with one family, HTTP/2 with each family and each authority once.
const COMBINATIONS: [(Kind, &str, bool); 4] = [
    (Kind::Gids, "server", false),
    (Kind::Gids, "server", true),
    (Kind::Iso, "admin-key", true),
    (Kind::IsoT0, "current-pin", true),
];

#[test]
fn every_failure_at_every_call() {
    let mut calls = Vec::new();
    for (kind, authority, http2) in COMBINATIONS {
        for call in CALLS {
            // Nobody else asks for an answer to the challenge.
            if call != Endpoint::AuthenticationResponse || authority == "server" {
                calls.extend([false, true].map(|always| (kind, authority, http2, call, always)));
            }
        }
    }
    let (work, total) = (Mutex::new(calls.into_iter().zip(0..).collect::<Vec<_>>()), Mutex::new(0));
    std::thread::scope(|scope| {
        // They wait most of the time.
        for _ in 0..8 {
            scope.spawn(|| {
                while let Some((faulted, number)) = { work.lock().unwrap().pop() } {
                    let cases = strike(faulted, number);
                    *total.lock().unwrap() += cases;
                }
            });
        }
    });
    println!("server faults: {} cases{}, 0 violations", total.into_inner().unwrap(), Sample::from(0));
}

/// 4.4 of the reference: no answer and the card session unbroken, then the same challenge may be sent once more.
#[test]
fn a_challenge_is_sent_twice_at_most() {
    for (name, kind) in [("503", FaultKind::status(503)), ("drop", FaultKind::DropBeforeHeaders)] {
        let mut setup = JobSetup::new(Kind::Gids, "server");
        setup.server.inject(Fault::on(Endpoint::AuthenticationResponse, kind).always());
        let inserted = InsertedCard::new(Kind::Gids);
        setup.run(&inserted, &mut Person::default()).failed_untouched(name);
        let sent = setup.server.requests();
        let sent = sent.iter().filter(|call| call.endpoint == Some(Endpoint::AuthenticationResponse)).count();
        assert_eq!(sent, 2, "{name}");
        inserted.assert_not_risked(name);
    }
}

#[test]
fn the_deadline_covers_repeats() {
    let lines = Lines { server: "timeout = \"400ms\"".to_owned(), ..Lines::default() };
    let mut setup = JobSetup::with(Kind::Gids, "server", &lines, |_| {});
    setup.server.inject(Fault::on(Endpoint::Smartcards, FaultKind::status(503)).always());
    let inserted = InsertedCard::new(Kind::Gids);
    let started = Instant::now();
    let failure = setup.run(&inserted, &mut Person::default()).failed_untouched("503 for ever");
    assert!(started.elapsed() < Duration::from_millis(900), "{:?}", started.elapsed());
    let Cause::Server(error) = &*failure.cause else { panic!("{}", told(&failure)) };
    assert!(matches!(error.problem, ServerProblem::Busy { status: 503, .. } | ServerProblem::Timeout { .. }));
}

/// Ctrl-C while the server does not answer.
#[test]
fn a_stalled_server_can_be_interrupted() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let mut setup = JobSetup::new(Kind::Gids, "server");
    setup.server.inject(Fault::on(Endpoint::AuthenticationResponse, FaultKind::Stall));
    let inserted = InsertedCard::new(Kind::Gids);
    let job = setup.job();
    let interrupted = AtomicBool::new(false);
    let started = Instant::now();
    let failure = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(300));
            interrupted.store(true, Ordering::Relaxed);
        });
        pinwright::provision::set_pin(
            &job,
            &mut pinwright::job::desk::Desk {
                readers: &inserted.readers,
                issuer: &mut setup.issuer,
                journal: None,
                elsewhere: None,
                supplier: &mut Person::default(),
                interrupted: &interrupted,
                progress: &mut |_| {},
            },
        )
        .unwrap_err()
    });
    assert!(matches!(*failure.cause, Cause::Interrupted), "{}", told(&failure));
    assert!(started.elapsed() < Duration::from_secs(2));
    inserted.assert_not_risked("interrupted");
}

/// A card that is pulled while the server does not answer is noticed before the server's deadline.
#[test]
fn a_card_pulled_while_the_server_stalls() {
    let mut setup = JobSetup::new(Kind::Gids, "server");
    setup.server.inject(Fault::on(Endpoint::AuthenticationResponse, FaultKind::Stall));
    let inserted = InsertedCard::new(Kind::Gids);
    let (slot, readers) = (inserted.slot.clone(), inserted.readers.clone());
    let started = Instant::now();
    let run = setup.run_over(&readers, &mut Person::default(), |step| {
        if step == Step::Ask {
            slot.remove();
        }
    });
    let failure = run.failed_untouched("pulled");
    assert!(matches!(*failure.cause, Cause::Reader(_)), "{}", told(&failure));
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    inserted.assert_not_risked("pulled");
}
