//! `pinwright agent --check`: what the agent would stumble over, found before it starts, by the probes of `doctor`.

use serde::Serialize;

use crate::cli::context::CommandContext;
use crate::cli::doctor::mark;
use crate::cli::error::CliError;
use crate::cli::error::agent::{AgentError, Check};
use crate::cli::json::Head;
use crate::cli::screen::{Line, Tone};
use crate::config::Config;
use crate::doctor::running_as::RunningAs;
use crate::doctor::{self, CardSide, Service};
use crate::os::card_service;
use crate::reader::pcsc::PcscReaders;

pub(super) const SCHEMA: &str = "pinwright.agent-check/1";

/// `pinwright.agent-check/1`, where the agent can work.
#[derive(Serialize)]
struct CheckedObject<'a> {
    #[serde(flatten)]
    head: Head,
    checks: &'a [Check],
}

/// Looks at everything as the user that the agent works as, and calls the server, whose secrets it does not ask for. What the agent
/// waits for by itself is no failure.
///
/// # Errors
/// [`AgentError::Check`] where the agent could not work, and [`CliError::Output`].
pub(super) fn run(config: &Config, json: bool, context: &mut CommandContext<'_>) -> Result<(), CliError> {
    // What can be known without the credentials of the unit is told all the same.
    if config.agent.own.keytab.as_ref().is_some_and(|keytab| keytab.location().is_some()) {
        super::keytab::settle(config)?;
    }
    // Of stand-ins for readers no unit knows.
    let running_as = if context.readers.is_none() { RunningAs::of(config) } else { RunningAs::here() };
    let config = &running_as.configured(config, &context.environment)?;
    let pcsc = PcscReaders::new(config.reader_timeout);
    let socket = card_service::socket();
    let card_side = match context.readers {
        Some(readers) => CardSide { readers, service: Service::StandIn },
        None => CardSide { readers: &pcsc, service: Service::Socket(&socket) },
    };
    let findings = doctor::of_agent(config, &running_as, card_side);
    let checks: Vec<Check> = findings.list().iter().map(Check::from).collect();
    if checks.iter().any(|check| !check.ok) {
        // With `--json` the error's object holds the checks.
        if !json {
            print(&checks, context)?;
        }
        return Err(AgentError::Check(checks).into());
    }
    if json {
        return context.print_json(&CheckedObject { head: Head { schema: SCHEMA, outcome: "ok" }, checks: &checks });
    }
    print(&checks, context)
}

fn print(checks: &[Check], context: &mut CommandContext<'_>) -> Result<(), CliError> {
    checks.iter().try_for_each(|Check { check, detail, state, .. }| {
        let (mark, tone) = mark(*state);
        context.print_line(&Line::new(tone, format!("{mark:<4} ")).with(Tone::Plain, format!("{check:<19} {detail}")))
    })
}
