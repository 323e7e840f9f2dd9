//! `pinwright history`: the journal's records, oldest first.

use super::error::CliError;
use super::world::World;
use crate::config::Config;
use crate::provision::journal::{JournalError, listing};

/// Runs the command.
///
/// # Errors
/// There is no journal, or it can't be read.
pub fn run(config: &Config, json: bool, world: &mut World<'_>) -> Result<(), CliError> {
    let journal = config.journal.as_ref().ok_or(CliError::Journal(JournalError::NoFolder))?;
    let history = journal.history()?;
    if json {
        return world.print_json(&listing(journal, &history));
    }
    if history.records.is_empty() {
        world.say("No job has been journaled yet.");
    }
    for record in &history.records {
        let mark = if record.point.is_open() { "!" } else { " " };
        let (id, card, changed) = (&record.id, record.card_id, &record.changed);
        world.print(&format!("{mark} {id}  {changed}  card {card}  {}", record.point.meaning()))?;
    }
    for file in &history.unreadable {
        world.say(&format!("warning: {} in {} is {}", file.file, journal.folder().display(), file.reason));
    }
    Ok(())
}
