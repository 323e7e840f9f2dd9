//! The layers of a configuration: files, and what is set over them. A later layer wins over an earlier one.

use std::path::Path;

use super::error::ConfigError;
use super::message;
use super::origins::{Origin, Origins};
use super::profiles::{self, LocatedProfile};
use super::raw::Raw;
use super::text::text_of;

/// Section and name of each secret: its sources are the keys `NAME_file` and `NAME_credential`.
const SECRETS: [(&str, &str); 9] = [
    ("server", "token"),
    ("server", "proxy_password"),
    ("server", "client_key"),
    ("card", "admin_key"),
    ("card", "puk"),
    ("card", "admin_pin"),
    ("card", "resetting_code"),
    ("card", "current_pin"),
    ("agent", "keytab"),
];

/// One layer, or several laid over each other, before they are checked as a whole.
#[derive(Default)]
pub(super) struct Layers {
    table: toml::Table,
    /// Profiles are kept apart from the table, since an error of theirs names the file and line where they stand.
    profiles: Vec<LocatedProfile>,
    origins: Origins,
}

impl Layers {
    /// A layer of checked keys.
    pub fn of(table: toml::Table, origin: &Origin) -> Self {
        Self { origins: Origins::of(&table, origin), table, profiles: Vec::new() }
    }

    /// Lays a later layer over this one. Its tables are merged into those below, its lists and values replace them; its card
    /// profiles are added, each in the place of an earlier one of the same name. Where it names a source of a secret, the other
    /// kind of source that an earlier layer names is void: the two exclude each other within one layer only.
    pub fn overlay(&mut self, later: Self) {
        for (section, secret) in SECRETS {
            for (named, void) in [("file", "credential"), ("credential", "file")] {
                if is_set(&later.table, section, &format!("{secret}_{named}")) {
                    self.forget(section, &format!("{secret}_{void}"));
                }
            }
        }
        self.profiles.retain(|earlier| !later.profiles.iter().any(|profile| profile.name() == earlier.name()));
        self.join(later);
    }

    /// Makes one layer of two.
    pub fn join(&mut self, other: Self) {
        merge(&mut self.table, other.table);
        self.origins.overlay(other.origins);
        self.profiles.extend(other.profiles);
    }

    fn forget(&mut self, section: &str, key: &str) {
        if let Some(keys) = self.table.get_mut(section).and_then(toml::Value::as_table_mut) {
            keys.remove(key);
        }
        self.origins.forget(section, key);
    }

    /// The layers as one configuration, with the profiles that stand in it, and where each key comes from.
    ///
    /// # Errors
    /// [`ConfigError::Syntax`] where the layers together are none.
    pub fn finish(self) -> Result<(Raw, Vec<LocatedProfile>, Origins), ConfigError> {
        let raw = without_empty(self.table).try_into().map_err(|error: toml::de::Error| ConfigError::Syntax {
            origin: "configuration".to_owned(),
            message: message::without_values(error.message()),
        })?;
        Ok((raw, self.profiles, self.origins))
    }
}

/// Whether a key has a value, which an empty text is not.
fn is_set(table: &toml::Table, section: &str, key: &str) -> bool {
    let value = table.get(section).and_then(|keys| keys.get(key));
    value.is_some_and(|value| value.as_str() != Some(""))
}

/// Reads a file as one layer.
///
/// # Errors
/// [`ConfigError::Unreadable`], [`ConfigError::Exposed`], and those of [`parse`].
pub(super) fn read(path: &Path) -> Result<Layers, ConfigError> {
    let text = text_of(path)?;
    let mut layer = parse(&text, &path.display().to_string())?;
    layer.origins = Origins::of(&layer.table, &Origin::File(path.to_owned()));
    let files = layer.table.get_mut("card").and_then(|card| card.get_mut("profile_files"));
    let here = std::path::absolute(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    for file in files.and_then(toml::Value::as_array_mut).into_iter().flatten() {
        // A relative path is meant from the folder of the file that names it.
        if let (Some(name), Some(folder)) = (file.as_str().filter(|name| !name.starts_with("~/")), here.parent()) {
            *file = toml::Value::String(folder.join(name).display().to_string());
        }
    }
    Ok(layer)
}

/// Parses and checks one layer by itself, so that an error can name its line. `origin` names it in errors.
///
/// # Errors
/// [`ConfigError::Syntax`] with the line, and [`ConfigError::Profile`].
pub(super) fn parse(text: &str, origin: &str) -> Result<Layers, ConfigError> {
    let with_line = |error: toml::de::Error| profiles::syntax_error(&error, text, origin);
    let mut table: toml::Table = toml::from_str(text).map_err(with_line)?;
    let raw = match toml::from_str::<Raw>(text) {
        Ok(raw) => raw,
        // An empty value is none, also where the key's kind has no empty one.
        Err(error) => without_empty(table.clone()).try_into().map_err(|_| with_line(error))?,
    };
    let profiles = profiles::check_each(text, origin, raw.card.profile)?;
    if let Some(card) = table.get_mut("card").and_then(toml::Value::as_table_mut) {
        card.remove("profile");
    }
    Ok(Layers { table, profiles, origins: Origins::default() })
}

/// Merges tables of the same name, and replaces lists and values.
fn merge(into: &mut toml::Table, from: toml::Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(toml::Value::Table(old)), toml::Value::Table(new)) => merge(old, new),
            (_, value) => drop(into.insert(key, value)),
        }
    }
}

/// The table without the keys whose value is `""`, which removes an earlier layer's value.
fn without_empty(mut table: toml::Table) -> toml::Table {
    for section in table.iter_mut().filter_map(|(_, section)| section.as_table_mut()) {
        section.retain(|_, value| value.as_str() != Some(""));
    }
    table
}
