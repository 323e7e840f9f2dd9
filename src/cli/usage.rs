//! Mistakes on the command line, told without what was typed, since that may be a secret in the wrong place.

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Shown in place of what was typed.
const HIDDEN: &str = "…";

/// The text of the mistake: what is wrong, and what would be right.
pub fn told(mut error: clap::Error) -> String {
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
