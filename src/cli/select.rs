//! Which card is meant. It is never guessed: where there is not exactly one, and no option names one, the list of cards is
//! the error.

use thiserror::Error;

use super::card_problem::in_few_words;
use crate::apdu::Channel;
use crate::card::CardId;
use crate::card::family::{self, Families};
use crate::exit::Exit;
use crate::foreign_text::escaped;
use crate::job::Cause;
use crate::operation::Operation;
use crate::reader::ignore::is_ignored;
use crate::reader::{EndAction, ReaderEntry, ReaderError, Readers};

/// The card that a person means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// The reader's name.
    pub reader: String,
    /// The card's ID, where the person chose by it.
    pub card_id: Option<CardId>,
}

/// How a person says which card is meant.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct CardChoice {
    /// The reader: its name, a unique part of it, or its number in `pinwright readers`.
    #[arg(long, value_name = "READER")]
    pub reader: Option<String>,
    /// The card's ID: GUID text, or 32 hex digits in the card's own byte order.
    #[arg(long, value_name = "ID")]
    pub card_id: Option<String>,
}

/// No card, or not which.
#[derive(Debug, Error)]
pub enum ChoiceError {
    /// The readers can't be listed.
    #[error(transparent)]
    Reader(#[from] ReaderError),
    /// No reader at all.
    #[error("there is no smart card reader")]
    NoReaders,
    /// Readers, and the configuration hides them all.
    #[error("{}", all_hidden(*.0))]
    AllHidden(usize),
    /// Readers, and no card in them.
    #[error("there is no card in {}", .readers.join(", "))]
    NoCard {
        /// The readers.
        readers: Vec<String>,
    },
    /// More than one card.
    #[error("there are {} cards: {}", .cards.len(), .cards.join(", "))]
    ManyCards {
        /// Number, reader and card ID of each.
        cards: Vec<String>,
    },
    /// No reader of that name.
    #[error("no reader is called {wanted:?}; there are {}", .readers.join(", "))]
    NoSuchReader {
        /// What was asked for.
        wanted: String,
        /// The readers.
        readers: Vec<String>,
    },
    /// More than one reader of that name.
    #[error("{wanted:?} is part of {} readers' names: {}", .readers.len(), .readers.join(", "))]
    ManyReaders {
        /// What was asked for.
        wanted: String,
        /// The readers.
        readers: Vec<String>,
    },
    /// No card with that ID.
    #[error("no card has the ID {wanted}; there are {}", .found.join(", "))]
    NoSuchCard {
        /// What was asked for.
        wanted: String,
        /// Reader and ID of each card that was found.
        found: Vec<String>,
    },
}

impl ChoiceError {
    /// The exit code.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Reader(error) => error.into(),
            _ => Exit::NoCard,
        }
    }

    /// What to do next, as an imperative sentence without a full stop.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Reader(error) => error.remedy(),
            Self::NoReaders => format!("plug a reader in; `{}` shows what the system sees", Operation::Readers),
            Self::AllHidden(_) => "look at `reader.ignore`".to_owned(),
            Self::NoCard { .. } => "insert the card".to_owned(),
            Self::ManyCards { .. } => "say which with `--reader` or `--card-id`, or pull the others out".to_owned(),
            Self::NoSuchReader { .. } | Self::ManyReaders { .. } => {
                format!("`{}` lists names and numbers", Operation::Readers)
            }
            Self::NoSuchCard { .. } => format!("insert that card; `{}` lists the IDs", Operation::Readers),
        }
    }
}

/// That `reader.ignore` hides all of so many readers.
pub fn all_hidden(readers: usize) -> String {
    match readers {
        1 => "the one reader that is there is hidden by the configuration".to_owned(),
        readers => format!("all {readers} readers are hidden by the configuration"),
    }
}

/// The readers that are looked at.
pub struct Visible {
    /// Those that `reader.ignore` does not hide.
    pub entries: Vec<ReaderEntry>,
    /// How many it hides.
    pub hidden: usize,
}

/// The readers that `reader.ignore` does not hide.
///
/// # Errors
/// The PC/SC service's failure.
pub fn visible(readers: &dyn Readers, ignored: &[String]) -> Result<Visible, ReaderError> {
    let mut entries = readers.list()?;
    let all = entries.len();
    entries.retain(|entry| !is_ignored(&entry.name, ignored));
    Ok(Visible { hidden: all - entries.len(), entries })
}

/// Finds the one card that is meant. Cards are opened only where the choice is by card ID, or there are several to be told apart;
/// nothing is written and no try is spent.
///
/// # Errors
/// [`ChoiceError`]: no card, more than one, or none of that name or ID, with the list of those that are there; or the PC/SC
/// service's failure.
pub fn choose(
    readers: &dyn Readers,
    ignored: &[String],
    choice: &CardChoice,
    families: &Families,
) -> Result<Chosen, ChoiceError> {
    let Visible { mut entries, hidden } = visible(readers, ignored)?;
    if entries.is_empty() {
        return Err(if hidden == 0 { ChoiceError::NoReaders } else { ChoiceError::AllHidden(hidden) });
    }
    let all = entries.clone();
    if let Some(wanted) = &choice.reader {
        entries = vec![by_name(&entries, wanted)?];
    }
    let names = |entries: &[ReaderEntry]| entries.iter().map(|entry| quoted(&entry.name)).collect::<Vec<_>>();
    let mut cards: Vec<ReaderEntry> = entries.iter().filter(|entry| has_card(entry)).cloned().collect();
    if cards.is_empty() {
        return Err(ChoiceError::NoCard { readers: names(&entries) });
    }
    if let Some(wanted) = &choice.card_id {
        return by_card_id(readers, (&all, &cards), wanted, families);
    }
    match (cards.pop(), cards.is_empty()) {
        (Some(only), true) => Ok(Chosen { reader: only.name, card_id: None }),
        (last, _) => {
            cards.extend(last);
            let ids = card_ids(readers, &cards, families);
            let shown = cards.iter().zip(&ids).map(|(entry, id)| shown(&all, entry, id));
            Err(ChoiceError::ManyCards { cards: shown.collect() })
        }
    }
}

/// Whether there is a card. A mute card counts, since it may be the one that is meant.
fn has_card(entry: &ReaderEntry) -> bool {
    entry.presence.is_there()
}

/// The reader that is meant by a name as it is shown, a unique part of it, or its number.
///
/// # Errors
/// [`ChoiceError::NoSuchReader`] and [`ChoiceError::ManyReaders`].
pub fn by_name(entries: &[ReaderEntry], wanted: &str) -> Result<ReaderEntry, ChoiceError> {
    if let Some(exact) = entries.iter().find(|entry| spellings(&entry.name).iter().any(|name| name == wanted)) {
        return Ok(exact.clone());
    }
    let names = |entries: Vec<&ReaderEntry>| entries.into_iter().map(|entry| quoted(&entry.name)).collect();
    // A number is taken only as `readers` prints it, since `00` may be a part of a name, as of "Reader 00 00".
    let number = wanted.parse::<usize>().ok().filter(|number| number.to_string() == wanted);
    if let Some(number) = number {
        // A number that is gone is not taken for a part of a name: readers' names end in digits, so it would find another.
        let gone = || ChoiceError::NoSuchReader { wanted: wanted.to_owned(), readers: names(entries.iter().collect()) };
        return entries.get(number).cloned().ok_or_else(gone);
    }
    let folded = wanted.to_lowercase();
    let fits = |entry: &&ReaderEntry| spellings(&entry.name).iter().any(|name| name.to_lowercase().contains(&folded));
    let mut matching: Vec<&ReaderEntry> = entries.iter().filter(fits).collect();
    match (matching.pop(), matching.is_empty()) {
        (Some(only), true) => Ok(only.clone()),
        (None, _) => {
            Err(ChoiceError::NoSuchReader { wanted: wanted.to_owned(), readers: names(entries.iter().collect()) })
        }
        (Some(last), false) => {
            matching.push(last);
            Err(ChoiceError::ManyReaders { wanted: wanted.to_owned(), readers: names(matching) })
        }
    }
}

/// Finds a card by its ID. A card that can't tell its ID is not the one that is meant.
fn by_card_id(
    readers: &dyn Readers,
    (all, cards): (&[ReaderEntry], &[ReaderEntry]),
    wanted: &str,
    families: &Families,
) -> Result<Chosen, ChoiceError> {
    let ids = card_ids(readers, cards, families);
    let mut found = Vec::new();
    let mut matching = Vec::new();
    for (entry, id) in cards.iter().zip(&ids) {
        match id {
            Ok(known) if known.is_meant_by(wanted) => matching.push((entry, *known, id)),
            Ok(id) => found.push(format!("{id} in {}", quoted(&entry.name))),
            Err(reason) => found.push(format!("a card in {}: {reason}", quoted(&entry.name))),
        }
    }
    match matching.as_slice() {
        [(entry, id, _)] => Ok(Chosen { reader: entry.name.clone(), card_id: Some(*id) }),
        [] => Err(ChoiceError::NoSuchCard { wanted: wanted.to_owned(), found }),
        many => {
            let cards = many.iter().map(|(entry, _, id)| shown(all, entry, id)).collect();
            Err(ChoiceError::ManyCards { cards })
        }
    }
}

/// The ID of each card, or in a few words why it has none. Each card is asked on a thread of its own, so that one that hangs keeps
/// no other from answering.
fn card_ids(readers: &dyn Readers, cards: &[ReaderEntry], families: &Families) -> Vec<Result<CardId, String>> {
    std::thread::scope(|scope| {
        let ask = |entry| scope.spawn(move || read_card_id(readers, entry, families));
        let threads: Vec<_> = cards.iter().map(ask).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err("not readable".to_owned()))).collect()
    })
}

/// The card's ID, or in a few words why it has none.
fn read_card_id(readers: &dyn Readers, entry: &ReaderEntry, families: &Families) -> Result<CardId, String> {
    if entry.presence.mute {
        return Err("it does not respond".to_owned());
    }
    let mut connection = readers.open(&entry.name).map_err(|error| error.to_string())?;
    let atr = connection.atr().clone();
    let mut channel = Channel::new(connection.as_mut());
    let id = family::detect(&atr, &mut channel, families)
        .map_err(Cause::from)
        .and_then(|mut card| Ok(card.identify(&mut channel)?))
        .map_err(|cause| in_few_words(&cause));
    // A failure to let go is of no account, since only reads were sent.
    drop(connection.end(EndAction::Leave));
    id
}

/// Number, name and card ID: whichever of them is taken, it selects this card.
fn shown(all: &[ReaderEntry], entry: &ReaderEntry, id: &Result<CardId, String>) -> String {
    let number = all.iter().position(|other| other.name == entry.name).unwrap_or_default();
    match id {
        Ok(id) => format!("{number} {} (card {id})", quoted(&entry.name)),
        Err(reason) => format!("{number} {} (a card: {reason})", quoted(&entry.name)),
    }
}

fn quoted(name: &str) -> String {
    format!("{name:?}")
}

/// How a name is written: by JSON, by `readers`, and between quotation marks by errors. Whatever is shown selects.
fn spellings(name: &str) -> [String; 3] {
    let quoted = quoted(name);
    [name.to_owned(), escaped(name).into_owned(), quoted.trim_matches('"').to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reader::Presence;

    #[test]
    fn what_is_shown_of_a_name_selects_it() {
        let presence = Presence { generation: 0, atr: None, mute: false };
        let names = ["Lecteur \\xE9 00 00", "Lecteur \u{1b}[31m 00 00", "Say \"00\""];
        let entries = names.map(|name| ReaderEntry { name: name.to_owned(), presence: presence.clone() });
        for (number, name) in names.iter().enumerate() {
            for wanted in spellings(name).into_iter().chain([number.to_string()]) {
                assert_eq!(by_name(&entries, &wanted).unwrap().name, *name, "{wanted}");
            }
        }
        for (part, name) in [("\\xe9", names[0]), ("\\\\xE9", names[0]), ("\\u{1B}[31m", names[1])] {
            assert_eq!(by_name(&entries, part).unwrap().name, name, "{part}");
        }
        assert!(matches!(by_name(&entries, "lecteur"), Err(ChoiceError::ManyReaders { .. })));
        assert!(matches!(by_name(&entries, "\u{FFFD}"), Err(ChoiceError::NoSuchReader { .. })));
    }
}
