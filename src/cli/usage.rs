//! Mistakes on the command line, told without what was typed, since that may be a secret in the wrong place.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory as _, ValueEnum as _};

use super::screen::{Line, Tone};
use super::{Arguments, Color};
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
    pub fn lines(&self) -> Vec<Line> {
        let line = |line: &str| match line.strip_prefix(ERROR) {
            Some(rest) => Line::new(Tone::Bad, ERROR).with(Tone::Plain, rest),
            None => Line::new(Tone::Plain, line),
        };
        self.text.lines().map(line).collect()
    }

    /// What is wrong, in one line.
    pub fn message(&self) -> String {
        if self.is_nothing_asked {
            return "it is not said what to do".to_owned();
        }
        let lines = self.text.lines().take_while(|line| !line.is_empty() && !line.starts_with(HINT));
        let message = lines.map(str::trim).collect::<Vec<_>>().join(" ");
        message.strip_prefix(ERROR).unwrap_or(&message).to_owned()
    }

    /// What to do next, as an imperative sentence without a full stop.
    pub fn hint(&self) -> Option<String> {
        let hint = self.text.lines().find_map(|line| line.strip_prefix(HINT));
        Some(hint.map_or_else(|| "see `--help`".to_owned(), str::to_owned))
    }
}

const ERROR: &str = "error: ";
const HINT: &str = "  hint: ";

/// Whether the result was asked for as JSON, wherever that stands.
pub fn wants_json(arguments: &[OsString]) -> bool {
    arguments.iter().any(|argument| argument == "--json")
}

/// When outputs are to be coloured, as far as the mistaken command line says.
pub fn color(arguments: &[OsString]) -> Color {
    let mut following = arguments.iter();
    let mut wanted = Color::default();
    while let Some(argument) = following.next() {
        let value = match argument.to_str() {
            Some("--color") => following.next().and_then(|value| value.to_str()),
            Some(text) => text.strip_prefix("--color="),
            None => None,
        };
        wanted = value.and_then(|value| Color::from_str(value, false).ok()).unwrap_or(wanted);
    }
    wanted
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
    #[cfg(not(feature = "sim"))]
    if let Some(command) = only_with_stand_ins(&error) {
        return format!(
            "error: `{command}` needs the stand-ins, and this build is without the feature {STAND_INS:?}\n  \
             hint: build with `--features {STAND_INS}`; `make demo` in the source does so"
        );
    }
    hide(&mut error, ContextKind::InvalidValue, str::is_empty);
    // In errors of other kinds these hold names of commands and options, which are shown.
    match error.kind() {
        ErrorKind::InvalidSubcommand => hide(&mut error, ContextKind::InvalidSubcommand, is_a_misspelling),
        ErrorKind::UnknownArgument => hide(&mut error, ContextKind::InvalidArg, is_a_misspelling),
        _ => {}
    }
    error.render().to_string()
}

/// The feature that builds them.
#[cfg(not(feature = "sim"))]
const STAND_INS: &str = "sim";

/// The command that was typed, where it is one of a build with the stand-ins.
#[cfg(not(feature = "sim"))]
fn only_with_stand_ins(error: &clap::Error) -> Option<&'static str> {
    let typed = error.get(ContextKind::InvalidSubcommand)?.to_string();
    ["demo", "sim"].into_iter().find(|command| *command == typed)
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

/// So many edits make a misspelling of a name.
const EDITS_MAX: usize = 2;

/// Whether this is a misspelt command or option, which is worth showing: nothing but letters and hyphens, so no PIN of digits, and
/// nearly the name of one. What follows `=` is part of it, and makes it none.
fn is_a_misspelling(typed: &str) -> bool {
    typed.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-')
        && names(&Arguments::command()).iter().any(|name| strsim::damerau_levenshtein(typed, name) <= EDITS_MAX)
}

/// Every command by its name, and every option with its hyphens.
fn names(command: &clap::Command) -> Vec<String> {
    let options = command.get_arguments().filter_map(clap::Arg::get_long).map(|option| format!("--{option}"));
    let below = command.get_subcommands().flat_map(|command| {
        let mut names = names(command);
        names.push(command.get_name().to_owned());
        names
    });
    options.chain(below).collect()
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

    #[test]
    fn only_what_is_nearly_a_name_is_shown() {
        for typed in ["set-pn", "set-pni", "raeders", "enrol", "--verbos", "--Reader", "--yse", "inspect"] {
            assert!(is_a_misspelling(typed), "{typed}");
        }
        for typed in
            ["87654321", "--yes=87654321", "correct-horse", "--pin-fd3", "geheim", "Summer", "--reader=1", "set-pin1"]
        {
            assert!(!is_a_misspelling(typed), "{typed}");
        }
    }

    #[cfg(not(feature = "sim"))]
    #[test]
    fn a_command_that_needs_the_stand_ins_says_so() {
        for command in ["demo", "sim"] {
            let error = <Arguments as clap::Parser>::try_parse_from(["pinwright", command]).unwrap_err();
            let mistake = Mistake::new(error);
            assert!(mistake.message().contains("without the feature \"sim\""), "{}", mistake.message());
            assert!(mistake.hint().unwrap().starts_with("build with `--features sim`"));
        }
    }
}
