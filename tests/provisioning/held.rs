//! What is known of a card while a job holds it and once a command was refused or lost: proof, PIN, and what the journal says.

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use pinwright::card::Credential;
use pinwright::job::effect::{Change, Effect, ProofState};
use pinwright::job::held::{HeldCard, OpenCard};
use pinwright::job::journal::{Facts, Journal, Phase, Stage};
use pinwright::job::{CardState, Cause};
use pinwright::reader::Readers as _;
use pinwright::reader::record::Recording;
use pinwright::reader::replay::Replay;
use pinwright::secret::{AdminResponse, Code, Pin};
use pinwright::sim::fault::Fault;
use support::provisioning::{CARD_A, CODE, InsertedCard, JobSetup, Kind, Lines, OLD, Person, READER, told};
use uuid::Uuid;

fn journal(folder: &tempfile::TempDir) -> Journal {
    Journal::new(folder.path().join("journal"), Duration::from_secs(3600))
}

fn held(inserted: &InsertedCard, kind: Kind) -> HeldCard {
    let families = JobSetup::new(kind, "current-pin").config.families;
    OpenCard::open(&inserted.readers, READER).unwrap().identify(&families).unwrap()
}

/// The commands of a job that goes well, in order.
fn commands(kind: Kind, authority: &str) -> Vec<Vec<u8>> {
    let inserted = InsertedCard::new(kind);
    JobSetup::new(kind, authority).run(&inserted, &mut Person::knowing()).ok("a job that goes well");
    inserted.card.with(|tap| tap.sent.clone())
}

/// The last command that carries a proof, is the PIN's write, or its verification.
fn at(commands: &[Vec<u8>], is_it: impl Fn(&[u8]) -> bool) -> usize {
    commands.iter().rposition(|command| is_it(command)).unwrap()
}

fn is_verify(command: &[u8]) -> bool {
    command[1] == 0x20 && command.len() > 5
}

fn is_write(command: &[u8]) -> bool {
    command[1] == 0x2C
}

fn is_admin_answer(command: &[u8]) -> bool {
    command.starts_with(&[0x00, 0x87, 0x00, 0x00, 0x0C, 0x7C, 0x0A, 0x82])
}

/// A refusal is one, and an answer that is lost is none: the journal keeps them apart, and so does what is told of the card.
#[test]
fn a_lost_answer_is_no_refusal() {
    type IsIt = fn(&[u8]) -> bool;
    use {Change::*, ProofState::*};
    let unverified = New { verified: false };
    let cases: [(&str, IsIt, Fault, Effect, CardState); 5] = [
        (
            "proof refused",
            is_admin_answer,
            Fault::StatusWord(0x6982),
            Effect { proof: Refused, ..Effect::default() },
            CardState::TrySpent,
        ),
        (
            "proof lost",
            is_admin_answer,
            Fault::LostAnswer,
            Effect { proof: Shown, ..Effect::default() },
            CardState::TrySpent,
        ),
        (
            "write lost",
            is_write,
            Fault::LostAnswer,
            Effect { proof: Accepted, pin: Unknown, ..Effect::default() },
            CardState::Unknown,
        ),
        (
            "verification refused",
            is_verify,
            Fault::StatusWord(0x63C2),
            Effect { proof: Accepted, pin: Unknown, ..Effect::default() },
            CardState::Unknown,
        ),
        (
            "verification lost",
            is_verify,
            Fault::LostAnswer,
            Effect { proof: Accepted, pin: unverified, ..Effect::default() },
            CardState::PinSet,
        ),
    ];
    let commands = commands(Kind::Gids, "server");
    for (case, is_it, fault, effect, state) in cases {
        let folder = tempfile::tempdir().unwrap();
        let mut setup = JobSetup::new(Kind::Gids, "server");
        setup.journal = Some(journal(&folder));
        let inserted = InsertedCard::new(Kind::Gids);
        inserted.card.with(|tap| tap.faulty.after(at(&commands, is_it), fault));
        let failure = setup.run(&inserted, &mut Person::default()).failed(case);
        assert_eq!((failure.effect, failure.card_state()), (effect, state), "{case}: {}", told(&failure));
        let history = journal(&folder).history().unwrap();
        assert_eq!(history.records.iter().map(|record| record.effect()).collect::<Vec<_>>(), [effect], "{case}");
    }
}

/// What goes to the card with the new PIN is not shown before it: a job that is cut off in between has spent no try. And that the
/// PIN is set is noted before the card is asked to verify it.
#[test]
fn each_stage_is_noted_with_what_it_shows() {
    use ProofState::{Accepted, NotShown, Shown};
    for (kind, authority, before, with_the_pin) in [
        (Kind::Gids, "server", Shown, Accepted),
        (Kind::Gids, "current-pin", Shown, Shown),
        (Kind::Piv, "puk", NotShown, Shown),
        (Kind::OpenPgp, "resetting-code", NotShown, Shown),
        (Kind::OpenPgp, "admin-pin", Shown, Accepted),
    ] {
        let case = format!("{kind:?} {authority}");
        let folder = tempfile::tempdir().unwrap();
        let mut setup = JobSetup::new(kind, authority);
        setup.journal = Some(journal(&folder));
        setup.run(&InsertedCard::new(kind), &mut Person::knowing()).ok(&case);
        let records = journal(&folder).history().unwrap().records;
        let noted: Vec<_> = records[0].entries.iter().map(|entry| (entry.stage, entry.phase, entry.proof)).collect();
        let expected = [
            (Stage::Prove, Phase::AboutTo, before),
            (Stage::Pin, Phase::AboutTo, with_the_pin),
            (Stage::Pin, Phase::Done, Accepted),
            (Stage::Verify, Phase::Done, Accepted),
        ];
        assert_eq!(noted, expected, "{case}");
    }
}

/// PIV's fields have eight bytes, and what stands in them at least six: what has another length is not sent, and nothing is in doubt.
#[test]
fn what_is_not_sent_leaves_nothing_in_doubt() {
    let inserted = InsertedCard::new(Kind::Piv);
    let mut card = held(&inserted, Kind::Piv);
    inserted.forget_sent();
    let (short, code) = (Pin::new(b"123").unwrap(), Code::new(CODE).unwrap());
    let cause = card.set_pin(&Credential::Puk(&code), &short).unwrap_err();
    let failure = card.failure(cause);
    assert!(failure.effect.is_none() && failure.card_state() == CardState::Untouched, "{}", told(&failure));
    let cause = card.set_pin(&Credential::CurrentPin(&short), &Pin::new(OLD).unwrap()).unwrap_err();
    assert!(card.failure(cause).effect.is_none());
    assert_eq!(inserted.apdus(), 0);
    card.end().unwrap();

    // The answer to a challenge of eight bytes has eight.
    let inserted = InsertedCard::new(Kind::Gids);
    let mut card = held(&inserted, Kind::Gids);
    inserted.forget_sent();
    let answer = Credential::Answer(AdminResponse::new(&[0; 9]));
    assert!(!card.shows_first(&answer));
    let cause = card.authorize(&answer).unwrap_err();
    assert!(card.failure(cause).effect.is_none());
    assert_eq!(inserted.apdus(), 0);
    card.end().unwrap();
}

/// Windows resets a card whose transaction is idle for 5 s: the system is asked for it every 2 s, and not at every look.
#[test]
fn a_card_is_kept_while_the_server_is_awaited() {
    let inserted = InsertedCard::new(Kind::Gids);
    let mut card = held(&inserted, Kind::Gids);
    // Whoever asks for it now finds out that it is gone.
    inserted.slot.remove();
    let (begun, on) = (Instant::now(), AtomicBool::new(false));
    let mut watch = card.watch(&on);
    let cause = loop {
        match watch() {
            Ok(()) => assert!(begun.elapsed() < Duration::from_secs(60), "the system is not asked"),
            Err(cause) => break cause,
        }
        std::thread::yield_now();
    };
    assert!(matches!(cause, Cause::Reader(_)), "{cause}");
    assert!(begun.elapsed() >= Duration::from_secs(2), "the system is asked at once");
}

/// What a later job, a person and a SIEM read of a job is in its record: which card, for whom, how, and where it stopped.
#[test]
fn a_record_says_which_card_for_whom_and_how() {
    let employee = Uuid::from_u128(0x50);
    let folder = tempfile::tempdir().unwrap();
    let mut setup = JobSetup::with(Kind::Gids, "server", &Lines::default(), |settings| {
        (settings.requests[0].user, settings.cards[0].user) = (employee, employee);
    });
    setup.wanted.visible = true;
    setup.journal = Some(journal(&folder));
    let inserted = InsertedCard::new(Kind::Gids);
    let outcome = setup.run(&inserted, &mut Person::default()).ok("an employee's");
    let records = journal(&folder).history().unwrap().records;
    let facts = Facts {
        reader: Some(READER.to_owned()),
        atr: Some(Kind::Gids.atr()),
        card_id: Some(Kind::Gids.guid(CARD_A)),
        request: outcome.request,
        smartcard: Some(outcome.smartcard),
        target_user: Some(employee),
        template: outcome.template,
        template_name: outcome.template_name,
        authority: Some("server".to_owned()),
        admin_key: Some("default".to_owned()),
        pin_source: Some("server".to_owned()),
        ..Facts::default()
    };
    assert!(facts.request.is_some() && facts.template.is_some() && facts.template_name.is_some());
    assert_eq!(records[0].entries[0].facts, facts);

    inserted.instead(|command| is_admin_answer(command).then(|| vec![0x69, 0x82]));
    setup.run(&inserted, &mut Person::default()).failed("refused");
    let records = journal(&folder).history().unwrap().records;
    let last = records[1].entries.last().unwrap();
    let stopped =
        Facts { stopped_at: Some("authorize".to_owned()), status_word: Some("6982".to_owned()), ..Facts::default() };
    assert_eq!((&last.facts, last.phase), (&stopped, Phase::Refused));
}

/// What is played back ends before the write: no card was reached, and none is in doubt.
#[test]
fn a_recording_that_has_ended_leaves_no_card_in_doubt() {
    let inserted = InsertedCard::new(Kind::Piv);
    let families = JobSetup::new(Kind::Piv, "current-pin").config.families;
    let recording = Recording::new(&inserted.readers);
    OpenCard::open(&recording, READER).unwrap().identify(&families).unwrap().end().unwrap();
    let replay = Replay::new(recording.fixture()).unwrap();
    let reader = replay.list().unwrap().remove(0).name;
    let mut card = OpenCard::open(&replay, &reader).unwrap().identify(&families).unwrap();
    let (current, new) = (Pin::new(OLD).unwrap(), Pin::new(b"97531864").unwrap());
    let cause = card.set_pin(&Credential::CurrentPin(&current), &new).unwrap_err();
    let failure = card.failure(cause);
    assert_eq!(failure.effect.pin, Change::AsBefore, "{}", told(&failure));
}
