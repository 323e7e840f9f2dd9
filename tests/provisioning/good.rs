//! Jobs that go well, and what is left behind: the PIN, a full counter, nobody authenticated, a reset card.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use pinwright::job::Step;
use pinwright::job::authority::Authority;
use pinwright::job::desk::Desk;
use pinwright::job::given::PinSource;
use pinwright::provision::set_pin_for;
use pinwright::reader::Protocol;
use pinwright::sim::fault::Faulty;
use pinwright::sim::gids::{GidsCard, GidsSettings};
use pinwright::sim::random::Randomness;
use pinwright::sim::server::{Endpoint, PinMaker};
use support::provisioning::{CARD_A, CHALLENGE_SAMPLE, InsertedCard, JobSetup, KEY, Kind, Lines, OLD, Person, TRIES};

/// Kinds of cards, and the least APDUs of a job with each of their authorities.
type Jobs = (Kind, &'static [(Authority, usize)]);

const JOBS: [Jobs; 10] = {
    use Authority::{AdminKey, AdminPin, CurrentPin, Puk, ResettingCode, Server};
    // Whoever has to be asked is asked with the card let go of, so that it is found and identified twice; the server's answer alone
    // needs one hold. The cards are told by their ATR or preferred: no SELECT of another family.
    [
        (Kind::Gids, &[(Server, 9), (AdminKey, 12), (CurrentPin, 13)]),
        (Kind::Iso, &[(Server, 8), (AdminKey, 11), (CurrentPin, 12)]),
        (Kind::IsoPadded, &[(Server, 8), (AdminKey, 11), (CurrentPin, 11)]),
        (Kind::IsoImplicit, &[(Server, 6), (AdminKey, 7), (CurrentPin, 8)]),
        (Kind::IsoT0, &[(Server, 8), (AdminKey, 11), (CurrentPin, 11)]),
        (Kind::IsoUnblocking, &[(Puk, 9), (CurrentPin, 11)]),
        (Kind::Piv, &[(Puk, 11), (CurrentPin, 12)]),
        (Kind::PivYubico, &[(Puk, 12), (CurrentPin, 12)]),
        (Kind::OpenPgp, &[(AdminPin, 14), (ResettingCode, 13), (CurrentPin, 14)]),
        (Kind::OpenPgpOther, &[(AdminPin, 13), (ResettingCode, 12), (CurrentPin, 13)]),
    ]
};

/// Who goes on to write keys has to show the PIN to the card again: it is handed out, and is the one that the card has.
#[test]
fn the_pin_that_was_set_is_handed_out() {
    for (is_users, expected) in [(false, PinSource::Server), (true, PinSource::User)] {
        let maker = if is_users { PinMaker::UserProvided } else { PinMaker::Random(8) };
        let mut setup = JobSetup::with(Kind::Gids, "server", &Lines::default(), |settings| settings.pin_maker = maker);
        let inserted = InsertedCard::new(Kind::Gids);
        let (job, mut person) = (setup.job(), Person::default());
        person.new_pin = Some(b"31415926".to_vec());
        let (outcome, pin) = set_pin_for(
            &job,
            &mut Desk {
                readers: &inserted.readers,
                issuer: &mut setup.issuer,
                journal: None,
                elsewhere: None,
                supplier: &mut person,
                interrupted: &AtomicBool::new(false),
                progress: &mut |_| {},
            },
        )
        .unwrap();
        assert_eq!(outcome.pin_source, expected);
        assert!(inserted.pin_is(pin.expose()));
    }
}

#[test]
fn every_kind_of_card_with_every_authority() {
    for (kind, jobs) in JOBS {
        for (authority, apdus) in jobs.iter().copied() {
            let name = authority.name();
            for protocol in [Protocol::T1, Protocol::T0] {
                if kind == Kind::IsoT0 && protocol == Protocol::T1 {
                    continue;
                }
                let case = format!("{kind:?} {name} {protocol}");
                let mut setup = JobSetup::new(kind, name);
                let inserted = InsertedCard::new(kind);
                inserted.slot.set_protocol(protocol);
                let mut person = Person::knowing();
                let outcome = setup.run(&inserted, &mut person).ok(&case);
                let pin = setup.server.state().last_pin().unwrap();
                assert!(inserted.pin_is(&pin), "{case}: the server's PIN is on the card");
                assert!(!inserted.pin_is(OLD), "{case}");
                assert_eq!(inserted.tries(), TRIES, "{case}");
                assert!(!inserted.authenticated(), "{case}");
                assert_eq!(inserted.slot.resets(), 1, "{case}: reset at the end");
                assert_eq!(outcome.authority, authority, "{case}");
                assert_eq!(outcome.pin_source, PinSource::Server, "{case}");
                assert_eq!(outcome.card.card_id.guid(), kind.guid(CARD_A), "{case}");
                if protocol == Protocol::T1 {
                    assert_eq!(inserted.apdus(), apdus, "{case}: as few commands as it takes");
                }
                assert_eq!(inserted.card.with(|tap| tap.faulty.card().code_tries_lost()), 0, "{case}");
                assert!(outcome.reset_failed.is_none(), "{case}");
                let asked: &[&str] = match authority {
                    Authority::Server => &[],
                    Authority::AdminKey => &["admin key"],
                    Authority::Puk => &["PUK"],
                    Authority::AdminPin => &["admin PIN"],
                    Authority::ResettingCode => &["resetting code"],
                    Authority::CurrentPin => &["current PIN"],
                };
                assert_eq!(person.asked, asked, "{case}");
                let answers = matches!(authority, Authority::Server | Authority::AdminKey);
                assert_eq!(inserted.admin_answers(), usize::from(answers), "{case}");
                setup.assert_no_violations(&case);
                let seen = setup.server.requests();
                assert!(seen.iter().all(|call| call.version == "HTTP/2.0"), "{case}: {seen:?}");
                // One is not kept open while a person types: what it has read would stay in its buffers.
                let connections = seen.iter().map(|call| call.connection).max().map_or(0, |last| last + 1);
                assert_eq!(connections, 1 + asked.len(), "{case}: connections");
                let secret = |endpoint| seen.iter().filter(|call| call.endpoint == Some(endpoint)).count();
                assert_eq!(secret(Endpoint::PinByCard), 1, "{case}");
                assert_eq!(
                    secret(Endpoint::AuthenticationResponse),
                    usize::from(authority == Authority::Server),
                    "{case}: the admin key's answer is asked for only where it is needed"
                );
            }
        }
    }
}

#[test]
fn the_budget_is_kept() {
    let latency = Duration::from_millis(250);
    let mut setup = JobSetup::with(Kind::Gids, "server", &Lines::default(), |settings| settings.latency = latency);
    let inserted = InsertedCard::new(Kind::Gids);
    let run = setup.run(&inserted, &mut Person::default());
    use Step::{Ask, Authorize, Bind, Challenge, Fit, Identify, Open, Resolve, SetPin, Verify};
    assert_eq!(run.steps, [Open, Identify, Resolve, Challenge, Ask, Fit, Bind, Authorize, SetPin, Verify]);
    run.ok("budget");
    let apdus = inserted.card.with(|tap| tap.faulty.card().commands());
    assert!(apdus <= 9, "{apdus} commands reached the card");
    assert_eq!(setup.server.requests().len(), 5);
    let rounds = setup.issuer.waited().as_secs_f32() / latency.as_secs_f32();
    assert!((3.0..4.0).contains(&rounds), "{rounds} rounds: three, the secrets together in the last");
    println!("GIDS with the server: {apdus} APDUs, 5 calls in {rounds:.2} round trips");
}

#[test]
fn http_1_will_do() {
    let mut setup = JobSetup::with(Kind::Gids, "server", &Lines::default(), |settings| settings.http2 = false);
    let inserted = InsertedCard::new(Kind::Gids);
    setup.run(&inserted, &mut Person::default()).ok("HTTP/1.1");
    assert!(inserted.pin_is(&setup.server.state().last_pin().unwrap()));
    setup.assert_no_violations("HTTP/1.1");
}

#[test]
fn a_blocked_card_is_unblocked() {
    let settings = GidsSettings {
        card_id: CARD_A,
        admin_key: KEY,
        pin: OLD.to_vec(),
        pin_left: Some(0),
        ..GidsSettings::default()
    };
    let inserted = InsertedCard::of(Faulty::new(Box::new(GidsCard::personalised(settings))), Kind::Gids);
    let mut setup = JobSetup::new(Kind::Gids, "server");
    setup.run(&inserted, &mut Person::default()).ok("blocked");
    assert!(inserted.pin_is(&setup.server.state().last_pin().unwrap()));
    assert_eq!(inserted.tries(), TRIES);
}

/// Microsoft's printed pair: `1hFD+cz/0so=` is answered with `F0Zudm4wPLY=` under the all-zero key.
#[test]
fn the_known_answer_passes_through_both_ways() {
    for authority in ["server", "admin-key"] {
        let challenge = hex::decode("D61143F9CCFFD2CA").unwrap();
        let mut setup = JobSetup::with(Kind::Gids, authority, &Lines::default(), |settings| {
            settings.templates[0].default_admin_key = [0; 24];
            settings.pin_maker = PinMaker::Fixed(b"31415926".to_vec());
        });
        let settings = GidsSettings {
            card_id: CARD_A,
            admin_key: [0; 24],
            random: Randomness::script(&challenge),
            ..GidsSettings::default()
        };
        let inserted = InsertedCard::of(Faulty::new(Box::new(GidsCard::personalised(settings))), Kind::Gids);
        let mut person = Person { admin_key: Some([0; 24]), ..Person::default() };
        setup.run(&inserted, &mut person).ok(authority);
        assert!(inserted.pin_is(b"31415926"));
        let sent = inserted.card.with(|tap| tap.sent.iter().map(hex::encode_upper).collect::<Vec<_>>());
        assert!(sent.contains(&"008700000C7C0A820817466E766E303CB6".to_owned()), "{authority}");
        let asked = setup.server.requests().into_iter().filter(|call| call.query.contains("challenge=")).count();
        let encoded = setup.server.requests().into_iter().filter(|call| call.query.contains(CHALLENGE_SAMPLE)).count();
        assert_eq!((asked, encoded), if authority == "server" { (2, 2) } else { (1, 1) });
        if authority == "server" {
            assert_eq!(setup.server.state().answers(), [hex::decode("17466E766E303CB6").unwrap()]);
        }
        setup.assert_no_violations(authority);
    }
}

#[test]
fn an_interruption_stops_before_the_first_write_and_not_after_it() {
    use Step::{Ask, Authorize, Bind, Challenge, Fit, Identify, Resolve, SetPin, Verify};
    for kind in [Kind::Gids, Kind::Iso] {
        let mut setup = JobSetup::new(kind, "server");
        for step in [Identify, Resolve, Challenge, Ask, Fit, Bind, Authorize] {
            let inserted = InsertedCard::new(kind);
            let mut person = Person { interrupt_at: Some(step), ..Person::default() };
            let failure = setup.run(&inserted, &mut person).failed_untouched("interrupted");
            assert_eq!(failure.step, step);
            inserted.assert_not_risked("interrupted");
        }
        for step in [SetPin, Verify] {
            let inserted = InsertedCard::new(kind);
            let mut person = Person { interrupt_at: Some(step), ..Person::default() };
            setup.run(&inserted, &mut person).ok("interrupted too late");
            assert!(inserted.pin_is(&setup.server.state().last_pin().unwrap()));
        }
    }
}
