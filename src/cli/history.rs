//! `pinwright history`: the journal's records, oldest first.

use serde_json::json;

use super::error::CliError;
use super::world::World;
use crate::config::Config;
use crate::provision::journal::{JournalError, Record};

/// Runs the command.
///
/// # Errors
/// There is no journal, or it can't be read.
pub fn run(config: &Config, json: bool, world: &mut World<'_>) -> Result<(), CliError> {
    let journal = config.journal.as_ref().ok_or(CliError::Journal(JournalError::NoFolder))?;
    let history = journal.history()?;
    if json {
        let records: Vec<_> = history.records.iter().map(record_json).collect();
        let unreadable: Vec<_> =
            history.unreadable.iter().map(|file| json!({"file": file.file, "reason": file.reason})).collect();
        return world.print_json(&json!({
            "schema": "pinwright.history/1",
            "folder": journal.folder(),
            "records": records,
            "unreadable": unreadable,
        }));
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

fn record_json(record: &Record) -> serde_json::Value {
    json!({
        "id": record.id,
        "started": record.started,
        "changed": record.changed,
        "point": record.point.name(),
        "open": record.point.is_open(),
        "reader": record.reader,
        "atr": record.atr,
        "card_id": record.card_id,
        "smartcard": record.smartcard,
        "request": record.request,
        "authority": record.authority,
        "pin_source": record.pin_source,
        "stopped_at": record.stopped_at,
    })
}
