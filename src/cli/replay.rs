//! `pinwright replay`: strict playback of a recording, without a card and without a server.
//!
//! The recorded operation is run by the same code as on a card. Where a secret stood the recording has `**`, so stand-ins of
//! the same length take its place.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use serde_json::json;

use super::error::CliError;
use super::inspect;
use super::record::failed;
use super::select::Chosen;
use super::world::World;
use crate::apdu::ApduError;
use crate::card::family::{DetectError, Families};
use crate::card::{CardError, PinLimits};
use crate::config::Config;
use crate::provision::fit::PolicyLengths;
use crate::provision::issuer::{Answers, Assignment, Issuer, Question, Wanted, Watch};
use crate::provision::supplier::{Need, SecretError, Supplier};
use crate::provision::{self, Authority, Cause, Desk, Failure, Job, PinMaker, Rules};
use crate::reader::fixture::Fixture;
use crate::reader::replay::{Replay, ReplayError};
use crate::reader::{ReaderError, Readers};
use crate::secret::{AdminKey, AdminResponse, Pin};
use crate::server::{AdminKeyVersion, CardParameters, ProposedPin};

/// Runs the command.
///
/// # Errors
/// See [`CliError`]: another command than recorded, the recording at its end, exchanges left over, another outcome.
pub fn run(config: &Config, path: &Path, json: bool, world: &mut World<'_>) -> Result<(), CliError> {
    let text = std::fs::read_to_string(path).map_err(|source| CliError::File { path: path.to_owned(), source })?;
    let fixture: Fixture = text.parse().map_err(|source| CliError::Fixture { path: path.to_owned(), source })?;
    let exchanges = fixture.exchanges.len();
    let operation = fixture.header("operation").unwrap_or_default().to_owned();
    let recorded = fixture.header("outcome").unwrap_or("done").to_owned();
    let played = play(fixture, &config.families)?.ok_or_else(|| CliError::NoOperation { path: path.to_owned() })?;
    if played != recorded {
        return Err(CliError::OtherOutcome { recorded, played });
    }
    if json {
        return world.print_json(&json!({
            "schema": "pinwright.replay/1",
            "outcome": "done",
            "operation": operation,
            "recorded_outcome": recorded,
            "exchanges": exchanges,
        }));
    }
    world.print(&format!("{exchanges} exchanges of {operation} played, outcome: {recorded}."))
}

/// Plays a recording; gives the outcome, or `None` where the recording names no operation that is known.
///
/// # Errors
/// What is sent and what was recorded do not agree.
fn play(fixture: Fixture, families: &Families) -> Result<Option<String>, CliError> {
    let operation = fixture.header("operation").unwrap_or_default().to_owned();
    let authority = match fixture.header("authority") {
        None | Some("server") => Authority::Server,
        Some("admin-key") => Authority::AdminKey,
        Some("current-pin") => Authority::CurrentPin,
        Some(_) => return Ok(None),
    };
    let lengths = SecretLengths::of(&fixture);
    let replay = Replay::new(fixture)?;
    let reader = replay.list()?.into_iter().map(|entry| entry.name).next().unwrap_or_default();
    let result = match operation.as_str() {
        "inspect" => inspect::report(&replay, &Chosen { reader, card_id: None }, families).map(drop),
        "enroll" => set_pin(&replay, reader, authority, lengths, families),
        _ => return Ok(None),
    };
    let outcome = match result {
        Ok(()) => "done".to_owned(),
        Err(failure) => match mismatch(&failure) {
            Some(error) => return Err(error.into()),
            None => failed(&failure),
        },
    };
    replay.finish()?;
    Ok(Some(outcome))
}

fn set_pin(
    readers: &dyn Readers,
    reader: String,
    authority: Authority,
    lengths: SecretLengths,
    families: &Families,
) -> Result<(), Failure> {
    let mut issuer = StandIn { pin: lengths.new_pin };
    let mut supplier = lengths;
    let job = Job {
        reader,
        card_id: None,
        wanted: Wanted::default(),
        rules: Rules { authorities: vec![authority], ..Rules::default() },
        families: families.clone(),
        assignment: None,
        repeat: true,
    };
    let mut desk = Desk {
        readers,
        issuer: &mut issuer,
        journal: None,
        supplier: &mut supplier,
        interrupted: &AtomicBool::new(false),
        progress: &mut |_| {},
    };
    provision::set_pin(&job, &mut desk).map(drop)
}

/// How the recording did not fit, as opposed to a recorded refusal.
fn mismatch(failure: &Failure) -> Option<ReplayError> {
    let reader = match failure.cause.as_ref() {
        Cause::Reader(error) => error,
        Cause::Detect(DetectError::NoAnswer(ApduError::Reader(error)))
        | Cause::Card(CardError::NoAnswer { source: ApduError::Reader(error), .. }) => error,
        _ => return None,
    };
    match reader {
        ReaderError::Replay(error) => Some(error.clone()),
        _ => None,
    }
}

/// Lengths of the secrets in a recording, read off the Lc of the commands that carried them.
#[derive(Debug, Clone, Copy)]
struct SecretLengths {
    new_pin: usize,
    current_pin: usize,
}

impl SecretLengths {
    fn of(fixture: &Fixture) -> Self {
        let lc_of_last = |ins: u8| {
            let commands = fixture.exchanges.iter().rev().map(|exchange| &exchange.command.0);
            commands
                .filter(|command| command.get(1) == Some(&Some(ins)) && command.len() > 5)
                .find_map(|command| command.get(4).copied().flatten().map(usize::from))
        };
        // VERIFY and RESET RETRY COUNTER carry the new PIN alone, CHANGE REFERENCE DATA the old one before it.
        let change = lc_of_last(0x24);
        let new_pin = lc_of_last(0x20).or_else(|| lc_of_last(0x2C)).or(change.map(|both| both / 2)).unwrap_or(8);
        Self { new_pin, current_pin: change.map_or(8, |both| both.saturating_sub(new_pin)) }
    }
}

impl Supplier for SecretLengths {
    fn at_hand(&self, _need: Need) -> bool {
        true
    }

    fn new_pin(&mut self, _limits: PinLimits) -> Result<Pin, SecretError> {
        Ok(Pin::zeros(self.new_pin))
    }

    fn consent(&mut self, _card: &str, _watch: Watch<'_>) -> Result<(), Cause> {
        Ok(())
    }

    fn current_pin(&mut self) -> Result<Pin, SecretError> {
        Ok(Pin::zeros(self.current_pin))
    }

    fn admin_key(&mut self) -> Result<AdminKey, SecretError> {
        AdminKey::new(&[0; AdminKey::LENGTH]).ok_or(SecretError::Cancelled { what: "the admin key" })
    }
}

/// The server's part: stand-ins for its secrets.
struct StandIn {
    pin: usize,
}

impl Issuer for StandIn {
    fn resolve(&mut self, _: &CardParameters, _: Wanted, _: Watch<'_>) -> Result<Assignment, Cause> {
        Ok(Assignment {
            smartcard: uuid::Uuid::nil(),
            request: Some(uuid::Uuid::nil()),
            admin_key: Ok(AdminKeyVersion::Default),
            pin_maker: PinMaker::Ask,
            pin_option: String::new(),
            policy: PolicyLengths::default(),
        })
    }

    fn ask(
        &mut self,
        _: &Assignment,
        card: &CardParameters,
        question: Question,
        _: Watch<'_>,
    ) -> Result<Answers, Cause> {
        Ok(Answers {
            pin: question.pin.then(|| ProposedPin::Pin(Pin::zeros(self.pin))),
            answer: question.answer.map(|_| AdminResponse::new(&vec![0; card.challenge.len()])),
        })
    }
}
