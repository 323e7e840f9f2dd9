//! Card profiles, in the configuration itself and in files of their own. Each is checked where it stands, so that an error
//! names file and line.

use std::path::Path;

use serde::Deserialize;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, value};
use super::message;
use super::text::text_of;
use crate::card::profile::{Profile, clash};
use crate::card::{Family, family};

/// A profile and where it stands.
pub(super) struct LocatedProfile {
    profile: Profile,
    /// File and line, for errors.
    origin: String,
}

impl LocatedProfile {
    /// The profile's name.
    pub fn name(&self) -> &str {
        &self.profile.name
    }

    /// The profile's name, and file and line where it stands.
    pub fn name_and_origin(&self) -> (String, String) {
        (self.profile.name.clone(), self.origin.clone())
    }
}

/// A file of profiles: what could be pasted into a configuration, and nothing else.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProfileFile {
    card: ProfileTables,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProfileTables {
    profile: Vec<Profile>,
}

/// Checks each profile of one text by itself.
///
/// # Errors
/// [`ConfigError::Profile`] of the first one that can't work.
pub(super) fn check_each(text: &str, origin: &str, profiles: Vec<Profile>) -> Result<Vec<LocatedProfile>, ConfigError> {
    let check = |(number, profile): (usize, Profile)| {
        let at = |key: &[&str]| match line(text, number, key) {
            Some(line) => format!("{origin}, line {line}"),
            None => origin.to_owned(),
        };
        match profile.check() {
            Ok(()) => Ok(LocatedProfile { origin: at(&[]), profile }),
            Err(problem) => Err(ConfigError::Profile { origin: at(&problem.key), problem }),
        }
    };
    profiles.into_iter().enumerate().map(check).collect()
}

/// Reads and checks a file of profiles.
///
/// # Errors
/// [`ConfigError::Unreadable`], [`ConfigError::Exposed`], [`ConfigError::Syntax`] also where no profile is in it, and [`ConfigError::Profile`].
pub(super) fn read(path: &Path) -> Result<Vec<LocatedProfile>, ConfigError> {
    let text = text_of(path)?;
    let origin = path.display().to_string();
    let file: ProfileFile = toml::from_str(&text).map_err(|error| syntax_error(&error, &text, &origin))?;
    if file.card.profile.is_empty() {
        let message = "no [[card.profile]] is in it".to_owned();
        return Err(ConfigError::Syntax { origin, message });
    }
    check_each(&text, &origin, file.card.profile)
}

/// Checks the profiles of all layers together: each needs a name of its own and cards of its own.
///
/// # Errors
/// [`ConfigError::Profiles`] of the first two that clash.
pub(super) fn unite(located: Vec<LocatedProfile>) -> Result<Vec<Profile>, ConfigError> {
    for (number, one) in located.iter().enumerate() {
        for before in located.iter().take(number) {
            if let Some(clash) = clash(&before.profile, &one.profile) {
                return Err(ConfigError::Profiles {
                    origin: one.origin.clone(),
                    name: one.profile.name.clone(),
                    other: before.profile.name.clone(),
                    other_origin: before.origin.clone(),
                    clash,
                });
            }
        }
    }
    Ok(located.into_iter().map(|located| located.profile).collect())
}

/// Checks `card.prefer`: it holds names of families and profiles, each once.
///
/// # Errors
/// [`ConfigError::Value`] with the number of the wrong entry. The entry is not quoted, since it may be a misplaced secret.
pub(super) fn check_preferred(prefer: &[String], profiles: &[Profile]) -> Result<(), ConfigError> {
    for (number, name) in prefer.iter().enumerate() {
        let problem = if prefer.iter().take(number).any(|before| before == name) {
            "is there twice".to_owned()
        } else if Family::built_in_named(name).is_some() || profiles.iter().any(|profile| profile.name == *name) {
            continue;
        } else {
            let families: Vec<_> = family::built_in().collect();
            format!("is neither a built-in family ({}) nor the name of a [[card.profile]]", families.join(", "))
        };
        return Err(value("card.prefer", &format!("entry {} {problem}", number + 1)));
    }
    Ok(())
}

/// The parser's error with its line. The library's long form is not used: it quotes the line, which may hold a misplaced
/// secret.
pub(super) fn syntax_error(error: &toml::de::Error, text: &str, origin: &str) -> ConfigError {
    let line = error.span().map(|span| line_of(text, span.start));
    ConfigError::Syntax {
        origin: line.map_or_else(|| origin.to_owned(), |line| format!("{origin}, line {line}")),
        message: message::without_values(error.message()),
    }
}

fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

/// The line of a key in the profile of that number; where the key is not there, the line of the innermost table that is.
fn line(text: &str, number: usize, key: &[&str]) -> Option<usize> {
    let root = DeTable::parse(text).ok()?;
    let (_, card) = root.get_ref().iter().find(|(name, _)| name.get_ref() == "card")?;
    let profile = card.get_ref().as_table()?.get("profile")?.get_ref().as_array()?.get(number)?;
    let mut span = profile.span();
    let mut table = profile.get_ref();
    for part in key {
        let DeValue::Table(entries) = table else { break };
        let Some((name, value)) = entries.iter().find(|(name, _)| name.get_ref() == part) else { break };
        (span, table) = (name.span(), value.get_ref());
    }
    Some(line_of(text, span.start))
}
