//! `pinwright history`: the journal's records, oldest first.

use clap::Args;
use serde::Serialize;
use thiserror::Error;
use uuid::Uuid;

use super::context::CommandContext;
use super::error::CliError;
use super::json::Head;
use crate::config::Config;
use crate::job::issuer::template_told;
use crate::job::journal::{History, Journal, JournalError, Listed, Listing, Unlisted};
use crate::operation::Operation;

/// Which records are listed.
#[derive(Debug, Clone, Default, Args)]
pub struct HistoryArgs {
    /// Only what was done to this card: its ID as GUID text.
    #[arg(long, value_name = "UUID", value_parser = guid)]
    pub card_id: Option<Uuid>,
}

/// `pinwright.history/1`.
#[derive(Serialize)]
struct HistoryObject<'a> {
    #[serde(flatten)]
    head: Head,
    folder: &'a str,
    records: &'a [Listed],
    unreadable: &'a [Unlisted],
}

/// What was given is no GUID text.
#[derive(Debug, Error)]
#[error("GUID text with hyphens is needed, as the list itself shows it")]
struct NoGuid;

/// Reads GUID text. 32 digits without hyphens are refused: elsewhere they are a card ID in the card's own byte order, which
/// the journal does not keep.
fn guid(text: &str) -> Result<Uuid, NoGuid> {
    match text.contains('-') {
        true => text.trim().parse().map_err(|_| NoGuid),
        false => Err(NoGuid),
    }
}

/// Runs the command: lists the journal as it is on disk, also while jobs write to it.
///
/// # Errors
/// [`CliError::Journal`] where no journal is configured or its folder can't be read, and [`CliError::Output`]. A file that is
/// no record is a line of the list, not an error.
pub fn run(config: &Config, args: &HistoryArgs, json: bool, context: &mut CommandContext<'_>) -> Result<(), CliError> {
    let journal = config.journal.as_ref().ok_or(CliError::Journal(JournalError::NoFolder))?;
    let listing = Listing::new(journal.folder(), chosen(journal, args.card_id)?);
    if json {
        return context.print_json(&HistoryObject {
            head: Head::done(Operation::History.schema()),
            folder: &listing.folder,
            records: &listing.records,
            unreadable: &listing.unreadable,
        });
    }
    print(&listing, args.card_id, context)
}

/// The records of one card, or all of them.
fn chosen(journal: &Journal, card_id: Option<Uuid>) -> Result<History, JournalError> {
    match card_id {
        Some(card_id) => journal.history_of(card_id),
        None => journal.history(),
    }
}

/// Which request the job was for, whose, and under which template, as far as the record says.
fn whose(record: &Listed) -> String {
    let request = record.request.map(|id| format!("; request {id}"));
    let user = record.target_user.map(|id| format!(", for user {id}"));
    let template =
        record.template.map(|id| format!(", template {}", template_told(id, record.template_name.as_deref())));
    [request, user, template].into_iter().flatten().collect()
}

/// Prints the records as text, a line for each; `card_id` is the card that was asked for.
///
/// # Errors
/// As [`CommandContext::print`].
pub fn print(listing: &Listing, card_id: Option<Uuid>, context: &mut CommandContext<'_>) -> Result<(), CliError> {
    if listing.records.is_empty() {
        context.say(&match card_id {
            Some(card_id) => format!("The journal has no record of card {card_id}."),
            None => "No job has been journaled yet.".to_owned(),
        });
    }
    for record in &listing.records {
        let mark = if record.open { "!" } else { " " };
        let (id, changed) = (&record.id, &record.changed);
        let card = record.card_id.map_or_else(|| "not known yet".to_owned(), |id| id.to_string());
        let refused = record.status_word.as_ref().map_or_else(String::new, |word| format!(" (the card said {word})"));
        let whose = whose(record);
        context.print(&format!("{mark} {id}  {changed}  card {card}  {}{refused}{whose}", record.point.meaning()))?;
    }
    for file in &listing.unreadable {
        context.say(&format!("warning: {} in {} is {}", file.file, listing.folder, file.reason));
    }
    Ok(())
}
