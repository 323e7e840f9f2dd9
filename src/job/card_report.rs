//! What a card says of itself, read without a try.

use super::journal::{Journal, Record};
use super::{CardIdentity, Cause, Failure, Step, record_atr};
use crate::apdu::Channel;
use crate::card::family::{self, Families, Found};
use crate::card::{CardError, ChallengeUse, PinLimits, SecretReport, Tries};
use crate::reader::{Atr, EndAction, ReaderError, Readers};

/// What a card says of itself.
#[derive(Debug, Clone)]
pub struct CardReport {
    /// Reader, family, ATR and card ID.
    pub card: CardIdentity,
    /// T=0 or T=1.
    pub protocol: String,
    /// The application in words.
    pub title: String,
    /// Tries left for the user PIN.
    pub tries: Tries,
    /// What the card takes as a PIN.
    pub limits: PinLimits,
    /// The counters of its secrets other than the challenge's key, the PIN's among them; empty where the family tells of
    /// none, and for [`Detail::Line`].
    pub secrets: Vec<SecretReport>,
    /// The card's administrator proves himself by answering a challenge.
    pub admin_challenge: bool,
    /// Named certificate files on the card; `None` where its family keeps no table of them.
    pub certificates: Option<Vec<String>>,
}

/// How much of a card is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// What a list shows.
    Line,
    /// Everything that costs no try.
    Full,
}

/// Reads a card. Spends no try. Where the journal knows the card by an ATR that a profile names, by that profile.
///
/// # Errors
/// At [`Step::Open`] the reader's failure, at [`Step::Identify`] the card's. The card is untouched either way.
pub fn report(
    readers: &dyn Readers,
    reader: &str,
    families: &Families,
    journal: Option<&Journal>,
    detail: Detail,
) -> Result<CardReport, Failure> {
    look(readers, reader, (families, journal), detail, &mut |_, _| {})
}

/// Reads a card, and then hands what was found to `after`, even where the card could not be read to the end.
pub fn look(
    readers: &dyn Readers,
    reader: &str,
    (families, journal): (&Families, Option<&Journal>),
    detail: Detail,
    after: &mut dyn FnMut(&Found<'_>, &mut Channel<'_>),
) -> Result<CardReport, Failure> {
    let failure = |step, cause: Cause| Failure::before_any_effect(step, reader, None, cause);
    let mut connection = readers.open(reader).map_err(|error| failure(Step::Open, error.into()))?;
    let atr = connection.atr().clone();
    let protocol = connection.protocol().to_string();
    let mut channel = Channel::new(connection.as_mut());
    let found = identified(reader, &atr, &mut channel, families, journal);
    let read = found.and_then(|(mut found, card)| {
        let report = card.and_then(|card| read(&mut found, card, protocol, &mut channel, detail));
        if !matches!(report, Err(CardError::NoAnswer { .. })) {
            after(&found, &mut channel);
        }
        Ok(report?)
    });
    let ended: Result<(), ReaderError> = connection.end(EndAction::Leave);
    let report = read.map_err(|cause| failure(Step::Identify, cause))?;
    ended.map_err(|error| failure(Step::Identify, error.into()))?;
    Ok(report)
}

type Identified<'a> = (Found<'a>, Result<CardIdentity, CardError>);

/// The card and its ID, once more by the profile that names an ATR which the journal knows the card by.
fn identified<'a>(
    reader: &str,
    atr: &Atr,
    channel: &mut Channel<'_>,
    families: &'a Families,
    journal: Option<&Journal>,
) -> Result<Identified<'a>, Cause> {
    let (found, card) = identify(reader, atr, atr, channel, families)?;
    let known = match (&card, journal) {
        // A journal that can't be read stops jobs, and not a look at the card.
        (Ok(card), Some(journal)) if !families.profiles.is_empty() => {
            let records = journal.of_card(card.card_id.guid()).unwrap_or_default();
            record_atr::of_profile(card, records.iter().rev().filter_map(Record::atr), families)
        }
        _ => None,
    };
    match known {
        Some(known) => identify(reader, atr, &known, channel, families),
        None => Ok((found, card)),
    }
}

fn identify<'a>(
    reader: &str,
    atr: &Atr,
    as_if: &Atr,
    channel: &mut Channel<'_>,
    families: &'a Families,
) -> Result<Identified<'a>, Cause> {
    let mut found = family::find(as_if, channel, families)?;
    let card = found.card.identify(channel).map(|card_id| CardIdentity {
        reader: reader.to_owned(),
        family: found.card.family(),
        application: found.application.name.clone(),
        atr: atr.clone(),
        card_id,
        has_own_id: found.card.has_own_id(),
    });
    Ok((found, card))
}

fn read(
    found: &mut Found<'_>,
    identity: CardIdentity,
    protocol: String,
    channel: &mut Channel<'_>,
    detail: Detail,
) -> Result<CardReport, CardError> {
    let card = found.card.as_mut();
    let tries = told(card.tries_left(channel))?.unwrap_or(Tries::Untold);
    let secrets = match detail {
        Detail::Full => told(card.secrets(channel))?.unwrap_or_default(),
        Detail::Line => Vec::new(),
    };
    // The list of secrets gives the PIN's counter with its maximum, so it is preferred where it gives one.
    let counted = secrets.iter().find(|secret| secret.name == "pin" && secret.tries != Tries::Untold);
    let tries = counted.map_or(tries, |pin| pin.tries);
    Ok(CardReport {
        card: identity,
        protocol,
        title: card.title(),
        tries,
        limits: card.limits(),
        secrets,
        admin_challenge: matches!(card.challenge_use(), Some(ChallengeUse::Administrator { .. })),
        certificates: card.certificate_files().map(|files| files.names(channel)).transpose()?,
    })
}

/// Turns a card's refusal of a question into `None`, so a card that does not say everything of itself is reported all the
/// same. A refusal because the selection was lost stays an error.
fn told<T>(answer: Result<T, CardError>) -> Result<Option<T>, CardError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.is_mere_refusal() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Tries in words.
#[must_use]
pub fn tries_text(tries: Tries) -> String {
    match tries {
        Tries::Left { left: 0, .. } => "blocked".to_owned(),
        Tries::Left { left, max: Some(max) } => format!("{left} of {max} tries left"),
        Tries::Left { left, max: None } => format!("{left} tries left"),
        Tries::Untold => "tries left not told".to_owned(),
    }
}
