//! Answers with too little in them, or too much.

use pinwright::card::CardError;
use pinwright::job::{CardState, Cause, Step};
use support::provisioning::Kind;

use super::{CANDIDATES, Expected, Forger, PIV_AND_OPENPGP, does_not_matter, fails, identifying, is_ok, reads};

/// Where the length of the first data object stands.
fn length_at(answer: &[u8]) -> usize {
    if answer[0] & 0x1F == 0x1F { 2 } else { 1 }
}

fn one_byte_short(mut answer: Vec<u8>) -> Vec<u8> {
    answer.remove(answer.len() - 3);
    answer
}

fn length_beyond_the_end(mut answer: Vec<u8>) -> Vec<u8> {
    let at = length_at(&answer);
    answer[at] = 0x7F;
    answer.truncate(answer.len().min(40));
    answer.splice(answer.len() - 2.., [0x90, 0x00]);
    answer
}

fn indefinite_length(mut answer: Vec<u8>) -> Vec<u8> {
    let at = length_at(&answer);
    answer[at] = 0x80;
    answer
}

fn length_of_four_bytes(answer: Vec<u8>) -> Vec<u8> {
    let at = length_at(&answer);
    [&answer[..at], &[0x84, 0xFF, 0xFF, 0xFF, 0xFF], &answer[at + 1..]].concat()
}

/// A way to spoil an answer.
type Cut = fn(Vec<u8>) -> Vec<u8>;

const CUTS: [(&str, Cut); 4] = [
    ("one byte short", one_byte_short),
    ("a length beyond the end", length_beyond_the_end),
    ("an indefinite length", indefinite_length),
    ("a length of four bytes", length_of_four_bytes),
];

#[test]
fn data_that_are_cut_off_or_of_a_wrong_length() {
    let malformed = identifying(|cause| matches!(cause, Cause::Card(CardError::Malformed { .. })));
    for (name, cut) in CUTS {
        let forger =
            move |command: &[u8], answer: Vec<u8>| if reads(command) && is_ok(&answer) { cut(answer) } else { answer };
        for (kind, authority) in [&[(Kind::Gids, "server")][..], &PIV_AND_OPENPGP].concat() {
            fails(kind, authority, name, forger, &malformed);
        }
    }
}

/// The same of what a card is asked for a challenge that nobody answers: the server's call does without it.
#[test]
fn a_challenge_that_is_cut_off() {
    const METADATA: &[u8] = &[0x00, 0xF7];
    const CHALLENGE: &[u8] = &[0x00, 0x87];
    for (kind, authority, begin, object) in [
        (Kind::PivYubico, "puk", METADATA, "metadata"),
        (Kind::PivYubico, "puk", CHALLENGE, "challenge"),
        (Kind::Piv, "current-pin", CHALLENGE, "challenge"),
    ] {
        for (name, cut) in CUTS {
            let forger = move |command: &[u8], answer: Vec<u8>| {
                if command.starts_with(begin) && is_ok(&answer) { cut(answer) } else { answer }
            };
            does_not_matter(kind, authority, &format!("{object}, {name}"), forger);
        }
    }
}

/// The same of what decides whether a try may be risked: the PUK's metadata, and how an OpenPGP card has passwords sent.
#[test]
fn later_data_that_are_cut_off() {
    const KDF: &[u8] = &[0x00, 0xCA, 0x00, 0xF9];
    for (kind, authority, begin, step, object) in [
        (Kind::PivYubico, "puk", &[0x00, 0xF7, 0x00, 0x81][..], Step::Fit, "metadata"),
        (Kind::OpenPgp, "admin-pin", KDF, Step::Fit, "KDF-DO"),
        (Kind::OpenPgp, "resetting-code", KDF, Step::Fit, "KDF-DO"),
        (Kind::OpenPgp, "current-pin", KDF, Step::Fit, "KDF-DO"),
    ] {
        for (name, cut) in CUTS {
            let forger = move |command: &[u8], answer: Vec<u8>| {
                if command.starts_with(begin) && is_ok(&answer) { cut(answer) } else { answer }
            };
            let malformed = Expected {
                step,
                state: CardState::Untouched,
                cause: |cause| matches!(cause, Cause::Card(CardError::Malformed { .. })),
                commands: 8,
            };
            let failure = fails(kind, authority, &format!("{object}, {name}"), forger, &malformed);
            let named =
                matches!(&*failure.cause, Cause::Card(CardError::Malformed { object: named, .. }) if *named == object);
            assert!(named, "{object}, {name}: {failure:?}");
        }
    }
}

/// A status word alone where data are due.
#[test]
fn nothing_where_data_are_due() {
    let incomplete =
        identifying(|cause| matches!(cause, Cause::Card(CardError::Incomplete { .. } | CardError::UnusableId(_))));
    let reading: Forger = |command, answer| if reads(command) { vec![0x90, 0x00] } else { answer };
    for (kind, authority) in
        [(Kind::Gids, "server"), (Kind::Iso, "server"), (Kind::IsoImplicit, "server"), (Kind::Piv, "current-pin")]
    {
        fails(kind, authority, "no data", reading, &incomplete);
    }
    // A card that selects anything without a word and has no data is no OpenPGP card.
    let unknown = Expected { commands: CANDIDATES, ..identifying(|cause| matches!(cause, Cause::Detect(_))) };
    for authority in ["admin-pin", "resetting-code", "current-pin"] {
        fails(Kind::OpenPgp, authority, "no data", reading, &unknown);
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
    for (kind, authority) in [(Kind::Gids, "server"), (Kind::Iso, "server"), (Kind::IsoPadded, "server")] {
        fails(kind, authority, "no challenge", challenge, &no_challenge);
    }
    for (kind, authority) in PIV_AND_OPENPGP {
        does_not_matter(kind, authority, "no challenge", challenge);
    }
    // 9000 to everything is no GIDS and no PIV card; an OpenPGP card may answer its SELECT so, and then must give data.
    let everything: Forger = |_, _| vec![0x90, 0x00];
    let any = Expected {
        step: Step::Identify,
        state: CardState::Untouched,
        cause: |cause| matches!(cause, Cause::Detect(_) | Cause::Card(_)),
        commands: CANDIDATES + 3,
    };
    for (kind, authority) in [&[(Kind::Gids, "server"), (Kind::Iso, "server")][..], &PIV_AND_OPENPGP].concat() {
        fails(kind, authority, "9000 to everything", everything, &any);
    }
}

/// A card that has told of its management key tells of its PUK, too: nothing is no counter, and the PUK is not offered.
#[test]
fn no_metadata_of_the_puk_from_a_card_that_has_metadata() {
    let no_counter: Forger = |command, answer| match command {
        [_, 0xF7, _, 0x81, ..] => vec![0x90, 0x00],
        _ => answer,
    };
    let incomplete = Expected {
        step: Step::Fit,
        state: CardState::Untouched,
        cause: |cause| matches!(cause, Cause::Card(CardError::Incomplete { object: "metadata", .. })),
        commands: 6,
    };
    fails(Kind::PivYubico, "puk", "no metadata of the PUK", no_counter, &incomplete);
}

#[test]
fn an_answer_that_is_longer_than_asked() {
    let longer: Forger = |command, answer| match reads(command) && is_ok(&answer) {
        true => [&answer[..answer.len() - 2], &[0xA5; 4], &[0x90, 0x00]].concat(),
        false => answer,
    };
    let wrong =
        identifying(|cause| matches!(cause, Cause::Card(CardError::UnusableId(_) | CardError::Malformed { .. })));
    let others = [(Kind::Gids, "server"), (Kind::Iso, "server"), (Kind::IsoImplicit, "server")];
    for (kind, authority) in [&others[..], &PIV_AND_OPENPGP].concat() {
        fails(kind, authority, "a longer ID", longer, &wrong);
    }
    let longer: Forger = |command, answer| match command.get(1) {
        Some(0x84) => [&answer[..8], &[0xA5, 0x90, 0x00]].concat(),
        // One byte more in the challenge, and in the template around it.
        Some(0x87) => [&[0x7C, 0x0B, 0x81, 0x09], &answer[4..12], &[0xA5, 0x90, 0x00]].concat(),
        _ => answer,
    };
    let wrong = Expected {
        step: Step::Challenge,
        state: CardState::Untouched,
        cause: |cause| matches!(cause, Cause::Card(CardError::ChallengeLength { length: 9, expected: 8 })),
        commands: 5,
    };
    fails(Kind::Iso, "server", "a longer challenge", longer, &wrong);
    for (kind, authority) in PIV_AND_OPENPGP {
        does_not_matter(kind, authority, "a longer challenge", longer);
    }
}
