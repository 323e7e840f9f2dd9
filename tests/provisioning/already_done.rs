//! A request that the journal shows as done: not done again unasked.

use std::time::Duration;

use pinwright::exit::Exit;
use pinwright::job::authority::Authority;
use pinwright::job::journal::Journal;
use pinwright::job::{Cause, Step};
use pinwright::provision::Asked;
use support::provisioning::{InsertedCard, JobSetup, Kind, Lines, Person, told};
use uuid::Uuid;

const JOBS: [(Kind, &str); 3] = [(Kind::Gids, "server"), (Kind::Piv, "puk"), (Kind::OpenPgp, "admin-pin")];

/// A card whose request is done, by the journal of the set-up.
fn done(kind: Kind, authority: &str, folder: &tempfile::TempDir) -> (JobSetup, InsertedCard, String) {
    let mut setup = JobSetup::with(kind, authority, &Lines::default(), |_| {});
    setup.journal = Some(Journal::new(folder.path().to_owned(), Duration::from_secs(3600)));
    setup.asked = Asked::ByPerson;
    let inserted = InsertedCard::new(kind);
    let outcome = setup.run(&inserted, &mut Person::knowing()).ok(authority);
    (setup, inserted, outcome.journal_id.unwrap())
}

/// Somebody types wrong PINs until none is taken any more; this journal knows nothing of it.
fn block(setup: &mut JobSetup, inserted: &InsertedCard) {
    let journal = setup.journal.take();
    let rules = setup.config.rules.clone();
    setup.config.rules.authorities = vec![Authority::CurrentPin];
    setup.config.rules.min_tries_left = 0;
    while inserted.tries() > 0 {
        let mut person = Person { current_pin: Some(b"86420864".to_vec()), ..Person::knowing() };
        setup.run(inserted, &mut person).failed("wrong");
    }
    (setup.journal, setup.config.rules) = (journal, rules);
}

#[test]
fn a_second_job_fetches_nothing_and_writes_nothing() {
    for (kind, authority) in JOBS {
        let folder = tempfile::tempdir().unwrap();
        let (mut setup, inserted, first) = done(kind, authority, &folder);
        let pin = setup.server.state().last_pin().unwrap();
        for is_absent in [false, true] {
            let mut person = Person { is_absent, ..Person::knowing() };
            let failure = setup.run(&inserted, &mut person).failed_untouched(authority);
            let Cause::AlreadyDone(done) = &*failure.cause else { panic!("{}", told(&failure)) };
            assert_eq!((&done.journal, Exit::from(&failure)), (&first, Exit::Done), "{}", told(&failure));
            assert!(done.at.starts_with("20") && failure.cause.remedy().contains("--again"), "{}", told(&failure));
            assert_eq!((person.asked.len(), failure.step), (0, Step::Resolve), "{kind:?}");
        }
        assert_eq!(setup.server.state().last_pin().unwrap(), pin, "no other PIN was made");
        assert!(inserted.pin_is(&pin), "{kind:?}");

        // A person at a terminal decides, and is told when it was done.
        let mut person = Person { declines: true, ..Person::knowing() };
        let failure = setup.run(&inserted, &mut person).failed_untouched(authority);
        assert_eq!(Exit::from(&failure), Exit::Interrupted);
        assert!(person.told.as_ref().unwrap().contains(&first) && inserted.pin_is(&pin), "{:?}", person.told);
        let mut person = Person { thinking: Some(Box::new(|| {})), ..Person::knowing() };
        setup.run(&inserted, &mut person).ok(authority);
        assert!(person.consented == 1 && !inserted.pin_is(&pin));

        setup.asked = Asked::Again;
        setup.run(&inserted, &mut Person::knowing()).ok(authority);
        assert!(inserted.pin_is(&setup.server.state().last_pin().unwrap()));
    }
}

#[test]
fn what_speaks_against_it_is_told() {
    for (kind, authority) in JOBS {
        // Another record of the server.
        let folder = tempfile::tempdir().unwrap();
        let (mut setup, inserted, _) = done(kind, authority, &folder);
        setup.server.state().change(|settings| {
            settings.cards[0].uuid = Uuid::from_u128(9);
            settings.requests[0].new_card = Some(Uuid::from_u128(9));
        });
        let failure = setup.run(&inserted, &mut Person::knowing()).failed_untouched(authority);
        assert!(matches!(*failure.cause, Cause::DoneInDoubt { .. }), "{}", told(&failure));
        assert!(told(&failure).contains("another smart card record"), "{}", told(&failure));
        assert_eq!(Exit::from(&failure), Exit::Attention);

        // The PIN is blocked.
        let folder = tempfile::tempdir().unwrap();
        let (mut setup, inserted, _) = done(kind, authority, &folder);
        block(&mut setup, &inserted);
        let failure = setup.run(&inserted, &mut Person::knowing()).failed_untouched(authority);
        assert_eq!(Exit::from(&failure), Exit::Attention, "{}", told(&failure));
        assert!(told(&failure).contains("PIN is blocked") && told(&failure).contains("--again"), "{}", told(&failure));

        // Another request is another job.
        let folder = tempfile::tempdir().unwrap();
        let (mut setup, inserted, _) = done(kind, authority, &folder);
        setup.server.state().change(|settings| settings.requests[0].uuid = Uuid::from_u128(7));
        setup.run(&inserted, &mut Person::knowing()).ok("another request");
    }
}
