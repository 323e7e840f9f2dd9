//! Commands that ask a running agent.

use super::AgentError;
use super::wording;
use crate::agent::Settings;
use crate::agent::control::client;
use crate::agent::control::protocol::{Command, Done};
use crate::agent::report::{Event, Snapshot};
use crate::cli::error::CliError;
use crate::cli::history;
use crate::cli::world::World;
use crate::provision::journal::Listing;

/// The agent's state, and, where wanted, what happens from then on until the agent ends.
pub(super) fn status(settings: &Settings, follow: bool, json: bool, world: &mut World<'_>) -> Result<(), CliError> {
    // Followed first: nothing that happens between the two is missed.
    let events = if follow { Some(ask(settings, Command::Follow)?) } else { None };
    let (line, snapshot): (String, Snapshot) = ask(settings, Command::Status)?.only().map_err(AgentError::Ask)?;
    if json {
        world.print(&line)?;
    } else {
        for line in wording::snapshot_lines(&snapshot) {
            world.print(&line)?;
        }
    }
    let Some(mut events) = events else { return Ok(()) };
    while let Some((line, event)) = events.next::<Event>().map_err(AgentError::Ask)? {
        world.print(&if json { line } else { wording::event_line(&event) })?;
    }
    if !json {
        world.say("The agent has ended.");
    }
    Ok(())
}

/// The journal that the agent keeps.
pub(super) fn history(settings: &Settings, json: bool, world: &mut World<'_>) -> Result<(), CliError> {
    let (line, listing): (String, Listing) = ask(settings, Command::History)?.only().map_err(AgentError::Ask)?;
    if json { world.print(&line) } else { history::print(&listing, world) }
}

/// Has the agent ask the server now.
pub(super) fn recheck(settings: &Settings, json: bool, world: &mut World<'_>) -> Result<(), CliError> {
    let (line, done): (String, Done) = ask(settings, Command::Recheck)?.only().map_err(AgentError::Ask)?;
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
