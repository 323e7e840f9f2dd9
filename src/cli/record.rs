//! `pinwright record`: an operation on a real card as an `.apdu` file, secrets masked at the source.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::time::SystemTime;

use clap::{Args, ValueEnum};

use super::enroll::{Desktop, JobArgs, done, provision, warn};
use super::error::CliError;
use super::inspect;
use super::select::choose;
use super::world::World;
use crate::config::Config;
use crate::job::Failure;
use crate::job::authority::Authority;
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
    let out = Out::create(args.out.clone())?;
    let recording = Recording::new(desktop.readers);
    match operate(config, args, Desktop { readers: &recording, ..desktop }, world) {
        // There was no card to record.
        Operated { error: Some(error), outcome: None, .. } => {
            out.discard();
            Err(error)
        }
        operated => conclude(out, recording.fixture(), args, operated, json, world),
    }
}

/// What came of the operation.
#[derive(Default)]
struct Operated {
    /// As the header tells it; `None` where it did not come to a card.
    outcome: Option<String>,
    authority: Option<Authority>,
    /// What was done, in a sentence without its end.
    done: Option<String>,
    error: Option<CliError>,
}

impl From<CliError> for Operated {
    fn from(error: CliError) -> Self {
        let outcome = match &error {
            CliError::Failure(failure) => Some(failed(failure)),
            _ => None,
        };
        Self { outcome, error: Some(error), ..Self::default() }
    }
}

fn operate(config: &Config, args: &RecordArgs, desktop: Desktop<'_>, world: &mut World<'_>) -> Operated {
    let outcome = Some("done".to_owned());
    match args.operation {
        Operation::Inspect => {
            let report = choose(desktop.readers, &config.ignored_readers, &args.job.choice, &config.families)
                .map_err(CliError::from)
                .and_then(|chosen| {
                    Ok(inspect::report(desktop.readers, &chosen, &config.families, inspect::Detail::Full)?)
                });
            match report {
                Ok(_) => Operated { outcome, done: Some("the card was read".to_owned()), ..Operated::default() },
                Err(error) => error.into(),
            }
        }
        Operation::Enroll => match provision(config, &args.job, desktop, world) {
            Ok((job, _)) => {
                warn(&job, world);
                Operated { outcome, authority: Some(job.authority), done: Some(done(&job)), error: None }
            }
            Err(error) => Operated { authority: config.rules.authorities.first().copied(), ..error.into() },
        },
    }
}

/// Writes the recording, and tells how the operation ended: whatever comes of the recording takes nothing of that back.
fn conclude(
    out: Out,
    fixture: Fixture,
    args: &RecordArgs,
    operated: Operated,
    json: bool,
    world: &mut World<'_>,
) -> Result<(), CliError> {
    let Operated { outcome, authority, done, error } = operated;
    let outcome = outcome.unwrap_or_default();
    let exchanges = fixture.exchanges.len();
    let answers_are_known = fixture.exchanges.iter().all(|exchange| exchange.response.bytes().is_some());
    let playable = match &error {
        Some(CliError::Failure(failure)) => answers_are_known && failure.cause.status().is_some(),
        Some(_) => false,
        None => answers_are_known,
    };
    let written = out.write(&headed(fixture, args, &outcome, authority, playable));
    match (error, written) {
        (Some(error), Ok(())) => {
            world.say(&format!("{exchanges} exchanges recorded in {}.", args.out.display()));
            Err(error)
        }
        (Some(error), Err(source)) => {
            world.say(&format!("warning: the recording could not be written to {} ({source})", args.out.display()));
            Err(error)
        }
        (None, Err(source)) => {
            Err(CliError::Unrecorded { done: done.unwrap_or_default(), path: args.out.clone(), source })
        }
        (None, Ok(())) => {
            let printed = if json {
                world.print_json(&serde_json::json!({
                    "schema": "pinwright.record/1",
                    "outcome": outcome,
                    "operation": args.operation.name(),
                    "file": args.out,
                    "exchanges": exchanges,
                }))
            } else {
                world.print(&format!("{exchanges} exchanges recorded in {}.", args.out.display()))
            };
            printed.map_err(|error| error.after(done.unwrap_or_default()))
        }
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

/// The recording's file, made before the card is touched: a place that can't be written to is known by then.
struct Out {
    path: PathBuf,
    file: File,
}

impl Out {
    fn create(path: PathBuf) -> Result<Self, CliError> {
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => Ok(Self { path, file }),
            Err(source) => Err(CliError::File { path, source }),
        }
    }

    /// A part of a recording is none: where the whole can't be written, nothing stays.
    fn write(mut self, fixture: &Fixture) -> std::io::Result<()> {
        let written = self.file.write_all(fixture.to_string().as_bytes()).and_then(|()| self.file.sync_all());
        if written.is_err() {
            self.discard();
        }
        written
    }

    fn discard(self) {
        // An empty file that stays is in the way of the next recording, and is then told.
        drop(std::fs::remove_file(&self.path));
    }
}

#[cfg(test)]
mod tests;
