//! Cards that do not keep to the standard: the right error, the right state of the card, no try beyond the one asked for, and a
//! bounded number of commands.

mod data;
mod mutual;
mod pieces;
mod words;

use pinwright::job::secrets::Need;
use pinwright::job::{CardState, Cause, Failure, Step};
use support::provisioning::{InsertedCard, JobSetup, Kind, OLD, PIV_AND_OPENPGP, Person, TRIES, told};

/// Exchanges that one command may cause, whatever the card answers: GET RESPONSE and the one correction of Le.
const ROUNDS: usize = 300;

/// SELECTs of the built-in families, and of one profile.
const CANDIDATES: usize = 4;

/// Changes what the card has answered.
type Forger = fn(&[u8], Vec<u8>) -> Vec<u8>;

/// Answers without the card: what was refused so was never carried out.
type Refusal = fn(&[u8]) -> Option<Vec<u8>>;

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
    let at_hand = vec![Need::CurrentPin, Need::AdminKey, Need::Puk, Need::AdminPin, Need::ResettingCode];
    Person { at_hand, ..Person::knowing() }
}

#[track_caller]
fn fails(
    kind: Kind,
    authority: &str,
    case: &str,
    forger: impl FnMut(&[u8], Vec<u8>) -> Vec<u8> + Send + 'static,
    expected: &Expected,
) -> Failure {
    let inserted = InsertedCard::new(kind);
    inserted.forge(forger);
    ends(&inserted, kind, authority, case, expected)
}

#[track_caller]
fn is_refused(
    kind: Kind,
    authority: &str,
    case: &str,
    refusal: impl FnMut(&[u8]) -> Option<Vec<u8>> + Send + 'static,
    expected: &Expected,
) -> Failure {
    let inserted = InsertedCard::new(kind);
    inserted.instead(refusal);
    ends(&inserted, kind, authority, case, expected)
}

#[track_caller]
fn ends(inserted: &InsertedCard, kind: Kind, authority: &str, case: &str, expected: &Expected) -> Failure {
    let case = &format!("{kind:?} {authority}, {case}");
    let mut setup = JobSetup::new(kind, authority);
    let failure = setup.run(inserted, &mut prepared()).failed(case);
    assert_eq!((failure.step, failure.card_state()), (expected.step, expected.state), "{case}: {}", told(&failure));
    assert!((expected.cause)(&failure.cause), "{case}: {}", told(&failure));
    assert!(!failure.cause.remedy().is_empty(), "{case}");
    assert!(inserted.apdus() <= expected.commands, "{case}: {} commands", inserted.apdus());
    let most = usize::from(expected.state != CardState::Untouched);
    let offered = inserted.admin_answers() + inserted.card.with(|tap| tap.risky());
    assert!(offered <= most, "{case}: {offered} commands that could count or write");
    assert_eq!((inserted.tries(), inserted.code_tries_lost()), (TRIES, 0), "{case}: no PIN and no code was wrong");
    assert!(inserted.pin_is(OLD) && !inserted.authenticated(), "{case}");
    failure
}

/// What the card says so is of no consequence for this authority: the job ends well, and no try is lost.
#[track_caller]
fn does_not_matter(
    kind: Kind,
    authority: &str,
    case: &str,
    forger: impl FnMut(&[u8], Vec<u8>) -> Vec<u8> + Send + 'static,
) {
    let case = &format!("{kind:?} {authority}, {case}");
    let inserted = InsertedCard::new(kind);
    inserted.forge(forger);
    JobSetup::new(kind, authority).run(&inserted, &mut prepared()).ok(case);
    assert_eq!((inserted.tries(), inserted.code_tries_lost()), (TRIES, 0), "{case}: no PIN and no code was wrong");
    assert!(!inserted.pin_is(OLD) && !inserted.authenticated(), "{case}");
}

fn is_select(command: &[u8]) -> bool {
    command.starts_with(&[0x00, 0xA4, 0x04])
}

/// GET DATA and READ BINARY.
fn reads(command: &[u8]) -> bool {
    matches!(command.get(1), Some(0xCA | 0xCB | 0xB0))
}

/// VERIFY, CHANGE REFERENCE DATA or RESET RETRY COUNTER with a PIN or a code in it.
fn carries_a_secret(command: &[u8]) -> bool {
    matches!(command, [_, 0x20 | 0x24 | 0x2C, _, _, _, _, ..])
}

fn is_ok(answer: &[u8]) -> bool {
    answer.ends_with(&[0x90, 0x00])
}

/// Where authority and PIN reach the card: by themselves, or in one command.
fn first_risk(kind: Kind, authority: &str) -> Step {
    match (kind, authority) {
        (Kind::Piv | Kind::PivYubico, _) | (_, "resetting-code") => Step::SetPin,
        _ => Step::Authorize,
    }
}

fn identifying(cause: fn(&Cause) -> bool) -> Expected {
    // SELECT, two reads, or on an ISO card SELECT by name, SELECT of the file, READ BINARY; on a PIV card SELECT, CHUID, CCC,
    // GET VERSION; on an OpenPGP card behind the SELECTs of PIV and GIDS one read.
    Expected { step: Step::Identify, state: CardState::Untouched, cause, commands: 4 }
}
