//! The readers, and the card in each: opened shared, asked who it is, and left as it was. One that another program has open is not
//! touched, since a command of ours could select another application under that program.

use super::finding::{Findings, Name, Probe};
use crate::config::Config;
use crate::error_text::error_text;
use crate::job::Failure;
use crate::job::card_report::{CardReport, Detail, report, tries_text};
use crate::operation::Operation;
use crate::os::card_service;
use crate::reader::ignore::is_ignored;
use crate::reader::{ReaderEntry, ReaderError, Readers, Sharing, holders};

/// One line for the readers, and one for each that is not ignored.
pub(super) fn tell(config: &Config, readers: &dyn Readers, findings: &mut Findings) {
    let entries = match readers.list() {
        Ok(entries) => entries,
        Err(error) => return findings.failed_for_now(Probe::Readers, error.to_string(), error.remedy()),
    };
    let (hidden, seen): (Vec<ReaderEntry>, Vec<ReaderEntry>) =
        entries.into_iter().partition(|entry| is_ignored(&entry.name, &config.ignored_readers));
    match (seen.len(), hidden.len()) {
        (0, 0) => {
            return findings.failed_for_now(Probe::Readers, "there is none", card_service::NO_READER);
        }
        (0, hidden) => {
            let reason = match hidden {
                1 => "there is one, and `reader.ignore` hides it".to_owned(),
                hidden => format!("there are {hidden}, and `reader.ignore` hides all of them"),
            };
            return findings.failed(Probe::Readers, reason, "take the reader that is meant out of `reader.ignore`");
        }
        (seen, 0) => findings.ok(Probe::Readers, count(seen)),
        (seen, hidden) => {
            findings.ok(Probe::Readers, format!("{}, and {hidden} ignored (`reader.ignore`)", count(seen)))
        }
    }
    let looks = looks(config, readers, &seen);
    let has_card = seen.iter().any(|entry| entry.presence.is_there());
    for (entry, look) in seen.iter().zip(looks) {
        tell_of_one(entry, look, findings);
    }
    if !has_card {
        findings.warning(
            Probe::Card,
            "there is no card in any reader: nothing is known of cards",
            "insert one to have it looked at",
        );
    }
}

fn count(readers: usize) -> String {
    if readers == 1 { "1 reader".to_owned() } else { format!("{readers} readers") }
}

/// What became of a look at one reader.
enum Look {
    Empty,
    Mute,
    /// Another program has the card open.
    Elsewhere(Sharing),
    Read(Box<CardReport>),
    Unreadable(Box<Failure>),
    Unasked(ReaderError),
}

/// Looks into every reader, each on a thread of its own, so that one that hangs does not delay the others' answers.
fn looks(config: &Config, readers: &dyn Readers, entries: &[ReaderEntry]) -> Vec<Look> {
    let look = |entry: &ReaderEntry| {
        if entry.presence.mute {
            return Look::Mute;
        }
        if entry.presence.atr.is_none() {
            return Look::Empty;
        }
        match readers.sharing(&entry.name) {
            Ok(sharing @ (Sharing::Shared | Sharing::Exclusive)) => Look::Elsewhere(sharing),
            Err(error) => Look::Unasked(error),
            Ok(Sharing::Free | Sharing::Untold) => {
                match report(readers, &entry.name, &config.families, config.journal.as_ref(), Detail::Line) {
                    Ok(report) => Look::Read(Box::new(report)),
                    Err(failure) => Look::Unreadable(Box::new(failure)),
                }
            }
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = entries.iter().map(|entry| scope.spawn(move || look(entry))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or(Look::Mute)).collect()
    })
}

fn tell_of_one(entry: &ReaderEntry, look: Look, findings: &mut Findings) {
    let reader = &entry.name;
    if let Some(atr) = &entry.presence.atr {
        findings.name(Name::Atr(atr.to_string()));
    }
    match look {
        Look::Empty => findings.ok(Probe::Card, format!("{reader}: empty")),
        Look::Mute => {
            let error = ReaderError::Unresponsive { reader: reader.clone() };
            findings.failed(Probe::Card, error.to_string(), error.remedy());
        }
        Look::Read(report) => {
            let CardReport { card, title, tries, .. } = *report;
            let id = &card.card_id;
            findings.name(Name::Card(vec![id.to_string(), id.other_guid().to_string(), id.raw_hex()]));
            findings.ok(Probe::Card, format!("{reader}: {title}, card ID {id}; PIN: {}", tries_text(tries)));
        }
        Look::Elsewhere(sharing) => of_other_program(reader, sharing, findings),
        Look::Unasked(error) => findings.failed_for_now(Probe::Card, format!("{reader}: {error}"), error.remedy()),
        Look::Unreadable(failure) => {
            let reason = format!("{reader}: {}", error_text(failure.cause.as_ref()));
            findings.failed(Probe::Card, reason, failure.cause.remedy());
        }
    }
}

fn of_other_program(reader: &str, sharing: Sharing, findings: &mut Findings) {
    let holders = holders::candidates();
    let held =
        ReaderError::InUse { reader: reader.to_owned(), waited: std::time::Duration::ZERO, holders: holders.clone() };
    let who = holders::sentence(&holders);
    match sharing {
        Sharing::Exclusive => findings.failed_for_now(
            Probe::Card,
            format!("{reader}: another program has the card for itself{who}"),
            held.remedy(),
        ),
        _ => findings.unknown(
            Probe::Card,
            format!(
                "{reader}: another program has the card open, so that it is not touched{who}. `{}` would share it",
                Operation::Inspect
            ),
        ),
    }
}
