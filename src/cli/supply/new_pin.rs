//! The questions for a new PIN: for which card, what it must be like, twice, and what was not right.

use crate::card::{PinCharacters, PinLimits};
use crate::job::fit::{self, FitError, PolicyLengths};
use crate::job::secrets::{Need, SecretError};
use crate::secret::{Pin, SecretBytes};

/// How often a new PIN is asked for that does not fit, or whose two entries differ.
const ENTRIES: u32 = 3;

/// Asks for a new PIN until one fits and both entries are alike; `subject` says for which card, and `ask` shows a text and takes an
/// entry.
///
/// # Errors
/// Those of `ask`; [`SecretError::Mismatch`] and [`SecretError::Unusable`] where the last entry was not right either. One that does
/// not fit is handed on then: the job refuses it by its own rules.
pub(super) fn new_pin(
    subject: &str,
    limits: PinLimits,
    ask: &mut dyn FnMut(&str) -> Result<SecretBytes, SecretError>,
) -> Result<Pin, SecretError> {
    let what = Need::NewPin.what();
    let mut before = format!("New PIN for {subject}: {}.\n", rules(limits));
    for entry in 1..=ENTRIES {
        let is_last = entry == ENTRIES;
        before = match entered(limits, &before, ask)? {
            Entered::Pin(pin) => return Ok(pin),
            // The job's own rules refuse it, and say which of them.
            Entered::Misfit(pin, _) if is_last => return Ok(pin),
            Entered::Unusable(reason) if is_last => return Err(SecretError::Unusable { what, reason }),
            Entered::Misfit(_, reason) | Entered::Unusable(reason) => {
                format!("That PIN can't be taken: {reason}. Once more.\n")
            }
            Entered::Different => "The two entries differ; nothing was changed. Once more.\n".to_owned(),
        };
    }
    Err(SecretError::Mismatch { what })
}

/// What was entered.
enum Entered {
    /// A PIN that fits, twice.
    Pin(Pin),
    /// One that breaks a rule, and which.
    Misfit(Pin, String),
    /// None at all, and why.
    Unusable(String),
    /// Two that are not alike.
    Different,
}

/// One PIN, entered twice, unless it can't be right: that is known before the second entry.
fn entered(
    limits: PinLimits,
    before: &str,
    ask: &mut dyn FnMut(&str) -> Result<SecretBytes, SecretError>,
) -> Result<Entered, SecretError> {
    let first = ask(&format!("{before}New PIN: "))?;
    let pin = match super::pin(Need::NewPin.what(), &first) {
        Ok(pin) => pin,
        Err(SecretError::Unusable { reason, .. }) => return Ok(Entered::Unusable(reason)),
        Err(error) => return Err(error),
    };
    // The limits are those of card and policy together.
    if let Err(error) = fit::check(&pin, limits, PolicyLengths::default()) {
        return Ok(Entered::Misfit(pin, misfit(error)));
    }
    let second = ask("New PIN again: ")?;
    Ok(if first.is_same_as(&second) { Entered::Pin(pin) } else { Entered::Different })
}

fn rules(limits: PinLimits) -> String {
    let characters = match limits.characters {
        PinCharacters::Digits => "digits",
        PinCharacters::Ascii => "characters",
    };
    match (limits.min, limits.max) {
        (min, max) if min == max => format!("{min} {characters}"),
        (min, max) => format!("{min} to {max} {characters}"),
    }
}

fn misfit(error: FitError) -> String {
    match error {
        FitError::ShortForCard(min) | FitError::ShortForPolicy(min) => format!("it has fewer than {min} characters"),
        FitError::LongForCard(max) | FitError::LongForPolicy(max) => format!("it has more than {max} characters"),
        FitError::NotDigits => "it has other characters than digits".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: PinLimits = PinLimits { min: 6, max: 8, characters: PinCharacters::Digits };

    /// What was asked, and what came of it.
    fn dialogue(entries: &[&str]) -> (String, Result<Pin, SecretError>) {
        let mut entries = entries.iter();
        let mut asked = String::new();
        let mut ask = |text: &str| {
            asked.push_str(text);
            let entry = entries.next().ok_or(SecretError::Cancelled { what: "the new PIN" })?;
            asked.push('\n');
            let mut bytes = SecretBytes::with_capacity(16);
            assert!(bytes.append(entry.as_bytes()));
            Ok(bytes)
        };
        let pin = new_pin("card 1234 in \"Desk 1\"", RULES, &mut ask);
        (asked, pin)
    }

    #[test]
    fn card_and_rules_are_named_first_and_what_is_not_right_is_said() {
        let (asked, pin) = dialogue(&["1234", "123456", "123457", "13572468", "13572468"]);
        assert!(pin.is_ok());
        assert_eq!(
            asked,
            "New PIN for card 1234 in \"Desk 1\": 6 to 8 digits.\n\
             New PIN: \n\
             That PIN can't be taken: it has fewer than 6 characters. Once more.\n\
             New PIN: \n\
             New PIN again: \n\
             The two entries differ; nothing was changed. Once more.\n\
             New PIN: \n\
             New PIN again: \n"
        );
    }

    #[test]
    fn the_third_that_is_not_right_is_the_last() {
        let (asked, pin) = dialogue(&["12345x", "123456789", "Geheim"]);
        assert!(asked.contains("more than 8 characters") && asked.contains("other characters than digits"), "{asked}");
        assert!(fit::check(&pin.unwrap(), RULES, PolicyLengths::default()).is_err(), "the job refuses it");
        assert!(matches!(dialogue(&["1", "2", ""]).1.map(drop), Err(SecretError::Unusable { .. })));
        let (_, pin) = dialogue(&["123456", "1", "123456", "2", "123456", "3"]);
        assert!(matches!(pin.map(drop), Err(SecretError::Mismatch { .. })));
        assert!(matches!(dialogue(&["123456"]).1.map(drop), Err(SecretError::Cancelled { .. })));
    }
}
