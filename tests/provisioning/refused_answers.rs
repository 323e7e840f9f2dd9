//! An answer that the card has refused: barred for the next job, whatever its request, until somebody takes the risk.

use std::time::Duration;

use pinwright::exit::Exit;
use pinwright::job::Cause;
use pinwright::job::journal::Journal;
use pinwright::provision::{AdminKeyRule, RiskedProof};
use support::provisioning::{InsertedCard, JobSetup, KEY, Kind, Lines, Person, told};
use uuid::Uuid;

/// The key that the server answers with, and the local one, are not the card's.
fn wrong(kind: Kind, authority: &str, journal: &tempfile::TempDir) -> JobSetup {
    let mut setup = JobSetup::with(kind, authority, &Lines::default(), |settings| {
        settings.templates[0].default_admin_key = [0x5A; 24];
    });
    setup.journal = Some(Journal::new(journal.path().to_owned(), Duration::from_secs(3600)));
    setup
}

fn knowing(admin_key: [u8; 24]) -> Person<'static> {
    Person { admin_key: Some(admin_key), ..Person::knowing() }
}

#[test]
fn a_refused_answer_bars_the_next_job_whatever_its_request() {
    for (kind, authority) in [(Kind::Gids, "server"), (Kind::Gids, "admin-key"), (Kind::Iso, "server")] {
        let folder = tempfile::tempdir().unwrap();
        let mut setup = wrong(kind, authority, &folder);
        let inserted = InsertedCard::new(kind);
        let first = setup.run(&inserted, &mut knowing([0x5A; 24])).failed(authority);
        assert_eq!((Exit::from(&first), inserted.admin_answers()), (Exit::CardRefused, 1), "{}", told(&first));

        let calls = setup.server.requests().len();
        setup.server.state().change(|settings| settings.requests[0].uuid = Uuid::from_u128(7));
        let mut person = knowing([0x5A; 24]);
        let barred = setup.run(&inserted, &mut person).failed_untouched(authority);
        let Cause::AnswerBarred { journal, word, evidence, .. } = &*barred.cause else { panic!("{}", told(&barred)) };
        assert_eq!((Some(journal), Exit::from(&barred)), (first.journal.as_ref(), Exit::Attention));
        assert!(word.starts_with('6'), "{}", told(&barred));
        assert_eq!(evidence.contains("the policy does not diversify"), authority == "server", "{}", told(&barred));
        assert!(barred.cause.remedy().contains("--risk-uncounted=admin"));
        assert_eq!((inserted.admin_answers(), person.asked.len()), (1, 0), "{kind:?} {authority}");
        let secret = |path: &str| path.contains("proposedpin") || path.contains("authenticationresponse");
        assert!(!setup.server.requests()[calls..].iter().any(|call| secret(&call.path)), "{kind:?} {authority}");

        // The risk is taken for one attempt of one call, and only with the word for this proof.
        for risk in [RiskedProof::Puk, RiskedProof::Pin] {
            setup.risk = Some(risk);
            let still = setup.run(&inserted, &mut knowing([0x5A; 24])).failed_untouched(authority);
            assert!(matches!(*still.cause, Cause::AnswerBarred { .. }), "{}", told(&still));
        }
        setup.risk = Some(RiskedProof::Admin);
        setup.run(&inserted, &mut knowing([0x5A; 24])).failed(authority);
        assert_eq!(inserted.admin_answers(), 2);
        setup.risk = None;
        let again = setup.run(&inserted, &mut knowing([0x5A; 24])).failed_untouched(authority);
        assert!(matches!(*again.cause, Cause::AnswerBarred { .. }), "{}", told(&again));

        // Accepted with the right key, it is forgotten.
        let right = KEY;
        setup.server.state().change(|settings| settings.templates[0].default_admin_key = right);
        setup.risk = Some(RiskedProof::Admin);
        setup.run(&inserted, &mut Person::knowing()).ok(authority);
        setup.risk = None;
        setup.run(&inserted, &mut Person::knowing()).ok(authority);
        assert_eq!(inserted.admin_answers(), 4);
    }
}

/// The other key is another answer: a person may name it.
#[test]
fn the_answer_of_another_key_is_not_barred() {
    let folder = tempfile::tempdir().unwrap();
    let mut setup = wrong(Kind::Gids, "server", &folder);
    let inserted = InsertedCard::new(Kind::Gids);
    setup.run(&inserted, &mut Person::default()).failed("default");
    setup.config.rules.admin_key = AdminKeyRule::Diversified;
    setup.issuer = support::provisioning::issuer(&setup.config);
    setup.run(&inserted, &mut Person::default()).failed("diversified");
    assert_eq!(inserted.admin_answers(), 2);
    let barred = setup.run(&inserted, &mut Person::default()).failed_untouched("diversified again");
    assert!(told(&barred).contains("made with the diversified admin key"), "{}", told(&barred));
}
