//! `PINWRIGHT_*`: one variable for each key, named after section and key, `PINWRIGHT_SERVER_URL`.

use std::ffi::{OsStr, OsString};

use toml::Value;

use super::error::ConfigError;
use super::message;
use super::raw::Raw;

/// Variables that name no key.
const OTHERS: [&str; 1] = ["PINWRIGHT_CONFIG"];

/// How the text of a variable is read.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Number,
    /// Items with commas between them.
    List,
}

/// Section, key and the kind of value.
const KEYS: [(&str, &str, Kind); 44] = [
    ("server", "url", Kind::Text),
    ("server", "ca_file", Kind::Text),
    ("server", "auth", Kind::Text),
    ("server", "token_file", Kind::Text),
    ("server", "token_credential", Kind::Text),
    ("server", "pin_route", Kind::Text),
    ("server", "timeout", Kind::Text),
    ("server", "http_version", Kind::Text),
    ("server", "proxy", Kind::Text),
    ("server", "proxy_user", Kind::Text),
    ("server", "proxy_password_file", Kind::Text),
    ("server", "proxy_password_credential", Kind::Text),
    ("card", "authority", Kind::List),
    ("card", "min_tries_left", Kind::Number),
    ("card", "id_order", Kind::Text),
    ("card", "admin_key", Kind::Text),
    ("card", "admin_key_file", Kind::Text),
    ("card", "admin_key_credential", Kind::Text),
    ("card", "puk_file", Kind::Text),
    ("card", "puk_credential", Kind::Text),
    ("card", "admin_pin_file", Kind::Text),
    ("card", "admin_pin_credential", Kind::Text),
    ("card", "resetting_code_file", Kind::Text),
    ("card", "resetting_code_credential", Kind::Text),
    ("card", "current_pin_file", Kind::Text),
    ("card", "current_pin_credential", Kind::Text),
    ("card", "prefer", Kind::List),
    ("card", "profile_files", Kind::List),
    ("reader", "ignore", Kind::List),
    ("reader", "timeout", Kind::Text),
    ("agent", "on_insert", Kind::Text),
    ("agent", "requests", Kind::Text),
    ("agent", "job_timeout", Kind::Text),
    ("agent", "stop_timeout", Kind::Text),
    ("agent", "recheck", Kind::List),
    ("agent", "retry", Kind::List),
    ("agent", "pinentry", Kind::Text),
    ("agent", "pinentry_timeout", Kind::Text),
    ("agent", "control", Kind::Text),
    ("agent", "control_group", Kind::Text),
    ("agent", "user", Kind::Text),
    ("agent", "metrics", Kind::Text),
    ("journal", "dir", Kind::Text),
    ("journal", "keep", Kind::Text),
];

/// The variables as a table, and a warning for each that names no key. Such a variable is no error, since another program may
/// have set it, but a misspelt one must not pass in silence.
///
/// # Errors
/// [`ConfigError::Syntax`] with the variable's name and without its value.
pub(super) fn table(environment: &[(String, OsString)]) -> Result<(toml::Table, Vec<String>), ConfigError> {
    let mut table = toml::Table::new();
    let mut warnings = Vec::new();
    for (name, text) in environment.iter().filter(|(name, _)| name.starts_with("PINWRIGHT_")) {
        let known =
            KEYS.iter().find(|(section, key, _)| name.eq_ignore_ascii_case(&format!("PINWRIGHT_{section}_{key}")));
        match known {
            Some((section, key, kind)) => {
                let entry = table.entry(*section).or_insert_with(|| Value::Table(toml::Table::new()));
                if let Value::Table(entries) = entry {
                    let value = value(name, text, *kind)?;
                    check(name, section, key, value.clone())?;
                    entries.insert((*key).to_owned(), value);
                }
            }
            None if OTHERS.contains(&name.as_str()) => {}
            None => warnings.push(format!("{name} in the environment is no setting of pinwright: it has no effect")),
        }
    }
    Ok((table, warnings))
}

/// Checks one variable by itself, so that an error can name it.
fn check(name: &str, section: &str, key: &str, value: Value) -> Result<(), ConfigError> {
    let entries = toml::Table::from_iter([(key.to_owned(), value)]);
    let table = toml::Table::from_iter([(section.to_owned(), Value::Table(entries))]);
    match table.try_into::<Raw>() {
        Ok(_) => Ok(()),
        Err(error) => Err(wrong(name, &message::without_values(error.message()))),
    }
}

fn wrong(name: &str, message: &str) -> ConfigError {
    ConfigError::Syntax { origin: name.to_owned(), message: message.to_owned() }
}

fn value(name: &str, text: &OsStr, kind: Kind) -> Result<Value, ConfigError> {
    let text = text.to_str().ok_or_else(|| wrong(name, "the value is not UTF-8 text"))?;
    match kind {
        Kind::Text => Ok(Value::String(text.to_owned())),
        Kind::List => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Ok(Value::Array(items.map(|item| Value::String(item.to_owned())).collect()))
        }
        Kind::Number => text.trim().parse().map(Value::Integer).map_err(|_| wrong(name, "a whole number is needed")),
    }
}
