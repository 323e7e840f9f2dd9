//! `pinwright history`: the journal's records, oldest first.

mod since;

use clap::Args;
use jiff::tz::TimeZone;
use serde::Serialize;
use thiserror::Error;
use uuid::Uuid;

pub use self::since::Since;
use self::since::{local, zone};
use super::context::CommandContext;
use super::error::CliError;
use super::json::Head;
use super::screen::{Line, Tone};
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
    /// Only what was done for this request.
    #[arg(long, value_name = "UUID")]
    pub request: Option<Uuid>,
    /// Only what was noted since then: a local time (`2026-11-28`, `2026-11-28 14:30`), or how long ago (`2h`, `3days`).
    #[arg(long, value_name = "TIME")]
    pub since: Option<Since>,
    /// Only what is unsettled.
    #[arg(long)]
    pub open: bool,
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
    let mut listing = Listing::new(journal.folder(), chosen(journal, args.card_id)?);
    let is_empty = listing.records.is_empty();
    let since = args.since.and_then(|since| since.moment(&zone(&context.environment)));
    listing.records.retain(|record| {
        let changed = || record.changed.parse::<jiff::Timestamp>().ok();
        (!args.open || record.open)
            && args.request.is_none_or(|request| record.request == Some(request))
            && since.is_none_or(|since| changed().is_none_or(|changed| changed >= since))
    });
    if json {
        return context.print_json(&HistoryObject {
            head: Head::done(Operation::History.schema()),
            folder: &listing.folder,
            records: &listing.records,
            unreadable: &listing.unreadable,
        });
    }
    if listing.records.is_empty() && !is_empty {
        context.say("The journal has no such record.");
        return Ok(());
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
fn whose(record: &Listed) -> Option<String> {
    let request = record.request?;
    let user = record.target_user.map(|id| format!(", for user {id}"));
    let template =
        record.template.map(|id| format!(", template {}", template_told(id, record.template_name.as_deref())));
    Some([Some(request.to_string()), user, template].into_iter().flatten().collect())
}

/// Prints the records as text, a block for each; `card_id` is the card that was asked for.
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
    let zone = zone(&context.environment);
    for line in listing.records.iter().flat_map(|record| block(record, &zone)) {
        context.print_line(&line)?;
    }
    for file in &listing.unreadable {
        context.warn(&format!("{} in {} is {}", file.file, listing.folder, file.reason));
    }
    Ok(())
}

/// Which key pair and certificate the job has come to.
fn key(record: &Listed) -> Option<String> {
    let thumbprint = record.thumbprint.as_ref().map(|thumbprint| format!(", certificate {thumbprint}"));
    let slot = record.slot.as_ref().map(|slot| format!("slot {slot}"))?;
    Some([Some(slot), thumbprint].into_iter().flatten().collect())
}

/// When, in which reader and how far; then card, request and the job's id.
fn block(record: &Listed, zone: &TimeZone) -> Vec<Line> {
    let tone = match (record.open, record.is_done()) {
        (true, _) => Tone::Bad,
        (false, true) => Tone::Good,
        (false, false) => Tone::Waiting,
    };
    let mark = if record.open { "!" } else { " " };
    let reader = record.reader.as_ref().map_or_else(String::new, |reader| format!("{reader:?}  "));
    let refused = record.status_word.as_ref().map_or_else(String::new, |word| format!(" (the card said {word})"));
    let first = Line::new(Tone::Bad, mark)
        .with(Tone::Plain, format!(" {}  {reader}", local(&record.changed, zone)))
        .with(tone, record.meaning())
        .with(Tone::Plain, refused);
    let card = record.card_id.map_or_else(|| "not known yet".to_owned(), |id| id.to_string());
    let below =
        |(label, text): (&str, String)| Line::new(Tone::Quiet, format!("    {label:<9}")).with(Tone::Plain, text);
    let request = whose(record).map(|request| ("request", request));
    let key = key(record).map(|key| ("key", key));
    let details = [Some(("card", card)), request, key, Some(("job", record.id.clone()))];
    std::iter::once(first).chain(details.into_iter().flatten().map(below)).collect()
}
