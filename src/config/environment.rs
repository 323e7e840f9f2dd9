//! `PINWRIGHT_*`: one variable for each key, named after section and key, `PINWRIGHT_SERVER_URL`.

use std::ffi::{OsStr, OsString};

use toml::Value;

use super::error::ConfigError;
use super::layers::Layers;
use super::message;
use super::origins::Origin;
use super::raw::Raw;
use crate::os::start_anew::GUARD;

/// Variables that name no key.
const OTHERS: [&str; 2] = ["PINWRIGHT_CONFIG", GUARD];

/// How the text of a variable is read.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Number,
    /// `true` or `false`.
    Flag,
    /// Items with commas between them, or a list as in TOML.
    List,
    /// A single name, whatever is in it, or a list as in TOML: names of readers and paths have commas.
    Names,
}

/// Section, key and the kind of value.
const KEYS: [(&str, &str, Kind); 71] = [
    ("server", "url", Kind::Text),
    ("server", "ca_file", Kind::Text),
    ("server", "client_certificate_file", Kind::Text),
    ("server", "client_key_file", Kind::Text),
    ("server", "client_key_credential", Kind::Text),
    ("server", "auth", Kind::Text),
    ("server", "token_file", Kind::Text),
    ("server", "token_credential", Kind::Text),
    ("server", "spn", Kind::Text),
    ("server", "principal", Kind::Text),
    ("server", "channel_bindings", Kind::Text),
    ("server", "adfs_url", Kind::Text),
    ("server", "adfs_client_id", Kind::Text),
    ("server", "adfs_resource", Kind::Text),
    ("server", "adfs_redirect_port", Kind::Number),
    ("server", "adfs_ca_file", Kind::Text),
    ("server", "adfs_token_file", Kind::Text),
    ("server", "adfs_token_store", Kind::Text),
    ("server", "pin_route", Kind::Text),
    ("server", "data_collection", Kind::Text),
    ("server", "timeout", Kind::Text),
    ("server", "http_version", Kind::Text),
    ("server", "proxy", Kind::Text),
    ("server", "proxy_user", Kind::Text),
    ("server", "proxy_password_file", Kind::Text),
    ("server", "proxy_password_credential", Kind::Text),
    ("card", "authority", Kind::List),
    ("card", "min_tries_left", Kind::Number),
    ("card", "id_order", Kind::Text),
    ("card", "piv_pin", Kind::Text),
    ("card", "atr", Kind::Text),
    ("card", "pin_characters", Kind::Text),
    ("card", "piv_slot", Kind::Text),
    ("card", "management", Kind::Text),
    ("card", "allow_sha1", Kind::Flag),
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
    ("card", "profile_files", Kind::Names),
    ("reader", "ignore", Kind::Names),
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
    ("agent", "keytab_file", Kind::Text),
    ("agent", "keytab_credential", Kind::Text),
    ("agent", "principal", Kind::Text),
    ("agent", "adfs_client_id", Kind::Text),
    ("agent", "adfs_certificate_file", Kind::Text),
    ("agent", "adfs_key_file", Kind::Text),
    ("agent", "adfs_key_credential", Kind::Text),
    ("journal", "dir", Kind::Text),
    ("journal", "keep", Kind::Text),
];

/// The variables as a layer, and a warning for each that names no key. Such a variable is no error, since another program may
/// have set it, but a misspelt one must not pass in silence.
///
/// # Errors
/// [`ConfigError::Syntax`] with the variable's name and without its value.
pub(super) fn table(environment: &[(String, OsString)]) -> Result<(Layers, Vec<String>), ConfigError> {
    let mut layers = Layers::default();
    let mut warnings = Vec::new();
    // An empty variable is an unset one.
    let set = environment.iter().filter(|(name, text)| name.starts_with("PINWRIGHT_") && !text.is_empty());
    for (name, text) in set {
        let known =
            KEYS.iter().find(|(section, key, _)| name.eq_ignore_ascii_case(&format!("PINWRIGHT_{section}_{key}")));
        match known {
            Some((section, key, kind)) => {
                if matches!(kind, Kind::Names) && text.to_str().is_some_and(is_one_name_with_comma) {
                    warnings.push(format!(
                        "{name} is taken for one name with a comma in it: more than one, or that one for sure, is written as a list, \
                         [\"one\", \"two\"]"
                    ));
                }
                let table = one(section, key, value(name, text, *kind)?);
                check(name, table.clone())?;
                // All variables are one layer: which of them comes later nobody has said.
                layers.join(Layers::of(table, &Origin::Variable(name.clone())));
            }
            None if OTHERS.contains(&name.as_str()) => {}
            None => warnings.push(format!("{name} in the environment is no setting of pinwright: it has no effect")),
        }
    }
    Ok((layers, warnings))
}

/// The keys of a section that have a variable.
pub(super) fn keys_of(section: &str) -> impl Iterator<Item = &'static str> {
    KEYS.iter().filter(move |(of, _, _)| *of == section).map(|(_, key, _)| *key)
}

fn one(section: &str, key: &str, value: Value) -> toml::Table {
    let entries = toml::Table::from_iter([(key.to_owned(), value)]);
    toml::Table::from_iter([(section.to_owned(), Value::Table(entries))])
}

fn is_one_name_with_comma(text: &str) -> bool {
    text.contains(',') && !text.trim_start().starts_with('[')
}

/// Checks one variable by itself, so that an error can name it.
fn check(name: &str, table: toml::Table) -> Result<(), ConfigError> {
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
        Kind::List | Kind::Names if text.trim_start().starts_with('[') => {
            let list = format!("list = {text}")
                .parse::<toml::Table>()
                .ok()
                .filter(|table| table.len() == 1)
                .and_then(|mut table| table.remove("list"));
            list.filter(Value::is_array).ok_or_else(|| wrong(name, "a list is written as [\"one\", \"two\"]"))
        }
        Kind::List => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Ok(Value::Array(items.map(|item| Value::String(item.to_owned())).collect()))
        }
        Kind::Names => Ok(Value::Array(vec![Value::String(text.trim().to_owned())])),
        Kind::Flag => text.trim().parse().map(Value::Boolean).map_err(|_| wrong(name, "true or false is needed")),
        Kind::Number => text.trim().parse().map(Value::Integer).map_err(|_| wrong(name, "a whole number is needed")),
    }
}
