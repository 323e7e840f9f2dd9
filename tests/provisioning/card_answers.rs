//! Answers without end, without content, and without measure: bounded, and told for what they are.

use pinwright::job::CardState;
use support::provisioning::{InsertedCard, JobSetup, Kind, OLD, PIV_AND_OPENPGP, Person, TRIES, told};
use support::sample::Sample;

type Forger = fn(&[u8], Vec<u8>) -> Vec<u8>;

const FORGERS: [(&str, Forger); 14] = [
    ("61xx without end and without data", |_, _| vec![0x61, 0x10]),
    ("61xx without end, one byte each", |_, _| vec![0xA5, 0x61, 0x10]),
    ("61xx without end, 256 bytes each", |_, _| [vec![0xA5; 256], vec![0x61, 0x00]].concat()),
    ("61xx without end, 1,000 bytes each", |_, _| [vec![0xA5; 1000], vec![0x61, 0x00]].concat()),
    ("61xx to commands, nothing to GET RESPONSE", |command, answer| match command.get(1) {
        Some(0xC0) => vec![0x90, 0x00],
        _ if answer.len() > 2 => vec![0x61, 0x10],
        _ => answer,
    }),
    ("6Cxx without end", |_, _| vec![0x6C, 0x08]),
    ("6C00 without end", |_, _| vec![0x6C, 0x00]),
    (
        "6Cxx and 61xx in turn",
        |command, _| if command.get(1) == Some(&0xC0) { vec![0x6C, 0x08] } else { vec![0x61, 0x08] },
    ),
    ("70 kB", |_, answer| [vec![0xA5; 70_000], answer].concat()),
    ("64 kB", |_, answer| [vec![0x00; 65_000], answer].concat()),
    ("nothing", |_, _| Vec::new()),
    ("one byte", |_, _| vec![0x90]),
    ("9000 alone", |_, _| vec![0x90, 0x00]),
    ("its own command back", |command, _| command.to_vec()),
];

/// From each exchange on the card answers so to everything, whether it has executed the command or not.
#[test]
fn every_kind_of_answer_from_every_exchange_on() {
    let (mut cases, mut sample) = (0, Sample::from(0));
    let others = [
        (Kind::Gids, "server"),
        (Kind::Gids, "current-pin"),
        (Kind::IsoPadded, "server"),
        (Kind::IsoPadded, "current-pin"),
        (Kind::IsoT0, "server"),
        (Kind::IsoUnblocking, "puk"),
    ];
    for (kind, authority) in others.into_iter().chain(PIV_AND_OPENPGP) {
        let mut setup = JobSetup::new(kind, authority);
        let good = InsertedCard::new(kind);
        setup.run(&good, &mut Person::knowing()).ok("good");
        for at in 0..good.apdus() {
            for (name, forger) in FORGERS {
                for executed in [true, false] {
                    if !sample.takes() {
                        continue;
                    }
                    cases += 1;
                    case(&mut setup, kind, at, (name, forger), executed, &format!("{kind:?} {authority}"));
                }
            }
        }
    }
    println!("hostile answers: {cases} cases{sample}, 0 violations");
}

fn case(setup: &mut JobSetup, kind: Kind, at: usize, (name, forger): (&str, Forger), executed: bool, who: &str) {
    let case = format!("{who}, from exchange {at} on, {}: {name}", if executed { "executed" } else { "not executed" });
    let inserted = InsertedCard::new(kind);
    let mut index = 0;
    if executed {
        inserted.forge(move |command, answer| {
            index += 1;
            if index > at { forger(command, answer) } else { answer }
        });
    } else {
        inserted.instead(move |command| {
            index += 1;
            (index > at).then(|| forger(command, vec![0xA5, 0x90, 0x00]))
        });
    }
    let pins = setup.server.state().pins().len();
    let run = setup.run(&inserted, &mut Person::knowing());
    let made = setup.server.state().pins().get(pins..).and_then(|made| made.last().cloned());
    let new_on = made.as_deref().is_some_and(|pin| inserted.pin_is(pin));
    assert!(inserted.apdus() <= 320, "{case}: {} commands", inserted.apdus());
    // The current PIN or PW3 by itself, the change, the new PIN; or the new PIN, with a code or after the answer, and once more.
    let most = if who.contains("current-pin") || who.contains("admin-pin") { 3 } else { 2 };
    assert!(inserted.admin_answers() <= 1 && inserted.card.with(|tap| tap.risky()) <= most, "{case}");
    assert!(!inserted.authenticated(), "{case}");
    assert_eq!((inserted.tries(), inserted.code_tries_lost()), (TRIES, 0), "{case}");
    match run.result {
        // A card that says 9000 to everything has the last word: nothing else can be asked.
        Ok(_) => assert!(new_on || !executed, "{case}: success without the PIN"),
        Err(failure) => {
            // What the card refuses (6Cxx) although it has carried it out, nobody can know.
            let lied = executed && name.starts_with("6C");
            let truth = match failure.card_state() {
                CardState::Untouched | CardState::TrySpent => inserted.pin_is(OLD) || lied,
                CardState::PinSet => new_on || !executed,
                // An enrollment alone ends so.
                CardState::Changed => false,
                CardState::Unknown => inserted.pin_is(OLD) || new_on,
            };
            assert!(truth, "{case}: {}", told(&failure));
            assert!(!failure.cause.remedy().is_empty(), "{case}");
        }
    }
}

/// Pseudo-random answers of every length up to 40, to everything: no panic, no PIN at risk.
#[test]
fn noise() {
    let mut setup = JobSetup::new(Kind::Gids, "server");
    for seed in 1..400_u64 {
        let inserted = InsertedCard::new(Kind::Gids);
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        inserted.forge(move |_, mut answer| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let bytes = state.to_le_bytes();
            // Most answers stay as they are, so that the noise gets far.
            match bytes[0] % 8 {
                0 => answer.iter_mut().zip(bytes.iter().cycle()).for_each(|(byte, noise)| *byte ^= noise),
                1 => answer.truncate(usize::from(bytes[1] % 20)),
                2 => {
                    let at = usize::from(bytes[1]) % answer.len().max(1);
                    if let Some(byte) = answer.get_mut(at) {
                        *byte ^= 1 << (bytes[2] % 8);
                    }
                }
                _ => {}
            }
            answer
        });
        let pins = setup.server.state().pins().len();
        let run = setup.run(&inserted, &mut Person::default());
        assert!(inserted.apdus() < 320 && inserted.admin_answers() <= 1 && !inserted.authenticated(), "seed {seed}");
        let made = setup.server.state().pins().get(pins..).and_then(|made| made.last().cloned());
        let new_on = made.as_deref().is_some_and(|pin| inserted.pin_is(pin));
        assert!(inserted.pin_is(OLD) || new_on, "seed {seed}");
        assert!(run.result.is_err() || new_on, "seed {seed}");
    }
}
