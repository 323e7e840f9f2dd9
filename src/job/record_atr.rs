//! Does the server's record of a card, found by the card's ID, fit the ATR that the card shows? One card has several: cold, warm,
//! and in a reader that makes its own.

use std::fmt;

use super::identity::CardIdentity;
use super::issuer::Assignment;
use super::records::ResolveError;
use crate::card::family::{self, AtrRule, Families};
use crate::operation::Operation;
use crate::reader::{self, Atr};

/// Why an ID in common is not enough to take a card for that of a record with another ATR.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AtrDoubt {
    /// `card.atr = "strict"`.
    Strict,
    /// The record's ATR is no ATR.
    NotHex,
    /// The ID is a shorter number repeated, or derived from one.
    DerivedId,
    /// The record's ATR names other families or profiles.
    OtherApplication {
        /// What it names.
        theirs: String,
        /// What the card is.
        ours: String,
    },
}

impl fmt::Display for AtrDoubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Strict => f.write_str("`card.atr` is \"strict\""),
            Self::NotHex => f.write_str("the record's is not hexadecimal"),
            Self::DerivedId => f.write_str("the ID that they have in common is made of something shorter"),
            Self::OtherApplication { theirs, ours } => {
                write!(f, "the record's is one of {theirs}, and this card is {ours}")
            }
        }
    }
}

impl AtrDoubt {
    /// What to do next, as an imperative sentence without a full stop.
    #[must_use]
    pub fn remedy(&self) -> String {
        let set_pin = Operation::SetPin;
        match self {
            Self::Strict => {
                "check that the right card is inserted; if it is, try the reader that it was registered in, or have the ATR in the \
                 server's record corrected"
                    .to_owned()
            }
            Self::NotHex | Self::DerivedId => format!(
                "check that the right card is inserted; if it is, run `{set_pin}`, which asks about it, or have the ATR in the \
                 server's record corrected"
            ),
            Self::OtherApplication { .. } => format!(
                "check that the right card is inserted; if it is, run `{set_pin}` on a terminal without `--yes`, or name the \
                 record with `--smartcard`"
            ),
        }
    }

    /// Whether a yes that was said before this was known counts as one to it.
    #[must_use]
    pub fn is_covered_by_an_earlier_yes(&self) -> bool {
        matches!(self, Self::NotHex | Self::DerivedId)
    }
}

/// Checks the record's ATR. Another one is accepted, and told in the log, where the ID is the card's own and the record's ATR
/// names no other family or profile.
///
/// # Errors
/// [`ResolveError::OtherAtr`].
pub fn check(card: &CardIdentity, assignment: &Assignment, families: &Families) -> Result<(), ResolveError> {
    match verdict(card, assignment, families) {
        Ok(None) => Ok(()),
        Ok(Some(told)) => {
            tracing::warn!("{told}");
            Ok(())
        }
        Err(why) => Err(ResolveError::OtherAtr {
            smartcard: assignment.smartcard,
            theirs: assignment.atr.chars().take(66).collect(),
            ours: card.atr.to_string(),
            why,
        }),
    }
}

/// Of ATRs that a card of this ID is known by, the first that a profile names: the card is to be treated by that profile's rules,
/// whatever it shows now. None where a profile names what it shows, and where the ID is not the card's own: another card may have
/// it then.
pub fn of_profile<'a>(
    card: &CardIdentity,
    mut known: impl Iterator<Item = &'a str>,
    families: &Families,
) -> Option<Atr> {
    let named = |atr: &Atr| family::profile_named_by(atr, families).filter(|name| *name != card.application);
    if !card.has_own_id || family::profile_named_by(&card.atr, families).is_some() {
        return None;
    }
    known.find_map(|text| Atr::from_text(text).filter(|atr| named(atr).is_some()))
}

/// What a person should know of an ATR that is not the record's, where it is accepted.
#[must_use]
pub fn note(card: &CardIdentity, assignment: &Assignment, families: &Families) -> Option<String> {
    verdict(card, assignment, families).ok().flatten()
}

/// The ATR that the server is asked with: the one that it has in its record, zeros that fill it up included, since its answer
/// depends on it. Lower-case hexadecimal digits.
#[must_use]
pub fn asked_with(card: &CardIdentity, assignment: &Assignment) -> String {
    reader::bytes_of(&assignment.atr).map_or_else(|| card.atr.to_string(), hex::encode)
}

fn verdict(card: &CardIdentity, assignment: &Assignment, families: &Families) -> Result<Option<String>, AtrDoubt> {
    if assignment.atr.trim().is_empty() {
        return Ok(None);
    }
    let Some(theirs) = Atr::from_text(&assignment.atr) else {
        return Err(AtrDoubt::NotHex);
    };
    if theirs == card.atr {
        return Ok(None);
    }
    if families.atr == AtrRule::Strict {
        return Err(AtrDoubt::Strict);
    }
    if !card.has_own_id {
        return Err(AtrDoubt::DerivedId);
    }
    let named = family::named_by(&theirs, families);
    let is_to_be_taken_so = of_profile(card, std::iter::once(assignment.atr.as_str()), families).is_some();
    if !named.is_empty() && !named.contains(&card.application) && !is_to_be_taken_so {
        return Err(AtrDoubt::OtherApplication { theirs: named.join(" or "), ours: card.application.clone() });
    }
    let ours = &card.atr;
    Ok(Some(format!(
        "the server's record has the ATR {theirs} and the card shows {ours}: taken for the same card by its ID"
    )))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::card::{CardId, Family, IdOrder};
    use crate::job::fit::PolicyLengths;
    use crate::job::issuer::PinMaker;
    use crate::server::AdminKeyVersion;

    const COLD: &str = "3b8d0180fba000000397425446590301c8";
    const WARM: &str = "3b8d0180fba000000397425446590401cf";
    const CONTACTLESS: &str = "3b8d800180fba00000039742544659030148";
    const YUBIKEY: &str = "3bfd1300008131fe158073c021c057597562694b657940";

    fn card(has_own_id: bool) -> CardIdentity {
        CardIdentity {
            reader: String::new(),
            family: Family::Gids,
            application: "gids".to_owned(),
            atr: Atr::from_text(COLD).unwrap(),
            card_id: CardId::new(&[1; 16], IdOrder::Raw).unwrap(),
            has_own_id,
        }
    }

    fn record(atr: &str) -> Assignment {
        Assignment {
            smartcard: Uuid::nil(),
            request: None,
            target_user: None,
            is_of_others: false,
            is_executing: false,
            template: None,
            template_name: None,
            atr: atr.to_owned(),
            admin_key: Ok(AdminKeyVersion::Default),
            evidence: String::new(),
            pin_maker: PinMaker::Ask,
            pin_option: String::new(),
            policy: PolicyLengths::default(),
        }
    }

    fn accepts(has_own_id: bool, atr: &str, families: &Families) -> bool {
        check(&card(has_own_id), &record(atr), families).is_ok()
    }

    #[test]
    fn bytes_are_compared_and_not_text() {
        let strict = Families { atr: AtrRule::Strict, ..Families::default() };
        let spaced = "3b 8d 01 80 fb a0 00 00 03 97 42 54 46 59 03 01 c8";
        for text in ["", "  ", COLD, &COLD.to_uppercase(), spaced, &spaced.replace(' ', ":"), &format!("{COLD:0<66}")] {
            for has_own_id in [true, false] {
                assert!(accepts(has_own_id, text, &strict), "{text}");
                assert_eq!(note(&card(has_own_id), &record(text), &strict), None);
            }
            let filling = if text.len() == 66 { "0".repeat(66 - COLD.len()) } else { String::new() };
            assert_eq!(asked_with(&card(true), &record(text)), format!("{COLD}{filling}"));
        }
    }

    #[test]
    fn another_atr_is_accepted_by_an_id_of_the_cards_own() {
        let families = Families::default();
        for theirs in [WARM, CONTACTLESS, "3b 8d 01", "3B:8D:01", "3b80800101"] {
            assert!(accepts(true, theirs, &families), "{theirs}");
            assert!(note(&card(true), &record(theirs), &families).unwrap().contains(COLD));
            assert_eq!(asked_with(&card(true), &record(theirs)), Atr::from_text(theirs).unwrap().to_string());
            assert!(!accepts(false, theirs, &families), "{theirs}: a repeated serial number");
            assert!(!accepts(true, theirs, &Families { atr: AtrRule::Strict, ..Families::default() }));
        }
        // Another family's, another profile's than the one that names what the card shows, and what is no ATR.
        let profile = |name: &str, atr: &str| {
            let text =
                format!("name = {name:?}\natr = {atr:?}\ncard_id = {{ file = \"0201\" }}\npin = {{ reference = 1 }}");
            toml::from_str(&text).unwrap()
        };
        let known = Families { profiles: vec![profile("other", "3B 8D 01")], ..Families::default() };
        let two =
            Families { profiles: vec![profile("gids", COLD), profile("other", "3B 8D 01")], ..Families::default() };
        for (theirs, families) in [(YUBIKEY, &families), ("3b 8d 01", &two), ("none", &families), ("3b8", &families)] {
            assert!(!accepts(true, theirs, families), "{theirs}");
        }
        // A profile that names the record's ATR is the card's own, where none names what it shows.
        let found = |own, families| of_profile(&card(own), ["3b8", WARM, "3b 8d 01"].into_iter(), families);
        assert_eq!(found(true, &known), Atr::from_text("3b8d01"));
        assert!(accepts(true, "3b 8d 01", &known));
        assert!(found(false, &known).is_none() && found(true, &two).is_none() && found(true, &families).is_none());
    }
}
