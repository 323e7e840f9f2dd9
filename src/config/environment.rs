//! `PINWRIGHT_*`: one variable for each key, named after section and key, `PINWRIGHT_SERVER_URL`.

use toml::Value;

use super::ConfigError;

/// Variables that say something else.
const OTHERS: [&str; 1] = ["PINWRIGHT_CONFIG"];

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Number,
    List,
}

/// Section, key and the kind of value.
const KEYS: [(&str, &str, Kind); 25] = [
    ("server", "url", Kind::Text),
    ("server", "ca_file", Kind::Text),
    ("server", "auth", Kind::Text),
    ("server", "token_file", Kind::Text),
    ("server", "token_credential", Kind::Text),
    ("server", "pin_route", Kind::Text),
    ("server", "timeout", Kind::Text),
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
    ("reader", "ignore", Kind::List),
    ("reader", "timeout", Kind::Text),
    ("journal", "dir", Kind::Text),
    ("journal", "keep", Kind::Text),
];

/// The variables as a table, and a warning for each that means nothing to us: another program may have set it, so it is no
/// error, but a misspelt one must not pass in silence.
pub(super) fn table(environment: &[(String, String)]) -> Result<(toml::Table, Vec<String>), ConfigError> {
    let mut table = toml::Table::new();
    let mut warnings = Vec::new();
    for (name, text) in environment.iter().filter(|(name, _)| name.starts_with("PINWRIGHT_")) {
        let known =
            KEYS.iter().find(|(section, key, _)| name.eq_ignore_ascii_case(&format!("PINWRIGHT_{section}_{key}")));
        match known {
            Some((section, key, kind)) => {
                let entry = table.entry(*section).or_insert_with(|| Value::Table(toml::Table::new()));
                if let Value::Table(entries) = entry {
                    entries.insert((*key).to_owned(), value(name, text, *kind)?);
                }
            }
            None if OTHERS.contains(&name.as_str()) => {}
            None => warnings.push(format!("{name} in the environment is no setting of pinwright: it has no effect")),
        }
    }
    Ok((table, warnings))
}

fn value(name: &str, text: &str, kind: Kind) -> Result<Value, ConfigError> {
    match kind {
        Kind::Text => Ok(Value::String(text.to_owned())),
        Kind::List => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Ok(Value::Array(items.map(|item| Value::String(item.to_owned())).collect()))
        }
        Kind::Number => text.trim().parse().map(Value::Integer).map_err(|_| ConfigError::Syntax {
            origin: name.to_owned(),
            message: "a whole number is needed".to_owned(),
        }),
    }
}
