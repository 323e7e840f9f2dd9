//! `pinwright readers`: what is there now. Cards are asked who they are; nothing is written and no try is spent.

use serde::Serialize;

use super::card_problem::in_few_words;
use super::context::CommandContext;
use super::error::CliError;
use super::inspect::{CardReport, Detail, ReportFormat, TriesObject, report, tries_text, tries_tone};
use super::json::Head;
use super::screen::{Cell, Table, Tone};
use super::select::{Visible, all_hidden, by_name, visible};
use crate::card::Family;
use crate::config::Config;
use crate::job::Failure;
use crate::operation::Operation;
use crate::reader::{ReaderEntry, Readers};

/// Which readers are listed.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ReadersArgs {
    /// Only this reader: its name, a unique part of it, or its number in the whole list.
    #[arg(long, value_name = "READER")]
    pub reader: Option<String>,
}

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
/// [`CliError::Reader`] where the readers can't be listed, [`CliError::Choice`] where none or several have that name, and [`CliError::Output`]. A card that can't be read is a line of
/// the list, not an error.
pub fn run(
    config: &Config,
    args: &ReadersArgs,
    format: ReportFormat,
    readers: &dyn Readers,
    context: &mut CommandContext<'_>,
) -> Result<(), CliError> {
    let Visible { entries, hidden } = visible(readers, &config.ignored_readers)?;
    let wanted = args.reader.as_ref().map(|wanted| by_name(&entries, wanted)).transpose()?;
    let is_wanted = |entry: &ReaderEntry| wanted.as_ref().is_none_or(|wanted| wanted.name == entry.name);
    // A reader keeps its number whichever others are shown.
    let (numbers, entries): (Vec<usize>, Vec<ReaderEntry>) =
        entries.into_iter().enumerate().filter(|(_, entry)| is_wanted(entry)).unzip();
    let contents = contents(config, readers, &entries);
    let slots = || numbers.iter().copied().zip(entries.iter().zip(&contents));
    if format.json {
        let readers = slots().map(|(index, (entry, content))| ReaderObject::new(index, entry, content)).collect();
        let head = Head::done(Operation::Readers.schema());
        return context.print_json(&ReadersObject { head, readers, hidden });
    }
    match (entries.is_empty(), hidden) {
        (false, _) => {}
        (true, 0) => context.say("There is no smart card reader."),
        (true, hidden) => context.say(&format!("No reader is shown: {} (`reader.ignore`).", all_hidden(hidden))),
    }
    if entries.is_empty() {
        return Ok(());
    }
    let mut table = Table::new(if format.verbose { &HEADINGS } else { HEADINGS.split_at(HEADINGS.len() - 1).0 });
    for (number, (entry, content)) in slots() {
        table.push(row(number, entry, content, format.verbose));
    }
    table.lines(context.screen.columns).iter().try_for_each(|line| context.print_line(line))
}

/// The last is shown with `-v` alone.
const HEADINGS: [&str; 6] = ["#", "reader", "card", "card ID", "PIN", "ATR"];

/// Reads every card, each on a thread of its own, so that one that hangs does not delay the others' answers.
fn contents(config: &Config, readers: &dyn Readers, entries: &[ReaderEntry]) -> Vec<SlotContent> {
    let look = |entry: &ReaderEntry| match &entry.presence {
        presence if presence.mute => SlotContent::Mute,
        presence if presence.atr.is_none() => SlotContent::Empty,
        _ => match report(readers, &entry.name, &config.families, config.journal.as_ref(), Detail::Line) {
            Ok(report) => SlotContent::Card(Box::new(report)),
            Err(failure) => SlotContent::Unusable(Box::new(failure)),
        },
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

fn row(number: usize, entry: &ReaderEntry, content: &SlotContent, verbose: bool) -> Vec<Cell> {
    let mut row = vec![Cell::plain(number.to_string()), Cell::plain(&entry.name)];
    let atr = entry.presence.atr.as_ref().filter(|_| verbose);
    match content {
        SlotContent::Empty => row.push(Cell::new(Tone::Quiet, "empty")),
        SlotContent::Mute => row.push(Cell::new(Tone::Bad, "a card that does not respond")),
        SlotContent::Card(card) => {
            row.extend([
                Cell::plain(&card.title),
                Cell::plain(card.card.card_id.to_string()),
                Cell::new(tries_tone(card.tries), tries_text(card.tries)),
            ]);
            row.extend(atr.map(|atr| Cell::new(Tone::Quiet, atr.to_string())));
        }
        SlotContent::Unusable(failure) => {
            let atr = atr.map_or_else(String::new, |atr| format!(" (ATR {atr})"));
            row.push(Cell::new(Tone::Bad, format!("a card: {}{atr}", in_few_words(&failure.cause))));
        }
    }
    row
}
