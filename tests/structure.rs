//! Where code belongs: operating systems differ in `src/os`, and nowhere else does the code ask which one it is built for.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};

/// Where systems may differ: there, and in `reader/pcsc`, where PC/SC itself does.
const ROOMS: [&str; 3] = ["os/", "reader/pcsc.rs", "reader/pcsc/"];

/// Words that mean an operating system inside of a `cfg`.
const SYSTEMS: [&str; 10] = [
    "unix",
    "windows",
    "target_os",
    "target_family",
    "target_env",
    "target_vendor",
    "linux",
    "macos",
    "android",
    "freebsd",
];

/// Parts of the standard library, and crates, that are there on some systems only.
const PATHS: [&str; 15] = [
    "os::unix::",
    "os::linux::",
    "os::windows::",
    "os::fd::",
    "consts::OS",
    "consts::FAMILY",
    "nix::",
    "rustix::",
    "libc::",
    "windows_sys::",
    "windows::",
    "sd_notify::",
    "tracing_journald::",
    "tokio::net::Unix",
    "tokio::signal",
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The code without comments and without what stands in quotation marks, line for line. Names of files in `#[path]` go with it.
fn code(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let raw = rest.strip_prefix('r').map(|hashes| hashes.len() - hashes.trim_start_matches('#').len());
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(hashes) = raw.filter(|hashes| rest[1 + hashes..].starts_with('"')) {
            let end = format!("\"{}", "#".repeat(hashes));
            let from = hashes + 2;
            rest[from..].find(&end).map_or(rest.len(), |at| from + at + end.len())
        } else if character == '"' {
            let mut escaped = false;
            let end = rest.char_indices().skip(1).find(|(_, character)| {
                let is_end = *character == '"' && !escaped;
                escaped = *character == '\\' && !escaped;
                is_end
            });
            end.map_or(rest.len(), |(at, _)| at + 1)
        } else if ["'\"'", "'\\\"'", "b'\"'"].iter().any(|quote| rest.starts_with(quote)) {
            rest[1..].find('\'').unwrap() + 2
        } else {
            code.push(character);
            rest = &rest[character.len_utf8()..];
            continue;
        };
        code.extend(rest[..skipped].chars().filter(|character| *character == '\n'));
        rest = &rest[skipped..];
    }
    code
}

/// What is inside of the parentheses that come first in `text`, however many lines that are.
fn in_parentheses(text: &str) -> &str {
    let mut depth = 0_usize;
    for (at, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' if depth == 1 => return &text[..at],
            ')' => depth -= 1,
            _ => {}
        }
    }
    text
}

fn has_word(text: &str, word: &str) -> bool {
    text.split(|character: char| !character.is_alphanumeric() && character != '_').any(|part| part == word)
}

fn begins_a_name(text: &str, at: usize) -> bool {
    !text[..at].ends_with(|character: char| character.is_alphanumeric() || character == '_')
}

/// Lines at which the code asks for an operating system, or uses what only some have.
fn offences(text: &str) -> Vec<usize> {
    let code = code(text);
    let line = |at: usize| code[..at].matches('\n').count() + 1;
    let mut lines = Vec::new();
    for asks in ["cfg(", "cfg_attr(", "cfg!(", "cfg ("] {
        for (at, _) in code.match_indices(asks).filter(|(at, _)| begins_a_name(&code, *at)) {
            let condition = in_parentheses(&code[at..]);
            if SYSTEMS.iter().any(|system| has_word(condition, system)) {
                lines.push(line(at));
            }
        }
    }
    for path in PATHS {
        let found = code.match_indices(path).filter(|(at, _)| begins_a_name(&code, *at));
        lines.extend(found.map(|(at, _)| line(at)));
    }
    lines.sort_unstable();
    lines.dedup();
    lines
}

#[test]
fn nothing_but_os_and_pcsc_asks_for_an_operating_system() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    files.sort();
    assert!(files.len() > 100, "{} files", files.len());
    let mut offences_found = Vec::new();
    for path in &files {
        let name = path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
        if ROOMS.iter().any(|room| name.starts_with(room)) {
            continue;
        }
        let text = fs::read_to_string(path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        for number in offences(&text) {
            offences_found.push(format!("src/{name}:{number}: {}", lines[number - 1].trim()));
        }
    }
    assert!(offences_found.is_empty(), "these belong into src/os:\n{}", offences_found.join("\n"));
}

/// The search itself: what it must find, and what it must not.
#[test]
fn every_way_to_ask_is_found() {
    for asked in [
        "#[cfg(unix)]\nfn f() {}",
        "#[cfg(not(windows))]",
        "#[cfg(any(\n    feature = \"sim\",\n    target_os = \"linux\",\n))]",
        "#[cfg_attr(target_family = \"unix\", allow(unused))]",
        "#[cfg(all(test, unix))]",
        "let here = cfg!(target_os = \"linux\");",
        "if cfg!(any(unix, windows)) {}",
        "use std::os::unix::fs::MetadataExt as _;",
        "use std::{io, os::fd::OwnedFd};",
        "let user = nix::unistd::geteuid();",
        "    Ok(rustix::process::geteuid().is_root())",
        "let c = '\"'; #[cfg(unix)] let d = '\"';",
        "if std::env::consts::OS == \"linux\" {}",
    ] {
        assert!(!offences(asked).is_empty(), "{asked}");
    }
    for other in [
        "#[cfg(test)]",
        "#[cfg(feature = \"sim\")]\nmod unix;",
        "// #[cfg(unix)] in a comment",
        "let text = \"cfg(unix) std::os::unix\";",
        "let text = r#\"a \"cfg(unix)\" b\"#;",
        "/* cfg!(windows) */ let windows = readers.windows(2);",
        "crate::os::account::is_root()",
        "phoenix::fly()",
    ] {
        assert!(offences(other).is_empty(), "{other}: {:?}", offences(other));
    }
    assert_eq!(offences("let a = \"\n\n\";\n#[cfg(unix)]\nlet b = 1;\n"), [4]);
}
