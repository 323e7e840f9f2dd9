//! Status words that others use for what ISO 7816-4 has a word of its own for.

use pinwright::apdu::Status;
use pinwright::card::CardError;
use pinwright::card::family::DetectError;
use pinwright::job::{CardState, Cause, Step};
use support::provisioning::{InsertedCard, JobSetup, Kind, Person, TRIES, told};

use super::{
    CANDIDATES, Expected, Forger, PIV_AND_OPENPGP, Refusal, carries_a_secret, fails, first_risk, is_refused, is_select,
    prepared,
};

/// 63C0 where others say 6983: to the question, nothing is risked; to the PIN, one try was spent and no second follows.
#[test]
fn a_blocked_pin_that_is_told_as_63c0() {
    let to_the_question: Refusal = |command| (command.get(1) == Some(&0x20)).then(|| vec![0x63, 0xC0]);
    let blocked = Expected {
        step: Step::Fit,
        state: CardState::Untouched,
        cause: |cause| matches!(cause, Cause::FewTries { left: 0, .. }),
        commands: 8,
    };
    for kind in [Kind::Iso, Kind::Piv, Kind::PivYubico] {
        let failure = is_refused(kind, "current-pin", "63C0 to the question", to_the_question, &blocked);
        assert_eq!(failure.cause.status(), None);
    }

    let to_the_secret: Refusal = |command| carries_a_secret(command).then(|| vec![0x63, 0xC0]);
    for (kind, authority) in [&[(Kind::Iso, "current-pin")][..], &PIV_AND_OPENPGP].concat() {
        let refused = Expected {
            step: first_risk(kind, authority),
            state: CardState::TrySpent,
            cause: |cause| cause.status() == Some(Status::new(0x63C0)),
            commands: 10,
        };
        is_refused(kind, authority, "63C0 to the secret", to_the_secret, &refused);
    }
}

/// 6300 tells no counter: it is asked for, once, where the card has one to ask for, and the secret is not sent again.
#[test]
fn a_wrong_secret_that_is_told_as_6300() {
    for (kind, authority) in [&[(Kind::Iso, "current-pin")][..], &PIV_AND_OPENPGP].concat() {
        let case = format!("{kind:?} {authority}");
        let mut setup = JobSetup::new(kind, authority);
        let inserted = InsertedCard::new(kind);
        inserted.forge(|command, answer| match answer.as_slice() {
            [0x63, _] if carries_a_secret(command) => vec![0x63, 0x00],
            _ => answer,
        });
        let wrong = b"97531862".to_vec();
        let mut wrong = Person { current_pin: Some(wrong.clone()), code: Some(wrong), ..prepared() };
        let failure = setup.run(&inserted, &mut wrong).failed(&case);
        let ended = (failure.step, failure.card_state());
        assert_eq!(ended, (first_risk(kind, authority), CardState::TrySpent), "{case}: {}", told(&failure));
        assert_eq!(failure.cause.status(), Some(Status::WRONG), "{case}: {}", told(&failure));
        // RESET RETRY COUNTER is PIV's last word on a PUK.
        let counted = authority != "puk";
        assert_eq!(told(&failure).contains("it has 2 tries left now"), counted, "{case}: {}", told(&failure));
        let lost = if authority == "current-pin" { (TRIES - 1, 0) } else { (TRIES, 1) };
        assert_eq!((inserted.tries(), inserted.code_tries_lost()), lost, "{case}: one try, of the authority");
        assert_eq!(inserted.card.with(|tap| tap.risky()), 1, "{case}: the secret was sent once");
        assert!(inserted.apdus() <= 11, "{case}: {}", inserted.apdus());
    }
}

/// A card that has 6A81 for everything that it does not know, at SELECT too.
#[test]
fn unknown_things_that_are_told_as_6a81() {
    let forger: Forger = |_, answer| match answer.as_slice() {
        [0x6A, 0x82 | 0x88] | [0x6D, 0x00] | [0x6E, 0x00] => vec![0x6A, 0x81],
        _ => answer,
    };
    let own = [(Kind::Gids, "server"), (Kind::Iso, "server"), (Kind::Piv, "puk"), (Kind::OpenPgpOther, "admin-pin")];
    for (kind, authority) in [&own[..], &PIV_AND_OPENPGP].concat() {
        let mut setup = JobSetup::new(kind, authority);
        setup.config.families.prefer.clear();
        let inserted = InsertedCard::new(kind);
        inserted.forge(forger);
        setup.run(&inserted, &mut prepared()).ok("6A81 for what is not there");
        assert_eq!((inserted.tries(), inserted.code_tries_lost()), (TRIES, 0), "{kind:?} {authority}");
    }
    let unknown = Expected {
        step: Step::Identify,
        state: CardState::Untouched,
        cause: |cause| matches!(cause, Cause::Detect(DetectError::Unknown { tried, .. }) if tried.len() >= 3),
        commands: CANDIDATES,
    };
    for (name, forger) in [
        ("6A81", (|_, _| vec![0x6A, 0x81]) as Forger),
        ("6D00", |_, _| vec![0x6D, 0x00]),
        ("6E00", |_, _| vec![0x6E, 0x00]),
        ("6999", |_, _| vec![0x69, 0x99]),
        ("6985", |_, _| vec![0x69, 0x85]),
    ] {
        for (kind, authority) in [&own[..], &PIV_AND_OPENPGP].concat() {
            fails(kind, authority, &format!("{name} to everything"), forger, &unknown);
        }
    }
}

/// A card that has told of its management key by metadata and knows none of its PUK contradicts itself: that is no card whose
/// PUK can't be asked for, and the PUK is not offered.
#[test]
fn metadata_that_are_unknown_as_6a81_the_second_time() {
    let contradicts = Expected {
        step: Step::Fit,
        state: CardState::Untouched,
        cause: |cause| matches!(cause, Cause::Card(CardError::Refused { status, .. }) if status.is_absent()),
        commands: 6,
    };
    let unknown: Refusal = |command| command.starts_with(&[0x00, 0xF7, 0x00, 0x81]).then(|| vec![0x6A, 0x81]);
    is_refused(Kind::PivYubico, "puk", "6A81 for the PUK's metadata", unknown, &contradicts);
}

/// A PIV card without metadata has no counter of its PUK to ask for, and no ISO 7816-4 card has.
#[test]
fn a_puk_is_offered_once_whatever_its_refusal_is_called() {
    for word in [0x63C0, 0x6300, 0x6983, 0x6A81, 0x6982_u16] {
        let refusal = move |command: &[u8]| carries_a_secret(command).then(|| word.to_be_bytes().to_vec());
        let refused = Expected {
            step: Step::SetPin,
            state: CardState::TrySpent,
            cause: |cause| cause.status().is_some(),
            commands: 8,
        };
        for kind in [Kind::Piv, Kind::IsoUnblocking] {
            let failure = is_refused(kind, "puk", &format!("{word:04X} to the PUK"), refusal, &refused);
            assert_eq!(failure.cause.status(), Some(Status::new(word)));
        }
    }
}

#[test]
fn an_answer_to_select_for_another_application() {
    let other: Forger = |command, answer| match is_select(command) {
        true => b"\x6F\x08\x84\x06\xF0\x00\x00\x00\x09\x09\x90\x00".to_vec(),
        false => answer,
    };
    let unknown = Expected {
        step: Step::Identify,
        state: CardState::Untouched,
        cause: |cause| matches!(cause, Cause::Detect(DetectError::Unknown { .. })),
        commands: CANDIDATES,
    };
    let others = [(Kind::Gids, "server"), (Kind::Iso, "server"), (Kind::IsoT0, "server")];
    for (kind, authority) in [&others[..], &PIV_AND_OPENPGP].concat() {
        fails(kind, authority, "another application", other, &unknown);
    }
}
