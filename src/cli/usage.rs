//! Mistakes on the command line, told without what was typed, since that may be a secret in the wrong place.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::operation::Operation;

/// Shown in place of what was typed.
const HIDDEN: &str = "…";

/// A mistake on the command line.
pub struct Mistake {
    is_nothing_asked: bool,
    text: String,
}

impl Mistake {
    /// What is wrong, and what would be right.
    pub fn new(error: clap::Error) -> Self {
        let is_nothing_asked = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
        Self { is_nothing_asked, text: told(error).trim_end().to_owned() }
    }

    /// All of it, for people.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What is wrong, in one line.
    pub fn message(&self) -> String {
        if self.is_nothing_asked {
            return "it is not said what to do".to_owned();
        }
        let lines = self.text.lines().take_while(|line| !line.is_empty() && !line.starts_with(HINT));
        let message = lines.map(str::trim).collect::<Vec<_>>().join(" ");
        message.strip_prefix("error: ").unwrap_or(&message).to_owned()
    }

    /// What to do next, as an imperative sentence without a full stop.
    pub fn hint(&self) -> Option<String> {
        let hint = self.text.lines().find_map(|line| line.strip_prefix(HINT));
        Some(hint.map_or_else(|| "see `--help`".to_owned(), str::to_owned))
    }
}

const HINT: &str = "  hint: ";

/// Whether the result was asked for as JSON, wherever that stands.
pub fn wants_json(arguments: &[OsString]) -> bool {
    arguments.iter().any(|argument| argument == "--json")
}

/// The schema of the command that was meant, as far as can be told.
pub fn schema(arguments: &[OsString]) -> &'static str {
    let mut meant: Option<Operation> = None;
    for argument in arguments.iter().skip(1) {
        let here = |operation: &&Operation| operation.parent() == meant && argument == operation.name();
        meant = Operation::ALL.iter().find(here).copied().or(meant);
    }
    meant.map_or("pinwright.usage/1", Operation::schema)
}

/// The text of the mistake: what is wrong, and what would be right.
fn told(mut error: clap::Error) -> String {
    if quotes_a_key(&error) {
        return "error: `--admin-key` takes policy, default or diversified\n  \
                hint: it says which key, it is not the key: that comes from `--admin-key-fd` or `card.admin_key_file`"
            .to_owned();
    }
    hide(&mut error, ContextKind::InvalidValue, str::is_empty);
    // In errors of other kinds these hold names of commands and options, which are shown.
    match error.kind() {
        ErrorKind::InvalidSubcommand => hide(&mut error, ContextKind::InvalidSubcommand, |_| false),
        ErrorKind::UnknownArgument => hide(&mut error, ContextKind::InvalidArg, names_an_option),
        _ => {}
    }
    error.render().to_string()
}

/// Whether the error would show what was given to `--admin-key`, which may be a key.
fn quotes_a_key(error: &clap::Error) -> bool {
    let argument = error.get(ContextKind::InvalidArg);
    error.kind() == ErrorKind::InvalidValue
        && argument.is_some_and(|value| value.to_string().starts_with("--admin-key "))
}

/// Replaces what was typed, unless it is harmless, and removes the suggestion, which is similar to it.
fn hide(error: &mut clap::Error, kind: ContextKind, is_harmless: impl Fn(&str) -> bool) {
    let typed = match error.get(kind) {
        Some(ContextValue::String(typed)) => !is_harmless(typed),
        _ => false,
    };
    if typed {
        error.insert(kind, ContextValue::String(HIDDEN.to_owned()));
        error.remove(ContextKind::Suggested);
    }
}

/// Whether this is a misspelt option, which is worth showing: a hyphen, and lower-case letters and hyphens.
fn names_an_option(typed: &str) -> bool {
    typed.strip_prefix('-').is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_is_that_of_the_command_that_was_meant() {
        for (line, expected) in [
            ("pinwright --json set-pin --pin", "pinwright.set-pin/1"),
            ("pinwright agent status --what", "pinwright.agent-status/1"),
            ("pinwright config shwo", "pinwright.config/1"),
            ("pinwright status", "pinwright.usage/1"),
            ("pinwright history agent", "pinwright.history/1"),
        ] {
            let arguments: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            assert_eq!(schema(&arguments), expected, "{line}");
        }
    }
}
