//! `pinwright record`: an operation on a real card as an `.apdu` file, secrets masked at the source.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::{Args, ValueEnum};

use super::enroll::{Desktop, JobArgs, provision};
use super::error::CliError;
use super::inspect;
use super::select::choose;
use super::world::World;
use crate::config::Config;
use crate::provision::{Authority, Failure};
use crate::reader::fixture::Fixture;
use crate::reader::record::Recording;

/// What is recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Operation {
    /// `inspect`: nothing is written to the card.
    #[default]
    Inspect,
    /// `enroll`: the PIN is set.
    Enroll,
}

impl Operation {
    /// What happens, in a sentence.
    #[must_use]
    pub fn scenario(self) -> &'static str {
        match self {
            Self::Inspect => "a card is read: application, card ID, tries left, certificate files",
            Self::Enroll => "the user PIN is to be set and verified",
        }
    }

    /// The name in the recording's header.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Inspect => "inspect",
            Self::Enroll => "enroll",
        }
    }
}

/// What to record, and where to.
#[derive(Debug, Clone, Args)]
pub struct RecordArgs {
    /// The file to write; it must not exist.
    pub out: PathBuf,
    /// The operation.
    #[arg(value_enum, default_value_t)]
    pub operation: Operation,
    /// The make of the card, for the recording's header.
    #[arg(long, value_name = "TEXT", default_value = "not told")]
    pub card: String,
    /// The card and, for `enroll`, the job.
    #[command(flatten)]
    pub job: JobArgs,
}

/// Runs the command. A job that fails is recorded too.
///
/// # Errors
/// See [`CliError`].
pub fn run(
    config: &Config,
    args: &RecordArgs,
    json: bool,
    desktop: Desktop<'_>,
    world: &mut World<'_>,
) -> Result<(), CliError> {
    if args.out.exists() {
        let source = std::io::Error::from(std::io::ErrorKind::AlreadyExists);
        return Err(CliError::File { path: args.out.clone(), source });
    }
    let recording = Recording::new(desktop.readers);
    let (outcome, authority, error) = match args.operation {
        Operation::Inspect => {
            let chosen = choose(&recording, &config.ignored_readers, &args.job.choice, &config.families)?;
            match inspect::report(&recording, &chosen, &config.families, inspect::Detail::Full) {
                Ok(_) => ("done".to_owned(), None, None),
                Err(failure) => (failed(&failure), None, Some(CliError::from(failure))),
            }
        }
        Operation::Enroll => match provision(config, &args.job, Desktop { readers: &recording, ..desktop }, world) {
            Ok((outcome, _)) => ("done".to_owned(), Some(outcome.authority), None),
            Err(CliError::Failure(failure)) => {
                (failed(&failure), config.rules.authorities.first().copied(), Some(failure.into()))
            }
            Err(other) => return Err(other),
        },
    };
    let fixture = recording.fixture();
    let answers_are_known = fixture.exchanges.iter().all(|exchange| exchange.response.bytes().is_some());
    let playable = match &error {
        Some(CliError::Failure(failure)) => answers_are_known && failure.cause.status().is_some(),
        Some(_) => false,
        None => answers_are_known,
    };
    let fixture = headed(fixture, args, &outcome, authority, playable);
    write(&args.out, &fixture)?;
    let exchanges = fixture.exchanges.len();
    match error {
        Some(error) => {
            world.say(&format!("{exchanges} exchanges recorded in {}.", args.out.display()));
            Err(error)
        }
        None if json => world.print_json(&serde_json::json!({
            "schema": "pinwright.record/1",
            "outcome": outcome,
            "operation": args.operation.name(),
            "file": args.out,
            "exchanges": exchanges,
        })),
        None => world.print(&format!("{exchanges} exchanges recorded in {}.", args.out.display())),
    }
}

/// The outcome of a failed job as the header tells it.
#[must_use]
pub fn failed(failure: &Failure) -> String {
    format!("failed {}", failure.step.name())
}

fn headed(
    mut fixture: Fixture,
    args: &RecordArgs,
    outcome: &str,
    authority: Option<Authority>,
    playable: bool,
) -> Fixture {
    let day = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    // One line each: a header can't hold a line end.
    let mut put = |key: &str, value: &str| fixture.headers.push((key.to_owned(), value.replace(['\n', '\r'], " ")));
    put("card", &args.card);
    put("scenario", args.operation.scenario());
    // Only what the card decided can be played without a server, and only answers that could be kept: the rest are recordings of
    // the wire alone.
    if playable {
        put("operation", args.operation.name());
    }
    if let Some(authority) = authority {
        put("authority", authority.name());
    }
    put("outcome", outcome);
    put("origin", concat!("recorded by pinwright ", env!("CARGO_PKG_VERSION")));
    put("recorded", day.get(..10).unwrap_or_default());
    fixture
}

fn write(path: &Path, fixture: &Fixture) -> Result<(), CliError> {
    let failed = |source| CliError::File { path: path.to_owned(), source };
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(failed)?;
    file.write_all(fixture.to_string().as_bytes()).map_err(failed)
}
