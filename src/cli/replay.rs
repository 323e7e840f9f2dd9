//! `pinwright replay`: strict playback of a recording, without a card and without a server.
//!
//! The recorded operation is run by the same code as on a card. A recording has `**` where a secret stood, so the playback
//! sends zeros of the same length there.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use serde::Serialize;

use super::context::CommandContext;
use super::error::CliError;
use super::inspect;
use super::json::Head;
use super::record::{RecordedOperation, failed};
use crate::apdu::ApduError;
use crate::card::family::{DetectError, Families};
use crate::card::{CardError, PinLimits};
use crate::config::Config;
use crate::job::authority::Authority;
use crate::job::consent::{Proposal, Standing};
use crate::job::desk::Desk;
use crate::job::fit::PolicyLengths;
use crate::job::issuer::PinMaker;
use crate::job::issuer::{Answers, Assignment, Issuer, Question, Wanted, Watch};
use crate::job::secrets::{Need, SecretError};
use crate::job::supplier::Supplier;
use crate::job::{Cause, Failure};
use crate::operation::Operation;
use crate::provision;
use crate::provision::{Asked, Job, Rules};
use crate::reader::fixture::Fixture;
use crate::reader::replay::{Replay, ReplayError};
use crate::reader::{ReaderError, Readers};
use crate::secret::{AdminKey, AdminResponse, Code, Pin};
use crate::server::{AdminKeyVersion, CardParameters, ProposedPin};

/// `pinwright.replay/1`.
#[derive(Serialize)]
struct PlayedObject<'a> {
    #[serde(flatten)]
    head: Head,
    operation: &'a str,
    recorded_outcome: &'a str,
    exchanges: usize,
}

/// Runs the command. No card is touched, so no try is spent.
///
/// # Errors
/// [`CliError::File`], [`CliError::Fixture`] and [`CliError::NoOperation`] where the file can't be played;
/// [`CliError::Replay`] where another command is sent than was recorded, the recording ends early or exchanges are left over;
/// [`CliError::OtherOutcome`]; and [`CliError::Output`].
pub fn run(config: &Config, path: &Path, json: bool, context: &mut CommandContext<'_>) -> Result<(), CliError> {
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
        return context.print_json(&PlayedObject {
            head: Head::done(Operation::Replay.schema()),
            operation: &operation,
            recorded_outcome: &recorded,
            exchanges,
        });
    }
    context.print(&format!("{exchanges} exchanges of {operation} played, outcome: {recorded}."))
}

/// Plays a recording. Gives the outcome, or `None` where the recording names no operation or authority that is known.
///
/// # Errors
/// [`CliError::Replay`] where what is sent and what was recorded do not agree.
fn play(fixture: Fixture, families: &Families) -> Result<Option<String>, CliError> {
    let operation = fixture.header("operation").unwrap_or_default().to_owned();
    let authority = match fixture.header("authority") {
        None => Authority::Server,
        Some(name) => match Authority::named(name) {
            Some(authority) => authority,
            None => return Ok(None),
        },
    };
    let lengths = SecretLengths::of(&fixture);
    let replay = Replay::new(fixture)?;
    let reader = replay.list()?.into_iter().map(|entry| entry.name).next().unwrap_or_default();
    let Some(operation) = RecordedOperation::named(&operation) else { return Ok(None) };
    let result = match operation {
        RecordedOperation::Inspect => {
            inspect::report(&replay, &reader, families, None, inspect::Detail::Full).map(drop)
        }
        RecordedOperation::SetPin | RecordedOperation::Enroll => set_pin(&replay, reader, authority, lengths, families),
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
    let mut issuer = ZerosIssuer { pin: lengths.new_pin };
    let mut supplier = lengths;
    let job = Job {
        reader,
        card_id: None,
        wanted: Wanted::default(),
        rules: Rules { authorities: vec![authority], ..Rules::default() },
        families: families.clone(),
        assignment: None,
        asked: Asked::Again,
        risk: None,
    };
    let mut desk = Desk {
        readers,
        issuer: &mut issuer,
        journal: None,
        elsewhere: None,
        supplier: &mut supplier,
        interrupted: &AtomicBool::new(false),
        progress: &mut |_| {},
    };
    provision::set_pin(&job, &mut desk).map(drop)
}

/// The disagreement with the recording, where that is what the failure is; `None` for a refusal that was recorded.
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

/// Lengths in bytes of the secrets in a recording, read off the Lc of the commands that carried them. As a supplier it gives
/// zeros of these lengths.
#[derive(Debug, Clone, Copy)]
struct SecretLengths {
    new_pin: usize,
    current_pin: usize,
    code: usize,
}

impl SecretLengths {
    fn of(fixture: &Fixture) -> Self {
        let lc_of_last = |wanted: &dyn Fn(u8, u8, u8) -> bool| {
            let commands = fixture.exchanges.iter().rev().map(|exchange| &exchange.command.0);
            commands.filter(|command| command.len() > 5).find_map(|command| match command.as_slice() {
                [_, Some(ins), Some(p1), Some(p2), Some(lc), ..] if wanted(*ins, *p1, *p2) => Some(usize::from(*lc)),
                _ => None,
            })
        };
        // VERIFY and RESET RETRY COUNTER (P1 = 02) carry the new PIN alone, CHANGE REFERENCE DATA and RESET RETRY COUNTER (P1 = 00)
        // the old PIN or the code before it; VERIFY with reference 83 carries the admin PIN.
        let change = lc_of_last(&|ins, _, _| ins == 0x24);
        let with_code = lc_of_last(&|ins, p1, _| (ins, p1) == (0x2C, 0x00));
        let new_pin = lc_of_last(&|ins, _, p2| ins == 0x20 && p2 != ADMIN_PIN)
            .or_else(|| lc_of_last(&|ins, p1, _| (ins, p1) == (0x2C, 0x02)))
            .or(change.or(with_code).map(|both| both / 2))
            .unwrap_or(8);
        let rest = |both: Option<usize>| both.map(|both| both.saturating_sub(new_pin));
        Self {
            new_pin,
            current_pin: rest(change).unwrap_or(8),
            code: rest(with_code).or(lc_of_last(&|ins, _, p2| (ins, p2) == (0x20, ADMIN_PIN))).unwrap_or(8),
        }
    }
}

/// The reference of an OpenPGP card's admin PIN.
const ADMIN_PIN: u8 = 0x83;

impl Supplier for SecretLengths {
    fn at_hand(&self, _need: Need) -> bool {
        true
    }

    fn new_pin(&mut self, _limits: PinLimits) -> Result<Pin, SecretError> {
        Ok(Pin::zeros(self.new_pin))
    }

    fn standing(&self) -> Standing {
        Standing::Given
    }

    fn consent(&mut self, _: &Proposal<'_>, _: Watch<'_>) -> Result<(), Cause> {
        Ok(())
    }

    fn current_pin(&mut self) -> Result<Pin, SecretError> {
        Ok(Pin::zeros(self.current_pin))
    }

    fn admin_key(&mut self) -> Result<AdminKey, SecretError> {
        AdminKey::new(&[0; AdminKey::LENGTH]).ok_or(SecretError::Cancelled { what: "the admin key" })
    }

    fn code(&mut self, _need: Need) -> Result<Code, SecretError> {
        Ok(Code::zeros(self.code))
    }
}

/// Stands in for the server: knows one card and one request, and gives zeros for its secrets.
struct ZerosIssuer {
    /// Length of the PIN that it proposes.
    pin: usize,
}

impl Issuer for ZerosIssuer {
    fn resolve(&mut self, _: &CardParameters, _: Wanted, _: Watch<'_>) -> Result<Assignment, Cause> {
        Ok(Assignment {
            smartcard: uuid::Uuid::nil(),
            request: Some(uuid::Uuid::nil()),
            atr: String::new(),
            target_user: None,
            is_of_others: false,
            is_executing: false,
            template: None,
            template_name: None,
            admin_key: Ok(AdminKeyVersion::Default),
            evidence: String::new(),
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

    fn template_name(&mut self, _: uuid::Uuid, _: Watch<'_>) -> Result<Option<String>, Cause> {
        // Nobody is asked for a yes, so nobody is told one.
        Ok(None)
    }
}
