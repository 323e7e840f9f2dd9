//! `pinwright readers`: what is there now. Cards are asked who they are; nothing is written and no try is spent.

use serde_json::{Value, json};

use super::error::CliError;
use super::inspect::{CardReport, Detail, reason, report, tries_json, tries_text};
use super::select::{Chosen, visible};
use super::world::World;
use crate::config::Config;
use crate::job::Failure;
use crate::reader::{ReaderEntry, Readers};

enum Content {
    Empty,
    Mute,
    Card(Box<CardReport>),
    Other(Box<Failure>),
}

/// Runs the command.
///
/// # Errors
/// The readers can't be listed. A card that can't be read is a line of the list, not an error.
pub fn run(config: &Config, json: bool, readers: &dyn Readers, world: &mut World<'_>) -> Result<(), CliError> {
    let entries = visible(readers, &config.ignored_readers)?;
    let contents = contents(config, readers, &entries);
    if json {
        let list: Vec<Value> = entries
            .iter()
            .zip(&contents)
            .enumerate()
            .map(|(number, (entry, content))| entry_json(number, entry, content))
            .collect();
        return world.print_json(&json!({"schema": "pinwright.readers/1", "readers": list}));
    }
    if entries.is_empty() {
        world.say("There is no smart card reader.");
    }
    for (number, (entry, content)) in entries.iter().zip(&contents).enumerate() {
        world.print(&format!("{number:>2}  {:<32}  {}", entry.name, entry_text(entry, content)))?;
    }
    Ok(())
}

/// Each card is read on a thread of its own: one that hangs delays the list, but not the others' answers.
fn contents(config: &Config, readers: &dyn Readers, entries: &[ReaderEntry]) -> Vec<Content> {
    let look = |entry: &ReaderEntry| match &entry.presence {
        presence if presence.mute => Content::Mute,
        presence if presence.atr.is_none() => Content::Empty,
        _ => {
            let chosen = Chosen { reader: entry.name.clone(), card_id: None };
            match report(readers, &chosen, &config.families, Detail::Line) {
                Ok(report) => Content::Card(Box::new(report)),
                Err(failure) => Content::Other(Box::new(failure)),
            }
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = entries.iter().map(|entry| scope.spawn(move || look(entry))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or(Content::Mute)).collect()
    })
}

fn entry_json(number: usize, entry: &ReaderEntry, content: &Content) -> Value {
    let atr = entry.presence.atr.as_ref().map(ToString::to_string);
    let (state, family, card_id, tries, error) = match content {
        Content::Empty => ("empty", None, None, Value::Null, None),
        Content::Mute => ("mute", None, None, Value::Null, None),
        Content::Card(card) => ("card", Some(card.family), Some(&card.card_id), tries_json(card.tries), None),
        Content::Other(failure) => ("unusable", None, None, Value::Null, Some(reason(failure))),
    };
    json!({
        "index": number,
        "name": entry.name,
        "state": state,
        "atr": atr,
        "family": family,
        "card_id": card_id,
        "tries_left": tries,
        "error": error,
    })
}

fn entry_text(entry: &ReaderEntry, content: &Content) -> String {
    let atr = entry.presence.atr.as_ref().map(ToString::to_string).unwrap_or_default();
    match content {
        Content::Empty => "empty".to_owned(),
        Content::Mute => "a card that does not respond".to_owned(),
        Content::Card(card) => {
            format!("{}  {}  {}  ATR {atr}", card.application, card.card_id, tries_text(card.tries))
        }
        Content::Other(failure) => format!("a card: {}  ATR {atr}", reason(failure)),
    }
}
