//! Which layer each key's value comes from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody has set it.
    Default,
    /// A file.
    File(PathBuf),
    /// A variable of the environment.
    Variable(String),
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// Section and key, `server.url`.
    pub key: String,
    /// The value; `None` where there is none. No key's value is a secret: secrets are given by reference.
    pub value: Option<toml::Value>,
    /// Where the value comes from.
    pub origin: Origin,
}

impl fmt::Display for Setting {
    /// As a line of TOML, with where the value comes from as its comment.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = match &self.origin {
            Origin::Default => "default".to_owned(),
            Origin::File(path) => path.display().to_string(),
            Origin::Variable(name) => name.clone(),
        };
        match &self.value {
            Some(value) => write!(f, "{} = {value}  # {origin}", self.key),
            None => write!(f, "{}  # not set ({origin})", self.key),
        }
    }
}

/// By section and key.
#[derive(Debug, Default)]
pub(super) struct Origins(BTreeMap<(String, String), Origin>);

impl Origins {
    /// Those of a layer: all its keys come from there.
    pub fn of(layer: &toml::Table, origin: &Origin) -> Self {
        let keys = layer.iter().flat_map(|(section, keys)| {
            let names = keys.as_table().into_iter().flat_map(toml::Table::keys);
            names.map(move |key| ((section.clone(), key.clone()), origin.clone()))
        });
        Self(keys.collect())
    }

    /// Lays a later layer's over these.
    pub fn overlay(&mut self, later: Self) {
        self.0.extend(later.0);
    }

    /// The key has no value any more.
    pub fn forget(&mut self, section: &str, key: &str) {
        self.0.remove(&(section.to_owned(), key.to_owned()));
    }

    /// Where a key's value comes from.
    pub fn get(&self, section: &str, key: &str) -> Origin {
        self.0.get(&(section.to_owned(), key.to_owned())).cloned().unwrap_or(Origin::Default)
    }
}
