//! No frame with a proof or a PIN goes to a card before the journal on disk says so. Every job of these tests that has a journal
//! is checked so ([`JournalCheck`]); here each family with each of its authorities, and the check itself.

#[cfg(unix)]
use pinwright::job::Step;
use pinwright::job::journal::Journal;
use support::provisioning::{InsertedCard, JobSetup, JournalCheck, Kind, Person, all_combinations};

use crate::case_journal::{CaseJournal, KEEP, fast_folder};

/// The PIN is written, and then verified.
const WRITE_AND_VERIFY: usize = 2;

/// Whether a card is shown a proof by itself before the PIN is written; the others get both at once.
fn proves_first((kind, authority): (Kind, &str)) -> bool {
    match kind {
        // A card that fills PINs up tells the current one from the new one by itself.
        Kind::IsoT0 | Kind::IsoPadded => authority != "current-pin",
        Kind::IsoUnblocking | Kind::Piv | Kind::PivYubico => false,
        Kind::OpenPgp | Kind::OpenPgpOther => authority != "resetting-code",
        Kind::Gids | Kind::GidsMutual | Kind::Iso | Kind::IsoImplicit => true,
    }
}

#[test]
fn the_journal_says_of_every_risky_frame_what_it_risks() {
    let mut frames = 0;
    for combination in all_combinations() {
        let (kind, authority) = combination;
        let mut setup = JobSetup::new(kind, authority);
        let case_journal = CaseJournal::of(&mut setup);
        for round in 1..=2 {
            let case = format!("{kind:?} {authority}, job {round}");
            let run = setup.run(&InsertedCard::new(kind), &mut Person::knowing());
            assert_eq!(run.risky_frames, WRITE_AND_VERIFY + usize::from(proves_first(combination)), "{case}");
            frames += run.risky_frames;
            run.ok(&case);
            assert_eq!(case_journal.records().len(), round, "{case}");
        }
    }
    println!("risky frames: {frames}, 0 that the journal did not know of");
}

#[test]
fn a_journal_that_is_not_kept_is_noticed_at_every_frame() {
    for (kind, authority) in all_combinations() {
        let mut setup = JobSetup::new(kind, authority);
        let (inserted, folder) = (InsertedCard::new(kind), fast_folder());
        let check = JournalCheck::new(&inserted.readers, &Journal::new(folder.path().to_owned(), KEEP));
        setup.run_unchecked(&check, &mut Person::knowing(), |_| {}).ok("without a journal");
        assert_eq!(check.unrecorded().len(), check.frames(), "{kind:?} {authority}");
    }
}

/// The journal comes in sight when the PIN is about to be written, as if it were begun only then.
#[test]
#[cfg(unix)]
fn a_journal_that_is_begun_after_the_authorization_is_noticed() {
    for combination in all_combinations() {
        let (kind, authority) = combination;
        let mut setup = JobSetup::new(kind, authority);
        let case_journal = CaseJournal::of(&mut setup);
        let (inserted, folder) = (InsertedCard::new(kind), fast_folder());
        let late = folder.path().join("journal");
        let check = JournalCheck::new(&inserted.readers, &Journal::new(late.clone(), KEEP));
        let run = setup.run_unchecked(&check, &mut Person::knowing(), |step| {
            if step == Step::SetPin {
                std::os::unix::fs::symlink(case_journal.folder(), &late).unwrap();
            }
        });
        run.ok("with a late journal");
        assert_eq!(check.frames() - check.unrecorded().len(), WRITE_AND_VERIFY, "{kind:?} {authority}");
        assert_eq!(check.unrecorded().len(), usize::from(proves_first(combination)), "{kind:?} {authority}");
    }
}
