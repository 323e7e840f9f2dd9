//! Commands that ask a running agent.

use serde::{Deserialize, Serialize};

use super::wording;
use crate::agent::Settings;
use crate::agent::control::client::{self, AskError};
use crate::agent::control::protocol::{Command, RecheckDone};
use crate::agent::report::{Event, Snapshot};
use crate::cli::context::CommandContext;
use crate::cli::error::CliError;
use crate::cli::error::agent::AgentError;
use crate::cli::history;
use crate::job::journal::Listing;

/// Prints the agent's state, and, with `follow`, each event from then on until the agent ends.
///
/// # Errors
/// [`AgentError::Ask`] where no agent answers or it refuses, and [`CliError::Output`].
pub(super) fn status(
    settings: &Settings,
    follow: bool,
    json: bool,
    context: &mut CommandContext<'_>,
) -> Result<(), CliError> {
    let mut answers = ask(settings, if follow { Command::Follow } else { Command::Status })?;
    let (line, snapshot) = answers.expect::<Snapshot>().map_err(AgentError::Ask)?;
    if json {
        print_answer(&line, context)?;
    } else {
        for line in wording::snapshot_lines(&snapshot) {
            context.print_line(&line)?;
        }
    }
    if !follow {
        return Ok(());
    }
    while let Some((line, event)) = answers.line::<Event>().map_err(AgentError::Ask)? {
        if json {
            print_event(&line, context)?;
        } else {
            context.print(&event.to_string())?;
        }
    }
    if !json {
        context.say("The agent has ended.");
    }
    Ok(())
}

/// Prints the journal that the agent keeps.
///
/// # Errors
/// As [`status`].
pub(super) fn history(settings: &Settings, json: bool, context: &mut CommandContext<'_>) -> Result<(), CliError> {
    let (line, listing): (String, Listing) = ask(settings, Command::History)?.expect().map_err(AgentError::Ask)?;
    if json { print_answer(&line, context) } else { history::print(&listing, None, context) }
}

/// Has the agent ask the server now about every card that waits.
///
/// # Errors
/// As [`status`].
pub(super) fn recheck(settings: &Settings, json: bool, context: &mut CommandContext<'_>) -> Result<(), CliError> {
    let (line, done): (String, RecheckDone) = ask(settings, Command::Recheck)?.expect().map_err(AgentError::Ask)?;
    if json {
        return print_answer(&line, context);
    }
    context.print(&match done.asked {
        0 => "No card waits for anything.".to_owned(),
        1 => "The server is asked now about the one card that waits.".to_owned(),
        cards => format!("The server is asked now about the {cards} cards that wait."),
    })
}

/// Prints an answer as JSON: what it says, whoever has written it, and not how it was written.
fn print_answer(line: &str, context: &mut CommandContext<'_>) -> Result<(), CliError> {
    let answer: Answer = serde_json::from_str(line).map_err(|error| AgentError::Ask(AskError::Unknown(error)))?;
    context.print_json(&answer)
}

/// An answer on its way to standard output. Agents leave the outcome out where the answer itself says that it is well.
#[derive(Deserialize, Serialize)]
struct Answer {
    schema: String,
    #[serde(default = "done")]
    outcome: String,
    #[serde(flatten)]
    rest: serde_json::Map<String, serde_json::Value>,
}

fn done() -> String {
    "done".to_owned()
}

/// Prints an event as JSON, as [`print_answer`] does: it is no result of this command, so it has no outcome of its own.
fn print_event(line: &str, context: &mut CommandContext<'_>) -> Result<(), CliError> {
    let event: serde_json::Value =
        serde_json::from_str(line).map_err(|error| AgentError::Ask(AskError::Unknown(error)))?;
    context.print_json(&event)
}

fn ask(settings: &Settings, command: Command) -> Result<client::Answers, CliError> {
    Ok(client::ask(settings, command).map_err(AgentError::Ask)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_without_an_outcome_is_told_as_done_and_another_as_it_is() {
        let told = |line: &str| serde_json::to_string(&serde_json::from_str::<Answer>(line).unwrap()).unwrap();
        assert_eq!(told(r#"{"schema":"s/1","pid":7}"#), r#"{"schema":"s/1","outcome":"done","pid":7}"#);
        assert_eq!(told(r#"{"schema":"s/1","outcome":"failed"}"#), r#"{"schema":"s/1","outcome":"failed"}"#);
    }
}
