//! GIDS cards that know mutual authentication only.

use pinwright::apdu::Status;
use pinwright::card::CardError;
use pinwright::job::challenge::Unanswerable;
use pinwright::job::{CardState, Cause, Step};
use support::provisioning::{InsertedCard, JobSetup, Kind, Lines, OLD, Person, told};

use super::{Expected, Forger, fails, prepared};

/// A card that accepts the token and can't prove that it has the key gets no PIN.
#[test]
fn a_card_that_does_not_prove_itself_in_return() {
    let forgers: [(&str, Forger); 4] = [
        ("a bit of its token", |_, mut answer| {
            if answer.starts_with(&[0x7C, 0x2A, 0x82, 0x28]) {
                answer[20] ^= 1;
            }
            answer
        }),
        ("our own token back", |command, answer| match command {
            [_, 0x87, _, _, 0x2C, token @ .., _] => [token, &[0x90, 0x00]].concat(),
            _ => answer,
        }),
        ("9000 alone", |command, answer| if command.get(4) == Some(&0x2C) { vec![0x90, 0x00] } else { answer }),
        ("half a token", |_, mut answer| {
            if answer.starts_with(&[0x7C, 0x2A, 0x82, 0x28]) {
                answer.drain(24..44);
                (answer[1], answer[3]) = (0x16, 0x14);
            }
            answer
        }),
    ];
    for (name, forger) in forgers {
        let unproven = Expected {
            step: Step::Authorize,
            state: CardState::TrySpent,
            cause: |cause| {
                matches!(cause, Cause::Card(CardError::Unproven | CardError::Incomplete { object: "proof", .. }))
            },
            commands: 8,
        };
        fails(Kind::GidsMutual, "admin-key", name, forger, &unproven);
    }
}

/// The server is not asked for an answer that nobody has documented, and the error says what to do.
#[test]
fn a_card_that_only_a_local_key_can_answer() {
    let only_by_key = Expected {
        step: Step::Challenge,
        state: CardState::Untouched,
        cause: |cause| matches!(cause, Cause::Unanswerable(Unanswerable { length: 40 })),
        commands: 6,
    };
    let failure = fails(Kind::GidsMutual, "server", "mutual only", |_, answer| answer, &only_by_key);
    assert!(
        told(&failure).contains("documented for 8 only") && told(&failure).contains("admin-key"),
        "{}",
        told(&failure)
    );

    let mut setup = JobSetup::with(Kind::GidsMutual, "admin-key", &Lines::default(), |_| {});
    let inserted = InsertedCard::new(Kind::GidsMutual);
    setup.run(&inserted, &mut prepared()).ok("the local key");
    assert!(!inserted.pin_is(OLD) && !inserted.authenticated());
    assert_eq!(inserted.apdus(), 10, "one more than with the short challenge");
    setup.assert_no_violations("half a challenge is no parameter");
    // The key of another card: one try, and the card's refusal is the end.
    let inserted = InsertedCard::new(Kind::GidsMutual);
    let mut stranger = Person { admin_key: Some([0x11; 24]), ..Person::default() };
    let failure = setup.run(&inserted, &mut stranger).failed("another key");
    assert_eq!((failure.step, failure.card_state()), (Step::Authorize, CardState::TrySpent), "{}", told(&failure));
    assert_eq!((inserted.admin_answers(), failure.cause.status()), (1, Some(Status::SECURITY_STATUS)));
}
