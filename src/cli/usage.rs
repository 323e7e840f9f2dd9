//! Mistakes on the command line, told without repeating what was typed: it may be a secret in the wrong place.

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Stands for what was typed.
const HIDDEN: &str = "…";

/// What is wrong, and what would be right.
pub fn told(mut error: clap::Error) -> String {
    if quotes_a_key(&error) {
        return "error: `--admin-key` takes policy, default or diversified\n  \
                hint: it says which key, it is not the key: that comes from `--admin-key-fd` or `card.admin_key_file`"
            .to_owned();
    }
    hide(&mut error, ContextKind::InvalidValue, str::is_empty);
    // In other kinds these are names of our own.
    match error.kind() {
        ErrorKind::InvalidSubcommand => hide(&mut error, ContextKind::InvalidSubcommand, |_| false),
        ErrorKind::UnknownArgument => hide(&mut error, ContextKind::InvalidArg, names_an_option),
        _ => {}
    }
    error.render().to_string()
}

/// Whether it would be told what somebody gave to `--admin-key`: it may be a key.
fn quotes_a_key(error: &clap::Error) -> bool {
    let argument = error.get(ContextKind::InvalidArg);
    error.kind() == ErrorKind::InvalidValue
        && argument.is_some_and(|value| value.to_string().starts_with("--admin-key "))
}

/// Replaces what was typed, unless it is harmless; advice that repeats it goes as well.
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

/// A misspelt option is worth showing.
fn names_an_option(typed: &str) -> bool {
    typed.strip_prefix('-').is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'))
}
