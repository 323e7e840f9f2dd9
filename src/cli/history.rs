//! `pinwright history`: the journal's records, oldest first.

use super::error::CliError;
use super::world::World;
use crate::config::Config;
use crate::job::journal::{JournalError, Listing};

/// Runs the command.
///
/// # Errors
/// There is no journal, or it can't be read.
pub fn run(config: &Config, json: bool, world: &mut World<'_>) -> Result<(), CliError> {
    let journal = config.journal.as_ref().ok_or(CliError::Journal(JournalError::NoFolder))?;
    let listing = Listing::new(journal, journal.history()?);
    if json {
        let value = serde_json::to_value(&listing).map_err(JournalError::Encode)?;
        return world.print_json(&value);
    }
    print(&listing, world)
}

/// The records for people.
///
/// # Errors
/// As [`World::print`].
pub fn print(listing: &Listing, world: &mut World<'_>) -> Result<(), CliError> {
    if listing.records.is_empty() {
        world.say("No job has been journaled yet.");
    }
    for record in &listing.records {
        let mark = if record.open { "!" } else { " " };
        let (id, changed) = (&record.id, &record.changed);
        let card = record.card_id.map_or_else(|| "not known yet".to_owned(), |id| id.to_string());
        let refused = record.status_word.as_ref().map_or_else(String::new, |word| format!(" (the card said {word})"));
        world.print(&format!("{mark} {id}  {changed}  card {card}  {}{refused}", record.point.meaning()))?;
    }
    for file in &listing.unreadable {
        world.say(&format!("warning: {} in {} is {}", file.file, listing.folder, file.reason));
    }
    Ok(())
}
