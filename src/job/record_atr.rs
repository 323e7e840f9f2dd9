//! Does the server's record of a card, found by the card's ID, fit the ATR that the card shows? One card has several: cold, warm,
//! and in a reader that makes its own.

use super::identity::CardIdentity;
use super::issuer::Assignment;
use super::records::ResolveError;
use crate::card::family::{self, AtrRule, Families};
use crate::reader::Atr;

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

/// What a person should know of an ATR that is not the record's, where it is accepted.
#[must_use]
pub fn note(card: &CardIdentity, assignment: &Assignment, families: &Families) -> Option<String> {
    verdict(card, assignment, families).ok().flatten()
}

/// The ATR that the server is asked with: the one that it has in its record, since its answer depends on it.
#[must_use]
pub fn asked_with(card: &CardIdentity, assignment: &Assignment) -> String {
    Atr::from_text(&assignment.atr).unwrap_or_else(|| card.atr.clone()).to_string()
}

fn verdict(card: &CardIdentity, assignment: &Assignment, families: &Families) -> Result<Option<String>, String> {
    if assignment.atr.trim().is_empty() {
        return Ok(None);
    }
    let Some(theirs) = Atr::from_text(&assignment.atr) else {
        return Err("the record's is not hexadecimal".to_owned());
    };
    if theirs == card.atr {
        return Ok(None);
    }
    if families.atr == AtrRule::Strict {
        return Err("`card.atr` is \"strict\"".to_owned());
    }
    if !card.has_own_id {
        return Err("the ID that they have in common is made of something shorter".to_owned());
    }
    let named = family::named_by(&theirs, families);
    if !named.is_empty() && !named.contains(&card.application) {
        return Err(format!("the record's is one of {}, and this card is {}", named.join(" or "), card.application));
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
            assert_eq!(asked_with(&card(true), &record(text)), COLD);
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
        // Another family's, another profile's, and what is no ATR.
        let profile = "name = \"other\"\natr = \"3B 8D 01\"\ncard_id = { file = \"0201\" }\npin = { reference = 1 }";
        let with_profile = Families { profiles: vec![toml::from_str(profile).unwrap()], ..Families::default() };
        for (theirs, families) in
            [(YUBIKEY, &families), ("3b 8d 01", &with_profile), ("none", &families), ("3b8", &families)]
        {
            assert!(!accepts(true, theirs, families), "{theirs}");
        }
    }
}
