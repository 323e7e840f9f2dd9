//! Answers in pieces (61xx) and corrections of Le (6Cxx), with and without an end.

use pinwright::apdu::ApduError;
use pinwright::card::CardError;
use pinwright::card::family::DetectError;
use pinwright::job::{CardState, Cause, Step};
use support::provisioning::{InsertedCard, JobSetup, Kind, OLD, Person, TRIES, told};

use super::{
    CANDIDATES, Expected, Forger, PIV_AND_OPENPGP, ROUNDS, Refusal, carries_a_secret, fails, first_risk, is_ok,
    is_refused,
};

const OTHERS: [(Kind, &str); 3] = [(Kind::Gids, "server"), (Kind::Iso, "server"), (Kind::IsoT0, "server")];

/// 61xx after the first bytes of any answer: the rest is fetched, and the answer is whole.
#[test]
fn an_answer_in_two_pieces() {
    let others = [(Kind::Gids, "server"), (Kind::GidsMutual, "admin-key"), (Kind::IsoPadded, "server")];
    for (kind, authority) in [&others[..], &PIV_AND_OPENPGP].concat() {
        let mut setup = JobSetup::new(kind, authority);
        let inserted = InsertedCard::new(kind);
        let rest = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let (kept, waiting) = (rest.clone(), rest);
        inserted.instead(move |command| match command.get(1) {
            Some(0xC0) => Some(std::mem::take(&mut *waiting.lock().unwrap())),
            _ => None,
        });
        inserted.forge(move |_, answer| {
            if answer.len() < 6 || !is_ok(&answer) {
                return answer;
            }
            let (head, tail) = answer.split_at(3);
            *kept.lock().unwrap() = tail.to_vec();
            let more = u8::try_from(tail.len() - 2).unwrap_or(0);
            [head, &[0x61, more]].concat()
        });
        setup.run(&inserted, &mut Person::knowing()).ok("two pieces");
        assert!(!inserted.pin_is(OLD) && !inserted.authenticated(), "{kind:?}");
        assert_eq!((inserted.tries(), inserted.code_tries_lost()), (TRIES, 0), "{kind:?} {authority}");
        assert!(inserted.card.with(|tap| tap.sent.iter().any(|command| command.starts_with(&[0, 0xC0]))));
    }
}

#[test]
fn an_answer_without_end() {
    let endless = Expected {
        step: Step::Identify,
        state: CardState::Untouched,
        cause: |cause| {
            matches!(
                cause,
                Cause::Detect(DetectError::NoAnswer(ApduError::Endless { .. }))
                    | Cause::Card(CardError::NoAnswer { source: ApduError::Endless { .. }, .. })
            )
        },
        commands: ROUNDS,
    };
    let forgers: [(&str, Forger); 3] = [
        ("61xx without data", |_, _| vec![0x61, 0x10]),
        ("61xx with a byte each", |_, _| vec![0xA5, 0x61, 0x10]),
        ("61xx with 256 bytes each", |_, _| [vec![0xA5; 256], vec![0x61, 0x00]].concat()),
    ];
    for (name, forger) in forgers {
        for (kind, authority) in [&OTHERS[..], &PIV_AND_OPENPGP].concat() {
            fails(kind, authority, name, forger, &endless);
        }
    }
}

/// The same from the first question after the ID on: nothing was risked by then, and nothing is.
#[test]
fn a_later_answer_without_end() {
    for (kind, authority, begin, step) in [
        (Kind::PivYubico, "puk", &[0x00, 0xF7][..], Step::Challenge),
        (Kind::PivYubico, "puk", &[0x00, 0xF7, 0x00, 0x81], Step::Fit),
        (Kind::Piv, "current-pin", &[0x00, 0x87], Step::Challenge),
        (Kind::OpenPgp, "admin-pin", &[0x00, 0x84], Step::Challenge),
        (Kind::OpenPgp, "resetting-code", &[0x00, 0xCA, 0x00, 0xF9], Step::Fit),
        (Kind::OpenPgp, "current-pin", &[0x00, 0xCA, 0x00, 0x4F], Step::Bind),
    ] {
        let endless = Expected {
            step,
            state: CardState::Untouched,
            cause: |cause| matches!(cause, Cause::Card(CardError::NoAnswer { source: ApduError::Endless { .. }, .. })),
            commands: ROUNDS + 8,
        };
        let refusal = move |command: &[u8]| {
            let asked = command.starts_with(begin) || command.starts_with(&[0x00, 0xC0]);
            asked.then(|| vec![0xA5, 0x61, 0x10])
        };
        is_refused(kind, authority, "61xx with a byte each", refusal, &endless);
    }
}

/// A card that is never content with Le: it is corrected once for each command, and a command with a secret never.
#[test]
fn a_le_that_is_never_right() {
    let refused = Expected {
        step: Step::Identify,
        state: CardState::Untouched,
        cause: |cause| matches!(cause, Cause::Detect(DetectError::Unknown { .. })),
        commands: 2 * CANDIDATES,
    };
    let forgers: [(&str, Forger); 3] = [
        ("6C08", |_, _| vec![0x6C, 0x08]),
        ("6C00", |_, _| vec![0x6C, 0x00]),
        ("another one each time", |command, _| vec![0x6C, command.last().copied().unwrap_or(0).wrapping_add(1)]),
    ];
    for (name, forger) in forgers {
        for (kind, authority) in [&OTHERS[..], &PIV_AND_OPENPGP].concat() {
            fails(kind, authority, name, forger, &refused);
        }
    }
    let answer: Forger = |command, answer| match command {
        [_, 0x82 | 0x87, _, _, _, _, _, 0x82, ..] | [_, 0x82, ..] => vec![0x6C, 0x08],
        _ => answer,
    };
    for kind in [Kind::Gids, Kind::Iso] {
        let mut setup = JobSetup::new(kind, "server");
        let inserted = InsertedCard::new(kind);
        inserted.forge(answer);
        let failure = setup.run(&inserted, &mut Person::default()).failed("6C08 to the admin answer");
        assert_eq!((failure.step, failure.card_state()), (Step::Authorize, CardState::TrySpent), "{}", told(&failure));
        assert_eq!(inserted.admin_answers(), 1);
    }
}

/// To a command with a PUK or a code in it a wrong Le is a refusal like any other: it had none.
#[test]
fn a_le_that_is_asked_for_with_a_secret() {
    let refusal: Refusal = |command| carries_a_secret(command).then(|| vec![0x6C, 0x08]);
    for (kind, authority) in PIV_AND_OPENPGP {
        let refused = Expected {
            step: first_risk(kind, authority),
            state: CardState::TrySpent,
            cause: |cause| cause.status().is_some_and(|status| status.sw1() == 0x6C),
            commands: 9,
        };
        is_refused(kind, authority, "6C08 to the secret", refusal, &refused);
    }
}
