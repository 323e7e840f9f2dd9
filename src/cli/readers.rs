//! `pinwright readers`: what is there now. Cards are asked who they are; nothing is written and no try is spent.

use serde::Serialize;

use super::card_problem::in_few_words;
use super::context::CommandContext;
use super::error::CliError;
use super::inspect::{CardReport, Detail, TriesObject, report, tries_text};
use super::json::Head;
use super::select::{Chosen, Visible, all_hidden, visible};
use crate::card::Family;
use crate::config::Config;
use crate::foreign_text::escaped;
use crate::job::Failure;
use crate::operation::Operation;
use crate::reader::{ReaderEntry, Readers};

/// What is in a reader.
enum SlotContent {
    Empty,
    /// A card that does not answer a reset, or whose report could not be finished.
    Mute,
    Card(Box<CardReport>),
    /// A card that could not be read.
    Unusable(Box<Failure>),
}

/// Runs the command. Spends no try.
///
/// # Errors
/// [`CliError::Reader`] where the readers can't be listed, and [`CliError::Output`]. A card that can't be read is a line of
/// the list, not an error.
pub fn run(
    config: &Config,
    json: bool,
    readers: &dyn Readers,
    context: &mut CommandContext<'_>,
) -> Result<(), CliError> {
    let Visible { entries, hidden } = visible(readers, &config.ignored_readers)?;
    let contents = contents(config, readers, &entries);
    if json {
        let slots = entries.iter().zip(&contents).enumerate();
        let readers = slots.map(|(index, (entry, content))| ReaderObject::new(index, entry, content)).collect();
        let head = Head::done(Operation::Readers.schema());
        return context.print_json(&ReadersObject { head, readers, hidden });
    }
    match (entries.is_empty(), hidden) {
        (false, _) => {}
        (true, 0) => context.say("There is no smart card reader."),
        (true, hidden) => context.say(&format!("No reader is shown: {} (`reader.ignore`).", all_hidden(hidden))),
    }
    for (number, (entry, content)) in entries.iter().zip(&contents).enumerate() {
        context.print(&format!("{number:>2}  {:<32}  {}", escaped(&entry.name), entry_text(entry, content)))?;
    }
    Ok(())
}

/// Reads every card, each on a thread of its own, so that one that hangs does not delay the others' answers.
fn contents(config: &Config, readers: &dyn Readers, entries: &[ReaderEntry]) -> Vec<SlotContent> {
    let look = |entry: &ReaderEntry| match &entry.presence {
        presence if presence.mute => SlotContent::Mute,
        presence if presence.atr.is_none() => SlotContent::Empty,
        _ => {
            let chosen = Chosen { reader: entry.name.clone(), card_id: None };
            match report(readers, &chosen, &config.families, config.journal.as_ref(), Detail::Line) {
                Ok(report) => SlotContent::Card(Box::new(report)),
                Err(failure) => SlotContent::Unusable(Box::new(failure)),
            }
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = entries.iter().map(|entry| scope.spawn(move || look(entry))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or(SlotContent::Mute)).collect()
    })
}

/// `pinwright.readers/1`.
#[derive(Serialize)]
struct ReadersObject<'a> {
    #[serde(flatten)]
    head: Head,
    readers: Vec<ReaderObject<'a>>,
    hidden: usize,
}

#[derive(Serialize)]
struct ReaderObject<'a> {
    index: usize,
    name: &'a str,
    state: &'static str,
    atr: Option<String>,
    family: Option<Family>,
    card_id: Option<String>,
    tries_left: Option<TriesObject>,
    error: Option<String>,
}

impl<'a> ReaderObject<'a> {
    fn new(index: usize, entry: &'a ReaderEntry, content: &SlotContent) -> Self {
        let atr = entry.presence.atr.as_ref().map(ToString::to_string);
        let reader = |state| Self {
            index,
            name: &entry.name,
            state,
            atr,
            family: None,
            card_id: None,
            tries_left: None,
            error: None,
        };
        match content {
            SlotContent::Empty => reader("empty"),
            SlotContent::Mute => reader("mute"),
            SlotContent::Card(card) => Self {
                family: Some(card.card.family),
                card_id: Some(card.card.card_id.to_string()),
                tries_left: TriesObject::of(card.tries),
                ..reader("card")
            },
            SlotContent::Unusable(failure) => Self { error: Some(in_few_words(&failure.cause)), ..reader("unusable") },
        }
    }
}

fn entry_text(entry: &ReaderEntry, content: &SlotContent) -> String {
    let atr = entry.presence.atr.as_ref().map(ToString::to_string).unwrap_or_default();
    match content {
        SlotContent::Empty => "empty".to_owned(),
        SlotContent::Mute => "a card that does not respond".to_owned(),
        SlotContent::Card(card) => {
            format!("{}  {}  {}  ATR {atr}", card.title, card.card.card_id, tries_text(card.tries))
        }
        SlotContent::Unusable(failure) => format!("a card: {}  ATR {atr}", in_few_words(&failure.cause)),
    }
}
