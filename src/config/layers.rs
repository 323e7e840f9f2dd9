//! What the sources of a configuration say, one over the other.

use std::path::Path;

use super::profiles::{self, Placed};
use super::raw::Raw;
use super::{ConfigError, message};

/// What files say, before it is checked as a whole.
#[derive(Default)]
pub(super) struct Source {
    table: toml::Table,
    /// Profiles, apart from the table: they keep the place where they stand.
    profiles: Vec<Placed>,
}

impl Source {
    /// Later values win; tables are merged, lists replaced.
    pub fn overlay(&mut self, later: Self) {
        merge(&mut self.table, later.table);
        if !later.profiles.is_empty() {
            self.profiles = later.profiles;
        }
    }

    /// Sets single keys.
    pub fn set(&mut self, later: toml::Table) {
        merge(&mut self.table, later);
    }

    /// The whole of it.
    pub fn finish(self) -> Result<(Raw, Vec<Placed>), ConfigError> {
        let raw = self.table.try_into().map_err(|error: toml::de::Error| ConfigError::Syntax {
            origin: "configuration".to_owned(),
            message: message::without_values(error.message()),
        })?;
        Ok((raw, self.profiles))
    }
}

/// Reads a file.
pub(super) fn read(path: &Path) -> Result<Source, ConfigError> {
    let text =
        std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    let mut source = parse(&text, &path.display().to_string())?;
    let files = source.table.get_mut("card").and_then(|card| card.get_mut("profile_files"));
    for file in files.and_then(toml::Value::as_array_mut).into_iter().flatten() {
        // Beside the file that names it.
        if let (Some(name), Some(folder)) = (file.as_str(), path.parent()) {
            *file = toml::Value::String(folder.join(name).display().to_string());
        }
    }
    Ok(source)
}

/// Parses and checks one source by itself, so that an error can name its line.
pub(super) fn parse(text: &str, origin: &str) -> Result<Source, ConfigError> {
    let located = |error: toml::de::Error| profiles::located(&error, text, origin);
    let raw = toml::from_str::<Raw>(text).map_err(located)?;
    let profiles = profiles::place(text, origin, raw.card.profile)?;
    let mut table: toml::Table = toml::from_str(text).map_err(located)?;
    if let Some(card) = table.get_mut("card").and_then(toml::Value::as_table_mut) {
        card.remove("profile");
    }
    Ok(Source { table, profiles })
}

/// Later values win; tables are merged, lists replaced.
fn merge(into: &mut toml::Table, from: toml::Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(toml::Value::Table(old)), toml::Value::Table(new)) => merge(old, new),
            (_, value) => drop(into.insert(key, value)),
        }
    }
}
