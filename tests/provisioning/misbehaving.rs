//! Cards that do not keep to the standard: the right error, the right state of the card, no try beyond the one asked for, and a
//! bounded number of commands.

use pinwright::apdu::{ApduError, Status};
use pinwright::card::CardError;
use pinwright::card::family::DetectError;
use pinwright::provision::supplier::Need;
use pinwright::provision::{CardState, Cause, Failure, Step};

use crate::bench::{Bench, Kind, Lines, OLD, Person, TRIES, World, told};

/// Exchanges that one command may cause, whatever the card answers: GET RESPONSE and the one correction of Le.
const ROUNDS: usize = 300;

/// SELECTs of the built-in families, and of one profile.
const CANDIDATES: usize = 4;

type Forger = fn(&[u8], Vec<u8>) -> Vec<u8>;

/// What a case must end with.
struct Expected {
    step: Step,
    state: CardState,
    cause: fn(&Cause) -> bool,
    /// Commands at most.
    commands: usize,
}

/// Whose secrets are in files: the card is held once, and what is counted is the job's.
fn prepared() -> Person<'static> {
    Person { at_hand: vec![Need::CurrentPin, Need::AdminKey], ..Person::knowing() }
}

#[track_caller]
fn fails(kind: Kind, authority: &str, case: &str, forger: Forger, expected: &Expected) -> Failure {
    let mut world = World::new(kind, authority);
    let bench = Bench::new(kind);
    bench.forge(forger);
    let failure = world.run(&bench, &mut prepared()).failed(case);
    assert_eq!((failure.step, failure.card), (expected.step, expected.state), "{case}: {}", told(&failure));
    assert!((expected.cause)(&failure.cause), "{case}: {}", told(&failure));
    assert!(!failure.cause.remedy().is_empty(), "{case}");
    assert!(bench.apdus() <= expected.commands, "{case}: {} commands", bench.apdus());
    assert!(bench.admin_answers() <= 1, "{case}");
    assert_eq!(bench.tries(), TRIES, "{case}: no PIN was wrong");
    assert!(bench.pin_is(OLD) && !bench.authenticated(), "{case}");
    failure
}

fn is_select(command: &[u8]) -> bool {
    command.starts_with(&[0x00, 0xA4, 0x04])
}

/// GET DATA and READ BINARY.
fn reads(command: &[u8]) -> bool {
    matches!(command.get(1), Some(0xCA | 0xCB | 0xB0))
}

fn is_ok(answer: &[u8]) -> bool {
    answer.ends_with(&[0x90, 0x00])
}

fn identifying(cause: fn(&Cause) -> bool) -> Expected {
    // SELECT, two reads, or on an ISO card SELECT by name, SELECT of the file, READ BINARY.
    Expected { step: Step::Identify, state: CardState::Untouched, cause, commands: 3 }
}

/// 63C0 where others say 6983: to the question, nothing is risked; to the PIN, one try was spent and no second follows.
#[test]
fn a_blocked_pin_that_is_told_as_63c0() {
    let blocked = Expected {
        step: Step::Authorize,
        state: CardState::Untouched,
        cause: |cause| matches!(cause, Cause::FewTries { left: 0, .. }),
        commands: 8,
    };
    let to_all: Forger = |command, answer| if command.get(1) == Some(&0x20) { vec![0x63, 0xC0] } else { answer };
    let blocked_at = |step| Expected { step, ..blocked };
    let failure = fails(Kind::Iso, "current-pin", "63C0 to the question", to_all, &blocked_at(Step::Fit));
    assert_eq!(failure.cause.status(), None);

    let to_the_pin: Forger = |command, answer| match command {
        [_, 0x20, _, _, _, _, ..] => vec![0x63, 0xC0],
        _ => answer,
    };
    let refused = Expected {
        step: Step::Authorize,
        state: CardState::TrySpent,
        cause: |cause| cause.status() == Some(Status::new(0x63C0)),
        commands: 9,
    };
    fails(Kind::Iso, "current-pin", "63C0 to the PIN", to_the_pin, &refused);
}

/// 6300 tells no counter: it is asked for, once, and the PIN is not sent again.
#[test]
fn a_wrong_pin_that_is_told_as_6300() {
    let mut world = World::new(Kind::Iso, "current-pin");
    let bench = Bench::new(Kind::Iso);
    bench.forge(|command, answer| match (command, answer.as_slice()) {
        ([_, 0x20 | 0x24, _, _, _, _, ..], [0x63, _]) => vec![0x63, 0x00],
        _ => answer,
    });
    let wrong = Person { current_pin: Some(b"97531862".to_vec()), ..prepared() };
    let failure = world.run(&bench, &mut { wrong }).failed("6300");
    assert_eq!((failure.step, failure.card), (Step::Authorize, CardState::TrySpent), "{}", told(&failure));
    assert!(told(&failure).contains("it has 2 tries left now"), "{}", told(&failure));
    assert_eq!(bench.tries(), TRIES - 1);
    assert_eq!(bench.card.with(|tap| tap.risky()), 1, "the PIN was sent once");
    assert!(bench.apdus() <= 10, "{}", bench.apdus());
}

/// A card that has 6A81 for everything that it does not know, at SELECT too.
#[test]
fn unknown_things_that_are_told_as_6a81() {
    let forger: Forger = |_, answer| match answer.as_slice() {
        [0x6A, 0x82] | [0x6D, 0x00] | [0x6E, 0x00] => vec![0x6A, 0x81],
        _ => answer,
    };
    for kind in [Kind::Gids, Kind::Iso] {
        let mut world = World::new(kind, "server");
        world.config.families.prefer.clear();
        let bench = Bench::new(kind);
        bench.forge(forger);
        world.run(&bench, &mut Person::default()).ok("6A81 for what is not there");
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
        for kind in [Kind::Gids, Kind::Iso] {
            fails(kind, "server", &format!("{name} to everything"), forger, &unknown);
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
    for kind in [Kind::Gids, Kind::Iso, Kind::IsoT0] {
        fails(kind, "server", "another application", other, &unknown);
    }
}

#[test]
fn data_that_are_cut_off_or_of_a_wrong_length() {
    let malformed = identifying(|cause| matches!(cause, Cause::Card(CardError::Malformed { .. })));
    let forgers: [(&str, Forger); 4] = [
        ("one byte short", |command, mut answer| {
            if reads(command) && is_ok(&answer) {
                answer.remove(answer.len() - 3);
            }
            answer
        }),
        ("a length beyond the end", |command, mut answer| {
            if reads(command) && is_ok(&answer) {
                answer[2] = 0x7F;
                answer.truncate(answer.len().min(40));
                answer.splice(answer.len() - 2.., [0x90, 0x00]);
            }
            answer
        }),
        ("an indefinite length", |command, mut answer| {
            if reads(command) && is_ok(&answer) {
                answer[2] = 0x80;
            }
            answer
        }),
        ("a length of four bytes", |command, answer| match reads(command) && is_ok(&answer) {
            true => [&answer[..2], &[0x84, 0xFF, 0xFF, 0xFF, 0xFF], &answer[3..]].concat(),
            false => answer,
        }),
    ];
    for (name, forger) in forgers {
        fails(Kind::Gids, "server", name, forger, &malformed);
    }
}

/// A status word alone where data are due.
#[test]
fn nothing_where_data_are_due() {
    let incomplete =
        identifying(|cause| matches!(cause, Cause::Card(CardError::Incomplete { .. } | CardError::UnusableId(_))));
    let reading: Forger = |command, answer| if reads(command) { vec![0x90, 0x00] } else { answer };
    for kind in [Kind::Gids, Kind::Iso, Kind::IsoImplicit] {
        fails(kind, "server", "no data", reading, &incomplete);
    }
    let challenge: Forger = |command, answer| match command.get(1) {
        Some(0x84 | 0x87) => vec![0x90, 0x00],
        _ => answer,
    };
    let no_challenge = Expected {
        step: Step::Challenge,
        state: CardState::Untouched,
        cause: |cause| {
            matches!(cause, Cause::Card(CardError::Incomplete { .. } | CardError::ChallengeLength { length: 0, .. }))
        },
        commands: 5,
    };
    for kind in [Kind::Gids, Kind::Iso, Kind::IsoPadded] {
        fails(kind, "server", "no challenge", challenge, &no_challenge);
    }
    // 9000 to everything is no GIDS and no PIV card; an OpenPGP card may answer its SELECT so, and then must give data.
    let everything: Forger = |_, _| vec![0x90, 0x00];
    let any = Expected {
        step: Step::Identify,
        state: CardState::Untouched,
        cause: |cause| matches!(cause, Cause::Detect(_) | Cause::Card(_)),
        commands: CANDIDATES + 3,
    };
    fails(Kind::Gids, "server", "9000 to everything", everything, &any);
    fails(Kind::Iso, "server", "9000 to everything", everything, &any);
}

#[test]
fn an_answer_that_is_longer_than_asked() {
    let longer: Forger = |command, answer| match reads(command) && is_ok(&answer) {
        true => [&answer[..answer.len() - 2], &[0xA5; 4], &[0x90, 0x00]].concat(),
        false => answer,
    };
    let wrong =
        identifying(|cause| matches!(cause, Cause::Card(CardError::UnusableId(_) | CardError::Malformed { .. })));
    for kind in [Kind::Gids, Kind::Iso, Kind::IsoImplicit] {
        fails(kind, "server", "a longer ID", longer, &wrong);
    }
    let longer: Forger = |command, answer| match command.get(1) {
        Some(0x84) => [&answer[..8], &[0xA5, 0x90, 0x00]].concat(),
        _ => answer,
    };
    let wrong = Expected {
        step: Step::Challenge,
        state: CardState::Untouched,
        cause: |cause| matches!(cause, Cause::Card(CardError::ChallengeLength { length: 9, expected: 8 })),
        commands: 4,
    };
    fails(Kind::Iso, "server", "a longer challenge", longer, &wrong);
}

/// 61xx after the first bytes of any answer: the rest is fetched, and the answer is whole.
#[test]
fn an_answer_in_two_pieces() {
    for (kind, authority) in [(Kind::Gids, "server"), (Kind::GidsMutual, "admin-key"), (Kind::IsoPadded, "server")] {
        let mut world = World::new(kind, authority);
        let bench = Bench::new(kind);
        let rest = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let (kept, waiting) = (rest.clone(), rest);
        bench.instead(move |command| match command.get(1) {
            Some(0xC0) => Some(std::mem::take(&mut *waiting.lock().unwrap())),
            _ => None,
        });
        bench.forge(move |_, answer| {
            if answer.len() < 6 || !is_ok(&answer) {
                return answer;
            }
            let (head, tail) = answer.split_at(3);
            *kept.lock().unwrap() = tail.to_vec();
            let more = u8::try_from(tail.len() - 2).unwrap_or(0);
            [head, &[0x61, more]].concat()
        });
        world.run(&bench, &mut Person::knowing()).ok("two pieces");
        assert!(!bench.pin_is(OLD) && !bench.authenticated(), "{kind:?}");
        assert!(bench.card.with(|tap| tap.sent.iter().any(|command| command.starts_with(&[0, 0xC0]))));
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
        for kind in [Kind::Gids, Kind::Iso, Kind::IsoT0] {
            fails(kind, "server", name, forger, &endless);
        }
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
        for kind in [Kind::Gids, Kind::Iso, Kind::IsoT0] {
            fails(kind, "server", name, forger, &refused);
        }
    }
    let answer: Forger = |command, answer| match command {
        [_, 0x82 | 0x87, _, _, _, _, _, 0x82, ..] | [_, 0x82, ..] => vec![0x6C, 0x08],
        _ => answer,
    };
    for kind in [Kind::Gids, Kind::Iso] {
        let mut world = World::new(kind, "server");
        let bench = Bench::new(kind);
        bench.forge(answer);
        let failure = world.run(&bench, &mut Person::default()).failed("6C08 to the admin answer");
        assert_eq!((failure.step, failure.card), (Step::Authorize, CardState::TrySpent), "{}", told(&failure));
        assert_eq!(bench.admin_answers(), 1);
    }
}

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
        cause: |cause| matches!(cause, Cause::Card(CardError::OnlyByKey { length: 40 })),
        commands: 6,
    };
    let failure = fails(Kind::GidsMutual, "server", "mutual only", |_, answer| answer, &only_by_key);
    assert!(
        told(&failure).contains("documented for 8 only") && told(&failure).contains("admin-key"),
        "{}",
        told(&failure)
    );

    let mut world = World::with(Kind::GidsMutual, "admin-key", &Lines::default(), |_| {});
    let bench = Bench::new(Kind::GidsMutual);
    world.run(&bench, &mut prepared()).ok("the local key");
    assert!(!bench.pin_is(OLD) && !bench.authenticated());
    assert_eq!(bench.apdus(), 10, "one more than with the short challenge");
    world.assert_no_violations("half a challenge is no parameter");
    // The key of another card: one try, and the card's refusal is the end.
    let bench = Bench::new(Kind::GidsMutual);
    let mut stranger = Person { admin_key: Some([0x11; 24]), ..Person::default() };
    let failure = world.run(&bench, &mut stranger).failed("another key");
    assert_eq!((failure.step, failure.card), (Step::Authorize, CardState::TrySpent), "{}", told(&failure));
    assert_eq!((bench.admin_answers(), failure.cause.status()), (1, Some(Status::SECURITY_STATUS)));
}
