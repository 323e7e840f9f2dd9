//! Commands that ask a running agent.

use super::AgentError;
use super::wording;
use crate::agent::Settings;
use crate::agent::control::client;
use crate::agent::control::protocol::{Command, RecheckDone};
use crate::agent::report::{Event, Snapshot};
use crate::cli::error::CliError;
use crate::cli::history;
use crate::cli::world::World;
use crate::job::journal::Listing;

/// The agent's state, and, where wanted, what happens from then on until the agent ends.
pub(super) fn status(settings: &Settings, follow: bool, json: bool, world: &mut World<'_>) -> Result<(), CliError> {
    let mut answers = ask(settings, if follow { Command::Follow } else { Command::Status })?;
    let (line, snapshot) = answers.expect::<Snapshot>().map_err(AgentError::Ask)?;
    if json {
        world.print(&line)?;
    } else {
        for line in wording::snapshot_lines(&snapshot) {
            world.print(&line)?;
        }
    }
    if !follow {
        return Ok(());
    }
    while let Some((line, event)) = answers.line::<Event>().map_err(AgentError::Ask)? {
        world.print(&if json { line } else { event.to_string() })?;
    }
    if !json {
        world.say("The agent has ended.");
    }
    Ok(())
}

/// The journal that the agent keeps.
pub(super) fn history(settings: &Settings, json: bool, world: &mut World<'_>) -> Result<(), CliError> {
    let (line, listing): (String, Listing) = ask(settings, Command::History)?.expect().map_err(AgentError::Ask)?;
    if json { world.print(&line) } else { history::print(&listing, world) }
}

/// Has the agent ask the server now.
pub(super) fn recheck(settings: &Settings, json: bool, world: &mut World<'_>) -> Result<(), CliError> {
    let (line, done): (String, RecheckDone) = ask(settings, Command::Recheck)?.expect().map_err(AgentError::Ask)?;
    if json {
        return world.print(&line);
    }
    world.print(&match done.asked {
        0 => "No card waits for anything.".to_owned(),
        1 => "The server is asked now about the one card that waits.".to_owned(),
        cards => format!("The server is asked now about the {cards} cards that wait."),
    })
}

fn ask(settings: &Settings, command: Command) -> Result<client::Answers, CliError> {
    Ok(client::ask(settings, command).map_err(AgentError::Ask)?)
}
