//! A configuration with where each of its values comes from, for people.

use std::path::PathBuf;

use super::environment;
use super::origins::{Origins, Setting};
use super::raw::Raw;
use super::{Config, ConfigError};

/// A configuration that can be used, and how it came about.
#[derive(Debug)]
pub struct Explained {
    /// The configuration.
    pub config: Config,
    /// The files that were read, a later one winning over an earlier one; then those of profiles.
    pub files: Vec<PathBuf>,
    /// Every key with its value, sections together.
    pub settings: Vec<Setting>,
    /// The name of each card profile, and file and line where it stands.
    pub profiles: Vec<(String, String)>,
}

/// Every key of the configuration as it is written.
///
/// # Errors
/// [`ConfigError::Syntax`] where a value can't be written.
pub(super) fn settings(raw: &Raw, origins: &Origins) -> Result<Vec<Setting>, ConfigError> {
    let values = toml::Table::try_from(raw)
        .map_err(|error| ConfigError::Syntax { origin: "configuration".to_owned(), message: error.to_string() })?;
    let mut settings = Vec::new();
    for (section, keys) in &values {
        let written = keys.as_table().into_iter().flat_map(toml::Table::keys).map(String::as_str);
        let mut names: Vec<&str> = environment::keys_of(section).collect();
        let others: Vec<&str> = written.filter(|key| !names.contains(key)).collect();
        names.extend(others);
        settings.extend(names.into_iter().map(|key| Setting {
            key: format!("{section}.{key}"),
            value: keys.get(key).cloned(),
            origin: origins.get(section, key),
        }));
    }
    Ok(settings)
}

/// Fills in the places that follow from the environment where no key names one.
pub(super) fn fill_in(settings: &mut [Setting], config: &Config) {
    let places = [
        ("journal.dir", config.journal.as_ref().map(|journal| journal.folder())),
        ("agent.control", config.agent.control.as_deref()),
    ];
    for setting in settings.iter_mut().filter(|setting| setting.value.is_none()) {
        let place = places.iter().find(|(key, _)| setting.key == *key).and_then(|(_, path)| *path);
        setting.value = place.map(|path| toml::Value::String(path.display().to_string()));
    }
}
