//! Two jobs on one card: the claim stands where no transaction does, in this process and between processes.

use std::sync::atomic::AtomicBool;

use pinwright::exit::Exit;
use pinwright::job::Cause;
use pinwright::job::desk::Desk;
use pinwright::job::journal::{Journal, JournalError, LockOf};
use pinwright::provision::set_pin;
use pinwright::sim::server::PinMaker;
use support::helper::{Helper, wait_for_release};
use support::provisioning::{InsertedCard, JobSetup, Kind, Lines, OLD, Person, issuer, told};
use uuid::Uuid;

use crate::case_journal::{CaseJournal, KEEP, fast_folder};

const TYPED: &[u8] = b"97531862";

/// The first job thinks with the card in hand: virtual readers let the second one in, and the claim does not.
#[test]
fn a_job_that_meets_another_one_is_told_and_nothing_is_touched() {
    for kind in [Kind::Gids, Kind::IsoT0] {
        let mut setup = JobSetup::new(kind, "server");
        let case_journal = CaseJournal::of(&mut setup);
        let inserted = InsertedCard::new(kind);
        let (job, readers, journal) = (setup.job(), inserted.readers.clone(), setup.journal.clone());
        let mut second = issuer(&setup.config);
        let mut told_of = Vec::new();
        let mut person = Person {
            thinking: Some(Box::new(|| {
                let mut desk = Desk {
                    readers: &readers,
                    issuer: &mut second,
                    journal: journal.as_ref(),
                    elsewhere: None,
                    supplier: &mut Person::knowing(),
                    interrupted: &AtomicBool::new(false),
                    progress: &mut |_| {},
                };
                told_of.push(set_pin(&job, &mut desk).unwrap_err());
            })),
            ..Person::default()
        };
        // The second job selects the application: the first one's challenge is gone, and it starts anew or says so.
        let first = setup.run(&inserted, &mut person);
        drop(person);
        assert!(!told_of.is_empty());
        for failure in &told_of {
            assert!(matches!(&*failure.cause, Cause::Journal(JournalError::Busy { .. })), "{}", told(failure));
            assert_eq!(Exit::from(failure), Exit::NoCard);
            assert!(told(failure).contains("another pinwright process works on card"), "{}", told(failure));
            assert_eq!(failure.journal, None);
        }
        assert!(inserted.pin_is(OLD) || first.result.is_ok());
        assert_eq!(inserted.card.with(|tap| tap.faulty.card().admin_failures()), 0);
        let outcome = setup.run(&inserted, &mut Person::default()).ok("afterwards");
        assert!(case_journal.open().is_empty() && outcome.journal_failed.is_none());
    }
}

/// While a person types the card is free for others, and the claim is not: a second job is told, and the first goes on.
#[test]
fn a_job_that_waits_for_a_person_keeps_its_claim() {
    let mut setup = JobSetup::with(Kind::Gids, "server", &Lines::default(), |s| s.pin_maker = PinMaker::UserProvided);
    let case_journal = CaseJournal::of(&mut setup);
    let inserted = InsertedCard::new(Kind::Gids);
    let (job, readers, journal) = (setup.job(), inserted.readers.clone(), setup.journal.clone());
    let mut second = issuer(&setup.config);
    let mut told_of = Vec::new();
    let mut person = Person {
        new_pin: Some(TYPED.to_vec()),
        meanwhile: Some(Box::new(|| {
            let mut desk = Desk {
                readers: &readers,
                issuer: &mut second,
                journal: journal.as_ref(),
                elsewhere: None,
                supplier: &mut Person { new_pin: Some(b"86420975".to_vec()), ..Person::default() },
                interrupted: &AtomicBool::new(false),
                progress: &mut |_| {},
            };
            told_of.push(set_pin(&job, &mut desk).unwrap_err());
        })),
        ..Person::default()
    };
    setup.run(&inserted, &mut person).ok("the first");
    drop(person);
    assert_eq!(told_of.len(), 1);
    assert!(matches!(&*told_of[0].cause, Cause::Journal(JournalError::Busy { .. })), "{}", told(&told_of[0]));
    assert!(inserted.pin_is(TYPED));
    assert_eq!((case_journal.records().len(), case_journal.open().len()), (1, 0));
}

const FOLDER: &str = "TEST_CLAIM_FOLDER";
const CLAIMED: &str = "CLAIMED";
const CARD: Uuid = Uuid::from_u128(0xCA2D);

/// Not a test: the other process.
#[test]
#[ignore = "helper process of the test below"]
fn claim_a_card() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let journal = Journal::new(folder.into(), KEEP);
    let _claim = journal.claim(CARD).unwrap();
    wait_for_release(CLAIMED);
}

#[test]
fn a_claim_holds_between_processes_and_dies_with_its_own() {
    let folder = fast_folder();
    let other = Helper::start("two_jobs::claim_a_card", CLAIMED, |command| {
        command.env(FOLDER, folder.path());
    });
    let journal = Journal::new(folder.path().to_owned(), KEEP);
    assert!(matches!(journal.claim(CARD), Err(JournalError::Busy { of: LockOf::Card(CARD) })));
    assert!(journal.claim(Uuid::from_u128(1)).is_ok(), "another card is free");
    // Killed.
    drop(other);
    assert!(journal.claim(CARD).is_ok(), "a dead process claims nothing");
}
