//! Advice names commands by `Operation`, and the command line takes its names from it: both are checked here, and that no
//! text of the program spells a command out.

use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use pinwright::cli::Arguments;
use pinwright::operation::Operation;

#[test]
fn every_operation_is_a_command_and_every_command_an_operation() {
    let program = Arguments::command();
    for operation in Operation::ALL {
        let text = operation.to_string();
        let mut words = text.split(' ');
        assert_eq!(words.next(), Some(program.get_name()));
        let mut command = &program;
        for word in words {
            command = command.find_subcommand(word).unwrap_or_else(|| panic!("`{text}` is no command"));
        }
    }
    let named: Vec<String> = Operation::ALL.iter().map(ToString::to_string).collect();
    for command in program.get_subcommands().filter(|command| command.get_name() != "help") {
        let text = format!("{} {}", program.get_name(), command.get_name());
        assert!(named.contains(&text), "`{text}` is no operation");
    }
}

#[test]
fn no_text_of_the_program_spells_a_command_out() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = sources(&source);
    let mut literals = 0;
    let mut spelt = Vec::new();
    for file in files.iter().filter(|file| !file.ends_with("src/operation.rs")) {
        for literal in string_literals(&without_tests(&std::fs::read_to_string(file).unwrap())) {
            literals += 1;
            if let Some(command) = spelt_out(&literal) {
                spelt.push(format!("{}: `{command}` in {literal:?}", file.display()));
            }
        }
    }
    assert!(spelt.is_empty(), "name these by `Operation`:\n{}", spelt.join("\n"));
    assert!(files.len() > 100 && literals > 1000, "{} files, {literals} texts", files.len());
}

#[test]
fn the_search_for_commands_in_texts_finds_them() {
    let source = "\
        /// Doc comments may say `pinwright set-pin`.\n\
        fn f<'a>(c: char) -> &'a str {\n\
            if c == '\"' { return \"run `pinwright set-pin` again\"; } // \"pinwright plan\"\n\
            /* \"pinwright readers\" */ r#\"see \"pinwright agent status\"\"#\n\
        }\n\
        fn g() -> &'static str { \"a \\\"b\\\" c, \\\n              `inspect` shows it\" }\n\
        #[cfg(test)]\nmod tests { fn h() { \"pinwright history\"; } }\n";
    let literals = string_literals(&without_tests(source));
    let found: Vec<_> = literals.iter().filter_map(|literal| spelt_out(literal)).collect();
    assert_eq!(found, ["pinwright set-pin", "pinwright agent", "`inspect`"], "{literals:?}");
    for harmless in [
        "pinwright.set-pin/1",
        "pinwright-agent",
        "an agent of pinwright",
        "`agent.control`",
        "plan",
        "pinwright plans",
    ] {
        assert_eq!(spelt_out(harmless), None);
    }
}

/// The command that a text names: after the program's name, or alone in backquotes.
fn spelt_out(text: &str) -> Option<String> {
    let commands = Operation::ALL.iter().filter(|operation| operation.parent().is_none());
    let ends =
        |rest: &str| !rest.starts_with(|next: char| next.is_alphanumeric() || matches!(next, '-' | '_' | '.' | '/'));
    let named = |found: String| {
        let mut at = text.match_indices(&found);
        at.any(|(from, _)| ends(&text[from + found.len()..])).then_some(found)
    };
    commands.into_iter().find_map(|operation| {
        let quoted = format!("`{}`", operation.name());
        named(operation.to_string()).or_else(|| text.contains(&quoted).then_some(quoted))
    })
}

/// Unit tests may say what a text is to be.
fn without_tests(source: &str) -> String {
    source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
            files.push(path);
        }
    }
    files
}

/// The string literals of Rust source, as they are written. Comments hold none.
fn string_literals(source: &str) -> Vec<String> {
    let mut literals = Vec::new();
    let mut rest = source;
    while let Some(next) = rest.chars().next() {
        let raw =
            rest.strip_prefix('r').map(|hashes| hashes.trim_start_matches('#')).filter(|text| text.starts_with('"'));
        rest = if let Some(comment) = rest.strip_prefix("//") {
            comment.split_once('\n').map_or("", |(_, rest)| rest)
        } else if let Some(comment) = rest.strip_prefix("/*") {
            comment.split_once("*/").map_or("", |(_, rest)| rest)
        } else if let Some(text) = raw {
            let end = format!("\"{}", "#".repeat(rest.len() - 1 - text.len()));
            let (literal, rest) = text[1..].split_once(&end).expect("the literal ends");
            literals.push(literal.to_owned());
            rest
        } else if let Some(text) = rest.strip_prefix('"') {
            let (literal, rest) = text.split_at(closing_quote(text));
            literals.push(literal.to_owned());
            &rest[1..]
        } else if let Some(quote) = rest.strip_prefix("'\"'").or_else(|| rest.strip_prefix("'\\\"'")) {
            quote
        } else {
            &rest[next.len_utf8()..]
        };
    }
    literals
}

/// Where a literal ends, by its first quote that is not escaped.
fn closing_quote(text: &str) -> usize {
    let mut escaped = false;
    let end = text.char_indices().find(|(_, character)| {
        let ends = *character == '"' && !escaped;
        escaped = *character == '\\' && !escaped;
        ends
    });
    end.expect("the literal ends").0
}
