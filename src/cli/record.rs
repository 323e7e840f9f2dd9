//! `pinwright record`: an operation on a card as an `.apdu` file. Secrets are masked before they reach the recording.

use std::borrow::Cow;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::time::SystemTime;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::context::CommandContext;
use super::error::CliError;
use super::inspect;
use super::json::Head;
use super::select::choose;
use super::set_pin::{JobArgs, MeteredReaders, done, provision, tell_already_done, warn};
use crate::config::Config;
use crate::job::authority::Authority;
use crate::job::{Cause, Failure};
use crate::operation::Operation;
use crate::reader::fixture::Fixture;
use crate::reader::record::Recording;

/// The operation that is recorded. Its names are part of the recording's format: an old one is played for ever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum RecordedOperation {
    /// `inspect`: nothing is written to the card.
    #[default]
    Inspect,
    /// The PIN is set.
    SetPin,
    /// Not recorded: a whole enrollment can't be played. Old recordings of a PIN step have this name.
    #[value(hide = true)]
    Enroll,
}

impl RecordedOperation {
    /// What happens, as a sentence for the recording's header.
    #[must_use]
    pub fn scenario(self) -> &'static str {
        match self {
            Self::Inspect => "a card is read: application, card ID, tries left, certificate files",
            Self::SetPin | Self::Enroll => "the user PIN is to be set and verified",
        }
    }

    /// The operation of that name. Older recordings of a PIN step have `set-pin`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::value_variants().iter().copied().find(|operation| operation.name() == name)
    }

    /// The operation as the recording's header names it: by what was done.
    #[must_use]
    pub fn recorded(self) -> Self {
        match self {
            Self::Inspect => Self::Inspect,
            Self::SetPin | Self::Enroll => Self::SetPin,
        }
    }

    /// The name as it is typed, and in the recording's header.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Inspect => "inspect",
            Self::SetPin => "set-pin",
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
    pub operation: RecordedOperation,
    /// The make of the card, for the recording's header.
    #[arg(long, value_name = "TEXT", default_value = "not told")]
    pub card: String,
    /// The card and, for `set-pin`, the job.
    #[command(flatten)]
    pub job: JobArgs,
}

/// Runs the command: does the operation and keeps its exchanges, those of a job that fails as well. It costs the tries that
/// the operation costs: none for `inspect`, those of [`provision()`] for `set-pin`.
///
/// # Errors
/// [`CliError::NotRecorded`]; [`CliError::File`] where the recording's file can't be made, before the card is touched; the operation's own error; and
/// [`CliError::Unrecorded`] or [`CliError::Untold`] where the operation is done and the recording or the result can't be
/// written.
pub fn run(
    config: &Config,
    args: &RecordArgs,
    json: bool,
    metered: MeteredReaders<'_>,
    context: &mut CommandContext<'_>,
) -> Result<(), CliError> {
    if args.operation == RecordedOperation::Enroll {
        return Err(CliError::NotRecorded);
    }
    let out = RecordingFile::create(args.out.clone())?;
    let recording = Recording::new(metered.readers);
    match operate(config, args, MeteredReaders { readers: &recording, ..metered }, context) {
        // The operation did not come to a card, so there is nothing to record.
        OperationEnd { error: Some(error), outcome: None, .. } => {
            out.discard();
            Err(error)
        }
        OperationEnd { error: Some(CliError::Failure(failure)), .. }
            if matches!(*failure.cause, Cause::AlreadyDone(_)) =>
        {
            out.discard();
            tell_already_done(failure.into(), Operation::Record.schema(), json, context)
        }
        end => conclude(out, recording.fixture(), args, end, json, context),
    }
}

/// `pinwright.record/1`.
#[derive(Serialize)]
struct RecordedObject<'a> {
    #[serde(flatten)]
    head: Head,
    operation: &'static str,
    file: Cow<'a, str>,
    exchanges: usize,
}

/// How the operation ended.
#[derive(Default)]
struct OperationEnd {
    /// The outcome as the header tells it; `None` where the operation did not come to a card.
    outcome: Option<String>,
    authority: Option<Authority>,
    /// What was done, as a sentence without its full stop.
    done: Option<String>,
    error: Option<CliError>,
}

impl From<CliError> for OperationEnd {
    fn from(error: CliError) -> Self {
        let outcome = match &error {
            CliError::Failure(failure) => Some(failed(failure)),
            _ => None,
        };
        Self { outcome, error: Some(error), ..Self::default() }
    }
}

fn operate(
    config: &Config,
    args: &RecordArgs,
    metered: MeteredReaders<'_>,
    context: &mut CommandContext<'_>,
) -> OperationEnd {
    let outcome = Some("done".to_owned());
    match args.operation {
        RecordedOperation::Inspect => {
            let report = choose(metered.readers, &config.ignored_readers, &args.job.choice, &config.families)
                .map_err(CliError::from)
                .and_then(|chosen| {
                    Ok(inspect::report(metered.readers, &chosen.reader, &config.families, None, inspect::Detail::Full)?)
                });
            match report {
                Ok(_) => {
                    OperationEnd { outcome, done: Some("the card was read".to_owned()), ..OperationEnd::default() }
                }
                Err(error) => error.into(),
            }
        }
        RecordedOperation::SetPin | RecordedOperation::Enroll => match provision(config, &args.job, metered, context) {
            Ok((job, _)) => {
                warn(&job, context);
                OperationEnd { outcome, authority: Some(job.authority), done: Some(done(&job)), error: None }
            }
            Err(error) => OperationEnd { authority: config.rules.authorities.first().copied(), ..error.into() },
        },
    }
}

/// Writes the recording and tells how the operation ended. A recording that can't be written does not hide that end.
fn conclude(
    out: RecordingFile,
    fixture: Fixture,
    args: &RecordArgs,
    end: OperationEnd,
    json: bool,
    context: &mut CommandContext<'_>,
) -> Result<(), CliError> {
    let OperationEnd { outcome, authority, done, error } = end;
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
            context.say(&format!("{exchanges} exchanges recorded in {}.", args.out.display()));
            Err(error)
        }
        (Some(error), Err(source)) => {
            context.warn(&format!("the recording could not be written to {} ({source})", args.out.display()));
            Err(error)
        }
        (None, Err(source)) => {
            Err(CliError::Unrecorded { done: done.unwrap_or_default(), path: args.out.clone(), source })
        }
        (None, Ok(())) => {
            let printed = if json {
                context.print_json(&RecordedObject {
                    head: Head::done(Operation::Record.schema()),
                    operation: args.operation.name(),
                    file: args.out.to_string_lossy(),
                    exchanges,
                })
            } else {
                context.print(&format!("{exchanges} exchanges recorded in {}.", args.out.display()))
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
    // A header is one line, so line ends become spaces.
    let mut put = |key: &str, value: &str| fixture.headers.push((key.to_owned(), value.replace(['\n', '\r'], " ")));
    put("card", &args.card);
    put("scenario", args.operation.scenario());
    // A recording is played without a server, so it can be played only where the card decided how the operation ended, and
    // where every answer could be kept. Without this header it is a recording of the wire alone.
    if playable {
        put("operation", args.operation.recorded().name());
    }
    if let Some(authority) = authority {
        put("authority", authority.name());
    }
    put("outcome", outcome);
    put("origin", concat!("recorded by pinwright ", env!("CARGO_PKG_VERSION")));
    put("recorded", day.get(..10).unwrap_or_default());
    fixture
}

/// The recording's file. It is made before the card is touched, so that a place that can't be written to is known by then.
struct RecordingFile {
    path: PathBuf,
    file: File,
}

impl RecordingFile {
    fn create(path: PathBuf) -> Result<Self, CliError> {
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => Ok(Self { path, file }),
            Err(source) => Err(CliError::File { path, source }),
        }
    }

    /// Writes the whole recording, or removes the file: a part of a recording is of no use.
    fn write(mut self, fixture: &Fixture) -> std::io::Result<()> {
        let written = self.file.write_all(fixture.to_string().as_bytes()).and_then(|()| self.file.sync_all());
        if written.is_err() {
            self.discard();
        }
        written
    }

    fn discard(self) {
        // Where the file can't be removed, the next recording of that name says so: it overwrites none.
        drop(std::fs::remove_file(&self.path));
    }
}

#[cfg(test)]
mod tests;
