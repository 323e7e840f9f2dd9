//! Which family a card is of: a table of candidates, put into order by what the ATR says. Each gets one SELECT, until one answers
//! as its family does. Where another application could have given that answer, one read makes sure. Neither costs a try.

mod atr;
mod built_in;
mod candidate;
mod settings;
mod tried;

use thiserror::Error;

use self::built_in::{BUILT_IN, BuiltIn, Selected};
use self::candidate::{Candidate, Kind, Probe};
pub use self::settings::{AtrRule, Families};
pub use self::tried::{Doubt, Tried};
use super::Card;
use super::proof::Family;
use crate::apdu::{ApduError, Channel, Status};
use crate::reader::Atr;

/// The names of the built-in families, in the order in which they are tried.
pub fn built_in() -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().map(|row| row.family.name())
}

/// The same families in words.
pub fn titles() -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().map(|row| row.title)
}

/// Why a candidate was tried where it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// A profile names this ATR.
    ProfileAtr,
    /// The ATR, or its historical bytes, name it.
    Atr,
    /// `card.prefer` names it.
    Preferred,
    /// Its place in the order.
    Order,
}

impl Reason {
    /// The name used in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ProfileAtr => "profile-atr",
            Self::Atr => "atr",
            Self::Preferred => "preferred",
            Self::Order => "order",
        }
    }

    /// Why, as a clause.
    #[must_use]
    pub fn phrase(self) -> &'static str {
        match self {
            Self::ProfileAtr => "its profile names this ATR",
            Self::Atr => "the ATR names it",
            Self::Preferred => "`card.prefer` names it",
            Self::Order => "it is the first in the order",
        }
    }
}

/// An application that is on the card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// The family's or the profile's name, as in `card.prefer`.
    pub name: String,
    /// In words.
    pub title: String,
    /// Why it was tried where it was.
    pub reason: Reason,
}

/// A card that is none of ours, or that did not answer.
#[derive(Debug, Error)]
pub enum DetectError {
    /// No family's application is there.
    #[error("the card (ATR {atr}) is of no known family")]
    Unknown {
        /// The card's ATR.
        atr: Atr,
        /// What was tried and how the card answered.
        tried: Vec<Tried>,
    },
    /// The only application of a known family on the card has been put out of use (`6285`).
    #[error("the card's {application} application is terminated")]
    Terminated {
        /// The family's name.
        application: String,
    },
    /// The SELECT got no answer.
    #[error("SELECT got no answer from the card")]
    NoAnswer(#[source] ApduError),
}

/// Finds the family and selects its application. 0 to N commands for N candidates; 1 where the ATR tells. One more for each
/// application of PIV or OpenPGP that answers `9000` and does not say which one it is; where it is the one, [`Card::identify`]
/// needs one less. Nothing but SELECT and GET DATA is sent.
///
/// # Errors
/// No candidate's application is on the card, or the card does not answer.
pub fn detect(atr: &Atr, channel: &mut Channel<'_>, families: &Families) -> Result<Box<dyn Card>, DetectError> {
    find(atr, channel, families).map(|found| found.card)
}

/// A card whose application is selected, and what was not tried.
pub struct Found<'a> {
    /// The card.
    pub card: Box<dyn Card>,
    /// Its application.
    pub application: Application,
    /// Whether it is `card.prefer` that chooses between it and others: not where the ATR names this one and no other.
    pub prefer_chooses: bool,
    /// Exchanges with the card that it took.
    pub exchanges: u32,
    /// What was tried before.
    pub tried: Vec<Tried>,
    rest: Vec<Candidate<'a>>,
}

impl Found<'_> {
    /// The other applications on the card. One SELECT for each candidate that [`find`] left out, and a read where it needs one:
    /// afterwards **another application may be the selected one**, so this comes last.
    ///
    /// # Errors
    /// The card does not answer.
    pub fn others(&self, channel: &mut Channel<'_>) -> Result<Vec<Application>, DetectError> {
        let mut others = Vec::new();
        for candidate in &self.rest {
            let Some(command) = candidate.select() else { continue };
            if let Probe::Present(_) = candidate.probe(&command, channel).map_err(DetectError::NoAnswer)? {
                others.push(candidate.application());
            }
        }
        Ok(others)
    }
}

/// As [`detect`], and says why this application.
///
/// # Errors
/// As [`detect`].
pub fn find<'a>(atr: &Atr, channel: &mut Channel<'_>, families: &'a Families) -> Result<Found<'a>, DetectError> {
    let before = channel.exchanges();
    let mut tried = Vec::new();
    let mut candidates = candidates(atr, families).into_iter();
    while let Some(candidate) = candidates.next() {
        // Nothing to ask where the ATR has told a card that has its only application selected.
        let read = match candidate.select().map(|command| candidate.probe(&command, channel)).transpose() {
            Ok(None) => None,
            Ok(Some(Probe::Present(read))) => read,
            Ok(Some(Probe::Absent(status, doubt))) => {
                tried.push(Tried { name: candidate.name().to_owned(), status, doubt });
                continue;
            }
            Err(error) => return Err(DetectError::NoAnswer(error)),
        };
        return Ok(Found {
            card: candidate.make(&Selected { atr, families, read }),
            application: candidate.application(),
            prefer_chooses: match candidate.reason {
                Reason::ProfileAtr => false,
                Reason::Atr => atr::families(atr).len() > 1,
                Reason::Preferred | Reason::Order => true,
            },
            exchanges: channel.exchanges() - before,
            tried,
            rest: candidates.collect(),
        });
    }
    let terminated = tried.iter().find(|one| one.status == Status::TERMINATED);
    match terminated {
        Some(one) => Err(DetectError::Terminated { application: one.name.clone() }),
        None => Err(DetectError::Unknown { atr: atr.clone(), tried }),
    }
}

/// Everything that may be tried, each once: what the ATR says, what is preferred, and the rest in the order of Windows. A
/// profile that names another ATR is no candidate.
fn candidates<'a>(atr: &Atr, families: &'a Families) -> Vec<Candidate<'a>> {
    let profiles = || families.profiles.iter();
    let by_atr =
        profiles().filter(|profile| profile.matches(atr)).map(|profile| (Kind::Profile(profile), Reason::ProfileAtr));
    let by_aid: Vec<_> = profiles()
        .filter(|profile| profile.atr.is_empty())
        .map(|profile| (Kind::Profile(profile), Reason::Order))
        .collect();
    let built_in: Vec<_> = BUILT_IN.iter().map(|row| (Kind::BuiltIn(row), Reason::Order)).collect();

    let mut ordered: Vec<(Kind<'a>, Reason)> = by_atr.collect();
    let is_claimed = !ordered.is_empty();
    ordered.extend(hinted(atr, families).map(|row| (Kind::BuiltIn(row), Reason::Atr)));
    for name in &families.prefer {
        let preferred = built_in.iter().chain(&by_aid).find(|(kind, _)| kind.name() == name);
        ordered.extend(preferred.map(|(kind, _)| (*kind, Reason::Preferred)));
    }
    ordered.extend(built_in);
    ordered.extend(by_aid);

    let mut candidates: Vec<Candidate<'a>> = Vec::new();
    for (kind, reason) in ordered {
        if candidates.iter().all(|candidate| candidate.name() != kind.name()) {
            candidates.push(Candidate { kind, reason, is_claimed });
        }
    }
    candidates
}

/// The families and profiles that an answer-to-reset names, as `card.prefer` names them. Empty where it says nothing.
#[must_use]
pub fn named_by(atr: &Atr, families: &Families) -> Vec<String> {
    let profiles = families.profiles.iter().filter(|profile| profile.matches(atr)).map(|profile| profile.name.clone());
    profiles.chain(atr::families(atr).into_iter().map(|family| family.name().to_owned())).collect()
}

/// The profile that is taken for a card with this answer-to-reset, by name.
#[must_use]
pub fn profile_named_by<'a>(atr: &Atr, families: &'a Families) -> Option<&'a str> {
    families.profiles.iter().find(|profile| profile.matches(atr)).map(|profile| profile.name.as_str())
}

/// The one family that the ATR puts first, so that a wrong hint costs one SELECT. Where it names several the preferred one.
fn hinted(atr: &Atr, families: &Families) -> Option<&'static BuiltIn> {
    let named = atr::families(atr);
    let preferred = families.prefer.iter().filter_map(|name| Family::built_in_named(name));
    let first = preferred.filter(|family| named.contains(family)).chain(named.iter().copied()).next()?;
    BUILT_IN.iter().find(|row| row.family == first)
}

#[cfg(test)]
mod tests;
