//! `pinwright doctor`: everything between plug and server, with what to do about what is not well. Nothing is changed.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::context::CommandContext;
use super::error::CliError;
use super::error::doctor::DoctorError;
use super::json::Head;
use super::screen::{Line, Tone};
use crate::config::Config;
use crate::doctor::bundle::Bundle;
use crate::doctor::{self, CardSide, Finding, Findings, Service, State};
use crate::exit::Exit;
use crate::operation::Operation;
use crate::os::card_service;
use crate::reader::pcsc::PcscReaders;
use crate::reader::traffic::{Meter, Traffic};

/// What becomes of what is found.
#[derive(Debug, Clone, clap::Args)]
pub struct DoctorArgs {
    /// Write it into this new file too, with versions, configuration and the agent's log, names and secrets masked: for a ticket.
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
}

/// `pinwright.doctor/1`, where nothing fails.
#[derive(Serialize)]
struct DoctorObject<'a> {
    #[serde(flatten)]
    head: Head,
    probes: &'a [Finding],
    #[serde(skip_serializing_if = "Option::is_none")]
    bundle: Option<String>,
}

/// Runs the command. Spends no try, writes to no card, and asks the server for no secret.
///
/// # Errors
/// [`CliError::Doctor`] where something is not well or the bundle can't be written, and [`CliError::Output`].
pub fn run(
    args: &DoctorArgs,
    file: Option<&Path>,
    json: bool,
    context: &mut CommandContext<'_>,
) -> Result<(), CliError> {
    // Whether it can be written is better known before all else.
    let bundle = args.bundle.as_deref().map(Bundle::create).transpose().map_err(DoctorError::Bundle)?;
    let explained = Config::explained(file, &context.environment);
    let config = explained.as_ref().map(|explained| &explained.config);
    let timeout = config.map_or(std::time::Duration::from_secs(10), |config| config.reader_timeout);
    let pcsc = PcscReaders::new(timeout);
    let socket = card_service::socket();
    let service = if context.readers.is_some() { Service::StandIn } else { Service::Socket(&socket) };
    let readers = Traffic::new(context.readers.unwrap_or(&pcsc), std::sync::Arc::new(Meter::default()));
    let findings = doctor::of_person(explained.as_ref(), CardSide { readers: &readers, service });
    if let Some(bundle) = bundle {
        let written = bundle.write(&findings, explained.as_ref().ok(), &context.environment);
        written.map_err(DoctorError::Bundle)?;
    }
    let bundle = args.bundle.clone();
    let is_well = findings.exit() == Exit::Done;
    // With `--json` the error's object holds what was found.
    if !json {
        print(&findings, context)?;
        if let Some(path) = &bundle {
            context.print(&format!("The bundle is {}: read it before you send it.", path.display()))?;
        }
    }
    match (is_well, json) {
        (false, _) => Err(DoctorError::Failed { findings, bundle }.into()),
        (true, false) => Ok(()),
        (true, true) => context.print_json(&DoctorObject {
            head: Head { schema: Operation::Doctor.schema(), outcome: "ok" },
            probes: findings.list(),
            bundle: bundle.map(|path| path.display().to_string()),
        }),
    }
}

fn print(findings: &Findings, context: &mut CommandContext<'_>) -> Result<(), CliError> {
    findings.list().iter().flat_map(lines).try_for_each(|line| context.print_line(&line))
}

/// One line for what is so, and one for what to do.
fn lines(finding: &Finding) -> Vec<Line> {
    let Finding { probe, state, reason, remedy, .. } = finding;
    let (mark, tone) = mark(*state);
    let said = Line::new(tone, format!("{mark:<4} ")).with(Tone::Plain, format!("{:<14} {reason}", probe.name()));
    let todo = remedy.as_ref().map(|remedy| Line::new(Tone::Quiet, "     do:            ").with(Tone::Plain, remedy));
    [Some(said), todo].into_iter().flatten().collect()
}

/// How a state is marked.
pub(super) fn mark(state: State) -> (&'static str, Tone) {
    match state {
        State::Ok => ("ok", Tone::Good),
        State::Warning => ("warn", Tone::Waiting),
        State::Failed => ("FAIL", Tone::Bad),
        State::Unknown => ("?", Tone::Waiting),
        State::Skipped => ("-", Tone::Quiet),
    }
}
